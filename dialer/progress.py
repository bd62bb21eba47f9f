"""How far a prompt has come, and an entry by keys."""

from __future__ import annotations

from dataclasses import dataclass

from dialer.speaking import Playback, size
from scripts.turns import Digits, Say


@dataclass(slots=True)
class PromptProgress:
    """One prompt on its way out, perhaps in several goes. Positions are bytes of its clip."""

    say: Say
    clip: bytes
    index: int
    answerable: bool
    playing: Playback | None = None
    begin: int = 0
    """Where the present go began."""
    out: int = 0
    """How far the last go came."""
    started: float | None = None
    ended: float = 0.0
    again: bool = False
    """It was said again from its beginning, which is done once."""
    interrupted: bool = False

    @property
    def asked(self) -> bool:
        """Whether enough of it is out to be answered: its last half, at most 2 s, has begun."""
        return self.answerable and self.out >= len(self.clip) - min(len(self.clip) // 2, size(2.0))

    def update(self, now: float) -> None:
        """Take over how far the present go came."""
        if self.playing is None or self.playing.started is None:
            return
        gone = self.playing.out(now)
        self.out = self.begin + size(gone)
        self.ended = self.playing.started + gone
        if self.started is None:
            self.started = self.playing.started


@dataclass(slots=True)
class KeyEntry:
    """Keys pressed for one listening."""

    wanted: int
    keys: str = ""

    def press(self, key: str) -> Digits | None:
        """Take a key; the entry, if it is whole."""
        if key != "#":
            self.keys += key
        whole = key == "#" or len(self.keys) >= max(1, self.wanted)
        return Digits(self.keys) if whole and self.keys else None
