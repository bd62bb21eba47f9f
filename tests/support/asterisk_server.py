"""A real, private Asterisk for the tests, and a SIP phone behind its trunk."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from dialer.asterisk.ari import Ari
from dialer.asterisk.instance import (
    DEFAULT_PREFIX,
    Instance,
    InstanceError,
    InstanceSettings,
    get,
    start,
    stop,
)
from dialer.asterisk.line import AsteriskLine, application_name
from tests.support.callee import Callee
from tests.support.debian import left_out
from tests.support.postgres_server import free_port
from tests.support.sip_phone import SipPhone

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class AsteriskServer:
    """A running switch whose trunk leads to ``phone_port`` on loopback."""

    instance: Instance
    settings: InstanceSettings
    prefix: Path
    phone_port: int

    def ari(self, application: str) -> Ari:
        """A client of this switch."""
        return Ari(self.instance.url, self.instance.user, self.instance.password, application)

    def restart(self) -> None:
        """End the switch, all calls with it, and start it again."""
        stop(self.settings.run)
        start(self.settings, self.prefix)


@contextmanager
def asterisk_server(run: Path) -> Iterator[AsteriskServer]:
    """Run Asterisk, unpacked once into ``.servers``, with its configuration and log in ``run``.

    Raises:
        InstanceError: it can neither be found nor fetched here, or does not start.
    """
    prefix = ROOT / DEFAULT_PREFIX
    get(prefix)
    phone_port = free_port()
    settings = InstanceSettings(
        run=run,
        http_port=free_port(),
        sip_port=free_port(),
        rtp_start=30000,
        rtp_end=31999,
        trunk_contact=f"127.0.0.1:{phone_port}",
    )
    try:
        yield AsteriskServer(start(settings, prefix), settings, prefix, phone_port)
    finally:
        stop(settings.run)


@pytest.fixture(scope="session")
def asterisk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AsteriskServer]:
    """A switch for this test session."""
    try:
        get(ROOT / DEFAULT_PREFIX)
    except InstanceError as missing:
        left_out(missing)
    with asterisk_server(tmp_path_factory.mktemp("asterisk")) as server:
        yield server


@dataclass(slots=True)
class Phones:
    """Numbers of the SIP phone and how each behaves."""

    phone: SipPhone
    callees: dict[str, Callee] = field(default_factory=dict)

    def expect(self, callee: Callee) -> str:
        """A number that reaches this callee."""
        number = f"0{len(self.callees):05d}"
        self.callees[number] = callee
        return number


@pytest.fixture
async def phones(asterisk: AsteriskServer) -> AsyncIterator[Phones]:
    """A SIP phone behind the trunk; every number must be announced with ``expect``."""
    callees: dict[str, Callee] = {}
    async with SipPhone(lambda number: callees[number], port=asterisk.phone_port) as phone:
        yield Phones(phone, callees)


@pytest.fixture
async def asterisk_line(
    asterisk: AsteriskServer, request: pytest.FixtureRequest
) -> AsyncIterator[AsteriskLine]:
    """A line on the private switch."""
    ari = asterisk.ari(application_name(request.node.name))
    async with AsteriskLine(ari, reconcile_seconds=1.0) as line:
        yield line
