"""Saying one prompt and hearing one turn: the two things in a conversation that take time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Final, TypeVar

from asr.recogniser import EarsError
from dialer.comprehension import NO_QUESTION, Comprehension, Piece, alarming
from dialer.hearing import Hearing, Stretch
from dialer.journal import Turn
from dialer.leg_reader import LegReader
from dialer.line import Digit, PlayFinished
from dialer.minutes import Minutes
from dialer.moments import LegOver, Moment, Moments, Said, Stopped
from dialer.ports import Observer, ReplyTiming, Speech
from dialer.progress import KeyEntry, PromptProgress
from dialer.speaking import Playback, Speaker, seconds, size
from dialer.turn_taking import NoInput, PausePrompt, ResumePrompt
from scripts.answers import AskedQuestion, Intent
from scripts.turns import Digits, Event, Heard, Listen, Say, Silence, Trouble

T = TypeVar("T")

LONGEST_SILENCE: Final = 2.5
"""Seconds of our silence after which the filler begins: nobody waits three seconds for a sound."""
KEY_GAP: Final = 2.0
"""Seconds after the last key that end an entry."""
STEP_BACK: Final = 0.3
"""Seconds of a paused prompt that are said again: the word it was paused in."""
AFTER_NOISE: Final = 3.0
"""Seconds to wait for words after a sound without any, when the question's patience is over."""
MOST_NOISES: Final = 3
"""Noises without a word that are waited out before a listening counts as silence."""
MOST_PIECES: Final = 5
"""Stretches of speech that make one turn when a person goes on while we decode."""
_NO_ANSWER_YET: Final = frozenset(
    {Intent.ANSWER, Intent.GREETING, Intent.FILLER, Intent.UNINTELLIGIBLE}
)


@dataclass(frozen=True, slots=True)
class Parts:
    """What saying and hearing share; one a call."""

    moments: Moments
    hearing: Hearing
    reader: LegReader
    speaker: Speaker
    comprehension: Comprehension
    minutes: Minutes
    speech: Speech
    language: str
    filler: Say | None
    observer: Observer | None
    overheard: Callable[[Heard], None]
    """Told what was said while nobody listened for an answer."""


