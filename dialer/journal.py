"""What a conversation reports while it goes on: the port to the hospital's rows and alerts.

The hospital implements it over the database and the broker; tests with a list. Every call commits
before it returns, so that nothing told here is lost when the process dies.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from scripts.answers import HeardWord, Understanding
from scripts.turns import RaiseAlert, Stage, StoreAnswer


@dataclass(frozen=True, slots=True)
class Turn:
    """One thing that was said, by either side."""

    index: int
    """Counts from 0 within the call."""
    speaker: str
    """``system`` or ``patient``."""
    text: str
    started: float
    """Seconds on the leg's clock (the recording's clock)."""
    ended: float
    question_id: str | None = None
    prompt_id: str | None = None
    """For the system's turns."""
    words: tuple[HeardWord, ...] = ()
    """For the patient's turns."""
    ears: str | None = None
    """Engine and model that heard it."""
    interrupted: bool = False
    """The system was talked over and stopped."""


class CallJournal(Protocol):
    """Keeps what a conversation learns. May be slow; must not lose."""

    async def ringing(self) -> None:
        """The far phone rings."""
        ...

    async def answered(self) -> None:
        """Somebody picked up."""
        ...

    async def stage(self, stage: Stage) -> None:
        """The dialogue reached a stage."""
        ...

    async def turn(self, turn: Turn, understanding: Understanding | None = None) -> None:
        """Somebody said something; a patient's turn comes with what was understood of it."""
        ...

    async def answer(self, stored: StoreAnswer) -> None:
        """An answer was settled or given up."""
        ...

    async def alert(self, alert: RaiseAlert) -> None:
        """Tell a person, now. Returns once the row is committed; delivery goes on by itself."""
        ...

    async def recording_consent(self, granted: bool) -> None:
        """The right party agreed to the recording, or did not."""
        ...

    async def opt_out(self) -> None:
        """Never call this number again."""
        ...
