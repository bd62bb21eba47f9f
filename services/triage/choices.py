"""Which of the offered answers was chosen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from services.triage.lexicon import Lexicon
from services.triage.matching import Mark, Matcher, Term, terms
from services.triage.syllables import Unit

_DENIALS = frozenset({"没", "不", "没有", "not", "isn't", "no", "don't", "never"})


@dataclass(frozen=True, slots=True)
class Choice:
    """A key and where it was said; no key when several or none were."""

    key: str | None
    first: int = 0
    last: int = 0
    confidence: float = 0.0


@lru_cache(maxsize=256)
def _matcher(offered: tuple[tuple[str, tuple[str, ...]], ...], common: tuple[Term, ...]) -> Matcher:
    own = [term for key, ways in offered for term in terms("choice", key, map(_plain, ways))]
    return Matcher([*own, *common])


def _plain(way: str) -> str:
    """A way to say it, taken literally whatever signs it holds."""
    return way.replace("(", " ").replace(")", " ").replace("|", " ").lstrip("=")


def choose(
    said: Sequence[Unit], offered: Mapping[str, tuple[str, ...]], lexicon: Lexicon
) -> Choice:
    """The chosen key. Of several, the last stands after a contrast or a correction; else none."""
    common = tuple(term for key in offered for term in lexicon.choices.get(key, ()))
    matcher = _matcher(tuple((key, tuple(ways)) for key, ways in offered.items()), common)
    marks = [mark for mark in matcher.marks(said) if not mark.guess]
    stated = [mark for mark in marks if not _denied(mark, said)]
    if not stated:
        return Choice(None)
    keys = {mark.code for mark in stated}
    chosen = stated[-1] if len(keys) == 1 or _turned(stated, said) else None
    if chosen is None:
        return Choice(None)
    return Choice(chosen.code, chosen.first, chosen.last, 0.95 * chosen.confidence)


def _denied(mark: Mark, said: Sequence[Unit]) -> bool:
    before = "".join(unit.key for unit in said[max(mark.first - 2, 0) : mark.first])
    nearest = said[mark.first - 1].key if mark.first else ""
    return nearest in _DENIALS or before in _DENIALS


_TURNS = ("但", "不过", "可是", "不对", "就是", "应该", "but", "actually", "sorry", "rather", "no")


def _turned(stated: Sequence[Mark], said: Sequence[Unit]) -> bool:
    """Whether a word of contrast or correction stands between the last two."""
    if len(stated) < 2:
        return True
    between = "".join(u.key for u in said[stated[-2].last : stated[-1].first])
    return any(turn in between for turn in _TURNS)
