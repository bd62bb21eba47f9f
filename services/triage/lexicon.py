"""The vocabulary of triage, read from its YAML files once.

``lexicon.yaml`` holds the findings, ``cues.yaml`` the words around them, ``answers.yaml`` yes and no.
They are data so that a clinician can read and correct them; this module only makes them matchable.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any

import yaml

from services.triage.matching import Matcher, Term, terms

LANGUAGES = ("zh", "en", "ko")
_MAY_HIDE = (
    "negation",
    "unknown",
    "uncertain",
    "hypothetical",
    "past",
    "other",
    "third",
    "compare",
)
"""Families of scope words that lower a finding: a mere homophone of one must not."""


@dataclass(frozen=True, eq=False)
class Lexicon:
    """Everything that words are compared with."""

    version: int
    findings: Matcher
    """Findings, sites, sensations, masks and scope words, matched together."""
    together: Mapping[str, Mapping[str, str]]
    """Site to sensation to finding."""
    alone: Mapping[str, str]
    """Sensation to the finding it is when no site is known."""
    codes: frozenset[str]
    """Every finding code that the lexicon can give."""
    answers: Matcher
    """Yes, no, unclear, fine, fillers and corrections; the code is where it counts."""
    choices: Mapping[str, tuple[Term, ...]]
    """Well-known choice keys to their terms."""

    def site_of(self, finding: str) -> str | None:
        """The site that a finding speaks of, if it is made of a site and a sensation."""
        return next(
            (site for site, made in self.together.items() if finding in made.values()), None
        )


def read(name: str) -> Any:
    """One of this package's YAML files, every scalar as text."""
    source = resources.files(__package__).joinpath(name).read_text(encoding="utf-8")
    return _plain(yaml.compose(source, Loader=yaml.SafeLoader))


def _plain(node: Any) -> Any:
    """A YAML node as dictionaries, lists and text: ``no`` is a word here, not a boolean."""
    if isinstance(node, yaml.MappingNode):
        return {key.value: _plain(value) for key, value in node.value}
    if isinstance(node, yaml.SequenceNode):
        return [_plain(item) for item in node.value]
    return node.value


def _patterns(entry: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    for language in LANGUAGES:
        yield from (str(pattern) for pattern in entry.get(prefix + language, ()))


def _finding_terms(lexicon: Mapping[str, Any]) -> Iterator[Term]:
    for name, entry in lexicon["findings"].items():
        code = entry.get("code", name)
        yield from terms("finding", code, _patterns(entry), attributes=entry.get("with", ()))
        yield from terms("finding", code, _patterns(entry, "absent_"), absent=True, wary=True)
    for kind, group in (("site", "sites"), ("sensation", "sensations")):
        for code, entry in lexicon[group].items():
            yield from terms(kind, code, _patterns(entry))
    yield from terms("mask", "mask", _patterns(lexicon["masks"]), sound=False)


def _scope_terms(cues: Mapping[str, Any]) -> Iterator[Term]:
    for name, entry in cues["scope"].items():
        kind, _, code = name.partition(".")
        wary = kind in _MAY_HIDE
        if kind == "recent":
            days = [pair for by_day in entry.values() for pair in by_day.items()]
            for day, patterns in days:
                yield from terms("recent", str(day), patterns, wary=True)
        else:
            yield from terms(kind, code or kind, _patterns(entry), wary=wary)
    for name, entry in cues["attributes"].items():
        yield from terms("attribute", name, _patterns(entry), wary=name in ("mild", "improving"))
    yield from terms("transparent", "transparent", _patterns(cues["transparent"]), sound=False)


def _answer_terms(answers: Mapping[str, Any]) -> Iterator[Term]:
    for kind in ("affirming", "denying", "unclear", "fine"):
        for where, entry in answers[kind].items():
            yield from terms(kind, where, _patterns(entry))
    for kind in ("filler", "correction"):
        yield from terms(kind, "anywhere", _patterns(answers[kind]), sound=False)


def _choice_terms(choices: Mapping[str, Mapping[str, Any]]) -> dict[str, tuple[Term, ...]]:
    return {key: tuple(terms("choice", key, _patterns(entry))) for key, entry in choices.items()}


def codes_of(vocabulary: Iterable[Term]) -> frozenset[str]:
    """The finding codes among terms."""
    return frozenset(term.code for term in vocabulary if term.kind == "finding")


def load() -> Lexicon:
    """Read the files of this package.

    Raises:
        ValueError: a file is not what it should be (a defect of the release, not of the input).
    """
    lexicon, cues, answers = read("lexicon.yaml"), read("cues.yaml"), read("answers.yaml")
    vocabulary = [*_finding_terms(lexicon), *_scope_terms(cues)]
    together: dict[str, dict[str, str]] = lexicon["together"]
    made = frozenset(code for by_sensation in together.values() for code in by_sensation.values())
    return Lexicon(
        version=sum(int(part["version"]) for part in (lexicon, cues, answers)) - 2,
        findings=Matcher(vocabulary),
        together=together,
        alone=lexicon["alone"],
        codes=codes_of(vocabulary) | made,
        answers=Matcher(_answer_terms(answers)),
        choices=_choice_terms(answers["choices"]),
    )
