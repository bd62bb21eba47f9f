"""Finding the words of a lexicon in units, by character and by sound.

A *term* is one way to say something ("胸口疼", "short of breath"). Terms sit in two tries, one keyed by
characters (and words), one by folded syllables. At each place the longest term wins, and of equally
long ones the one whose characters agree best: so 不舒服 hides the 不 in it, and 心疼钱 hides 疼.

How far a match by sound may be trusted depends on how much sound there is: one syllable says little
(门 is mostly a door), so such a match is marked as a *guess*, for the caller to accept only where the
question or a neighbouring word supports it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from pypinyin import lazy_pinyin

from services.triage.syllables import WORD, Break, Unit, fold, readings

_GROUP = re.compile(r"\(([^()]*)\)")
_WORD = re.compile(WORD + r"|\d+|\S")


@dataclass(frozen=True, slots=True)
class Term:
    """One way to say something."""

    kind: str
    """What family it belongs to: ``finding``, ``site``, ``negation`` ..."""
    code: str
    """What it says within its family: ``chest_pain``, ``chest`` ..."""
    keys: tuple[str, ...]
    sounds: tuple[str, ...]
    """Folded syllables; empty when the term may not be matched by sound."""
    exact_sounds: tuple[str, ...]
    attributes: tuple[str, ...] = ()
    absent: bool = False
    """The term says that the thing is not there (能平躺 for orthopnea)."""
    wary: bool = False
    """By sound only where the recogniser left bare syllables: the word could hide a danger."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A term found in the units from ``first`` up to, not including, ``last``."""

    term: Term
    first: int
    last: int
    confidence: float
    guess: bool = False
    """By sound alone, and too little sound to stand alone."""

    @property
    def kind(self) -> str:
        """The term's family."""
        return self.term.kind

    @property
    def code(self) -> str:
        """What the term says."""
        return self.term.code


@dataclass(slots=True)
class _Node:
    next: dict[str, _Node] = field(default_factory=dict)
    terms: list[Term] = field(default_factory=list)


def expand(pattern: str) -> list[str]:
    """Write out the alternatives of a pattern: ``胸(口|)疼`` is 胸口疼 and 胸疼."""
    group = _GROUP.search(pattern)
    if group is None:
        return [pattern]
    before, after = pattern[: group.start()], pattern[group.end() :]
    return [
        done for choice in group.group(1).split("|") for done in expand(f"{before}{choice}{after}")
    ]


@lru_cache(maxsize=50_000)
def _keys_and_sounds(text: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    keys = tuple(_WORD.findall(text.lower()))
    if not all(len(key) == 1 and readings(key) for key in keys):
        return keys, ()
    if all(len(readings(key)) == 1 for key in keys):
        return keys, tuple(readings(key)[0] for key in keys)
    spoken = lazy_pinyin("".join(keys), v_to_u=False)
    return keys, tuple("xue" if key == "血" else s for key, s in zip(keys, spoken, strict=False))


def terms(
    kind: str,
    code: str,
    patterns: Iterable[str],
    *,
    attributes: Sequence[str] = (),
    absent: bool = False,
    sound: bool = True,
    wary: bool = False,
) -> list[Term]:
    """Make the terms of a lexicon entry out of its patterns.

    ``sound=False`` matches characters only; a pattern that begins with ``=`` does so on its own.
    """
    made = []
    for pattern in patterns:
        by_sound = sound and not pattern.startswith("=")
        for text in expand(pattern.removeprefix("=")):
            keys, sounds = _keys_and_sounds(text)
            heard = sounds if by_sound and len(sounds) == len(keys) else ()
            folded = tuple(map(fold, heard))
            made.append(Term(kind, code, keys, folded, heard, tuple(attributes), absent, wary))
    return [term for term in made if term.keys]


class Matcher:
    """The tries over a set of terms; immutable once made and safe to share."""

    def __init__(self, vocabulary: Iterable[Term]) -> None:
        self._by_key, self._by_sound = _Node(), _Node()
        for term in vocabulary:
            _plant(self._by_key, term.keys, term)
            if term.sounds:
                _plant(self._by_sound, term.sounds, term)

    def marks(self, units: Sequence[Unit]) -> tuple[Mark, ...]:
        """The terms in the units, in order, none overlapping; the longest at each place."""
        found: list[Mark] = []
        position = 0
        while position < len(units):
            best = max(
                self._at(units, position),
                key=lambda mark: (
                    not mark.guess,
                    mark.last,
                    mark.confidence,
                    _RANK.get(mark.kind, 0) + (mark.code == "lead"),
                ),
                default=None,
            )
            if best is None:
                position += 1
            else:
                found.append(best)
                position = best.last if not best.guess else position + 1
        return tuple(found)

    def _at(self, units: Sequence[Unit], first: int) -> list[Mark]:
        found = []
        node: _Node | None = self._by_key
        position = first
        while position < len(units) and node is not None:
            if position > first and units[position].gap >= Break.COMMA:
                break
            node = node.next.get(units[position].key)
            position += 1
            if node is not None:
                found += [Mark(term, first, position, 1.0) for term in node.terms]
        if units[first].folded:
            self._heard(units, first, first, self._by_sound, found)
        return found

    def _heard(
        self, units: Sequence[Unit], first: int, position: int, node: _Node, found: list[Mark]
    ) -> None:
        if position >= len(units):
            return
        for sound in units[position].folded:
            after = node.next.get(sound)
            if after is None:
                continue
            for term in after.terms:
                mark = _judge(term, units, first, position + 1)
                if mark is not None:
                    found.append(mark)
            self._heard(units, first, position + 1, after, found)


_FUNCTION_WORDS = frozenset("了的我你他她它有不没吗吧呢啊呀嘛和跟个们")
"""Words too common to be a mishearing of anything."""
_RANK: Mapping[str, int] = {
    "mask": 3,
    "finding": 2,
    "site": 1,
    "sensation": 1,
    "fine": 3,
    "affirming": 1,
    "denying": 1,
}
"""Which family wins when two terms are equally long and equally sure."""


def _plant(node: _Node, path: Sequence[str], term: Term) -> None:
    for step in path:
        node = node.next.setdefault(step, _Node())
    node.terms.append(term)


def _judge(term: Term, units: Sequence[Unit], first: int, last: int) -> Mark | None:
    """How far a match by sound is to be trusted; None when the characters agree anyway."""
    same_character = same_sound = bare = 0
    for unit, key, sound in zip(units[first:last], term.keys, term.exact_sounds, strict=True):
        same_character += unit.key == key
        same_sound += sound in unit.sounds
        bare += unit.bare
        if unit.gap >= Break.COMMA and unit is not units[first]:
            return None
        if unit.key != key and unit.key in _FUNCTION_WORDS:
            return None
    size = last - first
    if same_character == size or (term.wary and bare < size - same_character):
        return None
    confused = size - same_sound
    if size == 1:
        return Mark(
            term, first, last, 0.5 if confused else 0.6, guess=not (term.wary and not confused)
        )
    if confused == 0:
        return Mark(term, first, last, 0.85 + 0.1 * same_character / size)
    trusted = confused == 1 and (size >= 3 or bare == size)
    return Mark(term, first, last, 0.7 if trusted else 0.55, guess=not trusted)
