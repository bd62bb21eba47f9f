"""Toned pinyin, as the small Mandarin model hears it, into Hanzi as far as they are sure.

The model knows syllables, not characters. A phrase the question makes likely, or an everyday word
of answers, is put in the place of the syllables it is spoken with; a syllable that belongs to no
such phrase stays pinyin in the text. Nothing is guessed: downstream, what is dangerous is looked
for in the pinyin as well, and that is always kept with the word.

Phrases are matched without tones, because the model mistakes a tone more easily than a syllable;
among the ways to cover the most syllables the one with the fewest phrases wins, and then the one
whose tones agree best. A built-in word of a single syllable must agree in its tone: alone, the tone
is all that tells 没 (méi) from 每 (měi).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

import yaml
from pypinyin import Style, lazy_pinyin

INITIALS = frozenset("zh ch sh b p m f d t n l g k h j q x r z c s y w".split())
_HANZI_RUN = re.compile(r"[\u3400-\u9fff]+")

# Costs of the search, in the order of what matters: a syllable left unexplained, one more phrase,
# a tone that differs, a phrase nobody expected, a phrase further down the list.
_UNEXPLAINED = 10.0
_PHRASE = 1.0
_TONE = 0.3
_UNEXPECTED = 0.2
_RANK = 1e-6

# Syllables whose tone changes in speech (一, 不). Besides, a third tone before another third is
# spoken as a second.
_SANDHI = {"yī": ("yí", "yì"), "bù": ("bú",)}
_SECOND, _THIRD = "\u0301", "\u030c"


@dataclass(frozen=True, slots=True)
class TimedSyllable:
    """One syllable as it was heard."""

    pinyin: str
    """With its tone mark; ``ü`` as ``ü``. A letter of the alphabet stands for itself."""
    start: float
    """Seconds from the start of the stream."""
    end: float
    """Seconds from the start of the stream."""
    confidence: float | None = None


@dataclass(frozen=True, slots=True)
class Spelled:
    """A run of syllables and what stands for it in the text."""

    text: str
    """Hanzi, or the pinyin itself where no phrase matched."""
    first: int
    """Index of its first syllable."""
    last: int
    """Index after its last syllable."""


_Index = dict[tuple[str, ...], list["_Phrase"]]


@dataclass(frozen=True, slots=True)
class _Phrase:
    text: str
    tones: tuple[str, ...]
    expected: bool
    rank: int
    exact: bool = False
    """Every tone must agree."""


def toneless(syllable: str) -> str:
    """The syllable without its tone mark; ``ü`` stays (``nǚ`` becomes ``nü``)."""
    letters = unicodedata.normalize("NFD", syllable)
    return unicodedata.normalize(
        "NFC", "".join(c for c in letters if not unicodedata.combining(c) or c == "\u0308")
    )


@lru_cache(maxsize=4096)
def pinyin_of(hanzi: str) -> tuple[str, ...]:
    """Toned syllables of a run of Hanzi, spelled as the model spells them."""
    return tuple(lazy_pinyin(hanzi, style=Style.TONE, v_to_u=True))


def join_tokens(tokens: Sequence[str]) -> list[tuple[str, int, int]]:
    """Put the model's initials and toned finals together.

    Returns:
        The syllables, each with the index of its first token and the index after its last. An
        initial without a final stands alone: it was heard, so it is kept.
    """
    syllables: list[tuple[str, int, int]] = []
    initial: int | None = None
    for index, token in enumerate(tokens):
        if token in INITIALS:
            if initial is not None:
                syllables.append((tokens[initial], initial, initial + 1))
            initial = index
        elif initial is not None:
            syllables.append((tokens[initial] + token, initial, index + 1))
            initial = None
        else:
            syllables.append((token, index, index + 1))
    if initial is not None:
        syllables.append((tokens[initial], initial, initial + 1))
    return syllables


class Speller:
    """Turns syllables into text with the phrases that are likely here.

    Args:
        hints: phrases expected of this answer; parts that are not Hanzi are left out.
    """

    def __init__(self, hints: Iterable[str] = ()) -> None:
        self._everyday = _everyday()
        self._expected = _index(((run, pinyin_of(run)) for run in _runs(hints)), expected=True)
        self._longest = max((len(key) for key in (*self._everyday, *self._expected)), default=1)

    def spell(self, syllables: Sequence[str]) -> list[Spelled]:
        """Cover the syllables, in order and without gaps, with phrases and bare pinyin."""
        bare = [toneless(syllable) for syllable in syllables]
        best: list[tuple[float, Spelled | None]] = [(0.0, None)]
        for end in range(1, len(syllables) + 1):
            left_over = Spelled(syllables[end - 1], end - 1, end)
            best.append(
                min(
                    (
                        (best[start][0] + cost, spelled)
                        for start in range(max(0, end - self._longest), end)
                        for cost, spelled in self._phrases(syllables, bare, start, end)
                    ),
                    key=lambda option: option[0],
                    default=(best[end - 1][0] + _UNEXPLAINED, left_over),
                )
            )
            if best[end - 1][0] + _UNEXPLAINED < best[end][0]:
                best[end] = (best[end - 1][0] + _UNEXPLAINED, left_over)
        return _walk_back(best)

    def _phrases(
        self, syllables: Sequence[str], bare: Sequence[str], start: int, end: int
    ) -> Iterator[tuple[float, Spelled]]:
        key = tuple(bare[start:end])
        for phrase in (*self._expected.get(key, ()), *self._everyday.get(key, ())):
            heard = syllables[start:end]
            wrong = sum(not _agree(phrase.tones, heard, at) for at in range(len(heard)))
            if wrong and phrase.exact:
                continue
            cost = _PHRASE + _TONE * wrong + _RANK * phrase.rank
            yield cost + (0 if phrase.expected else _UNEXPECTED), Spelled(phrase.text, start, end)


def join_text(pieces: Iterable[str]) -> str:
    """Join words as they are written: Hanzi close up, pinyin set off by spaces."""
    text = ""
    for piece in pieces:
        if text and not (_HANZI_RUN.search(text[-1]) and _HANZI_RUN.match(piece)):
            text += " "
        text += piece
    return text


def _walk_back(best: Sequence[tuple[float, Spelled | None]]) -> list[Spelled]:
    spelled: list[Spelled] = []
    at = len(best) - 1
    while (piece := best[at][1]) is not None:
        spelled.append(piece)
        at = piece.first
    return spelled[::-1]


def _agree(written: Sequence[str], heard: Sequence[str], at: int) -> bool:
    """Whether the tone of one syllable of a phrase is as written or as speech makes it."""
    if written[at] == heard[at] or heard[at] in _SANDHI.get(written[at], ()):
        return True
    if len(written) == 1:
        return False
    if toneless(written[at]) == written[at]:
        return True  # a neutral tone is heard as any
    before_third = at + 1 < len(written) and _has(_THIRD, written[at + 1])
    return before_third and _has(_THIRD, written[at]) and _has(_SECOND, heard[at])


def _has(mark: str, syllable: str) -> bool:
    return mark in unicodedata.normalize("NFD", syllable)


def _runs(phrases: Iterable[str]) -> Iterator[str]:
    for phrase in phrases:
        yield from _HANZI_RUN.findall(phrase)


def _index(
    words: Iterable[tuple[str, tuple[str, ...]]],
    *,
    expected: bool,
    exact: frozenset[str] = frozenset(),
) -> _Index:
    """Phrases by their toneless syllables."""
    index: _Index = {}
    for rank, (text, tones) in enumerate(dict.fromkeys(words)):
        key = tuple(toneless(syllable) for syllable in tones)
        strict = text in exact or (len(key) == 1 and not expected)
        index.setdefault(key, []).append(_Phrase(text, tones, expected, rank, strict))
    return index


@cache
def _everyday() -> _Index:
    groups: dict[str, str] = yaml.safe_load(
        Path(__file__).with_name("everyday_words.yaml").read_text(encoding="utf-8")
    )
    words = (_spelled(word) for group in groups.values() for word in group.split())
    return _index(words, expected=False, exact=frozenset(groups["exact"].split()))


def _spelled(word: str) -> tuple[str, tuple[str, ...]]:
    text, _, pinyin = word.partition("=")
    return text, tuple(pinyin.split(",")) if pinyin else pinyin_of(text)
