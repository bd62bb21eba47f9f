"""Whose turn it is to speak: a pure machine, driven by 20 ms frames.

Theory of operation. Two things are followed side by side.

*Speech*: whether the person speaks, from the probability of speech in each frame. A little voiced
sound within a short while starts a stretch of speech; a pause that is long enough, or the longest
turn, ends it. Both are told whoever has the floor, so that nothing said is ever lost::

    QUIET --onset of voice--> SPEAKING --``pause`` s without voice, or ``longest_turn``--> QUIET
            SpeechStarted                            SpeechEnded

*Floor*: who may speak::

    OURS    a prompt plays that may be talked into
             --speech--> PausePrompt --> PAUSED
    PAUSED  the prompt has stopped, to find out whether this is somebody who wants to speak
             --a word--> TakeFloor --> THEIRS
             --no word in time--> ResumePrompt --> OURS (this stretch does not pause us again)
             --speech ended--> NOBODYS (only what was heard can tell whether it was a word)
    THEIRS  we listen
             --speech ended--> NOBODYS
             --``patience`` s of quiet--> NoInput --> NOBODYS
    NOBODYS a prompt plays that may not be talked into, or we think

A recogniser needs 0.6 s, at worst a second, to show its first word, so a prompt cannot both stop at
once and wait for a word: it pauses on voice, and goes on when no word follows.

Times are seconds on the leg's clock and never run backwards; frames may be missing, since every
rule measures time and none counts frames.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto


@dataclass(frozen=True, slots=True)
class Manners:
    """How patient the machine is. Seconds, except the two probabilities."""

    voiced: float = 0.5
    """Probability of speech from which a frame starts speech."""
    still_voiced: float = 0.3
    """Probability down to which a frame continues speech that has started."""
    onset: float = 0.06
    """Voiced sound that starts a stretch of speech."""
    word_wait: float = 1.0
    """How long a paused prompt waits for a word once the voice is gone."""
    longest_wait: float = 2.0
    """How long a paused prompt waits for a word while the voice goes on."""
    sure_speech: float = 0.8
    """Voiced sound that counts as a word where the recogniser shows none before the end."""
    longest_turn: float = 30.0
    """A stretch of speech is cut here."""


@dataclass(frozen=True, slots=True)
class SpeechStarted:
    """The person began to speak."""

    at: float
    """Of the first voiced frame."""


@dataclass(frozen=True, slots=True)
class SpeechEnded:
    """The person stopped speaking and the pause is over, or the longest turn is."""

    at: float
    voice_ended: float
    """End of the last voiced frame."""
    voiced: float
    """Seconds of voiced sound in it."""


@dataclass(frozen=True, slots=True)
class PausePrompt:
    """Stop playing at once; it may be resumed."""

    at: float


@dataclass(frozen=True, slots=True)
class ResumePrompt:
    """It was a noise: play the rest."""

    at: float


@dataclass(frozen=True, slots=True)
class TakeFloor:
    """It was a word: the person has the floor until the end of this stretch."""

    at: float


@dataclass(frozen=True, slots=True)
class NoInput:
    """Nothing was said in time."""

    at: float


Decision = SpeechStarted | SpeechEnded | PausePrompt | ResumePrompt | TakeFloor | NoInput


class Floor(Enum):
    """Who may speak."""

    OURS = auto()
    PAUSED = auto()
    THEIRS = auto()
    NOBODYS = auto()


class TurnTaking:
    """The machine. ``partials``: whether the recogniser shows words before the end of a turn."""

    def __init__(self, manners: Manners | None = None, *, partials: bool = True) -> None:
        self.floor = Floor.NOBODYS
        self.speaking = False
        self._manners = manners or Manners()
        self._partials = partials
        self._now: float | None = None
        self._pause = 1.0
        self._patience = 0.0
        self._quiet_since = 0.0
        self._paused_at = 0.0
        self._onset = 0.0
        self._started = 0.0
        self._voice_ended = 0.0
        self._voiced = 0.0
        self._a_noise = False

    def speak(self, *, interruptible: bool, pause: float = 1.0) -> None:
        """A prompt plays; ``pause`` is that of the listening that follows."""
        self._pause = pause
        self.floor = Floor.OURS if interruptible else Floor.NOBODYS

    def listen(self, at: float, *, patience: float, pause: float) -> None:
        """Give the floor to the person, who may have begun to speak already."""
        self._pause, self._patience, self._quiet_since = pause, patience, at
        self.floor = Floor.THEIRS

    def think(self) -> None:
        """Nobody has the floor; speech is still followed."""
        self.floor = Floor.NOBODYS

    def forget(self) -> None:
        """Drop a stretch of speech that is going on: it was not the person's."""
        self.speaking, self._onset, self._voiced = False, 0.0, 0.0

    def frame(self, at: float, probability: float, *, words: bool) -> tuple[Decision, ...]:
        """Take one frame, or one moment without sound (probability 0).

        Args:
            at: End of the frame.
            probability: Of speech in it, 0 to 1.
            words: Whether the recogniser has shown a word of the present stretch of speech.
        """
        # A hole in the sound is no voice: never more than one frame's worth is counted as voiced.
        passed = 0.0 if self._now is None else min(max(at - self._now, 0.0), 0.02)
        self._now = at
        speech = self._follow_speech(at, probability, passed)
        return speech + self._follow_floor(
            at, words=words, ended=bool(speech) and not self.speaking
        )

    def _follow_speech(self, at: float, probability: float, passed: float) -> tuple[Decision, ...]:
        manners = self._manners
        if not self.speaking:
            voiced = probability >= manners.voiced
            self._onset = max(0.0, self._onset + (passed if voiced else -passed))
            if self._onset + 1e-9 < manners.onset:
                return ()
            self.speaking, self._a_noise = True, False
            self._started, self._voice_ended, self._voiced = at - self._onset, at, self._onset
            return (SpeechStarted(self._started),)
        if probability >= manners.still_voiced:
            self._voice_ended = at
            self._voiced += passed
        quiet, length = at - self._voice_ended, at - self._started
        if quiet + 1e-9 < self._pause and length < manners.longest_turn:
            return ()
        ended = SpeechEnded(at, self._voice_ended, self._voiced)
        self.forget()
        return (ended,)

    def _follow_floor(self, at: float, *, words: bool, ended: bool) -> tuple[Decision, ...]:
        match self.floor:
            case Floor.OURS if self.speaking and not self._a_noise:
                self.floor, self._paused_at = Floor.PAUSED, at
                return (PausePrompt(at),)
            case Floor.PAUSED:
                return self._follow_pause(at, words=words, ended=ended)
            case Floor.THEIRS if ended:
                self.floor = Floor.NOBODYS
            case Floor.THEIRS if not self.speaking and at - self._quiet_since >= self._patience:
                self.floor = Floor.NOBODYS
                return (NoInput(at),)
        return ()

    def _follow_pause(self, at: float, *, words: bool, ended: bool) -> tuple[Decision, ...]:
        manners = self._manners
        if ended:
            self.floor = Floor.NOBODYS
            return ()
        if words or (not self._partials and self._voiced >= manners.sure_speech):
            self.floor = Floor.THEIRS
            return (TakeFloor(at),)
        if not self._partials:
            return ()
        waited, quiet = at - self._paused_at, at - self._voice_ended
        if waited >= manners.longest_wait or (waited >= manners.word_wait and quiet >= 0.2):
            self.floor, self._a_noise = Floor.OURS, True
            return (ResumePrompt(at),)
        return ()
