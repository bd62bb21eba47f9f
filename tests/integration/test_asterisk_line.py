"""The Asterisk line on a real Asterisk, with a SIP phone behind its trunk."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from dialer.asterisk.line import AsteriskLine
from tests.integration.line_contract import LineContract
from tests.support.asterisk_server import Phones
from tests.support.callee import Callee


@dataclass(frozen=True, slots=True)
class AsteriskRig:
    line: AsteriskLine
    phones: Phones

    def expect(self, callee: Callee) -> str:
        return self.phones.expect(callee)


class TestAsteriskLine(LineContract):
    @pytest.fixture
    async def rig(self, asterisk_line: AsteriskLine, phones: Phones) -> AsteriskRig:
        return AsteriskRig(asterisk_line, phones)
