"""One call, from the ringing to the hang-up: joins the leg, the ears, the voice and the dialogue.

Theory of operation. ``LegReader`` takes the leg's events as they come, feeds the sound to
``Hearing`` and to the recording, and puts the rest as moments into one queue. The conversation
tells the dialogue what happened and carries out its actions one by one, waiting for moments::

    dialogue --actions--> Say ....... play; a noise pauses it, a word stops it
                          Listen .... until Heard, Digits or Silence, which go to the dialogue
                          End ....... hear out, hang up
                          others .... to the journal and the recording, at once

What is said into a prompt before its question was there is not an answer to that question: a "no"
to a question nobody heard would hide a warning sign. Such words are understood and journalled; the
prompt begins again, unless they were an alarm or a wish.

Whatever happens (hang-up, time limit, shutdown, a task cancelled), what was said until then is
decoded, understood and alerted before the conversation returns.

Time is the running event loop's, so that tests run on virtual time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from asr.recogniser import Recogniser
from dialer.carrying import Carrying, Limits
from dialer.comprehension import Comprehension
from dialer.ears import Ears
from dialer.exchange import Exchange, Parts
from dialer.hearing import Hearing, Stretch
from dialer.journal import CallJournal
from dialer.leg_reader import LegReader
from dialer.line import Leg
from dialer.minutes import Minutes
from dialer.moments import Moments, Said
from dialer.outcomes import CallResult
from dialer.ports import CallRecorder, Dialogue, Observer, Speech, VoiceActivity
from dialer.speaking import Speaker
from dialer.turn_taking import Decision, Manners, SpeechEnded, SpeechStarted
from scripts.answers import ClinicalContext, Understand
from scripts.turns import Say

__all__ = ["CallResult", "Limits", "converse"]


async def converse(
    leg: Leg,
    dialogue: Dialogue,
    *,
    ears: Sequence[Recogniser],
    voice_activity: VoiceActivity,
    speech: Speech,
    understand: Understand,
    recorder: CallRecorder,
    journal: CallJournal,
    context: ClinicalContext,
    language: str,
    filler: Say | None = None,
    limits: Limits | None = None,
    manners: Manners | None = None,
    observer: Observer | None = None,
    shutdown: asyncio.Event | None = None,
) -> CallResult:
    """Carry one call from a leg that has been dialled to its end.

    Args:
        leg: Dialled, not yet read; it is hung up in every case.
        dialogue: The dialogue in its first state.
        ears: Recognisers for the call's language, best first; a failing one is replaced.
        voice_activity: A fresh one.
        speech: Has every prompt of the script ready.
        understand: Runs in a worker thread.
        recorder: Told to drop everything unless the dialogue said to keep it; not finished here.
        journal: Everything is written when this returns.
        context: What is known of the patient.
        language: Two-letter code.
        filler: Said when understanding takes long, so that nobody waits in silence.
        limits: How long things may take.
        manners: Of the turn-taking.
        observer: Told the times of every reply.
        shutdown: Once set, the call takes a polite leave. Cancelling the task does not even
            take that, but still writes down and alerts what was said.

    Raises:
        Exception: what the journal raised for an entry that it refused to the end, or what the
            recorder raised.
    """
    moments = Moments()
    call_ears = Ears(ears)
    minutes = Minutes(journal)
    speaker = Speaker(leg, recorder)

    def decided(decision: Decision, stretch: Stretch | None) -> None:
        if isinstance(decision, SpeechEnded) and stretch is not None:
            moments.put(Said(stretch))
        elif not isinstance(decision, SpeechStarted | SpeechEnded):
            moments.put(decision)

    hearing = Hearing(voice_activity, call_ears, manners or Manners(), decided)
    reader = LegReader(leg, hearing, speaker, recorder, moments)
    comprehension = Comprehension(call_ears, understand, context, language, minutes)
    call = Carrying(leg, dialogue, recorder, limits or Limits())
    call.parts = Parts(
        moments,
        hearing,
        reader,
        speaker,
        comprehension,
        minutes,
        speech,
        language,
        filler,
        observer,
        call.overheard,
    )
    call.exchange = Exchange(call.parts)
    return await call.run(shutdown)
