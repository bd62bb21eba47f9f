"""An event loop whose clock jumps: whatever only waits for time takes no time.

``run(main())`` runs a coroutine like ``asyncio.run`` does, but when nothing is ready the loop's
clock goes straight to the next timer. Work in threads started through the loop
(``asyncio.to_thread``) is waited for in real time, with the virtual clock standing still.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor
from typing import Any, TypeVar, TypeVarTuple, Unpack

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

_REAL_WAIT = 5.0
"""Seconds of real time after which a thread or a socket that says nothing is a defect."""


class _JumpingSelector(selectors.DefaultSelector):
    """Moves the clock on instead of waiting, unless a thread works."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.threads = 0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if ready or (timeout is not None and timeout <= 0):
            return ready
        if self.threads or timeout is None:
            ready = super().select(_REAL_WAIT)
            if not ready:
                raise RuntimeError("nothing will ever happen: every task waits, and no timer runs")
            return ready
        self.now += timeout
        return ready


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """The loop; ``time()`` starts at 0 s."""

    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)

    def time(self) -> float:
        """Virtual seconds."""
        return self._jumping.now

    def run_in_executor(
        self, executor: Executor | None, func: Callable[[Unpack[Ts]], T], *args: *Ts
    ) -> asyncio.Future[T]:
        """Run in a thread; virtual time stands still until it is done."""
        self._jumping.threads += 1
        future = super().run_in_executor(executor, func, *args)
        future.add_done_callback(self._thread_done)
        return future

    def _thread_done(self, _: asyncio.Future[Any]) -> None:
        self._jumping.threads -= 1


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run ``main`` on virtual time."""
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(main)
