"""What the speaker wants apart from answering: to be called later, a person, an end to the calls.

The phrases are data (``intents.yaml``). Where several fit, the file's order decides: an announcement of
the network is never a patient, and somebody who is not the patient is never asked medical questions.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from scripts.answers import Intent
from services.triage.lexicon import LANGUAGES, read
from services.triage.matching import Matcher, Term, terms
from services.triage.syllables import Break, Unit

_WHOLE = 40
"""Units in the longest utterance that may be one phrase and its fillers."""
_BESIDE = 2
"""Units that may stand beside a phrase that should be the whole utterance."""
_TIME_SEARCHED = 400
"""Characters in which a time to call back is looked for."""


@dataclass(frozen=True, slots=True)
class Wish:
    """An intent and the words that show it."""

    intent: Intent
    first: int
    last: int


class Wishes:
    """Hears intents; made once from ``intents.yaml``."""

    def __init__(self) -> None:
        data = read("intents.yaml")
        self.version = int(data["version"])
        self._order = {name: place for place, name in enumerate(data["intents"])}
        self._matcher = Matcher(_terms(data))
        self._times = [
            re.compile(pattern, re.IGNORECASE)
            for patterns in data["time"].values()
            for pattern in patterns
        ]

    def hear(self, said: Sequence[Unit], fillers: frozenset[int]) -> Wish | None:
        """The most telling intent; None when nothing but an answer was meant."""
        found: list[tuple[int, Wish]] = []
        for mark in self._matcher.marks(said):
            name, _, where = mark.code.partition(".")
            if mark.guess or mark.kind != "intent":
                continue
            if where == "whole" and not _nearly_all(said, mark.first, mark.last, fillers):
                continue
            found.append((self._order[name], Wish(Intent(name), mark.first, mark.last)))
        if found:
            return min(found, key=lambda pair: pair[0])[1]
        return None

    def asks(self, said: Sequence[Unit], text: str) -> bool:
        """Whether the utterance asks something."""
        marks = self._matcher.marks(said)
        if any(mark.kind == "question" and not mark.guess for mark in marks):
            return True
        ending = text.rstrip("\"'”’ 。.").rstrip()
        return ending.endswith(("吗", "吗？", "?", "？", "呢"))

    def time_named(self, text: str) -> str | None:
        """The time to call back, as it was said (明天下午三点以后); None when none was named."""
        spans = [
            found.group().strip()
            for pattern in self._times
            for found in pattern.finditer(text[:_TIME_SEARCHED])
            if found.group().strip()
        ]
        return max(spans, key=len, default=None)


def _terms(data: Mapping[str, Any]) -> Iterator[Term]:
    for name, places in data["intents"].items():
        for where, entry in places.items():
            for language in LANGUAGES:
                yield from terms("intent", f"{name}.{where}", entry.get(language, ()))
    for language in LANGUAGES:
        yield from terms("question", "question", data["question"].get(language, ()), sound=False)


def _nearly_all(said: Sequence[Unit], first: int, last: int, fillers: frozenset[int]) -> bool:
    """Whether hardly anything but fillers stands beside the span, and no other sentence."""
    if len(said) > _WHOLE:
        return False
    beside = [i for i in range(len(said)) if not first <= i < last and i not in fillers]
    if not beside:
        return True
    other_sentence = any(
        said[i].gap >= Break.STOP
        for i in (*beside, *range(last, last + 1))
        if i < len(said) and i > 0
    )
    return len(beside) <= _BESIDE and not other_sentence and last == len(said)