class Exchange:
    """Says prompts and hears turns on one leg."""

    def __init__(self, parts: Parts) -> None:
        self.question: AskedQuestion = NO_QUESTION
        """The open question, for whatever is heard."""
        self.in_hand: list[Stretch] = []
        """Speech that is being decoded and that nobody has been told of yet."""
        self.quiet_since = 0.0
        """Leg clock since when neither side has made a sound."""
        self._timing: ReplyTiming | None = None
        """Of the turn that has no reply yet."""
        self._parts = parts
        self._background: set[asyncio.Task[None]] = set()

    async def say(self, say: Say, pending: Listen | None, *, answerable: bool) -> Event | None:
        """Play a prompt to its end, or until the person takes the floor.

        Args:
            say: The prompt.
            pending: The listening that ends this step; without one nobody may talk into the prompt.
            answerable: This prompt asks the question: its last half may be answered.

        Returns:
            What the person answered into it; None when it was played.
        """
        clip = await self.thinking(self._parts.speech.clip(say.segments, self._parts.language))
        spoken = PromptProgress(say, clip, self._parts.minutes.next_turn(), answerable=answerable)
        try:
            while True:
                self._parts.moments.forget_floor()
                self._parts.hearing.speak(pending, interruptible=say.interruptible)
                spoken.playing = await self._parts.speaker.play(say.prompt_id, clip[spoken.begin :])
                stop = await self._until_stopped(spoken, pending)
                self._played(spoken)
                if stop is None or pending is None:
                    return None
                if isinstance(stop, Digit):
                    spoken.interrupted = True
                    return await self.listen(pending, stop)
                heard = await self._after_pause()
                if heard is None and spoken.out >= len(clip):
                    return None
                if heard is None:
                    spoken.begin = max(0, spoken.out - size(STEP_BACK))
                elif spoken.asked or spoken.again or _must_be_told(heard):
                    spoken.interrupted = True
                    return heard
                else:
                    spoken.begin, spoken.again = 0, True
                    self._timing = None
        finally:
            self._played(spoken)
            self._journal(spoken)

    async def listen(self, listen: Listen, first_key: Digit | None = None) -> Event:
        """Hear one turn: Heard, Digits or Silence."""
        moments, hearing = self._parts.moments, self._parts.hearing
        entry = KeyEntry(listen.digits)
        if first_key is not None and (whole := entry.press(first_key.key)):
            return whole
        moments.forget_floor()
        hearing.listen(listen, listen.patience)
        began = self._parts.reader.now
        noises = 0
        while True:
            moment = await moments.next(within=KEY_GAP if entry.keys else None)
            match moment:
                case None:
                    return Digits(entry.keys)
                case Digit(key=key):
                    if whole := entry.press(key):
                        return whole
                case Said(stretch=stretch):
                    if heard := await self.hear_out(stretch):
                        return heard
                    noises += 1
                    if noises >= MOST_NOISES:
                        return Silence()
                    # What we took for a noise may have been words: nobody is left waiting for long.
                    left = listen.patience - (self._parts.reader.now - began)
                    hearing.listen(listen, max(AFTER_NOISE, left))
                case NoInput() if not entry.keys:
                    return Silence()

    async def hear_out(self, stretch: Stretch) -> Heard | None:
        """Decode and understand a turn, with what is added to it meanwhile; None: a noise.

        Raises:
            Stopped: no recogniser is left that works.
        """
        self._parts.hearing.think()
        self.in_hand = [stretch]
        pieces: list[Piece] = []
        while True:
            last = self.in_hand[-1]
            self.quiet_since = last.voice_ended
            try:
                piece = await self.thinking(self._parts.comprehension.decode(last))
            except EarsError as error:
                raise Stopped(Trouble.EARS) from error
            pieces.append(piece)
            more = await self._more_of_it() if len(pieces) < MOST_PIECES else None
            if more is None:
                break
            self.in_hand.append(more)
        heard_at = self._parts.reader.now
        heard = await self.thinking(self._parts.comprehension.understand(pieces, self.question))
        now = self._parts.reader.now
        self._timing = ReplyTiming(last.voice_ended, last.turn_ended, heard_at, now, now)
        self.in_hand = []
        return heard

    async def thinking(self, work: Awaitable[T]) -> T:
        """Await something without leaving the person in silence."""
        task = asyncio.ensure_future(work)
        try:
            while True:
                quiet = self._parts.reader.now - self.quiet_since
                done, _ = await asyncio.wait({task}, timeout=max(LONGEST_SILENCE - quiet, 0.2))
                if done or self._parts.filler is None or self._parts.moments.over:
                    return await task
                if self._parts.hearing.stretch is not None:
                    self.quiet_since = self._parts.reader.now
                else:
                    await self._fill(self._parts.filler)
        finally:
            task.cancel()

    def overhear(self, stretch: Stretch) -> None:
        """Understand in the background what was said while nobody listened for an answer."""
        task = asyncio.create_task(self._overhear(stretch))
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    async def settle(self) -> None:
        """Wait until everything overheard has been understood."""
        while self._background:
            await asyncio.gather(*self._background, return_exceptions=True)

    # --- inside -------------------------------------------------------------------------------

    async def _until_stopped(
        self, spoken: PromptProgress, pending: Listen | None
    ) -> PausePrompt | Digit | None:
        """Wait while a prompt plays; what stopped it, None if it came to its end."""
        playing = spoken.playing
        while playing is not None:
            moment = await self._parts.moments.next()
            match moment:
                case PlayFinished() if moment.clip == playing.clip:
                    break
                case PausePrompt():
                    await self._stop(playing)
                    return moment
                case Digit() if pending is not None:
                    spoken.update(self._parts.reader.now)
                    # A key left over from the question before must not answer this one.
                    if pending.digits > 1 or spoken.asked:
                        await self._stop(playing)
                        return moment
                case Said(stretch=stretch):
                    self.overhear(stretch)
        return None

    async def _stop(self, playing: Playback) -> None:
        """Stop a clip and wait until the line says how much of it went out."""
        await self._parts.speaker.stop()
        meanwhile: list[Moment] = []
        try:
            while playing.ended is None:
                moment = await self._parts.moments.next(within=1.0)
                if moment is None:
                    break
                if not isinstance(moment, PlayFinished):
                    meanwhile.append(moment)
        finally:
            for moment in meanwhile:
                self._parts.moments.put(moment)

    async def _after_pause(self) -> Heard | None:
        """Somebody made a sound into a prompt: what they said, None if it was a noise."""
        while True:
            match await self._parts.moments.next():
                case ResumePrompt():
                    return None
                case Said(stretch=stretch):
                    return await self.hear_out(stretch)

    async def _more_of_it(self) -> Stretch | None:
        """What the person added while we decoded, once they have stopped."""
        for stretch in self._parts.moments.said():
            return stretch
        try:
            while self._parts.hearing.stretch is not None:
                moment = await self._parts.moments.next()
                if isinstance(moment, Said):
                    return moment.stretch
        except LegOver:
            return self._parts.hearing.take()
        except Stopped as stopped:
            self._parts.moments.put_trouble(stopped.trouble)
            return self._parts.hearing.take()
        return None

    async def _fill(self, filler: Say) -> None:
        clip = await self._parts.speech.clip(filler.segments, self._parts.language)
        index = self._parts.minutes.next_turn()
        await self._parts.speaker.play(filler.prompt_id, clip)
        now = self._parts.reader.now
        self.quiet_since = now + seconds(clip)
        self._journal(
            PromptProgress(
                filler, clip, index, False, out=len(clip), started=now, ended=self.quiet_since
            )
        )

    async def _overhear(self, stretch: Stretch) -> None:
        heard = await self._parts.comprehension.overhear(stretch)
        if heard is not None:
            self._parts.overheard(heard)

    def _played(self, spoken: PromptProgress) -> None:
        spoken.update(self._parts.reader.now)
        if spoken.started is None:
            return
        self.quiet_since = max(self.quiet_since, spoken.ended)
        if self._timing is not None and spoken.started > self._timing.speech_ended:
            if self._parts.observer is not None:
                self._parts.observer.reply(replace(self._timing, reply_started=spoken.started))
            self._timing = None

    def _journal(self, spoken: PromptProgress) -> None:
        """Write down what we said, if any of it went out."""
        if spoken.started is None:
            return
        turn = Turn(
            index=spoken.index,
            speaker="system",
            text=spoken.say.text,
            started=spoken.started,
            ended=spoken.ended,
            question_id=self.question.id if self.question is not NO_QUESTION else None,
            prompt_id=spoken.say.prompt_id,
            interrupted=spoken.interrupted or spoken.out < len(spoken.clip),
        )
        self._parts.minutes.turn(turn)


def _must_be_told(heard: Heard) -> bool:
    """Whether words said too early for an answer go to the dialogue all the same."""
    return alarming(heard) or heard.understanding.intent not in _NO_ANSWER_YET
