"""The simulated line keeps the contract of every line, in virtual time."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from dialer.line import Audio, DialRequest, LegEnded, Line, LineError
from dialer.simulated.circuit import Circuit
from dialer.simulated.line import FarEnd, Rejection, SimulatedLine
from tests.integration.line_contract import LineContract, Rig
from tests.support.callee import Callee, ScriptedMedia
from tests.support.virtual_time import VirtualTimeLoop

CAUSES = {486: 17, 603: 21, 404: 1, 480: 19}


class VirtualTime(asyncio.DefaultEventLoopPolicy):
    def new_event_loop(self) -> VirtualTimeLoop:
        return VirtualTimeLoop()


@pytest.fixture
def event_loop_policy() -> asyncio.AbstractEventLoopPolicy:
    return VirtualTime()


class SimulatedRig:
    def __init__(self) -> None:
        self.line: Line = SimulatedLine(self._far_end)
        self._callees: dict[str, Callee] = {}

    def expect(self, callee: Callee) -> str:
        number = f"0001{len(self._callees)}"
        self._callees[number] = callee
        return number

    def _far_end(self, number: str) -> FarEnd | None:
        callee = self._callees[number]
        rejection = None
        if callee.refuse is not None:
            after = callee.ring_seconds if callee.rings else None
            rejection = Rejection(CAUSES[callee.refuse], callee.refuse, after)
        return FarEnd(
            media=callee.media or ScriptedMedia(),
            answers_after=callee.ring_seconds if callee.answers else None,
            rejection=rejection,
            early_media=callee.early_media,
        )


class TestSimulatedLine(LineContract):
    @pytest.fixture
    def rig(self) -> Rig:
        return SimulatedRig()

    async def test_a_number_nobody_has(self) -> None:
        line = SimulatedLine(lambda _: None)
        leg = await line.dial(DialRequest("nobody", "000"))
        (ended,) = [event async for event in leg.events()]
        assert isinstance(ended, LegEnded)
        assert (ended.cause, ended.sip_code) == (1, 404)

    async def test_a_person_that_breaks_is_told(self) -> None:
        class Broken(ScriptedMedia):
            def step(self, heard: bytes) -> bytes:
                raise ZeroDivisionError

        line = SimulatedLine(lambda _: FarEnd(Broken(), answers_after=0.1))
        leg = await line.dial(DialRequest("broken", "000"))
        with pytest.raises(LineError):
            _ = [event async for event in leg.events()]

    async def test_frames_come_at_the_pace_of_the_clock(self, rig: Rig) -> None:
        call = await self.call(rig, Callee(media=ScriptedMedia()))
        await call.until_heard(60.0)
        now = asyncio.get_running_loop().time()
        assert now == pytest.approx(call.of(Audio)[-1].at + 0.02)
        await call.leg.hang_up()


def test_the_same_seed_makes_the_same_noise() -> None:
    assert Circuit(20.0, 1).carry(bytes(320)) == Circuit(20.0, 1).carry(bytes(320))
    assert Circuit(20.0, 1).carry(bytes(320)) != Circuit(20.0, 2).carry(bytes(320))


def test_mu_law_keeps_speech_and_its_sign() -> None:
    ramp = np.arange(-32000, 32000, 37, dtype="<i2")
    out = np.frombuffer(Circuit(0.0, 0).carry(ramp.tobytes()), "<i2").astype(float)
    error = np.abs(out - ramp) / np.maximum(np.abs(ramp.astype(float)), 132)
    assert error.max() < 0.07
    assert (np.diff(out) >= 0).all()
    again = Circuit(0.0, 0).carry(out.astype("<i2").tobytes())
    assert again == out.astype("<i2").tobytes(), "what came out of mu-law goes through unchanged"


def test_noise_has_its_level() -> None:
    noise = np.frombuffer(Circuit(60.0, 3).carry(bytes(16000)), "<i2").astype(float)
    assert np.sqrt(np.mean(noise**2)) == pytest.approx(60.0, rel=0.1)
