"""The ordered queue between what happens on a leg and the conversation that waits for it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from dialer.hearing import Stretch
from dialer.line import Digit, LegAnswered, PlayFinished, Ringing
from dialer.turn_taking import NoInput, PausePrompt, ResumePrompt, TakeFloor
from scripts.turns import Trouble


@dataclass(frozen=True, slots=True)
class Said:
    """A stretch of speech has ended and waits to be understood."""

    stretch: Stretch


Moment = (
    Ringing
    | LegAnswered
    | Digit
    | PlayFinished
    | Said
    | NoInput
    | PausePrompt
    | ResumePrompt
    | TakeFloor
)
"""What a conversation waits for."""

_OF_THE_FLOOR = (NoInput, PausePrompt, ResumePrompt, TakeFloor)


class LegOver(Exception):
    """The leg has ended and everything that came before its end has been taken."""


class Stopped(Exception):
    """The conversation cannot go on, though the leg is up."""

    def __init__(self, trouble: Trouble) -> None:
        super().__init__(trouble.value)
        self.trouble = trouble


class Moments:
    """Moments in the order they happened; the end of the leg and trouble come last and stay."""

    def __init__(self) -> None:
        self._waiting: deque[Moment] = deque()
        self._news = asyncio.Event()
        self._trouble: Trouble | None = None
        self.over = False

    def put(self, moment: Moment) -> None:
        """Something happened."""
        self._waiting.append(moment)
        self._news.set()

    def put_end(self) -> None:
        """The leg is over: once the queue is empty, ``next`` raises LegOver."""
        self.over = True
        self._news.set()

    def put_trouble(self, trouble: Trouble) -> None:
        """The conversation must stop: ``next`` raises Stopped, once."""
        self._trouble = self._trouble or trouble
        self._news.set()

    def forget_floor(self) -> None:
        """The floor has changed: decisions about the floor as it was mean nothing any more."""
        self._waiting = deque(m for m in self._waiting if not isinstance(m, _OF_THE_FLOOR))

    def said(self) -> Iterator[Stretch]:
        """Take every ended stretch of speech that nobody has asked for yet."""
        taken = [moment for moment in self._waiting if isinstance(moment, Said)]
        for moment in taken:
            self._waiting.remove(moment)
            yield moment.stretch

    async def next(self, within: float | None = None) -> Moment | None:
        """The next moment; None when ``within`` seconds have passed without one.

        Raises:
            Stopped: trouble; it is told once and then forgotten.
            LegOver: nothing more will happen.
        """
        deadline = None if within is None else asyncio.get_running_loop().time() + within
        while True:
            if self._trouble is not None and not self.over:
                trouble, self._trouble = self._trouble, None
                raise Stopped(trouble)
            if self._waiting:
                return self._waiting.popleft()
            if self.over:
                raise LegOver
            self._news.clear()
            try:
                async with asyncio.timeout_at(deadline):
                    await self._news.wait()
            except TimeoutError:
                return None
