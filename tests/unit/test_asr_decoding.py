"""Recognition off the event loop: order, partials, failure, hanging and cancelling."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr.decoding import DecodingPool, PooledRecogniser
from asr.recogniser import Decoder, EarsError, Hints, Transcript


class Echo:
    """An engine that hears the bytes themselves; a hook lets a test interfere."""

    name = "echo"
    language = "en"
    model = "echo-1"
    streaming = True

    def __init__(self, on_accept: Callable[[bytes], None] = lambda pcm: None) -> None:
        self.on_accept = on_accept
        self.opened: list[Hints] = []

    def decoder(self, hints: Hints) -> Decoder:
        self.opened.append(hints)
        return EchoDecoder(self)


class EchoDecoder:
    def __init__(self, engine: Echo) -> None:
        self.engine = engine
        self.heard = b""
        self.busy = threading.Lock()

    def accept(self, pcm: bytes) -> Transcript:
        assert self.busy.acquire(blocking=False), "two threads in one stream"
        try:
            self.engine.on_accept(pcm)
            self.heard += pcm
            return Transcript(text=self.heard.decode("latin-1"))
        finally:
            self.busy.release()

    def finish(self) -> Transcript:
        return Transcript(text=self.heard.decode("latin-1"), final=True)


@pytest.fixture
def pool() -> Iterator[DecodingPool]:
    pool = DecodingPool(workers=2)
    yield pool
    pool.close()


async def test_sound_is_heard_in_the_order_it_was_fed_on_many_streams_at_once(
    pool: DecodingPool,
) -> None:
    recogniser = PooledRecogniser(Echo(), pool)
    streams = [recogniser.open(Hints()) for _ in range(8)]
    for byte in range(200):
        for stream in streams:
            stream.feed(bytes([byte]))
    for transcript in await asyncio.gather(*(stream.finish() for stream in streams)):
        assert transcript.final
        assert transcript.text.encode("latin-1") == bytes(range(200))


async def test_the_partial_is_read_while_sound_still_comes(pool: DecodingPool) -> None:
    first, second, release = threading.Event(), threading.Event(), threading.Event()

    def block_on_the_second(pcm: bytes) -> None:
        if first.is_set():
            second.set()
            release.wait(60)
        first.set()

    stream = PooledRecogniser(Echo(block_on_the_second), pool).open(Hints())
    assert stream.partial.text == ""
    stream.feed(b"chest")
    await asyncio.to_thread(first.wait, 10)
    stream.feed(b" pain")
    await asyncio.to_thread(second.wait, 10)
    assert stream.partial == Transcript(text="chest", final=False)
    release.set()
    assert (await stream.finish()).text == "chest pain"


async def test_hints_reach_the_engine(pool: DecodingPool) -> None:
    engine = Echo()
    hints = Hints(phrases=("yes", "no"), closed=True)
    await PooledRecogniser(engine, pool).open(hints).finish()
    assert engine.opened == [hints]


async def test_a_failing_engine_fails_the_turn_and_tells_nothing_that_was_said(
    pool: DecodingPool,
) -> None:
    def fail(pcm: bytes) -> None:
        raise ValueError(f"cannot decode {pcm!r}")

    stream = PooledRecogniser(Echo(fail), pool).open(Hints())
    stream.feed(b"secret")
    with pytest.raises(EarsError, match="echo failed on a turn: ValueError") as caught:
        await stream.finish()
    assert not caught.value.retryable
    assert "secret" not in str(caught.value)


async def test_an_engine_may_say_itself_whether_a_retry_helps(pool: DecodingPool) -> None:
    def fail(pcm: bytes) -> None:
        raise EarsError("out of memory", retryable=True)

    stream = PooledRecogniser(Echo(fail), pool).open(Hints())
    stream.feed(b"x")
    with pytest.raises(EarsError) as caught:
        await stream.finish()
    assert caught.value.retryable


async def test_hanging_decodes_fail_their_turns_and_leave_the_pool_working() -> None:
    pool = DecodingPool(workers=1)
    release = threading.Event()
    hanging = PooledRecogniser(Echo(lambda pcm: (release.wait(60), None)[1]), pool, time_limit=0.05)
    for _ in range(3):
        stream = hanging.open(Hints())
        stream.feed(b"x")
        with pytest.raises(EarsError, match="did not finish") as caught:
            await stream.finish()
        assert caught.value.retryable
    well = PooledRecogniser(Echo(), pool, time_limit=30).open(Hints())
    well.feed(b"fine")
    assert (await well.finish()).text == "fine"
    release.set()
    pool.close()


async def test_a_cancelled_stream_decodes_nothing_more(pool: DecodingPool) -> None:
    accepted: list[bytes] = []
    stream = PooledRecogniser(Echo(accepted.append), pool).open(Hints())
    stream.cancel()
    stream.feed(b"late")
    with pytest.raises(EarsError, match="cancelled"):
        await stream.finish()
    # Jobs run in order: when a later stream is done, so is whatever the first had queued.
    await PooledRecogniser(Echo(), pool).open(Hints()).finish()
    assert accepted == []


async def test_giving_up_waiting_cancels_the_stream(pool: DecodingPool) -> None:
    started, release = threading.Event(), threading.Event()

    def block(pcm: bytes) -> None:
        started.set()
        release.wait(60)

    stream = PooledRecogniser(Echo(block), pool).open(Hints())
    stream.feed(b"x")
    waiting = asyncio.create_task(stream.finish())
    await asyncio.to_thread(started.wait, 10)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    release.set()
    with pytest.raises(EarsError, match="cancelled"):
        await stream.finish()


async def test_the_result_stands_and_later_sound_is_ignored(pool: DecodingPool) -> None:
    stream = PooledRecogniser(Echo(), pool).open(Hints())
    stream.feed(b"no")
    first = await stream.finish()
    stream.feed(b"t at all")
    stream.cancel()
    assert await stream.finish() == first
    assert stream.partial == first


@given(pieces=st.lists(st.binary(max_size=40), max_size=30), workers=st.integers(1, 4))
def test_however_sound_is_cut_all_of_it_is_heard(pieces: list[bytes], workers: int) -> None:
    async def hear() -> Transcript:
        pool = DecodingPool(workers)
        stream = PooledRecogniser(Echo(), pool).open(Hints())
        for piece in pieces:
            stream.feed(piece)
        try:
            return await stream.finish()
        finally:
            pool.close()

    assert asyncio.run(hear()).text.encode("latin-1") == b"".join(pieces)
