"""A turn's words as the page shows them: with their times, and the dangers in them marked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from scripts.answers import Severity


@dataclass(frozen=True, slots=True)
class TimedWord:
    """A word with its place in the recording."""

    text: str
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class Span:
    """A part of the text that shows a finding."""

    start: int
    """Offset in characters."""
    end: int
    """Exclusive."""
    severity: Severity


@dataclass(frozen=True, slots=True)
class Piece:
    """A run of text that has one time and one severity."""

    text: str
    word: TimedWord | None
    severity: Severity | None
    """None: no finding in it."""


def pieces(text: str, words: Sequence[TimedWord], spans: Sequence[Span]) -> tuple[Piece, ...]:
    """Cut the text where a word or a finding begins or ends; joined, the pieces are the text.

    Words are looked for in order; one that the text does not have is left out.
    """
    places = _places(text, words)
    cuts = {0, len(text)}
    cuts.update(edge for start, end, _ in places for edge in (start, end))
    cuts.update(edge for span in spans for edge in (span.start, span.end) if 0 < edge < len(text))
    edges = sorted(cuts)
    return tuple(
        Piece(text[start:end], _word_at(places, start), _severity_at(spans, start))
        for start, end in pairwise(edges)
    )


def time_of(text: str, words: Sequence[TimedWord], offset: int) -> float | None:
    """Return when the character at ``offset`` was said: its word's start, or the next word's."""
    for _, end, word in _places(text, words):
        if end > offset:
            return word.start
    return None


def _places(text: str, words: Sequence[TimedWord]) -> list[tuple[int, int, TimedWord]]:
    folded = text.lower()
    # Lower case may be longer than the text (İ): then only exact matches are safe.
    haystack = folded if len(folded) == len(text) else text
    places, cursor = [], 0
    for word in words:
        wanted = word.text.lower() if haystack is folded else word.text
        start = haystack.find(wanted, cursor) if wanted else -1
        if start >= 0:
            cursor = start + len(wanted)
            places.append((start, cursor, word))
    return places


def _word_at(places: Sequence[tuple[int, int, TimedWord]], offset: int) -> TimedWord | None:
    return next((word for start, end, word in places if start <= offset < end), None)


def _severity_at(spans: Sequence[Span], offset: int) -> Severity | None:
    worst = [span.severity for span in spans if span.start <= offset < span.end]
    return max(worst, key=lambda severity: severity.rank, default=None)
