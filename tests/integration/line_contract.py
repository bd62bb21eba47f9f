"""What every line must do: the contract tests of ``dialer.line``.

A line's own test module subclasses ``LineContract`` and gives a fixture ``rig``::

    class TestSimulatedLine(LineContract):
        @pytest.fixture
        async def rig(self) -> AsyncIterator[Rig]:
            ...

Times are checked against each other on the leg's clock, never against the wall.
"""

from __future__ import annotations

import asyncio
import itertools
from typing import Protocol, TypeVar

import pytest

from dialer.line import (
    FRAME_BYTES,
    Audio,
    DialRequest,
    Digit,
    Leg,
    LegAnswered,
    LegEnded,
    LegEvent,
    LegExists,
    Line,
    LineError,
    PlayFinished,
    PlayStarted,
    Ringing,
)
from tests.support.callee import Callee, ScriptedMedia, onsets, square_wave

PATIENCE = 20.0
"""Seconds a test waits for an event before it fails."""
_ids = itertools.count()

E = TypeVar("E", bound=LegEvent)


class Rig(Protocol):
    """A line and the far side of it."""

    line: Line

    def expect(self, callee: Callee) -> str:
        """A number that reaches this callee."""
        ...


class Listener:
    """Collects the events of a leg; waits for the ones a test needs."""

    def __init__(self, leg: Leg) -> None:
        self.leg = leg
        self.events: list[LegEvent] = []
        self._stream = leg.events()

    async def until(self, kind: type[E]) -> E:
        """Read up to the next event of a kind."""
        async with asyncio.timeout(PATIENCE):
            async for event in self._stream:
                self.events.append(event)
                if isinstance(event, kind):
                    return event
        raise AssertionError(f"no {kind.__name__} in {[type(e).__name__ for e in self.events]}")

    async def until_heard(self, seconds: float) -> None:
        """Read on until the leg's audio has reached this time on its clock."""
        while (await self.until(Audio)).at < seconds:
            pass

    def of(self, kind: type[E]) -> list[E]:
        """The events of a kind so far."""
        return [event for event in self.events if isinstance(event, kind)]

    def heard(self, since: float) -> bytes:
        """What was heard, from a time on the leg's clock on."""
        out = bytearray()
        for frame in self.of(Audio):
            position = round((frame.at - since) * 8000) * 2
            if position >= 0:
                out.extend(bytes(max(0, position - len(out))))
                out[position : position + FRAME_BYTES] = frame.pcm
        return bytes(out)


