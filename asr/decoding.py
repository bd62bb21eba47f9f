"""Recognition off the event loop: one loaded model, a few threads, any number of calls.

A stream collects the sound it is fed and has at most one job in the pool at a time, so its sound is
decoded in order by one thread at a time, and a slow engine catches up by taking everything that
has gathered meanwhile in one bite. The pool serves streams in turn: a job takes one bite and queues
again behind the others.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue

from asr.recogniser import Decoder, EarsError, Engine, Hints, Transcript

NOTHING_HEARD = Transcript(text="")


class DecodingPool:
    """Worker threads that decode, shared by all recognisers of a process.

    Its threads are daemons, unlike those of ``concurrent.futures``: a decode that hangs in native
    code must neither keep the process from ending nor take a worker from the other calls for ever
    (see ``replace_lost_worker``).

    Args:
        workers: threads; as many as cores may be given to recognition.
    """

    def __init__(self, workers: int = 2) -> None:
        self._jobs: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._workers = 0
        for _ in range(workers):
            self._start_worker()

    def submit(self, job: Callable[[], None]) -> None:
        """Run ``job``, which must not raise, on a worker after those already waiting."""
        self._jobs.put(job)

    def replace_lost_worker(self) -> None:
        """Start a thread in the place of one that hangs in a job."""
        self._start_worker()

    def close(self) -> None:
        """Let the workers end after what is already queued; returns at once."""
        for _ in range(self._workers):
            self._jobs.put(None)

    def _start_worker(self) -> None:
        self._workers += 1
        threading.Thread(target=self._work, name=f"decoding-{self._workers}", daemon=True).start()

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            job()


class PooledRecogniser:
    """An engine behind the asynchronous port.

    Args:
        engine: the loaded model.
        pool: where it decodes.
        time_limit: seconds that ``finish`` may take before the turn is given up.
    """

    def __init__(self, engine: Engine, pool: DecodingPool, *, time_limit: float = 20.0) -> None:
        self.engine = engine
        self._pool = pool
        self._time_limit = time_limit

    def open(self, hints: Hints) -> PooledStream:
        """Start hearing one turn."""
        return PooledStream(self.engine, hints, self._pool, self._time_limit)


class PooledStream:
    """One turn being heard; the side of the event loop. See ``asr.recogniser.RecognitionStream``."""

    def __init__(self, engine: Engine, hints: Hints, pool: DecodingPool, time_limit: float) -> None:
        self._engine = engine
        self._hints = hints
        self._pool = pool
        self._time_limit = time_limit
        self._partial = NOTHING_HEARD
        self._outcome: Future[Transcript] = Future()
        # Running from the start: a caller who stops waiting must not cancel the worker's future.
        self._outcome.set_running_or_notify_cancel()
        self._lock = threading.Lock()
        # Guarded by the lock.
        self._waiting = bytearray()
        self._finishing = False
        self._closed = False
        self._queued = False
        # Touched only by the stream's one job.
        self._decoder: Decoder | None = None
        self._decoding = False

    def feed(self, pcm: bytes) -> None:
        """Hand over sound; returns at once. After ``finish`` or ``cancel`` it is ignored."""
        with self._lock:
            if self._finishing or self._closed:
                return
            self._waiting += pcm
            self._queue_job()

    @property
    def partial(self) -> Transcript:
        """What has been heard so far; may lag behind what was fed."""
        return self._partial

    async def finish(self) -> Transcript:
        """Decode what is left and return the final transcript.

        Raises:
            EarsError: the engine failed on this stream or did not answer within the time limit
                (retryable), or the stream was cancelled.
        """
        with self._lock:
            self._finishing = True
            if not self._closed:
                self._queue_job()
        try:
            # Waits for the outcome without passing on a cancellation to the worker's future.
            return await asyncio.wait_for(asyncio.wrap_future(self._outcome), self._time_limit)
        except TimeoutError:
            if self._decoding:
                self._pool.replace_lost_worker()
            self._close(
                EarsError(
                    f"{self._engine.name} did not finish a turn within {self._time_limit:g} s; "
                    "the turn is given up, another may work",
                    retryable=True,
                )
            )
            return self._outcome.result()
        except asyncio.CancelledError:
            self.cancel()
            raise

    def cancel(self) -> None:
        """Drop the stream; nothing more is decoded."""
        self._close(EarsError("the turn was cancelled", retryable=True))

    def _queue_job(self) -> None:
        """Queue the stream's job unless it waits already; the caller holds the lock."""
        if not self._queued:
            self._queued = True
            self._pool.submit(self._take_a_bite)

    def _take_a_bite(self) -> None:
        """Decode what has gathered; runs on a worker thread, never twice at once."""
        with self._lock:
            if self._closed:
                self._decoder = None
                return
            pcm, self._waiting = bytes(self._waiting), bytearray()
            last = self._finishing
            self._decoding = True
        try:
            if self._decoder is None:
                self._decoder = self._engine.decoder(self._hints)
            if pcm:
                self._partial = self._decoder.accept(pcm)
            if last:
                self._close(self._decoder.finish())
        except EarsError as error:
            self._close(error)
        except Exception as error:
            # Whatever an engine raises is its own failure; only its kind is told, because the
            # text of a foreign error may hold what was said.
            self._close(EarsError(f"{self._engine.name} failed on a turn: {type(error).__name__}"))
        finally:
            with self._lock:
                self._decoding = False
                self._queued = False
                if self._closed:
                    self._decoder = None
                elif self._waiting or self._finishing:
                    self._queue_job()

    def _close(self, outcome: Transcript | EarsError) -> None:
        """End the stream with its outcome; the first outcome stands."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            self._waiting.clear()
        if isinstance(outcome, EarsError):
            self._outcome.set_exception(outcome)
        else:
            self._partial = outcome
            self._outcome.set_result(outcome)
