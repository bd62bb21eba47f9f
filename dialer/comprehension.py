"""From a stretch of speech to what it means, with the turn in the journal."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

from asr.recogniser import EarsError, Transcript
from dialer.ears import Ears
from dialer.hearing import Stretch
from dialer.journal import Turn
from dialer.minutes import Minutes
from scripts.answers import (
    AskedQuestion,
    ClinicalContext,
    HeardWord,
    QuestionType,
    Severity,
    Understand,
    Utterance,
)
from scripts.turns import Heard

NO_QUESTION: Final = AskedQuestion("none", "", QuestionType.FREE_TEXT)
"""What is said while nothing has been asked is understood as an answer to this."""
_SURELY_SPEECH: Final = 0.6
"""Seconds of voiced sound that were speech even if no word was understood."""
_WITHOUT_SPACES: Final = frozenset({"zh", "ja"})

Piece = tuple[Stretch, Transcript]


def alarming(heard: Heard) -> bool:
    """Whether somebody in the hospital must be told today, or sooner."""
    return heard.understanding.severity.rank >= Severity.URGENT.rank


class Comprehension:
    """Decodes, understands and journals what the person says."""

    def __init__(
        self,
        ears: Ears,
        understand: Understand,
        context: ClinicalContext,
        language: str,
        minutes: Minutes,
    ) -> None:
        self._ears, self._understand, self._context = ears, understand, context
        self._language, self._minutes = language, minutes

    async def decode(self, stretch: Stretch) -> Piece:
        """The words of a stretch, on its own clock.

        Raises:
            EarsError: no recogniser is left that works.
        """
        stream, stretch.stream = stretch.stream, None
        return stretch, await self._ears.finish(stream, bytes(stretch.pcm), stretch.hints)

    async def understand(self, pieces: Sequence[Piece], question: AskedQuestion) -> Heard | None:
        """What the pieces of one turn say together; None if they were but noise."""
        spoken = [(stretch, words) for stretch, words in pieces if words.text.strip()]
        if not spoken and sum(stretch.voiced for stretch, _ in pieces) < _SURELY_SPEECH:
            return None
        joint = "，" if self._language in _WITHOUT_SPACES else " "
        heard_words = tuple(
            HeardWord(
                w.text, stretch.begins + w.start, stretch.begins + w.end, w.confidence, w.pinyin
            )
            for stretch, transcript in spoken
            for w in transcript.words
        )
        text = joint.join(transcript.text.strip() for _, transcript in spoken)
        utterance = Utterance(text, self._language, heard_words)
        index = self._minutes.next_turn()
        # The rules are plain Python and may take some ms: the other calls' frames go first.
        understanding = await asyncio.to_thread(
            self._understand, utterance, question, self._context
        )
        first, last = pieces[0][0], pieces[-1][0]
        turn = Turn(
            index=index,
            speaker="patient",
            text=text,
            started=heard_words[0].start if heard_words else first.begins,
            ended=last.voice_ended,
            question_id=question.id,
            words=heard_words,
            ears=self._ears.name,
        )
        self._minutes.turn(turn, understanding)
        return Heard(utterance, understanding)

    async def overhear(self, stretch: Stretch) -> Heard | None:
        """What was said while nobody listened for an answer; None if nothing, or nobody hears.

        It is understood as an answer to the question that was open when it began.
        """
        try:
            piece = await self.decode(stretch)
        except EarsError:
            return None
        if not piece[1].text.strip():
            return None
        return await self.understand([piece], stretch.question or NO_QUESTION)
