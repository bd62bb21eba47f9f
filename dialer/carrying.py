"""Carrying out what the dialogue says, step by step, up to every kind of end."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace

from asr.recogniser import EarsError
from dialer.comprehension import NO_QUESTION, Piece, alarming
from dialer.exchange import Exchange, Parts
from dialer.line import Leg, LegAnswered, LineError, Ringing
from dialer.moments import LegOver, Said, Stopped
from dialer.outcomes import CallResult, result
from dialer.ports import CallRecorder, Dialogue
from scripts.answers import Intent
from scripts.turns import (
    Action,
    AlertStage,
    Answered,
    Broken,
    Disposition,
    DropRecording,
    End,
    Event,
    Heard,
    HungUp,
    KeepRecording,
    Listen,
    OptOut,
    Progress,
    RaiseAlert,
    Say,
    StoreAnswer,
    Trouble,
)
from tts.voice import VoiceError

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Limits:
    """How long things may take, in seconds."""

    call: float = 840.0
    """From the dialling to the polite leave; less than the line's own absolute limit."""
    goodbye: float = 45.0
    """For that leave; then we hang up."""
    parting: float = 0.4
    """Between our last word and the hang-up."""
    last_words: float = 15.0
    """We do not hang up on somebody who is speaking, but not for ever."""
    hang_up: float = 5.0
    """For the line to say that the leg has ended."""


