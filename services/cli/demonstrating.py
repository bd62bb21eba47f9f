"""``huifang demo``: everything in one process, on the simulated line."""

from __future__ import annotations

import asyncio
import logging
import secrets
import tempfile
import webbrowser
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path

from asr.models import FoundModel
from asr.recogniser import EarsError
from dialer.simulated.line import SimulatedLine
from scripts.reading import load
from services.cli.failing import stop_with
from services.cli.models import pulled
from services.cli.running import NOT_STARTED, desk, read_settings, until_signalled
from services.demo.residents import residents, telephones
from services.demo.round import NURSE, Row, outcome, plan, put_somebody_on_duty, until_called
from services.runtime import (
    DEMO_MARK,
    NotReady,
    caller_name,
    find_ears,
    hospital,
    voices_of,
    working,
)
from services.settings import Settings
from tts.prompts import PromptBook

SCRIPT = "general_discharge"
ROUND = ("well", "emergency", "no_answer")
RING_SECONDS = 12.0
"""A demo does not wait forty seconds for somebody who is not there."""


def demonstrate(*, once: bool) -> int:
    """Run the demo; the exit status is 0 if every call ended as it had to."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    with tempfile.TemporaryDirectory(prefix="huifang-demo-") as folder:
        with stop_with(EarsError, *NOT_STARTED):
            settings = _settings(Path(folder))
            return asyncio.run(_demonstrate(settings, once=once))
    raise AssertionError("unreachable")


def _settings(folder: Path) -> Settings:
    (folder / DEMO_MARK).write_text("made by the demo\n", encoding="utf-8")
    mine = {
        "mode": "demo",
        "data": folder,
        "database_url": None,
        "master_key_file": None,
        "line": "simulated",
        "mqtt_url": None,
        "ring_seconds": RING_SECONDS,
        "listen_port": 0,
        "worker_id": "demo",
    }
    return read_settings().model_copy(update=mine)


async def _demonstrate(settings: Settings, *, once: bool) -> int:
    found = await _ears(settings)
    print(f"Ears: {found.engine} {found.model}, {found.why}.", flush=True)
    script = load(SCRIPT)
    async with AsyncExitStack() as stack:
        on = await stack.enter_async_context(hospital(settings, worker=True))
        people = residents(on.clock().date(), ROUND)
        voices, synthetic = voices_of(settings)
        stack.push_async_callback(synthetic.close)
        phones = await telephones(people, script, lambda: PromptBook(voices), caller_name(settings))
        password = secrets.token_urlsafe(6)
        await put_somebody_on_duty(on, "值班护士 Duty nurse", password)
        if not once:
            address = await stack.enter_async_context(desk(on))
            print(f"Desk: {address}   sign in as {NURSE}, password {password}")
            print(f"Broker: {on.mqtt_url}   topics huifang/v1/#", flush=True)
            await asyncio.to_thread(webbrowser.open, address)
        planned = await plan(on, people, script)
        await stack.enter_async_context(working(on, line=SimulatedLine(phones.far_end)))
        print(f"Calling {len(people)} patients; a call takes about two minutes …", flush=True)
        await until_called(on, planned, lambda line: print(f"  {line}", flush=True))
        rows = await outcome(on, people, planned, phones)
        print(table(rows), flush=True)
        if not once:
            print("The desk stays open; Ctrl-C ends the demo, and its data with it.", flush=True)
            await until_signalled()
    return 0 if all(row.good for row in rows) else 1


async def _ears(settings: Settings) -> FoundModel:
    try:
        return find_ears(settings, settings.language)
    except NotReady:
        print("No recogniser model is on this machine; fetching one …", flush=True)
        return await pulled(settings, settings.language)


def table(rows: Sequence[Row]) -> str:
    """Return what was expected and what happened, a line a patient."""
    form = "{:11} {:13} {:13} {:10} {:10} {:>6} {:>6} {:>8} {:>7}"
    head = form.format(
        "patient", "expected", "happened", "expected", "alerted", "rings", "turns", "recorded", "s"
    )
    lines = [
        form.format(
            row.resident.id,
            row.resident.disposition,
            row.disposition or "-",
            row.resident.severity,
            row.severity,
            row.rings,
            row.turns,
            "yes" if row.recorded else "no",
            f"{row.seconds:.0f}",
        )
        + ("" if row.good else "   <- NOT AS EXPECTED")
        for row in rows
    ]
    good = sum(row.good for row in rows)
    return "\n".join([head, "-" * len(head), *lines, f"{good} of {len(rows)} as expected"])
