"""Voice activity: one loaded network, and a memory for each call."""

from __future__ import annotations

from asr.recogniser import FRAME_BYTES
from asr.voice_activity import SileroVoiceActivity
from services.demo.residents import WARD
from tts.recorded import RecordedVoice


async def _speech() -> list[bytes]:
    said = await RecordedVoice(WARD / "clips" / "zm_yunxi").render("没有，没有出血。", "zh")
    whole = bytes(8000) + said + bytes(8000)
    return [whole[at : at + FRAME_BYTES] for at in range(0, len(whole) - FRAME_BYTES, FRAME_BYTES)]


async def test_speech_is_told_from_the_quiet_around_it() -> None:
    activity, frames = SileroVoiceActivity(), await _speech()
    told = [activity.probability(frame) for frame in frames]
    assert max(told) > 0.9
    assert max(told[:20] + told[-10:]) < 0.1


async def test_calls_at_the_same_time_do_not_hear_each_other() -> None:
    frames = await _speech()
    alone = SileroVoiceActivity()
    expected = [alone.probability(frame) for frame in frames]
    one, other = SileroVoiceActivity(), SileroVoiceActivity()
    together = []
    for frame in frames:
        together.append(one.probability(frame))
        other.probability(bytes(FRAME_BYTES))
    assert together == expected


async def test_after_a_reset_it_hears_as_at_the_start() -> None:
    activity, frames = SileroVoiceActivity(), await _speech()
    first = [activity.probability(frame) for frame in frames]
    activity.reset()
    assert [activity.probability(frame) for frame in frames] == first
