"""The recognisers of one call: the first that works hears, the others stand by."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Final

from asr.recogniser import EarsError, Hints, Recogniser, RecognitionStream, Transcript

_log = logging.getLogger(__name__)

DECODING_LIMIT: Final = 25.0
"""Seconds after which a recogniser that has not finished a turn counts as broken. Longer than a
recogniser's own limit, so that one that was only slow is tried once more."""


class Ears:
    """Hears turns with the first recogniser that works, and moves on when it fails.

    ``recognisers``: at least one, in order of preference, all for the call's language.
    """

    def __init__(self, recognisers: Sequence[Recogniser]) -> None:
        if not recognisers:
            raise ValueError("a conversation needs at least one recogniser")
        self._recognisers = list(recognisers)

    @property
    def name(self) -> str:
        """Engine and model that hear now, as they are stored with a turn."""
        engine = self._recognisers[0].engine
        return f"{engine.name} {engine.model}"

    @property
    def partials(self) -> bool:
        """Whether words show before the end of a turn."""
        return self._recognisers[0].engine.streaming

    def open(self, hints: Hints) -> RecognitionStream | None:
        """Start hearing; None if the recogniser refuses (``finish`` then tries again)."""
        try:
            return self._recognisers[0].open(hints)
        except EarsError:
            return None

    async def finish(
        self, stream: RecognitionStream | None, pcm: bytes, hints: Hints
    ) -> Transcript:
        """The final transcript of a turn, from its stream or from the kept sound.

        A recogniser that fails may try once more if it says that helps; after that the next one
        hears this turn and all that follow.

        Raises:
            EarsError: none is left that works.
        """
        retried = False
        while True:
            try:
                if stream is None:
                    stream = self._recognisers[0].open(hints)
                    stream.feed(pcm)
                async with asyncio.timeout(DECODING_LIMIT):
                    return await stream.finish()
            except TimeoutError as error:
                failure = EarsError("the recogniser did not finish a turn in time")
                failure.__cause__ = error
            except EarsError as error:
                failure = error
            stream = None
            if failure.retryable and not retried:
                retried = True
                continue
            _log.warning("%s failed on a turn: %s", self.name, failure)
            if len(self._recognisers) == 1:
                raise failure
            self._recognisers.pop(0)
            retried = False