class LineContract:
    """Subclass it and give the fixture ``rig``."""

    async def call(self, rig: Rig, callee: Callee, **request: float) -> Listener:
        """Dial a callee that behaves as said."""
        leg_id = f"contract-{next(_ids)}"
        number = rig.expect(callee)
        leg = await rig.line.dial(DialRequest(leg_id=leg_id, number=number, **request))
        assert leg.id == leg_id
        return Listener(leg)

    async def test_rings_answers_and_is_hung_up_by_the_far_side(self, rig: Rig) -> None:
        call = await self.call(rig, Callee(media=ScriptedMedia(hangs_up_after=0.3)))
        ringing = await call.until(Ringing)
        answered = await call.until(LegAnswered)
        ended = await call.until(LegEnded)
        assert 0 <= ringing.at <= answered.at <= ended.at
        assert (ended.answered, ended.rang, ended.by_us) == (True, True, False)
        assert ended.cause == 16
        assert ended.sip_code is None

    async def test_events_end_after_the_end(self, rig: Rig) -> None:
        call = await self.call(rig, Callee(refuse=486))
        kinds = [type(event) async for event in call.leg.events()]
        assert kinds.count(LegEnded) == 1
        assert kinds[-1] is LegEnded

    async def test_we_hang_up(self, rig: Rig) -> None:
        media = ScriptedMedia()
        call = await self.call(rig, Callee(media=media))
        await call.until(LegAnswered)
        await call.leg.hang_up()
        ended = await call.until(LegEnded)
        assert (ended.answered, ended.by_us) == (True, True)
        await call.leg.hang_up()  # harmless

    async def test_we_hang_up_while_it_rings(self, rig: Rig) -> None:
        call = await self.call(rig, Callee(answers=False))
        await call.until(Ringing)
        await call.leg.hang_up()
        ended = await call.until(LegEnded)
        assert (ended.answered, ended.rang, ended.by_us) == (False, True, True)

    @pytest.mark.parametrize(("code", "cause"), [(486, 17), (603, 21), (404, 1)])
    async def test_refusals_keep_their_cause(self, rig: Rig, code: int, cause: int) -> None:
        call = await self.call(rig, Callee(refuse=code, rings=code != 404))
        ended = await call.until(LegEnded)
        assert (ended.cause, ended.sip_code) == (cause, code)
        assert (ended.answered, ended.by_us) == (False, False)
        assert ended.rang == (code != 404)

    async def test_nobody_answers(self, rig: Rig) -> None:
        call = await self.call(rig, Callee(answers=False), ring_timeout=1.0)
        ended = await call.until(LegEnded)
        assert (ended.answered, ended.rang, ended.by_us) == (False, True, False)
        assert ended.cause == 19

    async def test_hears_the_far_side_where_it_spoke(self, rig: Rig) -> None:
        tone = square_wave(0.3)
        call = await self.call(rig, Callee(media=ScriptedMedia(says={0.3: tone, 1.0: tone})))
        answered = await call.until(LegAnswered)
        await call.until_heard(answered.at + 1.6)
        frames = [frame for frame in call.of(Audio) if frame.at >= answered.at]
        assert {len(frame.pcm) for frame in frames} == {FRAME_BYTES}
        assert [frame.at for frame in frames] == sorted(frame.at for frame in frames)
        first, second = onsets(call.heard(answered.at))
        assert second - first == pytest.approx(0.7, abs=0.04)
        await call.leg.hang_up()

    async def test_hears_early_media(self, rig: Rig) -> None:
        announcement = square_wave(0.5)
        call = await self.call(rig, Callee(early_media=announcement, refuse=480))
        ended = await call.until(LegEnded)
        assert onsets(call.heard(0.0))
        assert not ended.answered

    async def test_says_what_is_played_in_order(self, rig: Rig) -> None:
        media = ScriptedMedia()
        call = await self.call(rig, Callee(media=media))
        await call.until(LegAnswered)
        await call.leg.play("one", square_wave(0.3) + bytes(16000 // 5))
        await call.leg.play("two", square_wave(0.21))
        finished = [await call.until(PlayFinished), await call.until(PlayFinished)]
        await call.until_heard(finished[1].at + 0.3)
        started = call.of(PlayStarted)
        assert [event.clip for event in started] == ["one", "two"]
        assert [event.clip for event in finished] == ["one", "two"]
        assert [event.seconds for event in finished] == pytest.approx([0.5, 0.21])
        assert finished[0].at - started[0].at == pytest.approx(0.5, abs=0.04)
        assert started[1].at == pytest.approx(finished[0].at, abs=0.04)
        # The far side hears through a jitter buffer of its own, so its clock is coarser.
        first, second = onsets(bytes(media.heard))
        assert second - first == pytest.approx(started[1].at - started[0].at, abs=0.1)
        await call.leg.hang_up()

    async def test_flush_stops_and_tells_how_much_went_out(self, rig: Rig) -> None:
        media = ScriptedMedia()
        call = await self.call(rig, Callee(media=media))
        await call.until(LegAnswered)
        await call.leg.play("long", square_wave(30.0))
        await call.leg.play("never", square_wave(1.0))
        started = await call.until(PlayStarted)
        await call.until_heard(started.at + 0.6)
        await call.leg.flush()
        await call.leg.play("after", bytes(1600) + square_wave(0.2))
        stopped = [await call.until(PlayFinished) for _ in range(3)]
        assert [event.clip for event in stopped] == ["long", "never", "after"]
        assert stopped[0].seconds == pytest.approx(stopped[0].at - started.at, abs=0.06)
        assert stopped[0].seconds < 5
        assert stopped[1].seconds == 0
        assert [event.clip for event in call.of(PlayStarted)] == ["long", "after"]
        await call.until_heard(stopped[2].at + 0.3)
        loud = sum(1 for i in range(0, len(media.heard), 2) if abs(_sample(media.heard, i)) > 2000)
        assert loud / 8000 == pytest.approx(stopped[0].seconds + 0.2, abs=0.1)
        await call.leg.hang_up()

    async def test_a_cut_off_clip_is_finished_before_the_end(self, rig: Rig) -> None:
        call = await self.call(rig, Callee(media=ScriptedMedia(hangs_up_after=1.0)))
        answered = await call.until(LegAnswered)
        await call.leg.play("cut", square_wave(10.0))
        finished = await call.until(PlayFinished)
        ended = await call.until(LegEnded)
        assert 0 < finished.seconds <= ended.at - answered.at

    async def test_keys_arrive_in_order(self, rig: Rig) -> None:
        keys = ScriptedMedia(presses={0.2: "1", 0.5: "9", 0.8: "#"})
        call = await self.call(rig, Callee(media=keys))
        pressed = [await call.until(Digit) for _ in range(3)]
        assert [event.key for event in pressed] == ["1", "9", "#"]
        await call.leg.hang_up()

    async def test_an_id_rings_once(self, rig: Rig) -> None:
        call = await self.call(rig, Callee(media=ScriptedMedia()))
        await call.until(LegAnswered)
        number = rig.expect(Callee())
        with pytest.raises(LegExists):
            await rig.line.dial(DialRequest(leg_id=call.leg.id, number=number))
        await call.leg.hang_up()
        await call.until(LegEnded)
        with pytest.raises(LegExists):
            await rig.line.dial(DialRequest(leg_id=call.leg.id, number=number))

    async def test_reap_ends_a_leg_once(self, rig: Rig) -> None:
        call = await self.call(rig, Callee(media=ScriptedMedia()))
        await call.until(LegAnswered)
        assert call.leg.id in await rig.line.legs()
        assert await rig.line.reap(call.leg.id)
        await call.until(LegEnded)
        assert call.leg.id not in await rig.line.legs()
        assert not await rig.line.reap(call.leg.id)

    async def test_the_line_ends_a_leg_at_its_limit(self, rig: Rig) -> None:
        call = await self.call(rig, Callee(media=ScriptedMedia()), absolute_timeout=2.0)
        ended = await call.until(LegEnded)
        assert (ended.answered, ended.by_us) == (True, False)

    async def test_an_odd_number_is_not_dialled(self, rig: Rig) -> None:
        with pytest.raises(LineError) as refused:
            await rig.line.dial(DialRequest(leg_id="contract-odd", number="1@elsewhere"))
        assert not refused.value.retryable
        assert "elsewhere" not in str(refused.value)


def _sample(pcm: bytearray, index: int) -> int:
    return int.from_bytes(pcm[index : index + 2], "little", signed=True)
