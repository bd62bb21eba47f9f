"""Listening to the far side, always: from frames to stretches of speech, with nothing cut off.

Whatever the conversation does, from the answer to the end every stretch of speech gets a
recognition stream of its own, which begins with the sound just before the voice was noticed. What
becomes of it (an answer, something said into a prompt, last words) is for the conversation.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from asr.recogniser import Hints, RecognitionStream
from dialer.ears import Ears
from dialer.line import FRAME_SECONDS, SAMPLE_RATE
from dialer.ports import VoiceActivity
from dialer.turn_taking import Decision, Manners, SpeechEnded, SpeechStarted, TurnTaking
from scripts.answers import AskedQuestion
from scripts.turns import Listen

PRE_ROLL: Final = 0.5
"""Seconds of sound before the voice was noticed that belong to a stretch: soft first syllables."""
LONGEST_HOLE: Final = 2.0
"""Seconds of missing frames that are filled with silence so that word times stay right."""


@dataclass(slots=True)
class Stretch:
    """One stretch of speech, going on or ended."""

    begins: float
    """Leg clock of its first sample, seconds."""
    hints: Hints
    stream: RecognitionStream | None
    question: AskedQuestion | None = None
    """The question that was open when it began."""
    pcm: bytearray = field(default_factory=bytearray)
    """All its sound, for a second recogniser should the first fail."""
    voice_ended: float = 0.0
    """Leg clock of the end of its last voiced frame."""
    turn_ended: float = 0.0
    """Leg clock of when it was found to be over."""
    voiced: float = 0.0
    """Seconds of voiced sound."""

    @property
    def words(self) -> bool:
        """Whether the recogniser shows words already."""
        return self.stream is not None and bool(self.stream.partial.text)

    def add(self, pcm: bytes) -> None:
        """Sound that follows what is there."""
        self.pcm += pcm
        if self.stream is not None:
            self.stream.feed(pcm)

    def add_at(self, pcm: bytes, at: float) -> None:
        """Sound that begins at ``at``; a hole before it is filled with silence."""
        hole = at - (self.begins + len(self.pcm) / (2 * SAMPLE_RATE))
        if FRAME_SECONDS <= hole:
            self.add(bytes(2 * int(min(hole, LONGEST_HOLE) * SAMPLE_RATE)))
        self.add(pcm)


class Hearing:
    """Follows the far side's sound, frame by frame.

    Args:
        voice_activity: Tells speech from other sound.
        ears: Open the recognition streams.
        manners: Of the turn-taking.
        decided: Called with every decision, and with the stretch that an end of speech ends.
    """

    def __init__(
        self,
        voice_activity: VoiceActivity,
        ears: Ears,
        manners: Manners,
        decided: Callable[[Decision, Stretch | None], None],
    ) -> None:
        self.stretch: Stretch | None = None
        self._voice_activity = voice_activity
        self._ears = ears
        self._turns = TurnTaking(manners, partials=ears.partials)
        self._decided = decided
        self._before: deque[tuple[bytes, float]] = deque(maxlen=round(PRE_ROLL / FRAME_SECONDS))
        self._hints = Hints()
        self._question: AskedQuestion | None = None
        self._now = 0.0

    def speak(self, pending: Listen | None, *, interruptible: bool) -> None:
        """A prompt begins; ``pending`` is the listening that follows it."""
        self._expect(pending)
        pause = pending.pause if pending else 1.0
        self._turns.speak(interruptible=interruptible and pending is not None, pause=pause)

    def listen(self, listen: Listen, patience: float) -> None:
        """The person has the floor for ``patience`` seconds, or as long as they speak."""
        self._expect(listen)
        self._turns.listen(self._now, patience=patience, pause=listen.pause)

    def think(self) -> None:
        """Nobody has the floor."""
        self._turns.think()

    def frame(self, pcm: bytes, at: float) -> None:
        """Take one 20 ms frame whose first sample came at ``at``."""
        if self.stretch is not None:
            self.stretch.add_at(pcm, at)
        else:
            self._before.append((pcm, at))
        self._decide(at + FRAME_SECONDS, self._voice_activity.probability(pcm))

    def no_sound(self, at: float) -> None:
        """The line sends nothing: time goes on until ``at`` all the same."""
        if at > self._now:
            self._decide(at, 0.0)

    def take(self) -> Stretch | None:
        """End the stretch that goes on, if any, here and now."""
        stretch, self.stretch = self.stretch, None
        if stretch is not None:
            stretch.turn_ended = self._now
            stretch.voice_ended = stretch.voice_ended or self._now
        self._turns.forget()
        return stretch

    def forget(self) -> None:
        """Drop all that was heard so far: it was not the person."""
        stretch = self.take()
        if stretch is not None and stretch.stream is not None:
            stretch.stream.cancel()
        self._before.clear()

    def _expect(self, listen: Listen | None) -> None:
        self._hints = Hints(phrases=listen.hints) if listen else Hints()
        self._question = listen.question if listen else None

    def _decide(self, at: float, probability: float) -> None:
        at = self._now = max(at, self._now)
        words = self.stretch is not None and self.stretch.words
        for decision in self._turns.frame(at, probability, words=words):
            ended: Stretch | None = None
            match decision:
                case SpeechStarted():
                    self._begin()
                case SpeechEnded():
                    ended, self.stretch = self.stretch, None
                    if ended is not None:
                        ended.voice_ended, ended.turn_ended = decision.voice_ended, decision.at
                        ended.voiced = decision.voiced
            self._decided(decision, ended)

    def _begin(self) -> None:
        begins = self._before[0][1] if self._before else self._now
        stream = self._ears.open(self._hints)
        self.stretch = Stretch(begins, self._hints, stream, self._question)
        for pcm, at in self._before:
            self.stretch.add_at(pcm, at)
        self._before.clear()