class Carrying:
    """Carries out what the dialogue says; the state of one call beside that of its parts."""

    parts: Parts
    exchange: Exchange

    def __init__(
        self, leg: Leg, dialogue: Dialogue, recorder: CallRecorder, limits: Limits
    ) -> None:
        self._leg, self._dialogue, self._recorder, self._limits = leg, dialogue, recorder, limits
        self._end: End | None = None
        self._announcement = False
        self._kept = False
        self._untold: Event | None = None
        self._alert_numbers: dict[int, int] = {}
        self._alerts = 0

    async def run(self, shutdown: asyncio.Event | None) -> CallResult:
        """The whole call."""
        reading = asyncio.create_task(self.parts.reader.read())
        watching = asyncio.create_task(self._watch(shutdown))
        try:
            if await self._until_answered():
                await self._talk()
        except asyncio.CancelledError:
            await self._leave(Broken(Trouble.SHUTDOWN))
            raise
        finally:
            await self._close(reading, watching)
        if reading.done() and not reading.cancelled():
            reading.result()
        return result(
            self.parts.reader.ended,
            self._end,
            answered=self.parts.reader.answered,
            announcement=self._announcement,
        )

    def overheard(self, heard: Heard) -> None:
        """Something was said while nobody listened for an answer: a danger is a danger."""
        if not self.parts.reader.answered:
            self._announcement |= heard.understanding.intent is Intent.CARRIER_ANNOUNCEMENT
        elif alarming(heard):
            self._alerts += 1
            understanding = heard.understanding
            self.parts.minutes.alert(
                RaiseAlert(
                    number=self._alerts,
                    stage=AlertStage.UNCONFIRMED,
                    severity=understanding.severity,
                    question_id=self.exchange.question.id,
                    findings=understanding.findings,
                    because=understanding.because,
                )
            )

    async def _until_answered(self) -> bool:
        """Wait for somebody to pick up; announcements before that are understood."""
        try:
            while True:
                match await self.parts.moments.next():
                    case Ringing():
                        self.parts.minutes.ringing()
                    case LegAnswered(at=at):
                        self.exchange.quiet_since = at
                        self.parts.minutes.answered()
                        return True
                    case Said(stretch=stretch):
                        self.exchange.overhear(stretch)
        except LegOver:
            if last := self.parts.hearing.take():
                self.exchange.overhear(last)
        except Stopped:
            self._end = End(Disposition.INTERRUPTED)
        return False

    async def _talk(self) -> None:
        try:
            event: Event | None = Answered()
            while event is not None:
                event = await self._carry_out(self._tell(event))
            await self._hear_goodbye()
        except LegOver:
            await self._leave(self._why_over())
        except Stopped as stopped:
            await self._break_off(stopped.trouble)
        except (LineError, VoiceError) as error:
            _log.warning("a call broke: %s", type(error).__name__)
            await self._leave(self._why_over())

    def _why_over(self) -> Event:
        """Without a last word of the line it was not the person who left."""
        return Broken(Trouble.SHUTDOWN) if self.parts.reader.ended is None else HungUp()

    async def _carry_out(self, actions: Sequence[Action]) -> Event | None:
        """Do what the dialogue says; what happened then, None after its end."""
        pending = next((action for action in actions if isinstance(action, Listen)), None)
        if pending is not None:
            self.exchange.question = pending.question
        alerts = [action for action in actions if isinstance(action, RaiseAlert)]
        rest = [action for action in actions if not isinstance(action, RaiseAlert)]
        self._note(alerts)
        event: Event | None = None
        try:
            while rest:
                action = rest.pop(0)
                if isinstance(action, Listen):
                    return event or await self.exchange.listen(action)
                if not isinstance(action, Say):
                    self._note([action])
                elif event is None or not action.interruptible:
                    asks = not any(isinstance(later, Say) for later in rest)
                    listen = pending if event is None else None
                    answer = await self.exchange.say(action, listen, answerable=asks)
                    event = event or answer
        except BaseException:
            # The call stops in the middle of a step: what was settled is settled.
            self._note(rest)
            self._untold = event
            raise
        return None

    def _tell(self, event: Event) -> tuple[Action, ...]:
        return () if self._end is not None else self._dialogue.handle(event)

    def _note(self, actions: Sequence[Action]) -> None:
        """Carry out everything that is not for the telephone."""
        minutes = self.parts.minutes
        for action in actions:
            match action:
                case RaiseAlert(number=number):
                    if number not in self._alert_numbers:
                        self._alerts += 1
                        self._alert_numbers[number] = self._alerts
                    minutes.alert(replace(action, number=self._alert_numbers[number]))
                case KeepRecording():
                    self._kept = True
                    self._recorder.keep()
                    minutes.recording_consent(True)
                case DropRecording():
                    self._kept = False
                    self._recorder.drop()
                    minutes.recording_consent(False)
                case StoreAnswer():
                    minutes.answer(action)
                case Progress(stage=stage):
                    minutes.stage(stage)
                case OptOut():
                    minutes.opt_out()
                case End():
                    self._end = action

    # --- endings ------------------------------------------------------------------------------

    async def _hear_goodbye(self) -> None:
        """Somebody who is speaking at the end is heard out before we hang up."""
        # Our last word is still on its way to their ear.
        await asyncio.sleep(self._limits.parting)
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._limits.last_words
        while self.parts.hearing.stretch is not None and loop.time() < deadline:
            moment = await self.parts.moments.next(within=deadline - loop.time())
            if isinstance(moment, Said):
                self.exchange.overhear(moment.stretch)
        self._note(await self._last_words())

    async def _break_off(self, trouble: Trouble) -> None:
        """Our side cannot go on: a polite leave, as far as the voice and the line allow."""
        try:
            await self.parts.speaker.stop()
            parting = await self._last_words()
            # What they just said may have ended the dialogue: then that is how we part.
            if not any(isinstance(action, End) for action in parting):
                self._note(parting)
                parting = self._tell(Broken(trouble))
            async with asyncio.timeout(self._limits.goodbye):
                await self._carry_out([a for a in parting if not isinstance(a, Listen)])
        except LegOver:
            await self._leave(HungUp())
        except (Stopped, TimeoutError, LineError, VoiceError) as error:
            _log.warning("a call was left without a goodbye: %s", type(error).__name__)

    async def _leave(self, event: Event) -> None:
        """Nobody can be spoken to any more: decode, understand and alert what was said."""
        self._note(await self._last_words())
        self._note(self._tell(event))

    async def _last_words(self) -> tuple[Action, ...]:
        """Tell the dialogue everything that was said and that it does not know of; its answer."""
        if (untold := self._untold) is not None:
            self._untold = None
            self._note(self._tell(untold))
        stretches = [*self.exchange.in_hand, *self.parts.moments.said()]
        self.exchange.in_hand = []
        if last := self.parts.hearing.take():
            stretches.append(last)
        pieces: list[Piece] = []
        for stretch in stretches:
            # No ears are left: the call ends as broken and is made again.
            with contextlib.suppress(EarsError):
                pieces.append(await self.parts.comprehension.decode(stretch))
        if not any(words.text.strip() for _, words in pieces):
            return ()
        heard = await self.parts.comprehension.understand(pieces, self.exchange.question)
        if heard is None:
            return ()
        if self._end is not None or self.exchange.question is NO_QUESTION:
            self.overheard(heard)
            return ()
        return self._tell(heard)

    async def _close(self, reading: asyncio.Task[None], watching: asyncio.Task[None]) -> None:
        """Hang up, and return when everything is written."""
        watching.cancel()
        try:
            with contextlib.suppress(LineError):
                await self._leg.hang_up()
            await asyncio.wait({reading}, timeout=self._limits.hang_up)
            reading.cancel()
            await self.exchange.settle()
        finally:
            if not self._kept:
                self._recorder.drop()
            await self.parts.minutes.close()

    async def _watch(self, shutdown: asyncio.Event | None) -> None:
        """Stop the conversation when its time is over or the worker shuts down."""
        trouble = Trouble.TIME_LIMIT
        if shutdown is None:
            await asyncio.sleep(self._limits.call)
        else:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._limits.call):
                    await shutdown.wait()
                    trouble = Trouble.SHUTDOWN
        self.parts.moments.put_trouble(trouble)
