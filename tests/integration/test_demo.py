"""The demo as a newcomer runs it."""

from __future__ import annotations

import pytest

from tests.support.debian import ROOT
from tests.support.ears import models_folder
from tests.support.product import Product


@pytest.mark.timeout(500)
async def test_one_round_calls_the_ward_and_everybody_ends_as_expected() -> None:
    models = models_folder()
    product = Product({"HUIFANG_MODELS": str(models), "HUIFANG_DATA": str(ROOT / "nowhere")})
    status, said = await product.call("demo", "--once")
    lines = {line.split()[0]: line.split() for line in said.splitlines() if line.split()}
    assert lines["well"][1:6] == ["completed", "completed", "none", "none", "1"], said
    assert lines["emergency"][1:6] == ["partial", "partial", "emergency", "emergency", "1"], said
    assert lines["no_answer"][1:6] == ["no_answer", "no_answer", "none", "none", "1"], said
    assert "3 of 3 as expected" in said
    assert status == 0
    # The demo keeps everything in a folder of its own, and takes it away.
    assert not (ROOT / "nowhere").exists()
