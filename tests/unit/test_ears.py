"""One recogniser after the other: a turn is heard as long as one of them works."""

from __future__ import annotations

import asyncio

import pytest

from asr.recogniser import EarsError, Engine, Hints, RecognitionStream, Transcript
from dialer.ears import Ears
from tests.support import virtual_time
from tests.support.coded_speech import CodedEars, CodedEngine, sound

PAIN = sound("pain", 0.4)


class Moody:
    """Refuses to open or fails as many times as it is told."""

    def __init__(self, *, refuses: int = 0, fails: int = 0, retryable: bool = True) -> None:
        self.engine: Engine = CodedEngine(model="moody")
        self._refuses, self._fails, self._retryable = refuses, fails, retryable
        self._good = CodedEars()

    def open(self, hints: Hints) -> RecognitionStream:
        if self._refuses:
            self._refuses -= 1
            raise EarsError("not now", retryable=self._retryable)
        self._good.broken = False
        return _Failing(self, self._good.open(hints))

    def fail(self) -> None:
        if self._fails:
            self._fails -= 1
            raise EarsError("not this time", retryable=self._retryable)


class _Failing:
    def __init__(self, moody: Moody, stream: RecognitionStream) -> None:
        self._moody, self._stream = moody, stream

    def feed(self, pcm: bytes) -> None:
        self._stream.feed(pcm)

    @property
    def partial(self) -> Transcript:
        return self._stream.partial

    async def finish(self) -> Transcript:
        self._moody.fail()
        return await self._stream.finish()

    def cancel(self) -> None:
        self._stream.cancel()


class Hanging(Moody):
    """Never finishes."""

    def fail(self) -> None:
        raise AssertionError

    def open(self, hints: Hints) -> RecognitionStream:
        return _Hanging(self, CodedEars().open(hints))


class _Hanging(_Failing):
    async def finish(self) -> Transcript:
        await asyncio.Event().wait()
        raise AssertionError


def hear(ears: Ears) -> str:
    async def turn() -> str:
        stream = ears.open(Hints())
        if stream is not None:
            stream.feed(PAIN)
        return (await ears.finish(stream, PAIN, Hints())).text

    return virtual_time.run(turn())


def test_the_first_hears() -> None:
    ears = Ears([Moody(), CodedEars()])
    assert hear(ears) == "pain"
    assert ears.name == "coded moody"


def test_a_failure_that_may_pass_is_tried_again() -> None:
    ears = Ears([Moody(fails=1), CodedEars()])
    assert hear(ears) == "pain"
    assert ears.name == "coded moody"


@pytest.mark.parametrize(
    "first",
    [Moody(fails=9), Moody(fails=1, retryable=False), Moody(refuses=9), Hanging()],
    ids=["again and again", "for good", "will not open", "hangs"],
)
def test_the_second_hears_the_same_turn_and_stays(first: Moody) -> None:
    ears = Ears([first, CodedEars()])
    assert hear(ears) == "pain"
    assert ears.name == "coded test"


def test_none_is_left() -> None:
    with pytest.raises(EarsError):
        hear(Ears([Moody(fails=9), CodedEars(broken=True)]))


def test_there_must_be_one() -> None:
    with pytest.raises(ValueError, match="at least one"):
        Ears([])
