"""Somebody who answers the phone, understands our prompts by ear, and replies with recordings.

The patient is frame in, frame out, and knows nothing of the call's inside: the same person sits at
the simulated line and at a real SIP phone. What was heard and said is kept in a ledger, against
which the journal of a call can be held.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from dialer.line import FRAME_BYTES, FRAME_SECONDS
from dialer.simulated.line import FarEnd, Rejection
from dialer.simulated.prompt_ear import SAME_END, PromptEar, PromptHeard

_UNKNOWN_PATIENCE: Final = 2.5
"""Seconds of quiet after something that was not understood before the default reply."""


@dataclass(frozen=True, slots=True)
class Reply:
    """One thing a patient does when it is their turn; all of it, in the order of the fields."""

    speech: bytes = b""
    """8 kHz 16-bit PCM."""
    keys: str = ""
    hang_up: bool = False
    """Hang up when done."""
    hang_up_after: float | None = None
    """Seconds into the reply at which the line goes dead, in the middle of a word."""
    wait: float = 0.0
    """Seconds of thinking on top of the persona's reaction."""


@dataclass(frozen=True, slots=True)
class Persona:
    """Who a patient is and what they do on the telephone."""

    id: str
    language: str = "zh"
    answers_after: float | None = 3.0
    """Seconds of ringing; None: nobody picks up."""
    rejection: Rejection | None = None
    greeting: Reply | None = None
    """Said 0.3 s after picking up (喂)."""
    reaction: float = 0.8
    """Seconds of quiet after a prompt before the reply begins."""
    replies: Mapping[str, tuple[Reply, ...]] = field(default_factory=dict)
    """By prompt id; the second time a prompt is heard its second reply is given, and so on, the
    last one again and again. No reply: silence."""
    default: Reply | None = None
    """To whatever was not understood, and to prompts without a reply."""


LedgerKind = Literal["heard", "said", "keys", "hung up"]


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """One thing that happened at the patient's telephone."""

    at: float
    """Seconds since the phone was answered: the end of a prompt, the beginning of a reply."""
    kind: LedgerKind
    what: str = ""
    """The prompt heard, or replied to; the keys."""


class SimulatedPatient:
    """A persona on one call.

    Args:
        persona: Who it is.
        prompts: The prompts this person knows: id to sound, 8 kHz 16-bit PCM.
    """

    def __init__(self, persona: Persona, prompts: Mapping[str, bytes]) -> None:
        self.persona = persona
        self.digits: list[str] = []
        self.hung_up = False
        self.ledger: list[LedgerEntry] = []
        self._ear = PromptEar(prompts)
        self._frames = 0
        self._sound_since_reply = False
        self._last: PromptHeard | None = None
        self._times: dict[str, int] = {}
        self._doing: Reply | None = None
        self._said = 0

    def step(self, heard: bytes) -> bytes:
        """Hear one 20 ms frame, say one."""
        self._listen(heard)
        if self._doing is None:
            self._consider()
        said = self._speak() if self._doing is not None else bytes(FRAME_BYTES)
        self._frames += 1
        return said

    @property
    def _now(self) -> float:
        return self._frames * FRAME_SECONDS

    def _listen(self, heard: bytes) -> None:
        prompt = self._ear.hear(heard)
        if self._ear.quiet == 0.0:
            self._sound_since_reply = True
        if prompt is None:
            return
        if self._last is not None and prompt.ended - self._last.ended < SAME_END:
            self.ledger.remove(LedgerEntry(self._last.ended, "heard", self._last.prompt_id))
        self._last = prompt
        self.ledger.append(LedgerEntry(prompt.ended, "heard", prompt.prompt_id))

    def _consider(self) -> None:
        """Begin a reply when it is our turn."""
        greeting = self.persona.greeting
        if greeting is not None and self._frames == round(0.3 / FRAME_SECONDS):
            self._begin("greeting", greeting)
        if not self._sound_since_reply or self._ear.quiet < self.persona.reaction:
            return
        fresh = self._last is not None and self._now - self._ear.quiet - self._last.ended < 0.3
        if fresh and self._last is not None:
            prompt_id = self._last.prompt_id
            replies = self.persona.replies.get(prompt_id, ())
            times = self._times.get(prompt_id, 0)
            reply = replies[min(times, len(replies) - 1)] if replies else self.persona.default
        else:
            prompt_id, times, reply = "", 0, self.persona.default
            if self._ear.quiet < _UNKNOWN_PATIENCE:
                return
        if reply is not None and self._ear.quiet < self.persona.reaction + reply.wait:
            return
        self._times[prompt_id] = times + 1
        self._sound_since_reply = False
        if reply is not None:
            self._begin(prompt_id, reply)

    def _begin(self, prompt_id: str, reply: Reply) -> None:
        self._doing, self._said = reply, 0
        if reply.speech:
            self.ledger.append(LedgerEntry(self._now, "said", prompt_id))

    def _speak(self) -> bytes:
        """The next frame of the reply; what follows the speech when it is over."""
        reply = self._doing
        if reply is None:
            return bytes(FRAME_BYTES)
        frame = reply.speech[self._said : self._said + FRAME_BYTES]
        self._said += FRAME_BYTES
        cut = reply.hang_up_after
        if cut is not None and self._said / FRAME_BYTES * FRAME_SECONDS >= cut:
            self._hang_up()
        elif self._said >= len(reply.speech):
            self._doing = None
            if reply.keys:
                self.digits.extend(reply.keys)
                self.ledger.append(LedgerEntry(self._now, "keys", reply.keys))
            if reply.hang_up:
                self._hang_up()
        return frame.ljust(FRAME_BYTES, b"\0")

    def _hang_up(self) -> None:
        self._doing = None
        self.hung_up = True
        self.ledger.append(LedgerEntry(self._now, "hung up"))


@dataclass(frozen=True, slots=True)
class Ring:
    """One time a telephone rang."""

    number: str
    patient: SimulatedPatient
    """With the ledger of that call."""


class Ward:
    """Patients by number: the far side of a simulated line, or of a real one in a test.

    Args:
        personas: By number.
        prompts: What everybody here has heard before, by language: prompt id to sound.
    """

    def __init__(
        self, personas: Mapping[str, Persona], prompts: Mapping[str, Mapping[str, bytes]]
    ) -> None:
        self.rings: list[Ring] = []
        """Every call that reached a telephone, in order."""
        self._personas, self._prompts = personas, prompts

    def far_end(self, number: str) -> FarEnd | None:
        """The telephone of a number, now ringing; None: there is no such number."""
        persona = self._personas.get(number)
        if persona is None:
            return None
        patient = SimulatedPatient(persona, self._prompts.get(persona.language, {}))
        self.rings.append(Ring(number, patient))
        return FarEnd(patient, persona.answers_after, persona.rejection)
