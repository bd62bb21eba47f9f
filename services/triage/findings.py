"""What the patient said is there, is not, was, or might be: findings with their evidence.

First the words: whole terms (胸痛), and sites joined with sensations (胸口这儿有点疼). A sensation without
a site belongs to the site named last, or to what the question is about. Then ``scope`` says whether,
when and whose.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from scripts.answers import AskedQuestion, ClinicalContext, Finding, Utterance
from services.triage.lexicon import Lexicon
from services.triage.matching import Mark
from services.triage.scope import Candidate, Surroundings
from services.triage.syllables import Break, Unit

_SITE_BEFORE = 9
"""How many units a site may stand before its sensation."""
_SITE_AFTER = 5
"""How many words it may stand after it (pain in my chest)."""
_REMEMBERED = 8
"""How many findings back a site is still in mind."""
_GUESS_NEAR = 2
"""How near a site must stand for a sensation that is only guessed from its sound."""


class Reader:
    """Finds findings with one lexicon."""

    def __init__(self, lexicon: Lexicon) -> None:
        self._lexicon = lexicon
        self._sites = _sites_of(lexicon)

    def read(
        self,
        utterance: Utterance,
        units: Sequence[Unit],
        question: AskedQuestion,
        context: ClinicalContext,
    ) -> tuple[Finding, ...]:
        """All findings of an utterance, in the order in which they were said."""
        marks = self._lexicon.findings.marks(units)
        asked = frozenset(question.asks_about)
        candidates = self._candidates(units, marks, question)
        sure = [mark for mark in marks if not mark.guess]
        around = Surroundings(units, sure, candidates, asked, self._sites)
        found = []
        for candidate in candidates:
            scope = around.of(candidate, utterance.speaker, context)
            start, end = units[scope.first].start, units[scope.last - 1].end
            found.append(
                Finding(
                    finding=candidate.code,
                    status=scope.status,
                    time=scope.time,
                    experiencer=scope.experiencer,
                    attributes=scope.attributes,
                    evidence=utterance.text[start:end],
                    start=start,
                    end=end,
                    confidence=round(candidate.confidence * (0.7 if scope.doubt else 0.97), 2),
                    by="lexicon",
                )
            )
        return tuple(found)

    def _candidates(
        self, units: Sequence[Unit], marks: Sequence[Mark], question: AskedQuestion
    ) -> list[Candidate]:
        found: list[Candidate] = []
        for position, mark in enumerate(marks):
            if mark.kind == "finding":
                if mark.guess and mark.code not in question.asks_about:
                    continue
                found.append(
                    Candidate(
                        mark.code,
                        mark.first,
                        mark.last,
                        mark.confidence,
                        mark.term.attributes,
                        mark.term.absent,
                    )
                )
            elif mark.kind == "sensation":
                joined = self._joined(units, marks, position, question, found)
                if joined is not None:
                    found.append(joined)
        return found

    def _joined(
        self,
        units: Sequence[Unit],
        marks: Sequence[Mark],
        position: int,
        question: AskedQuestion,
        earlier: Sequence[Candidate],
    ) -> Candidate | None:
        """The finding that a sensation makes with its site, or alone."""
        mark = marks[position]
        site = self._site_near(units, marks, position)
        if site is not None:
            code = self._lexicon.together.get(site.code, {}).get(mark.code)
            near = mark.first - site.last <= _GUESS_NEAR and mark.first >= site.last
            if code is not None and (not mark.guess or near or code in question.asks_about):
                sure = min(mark.confidence, site.confidence) if not mark.guess else 0.7
                whole = Candidate(code, mark.first, mark.last, sure, head=mark.first)
                return replace(
                    whole,
                    first=min(site.first, mark.first),
                    last=max(site.last, mark.last),
                    head=mark.first,
                )
        code = self._without_site(mark, question, earlier)
        if code is None or (mark.guess and (code not in question.asks_about or len(units) > 6)):
            return None
        return Candidate(code, mark.first, mark.last, mark.confidence * 0.95, head=mark.first)

    def _site_near(
        self, units: Sequence[Unit], marks: Sequence[Mark], position: int
    ) -> Mark | None:
        mark = marks[position]
        before = None
        for other in reversed(marks[max(position - _SITE_BEFORE, 0) : position]):
            if mark.first - other.last > _SITE_BEFORE or _stopped(
                units, other.last, mark.first + 1
            ):
                break
            if other.kind == "site" and self._fits(other, mark):
                before = other
                break
        joined_by = {units[i].key for i in range(mark.last, min(mark.last + 3, len(units)))}
        if joined_by & {"in", "on", "of", "around", "across", "at", "from", "inside"}:
            for other in marks[position + 1 : position + 1 + _SITE_AFTER]:
                if other.first - mark.last > _SITE_AFTER or _stopped(
                    units, mark.last, other.first + 1
                ):
                    break
                if other.kind == "site" and self._fits(other, mark):
                    return other
        return before

    def _fits(self, site: Mark, sensation: Mark) -> bool:
        return sensation.code in self._lexicon.together.get(site.code, {}) and not site.guess

    def _without_site(
        self, mark: Mark, question: AskedQuestion, earlier: Sequence[Candidate]
    ) -> str | None:
        for code in question.asks_about:
            site = self._sites.get(code)
            if site and self._lexicon.together[site].get(mark.code) == code:
                return code
        for site in self._sites_in_mind(question, earlier):
            made = self._lexicon.together[site].get(mark.code)
            if made is not None:
                return made
        return self._lexicon.alone.get(mark.code)

    def _sites_in_mind(self, question: AskedQuestion, earlier: Sequence[Candidate]) -> list[str]:
        """Sites that were spoken of: in this utterance, the latest first, then in the question."""
        codes = [candidate.code for candidate in reversed(earlier[-_REMEMBERED:])] + list(
            question.asks_about
        )
        return [self._sites[code] for code in codes if code in self._sites]


def _sites_of(lexicon: Lexicon) -> dict[str, str]:
    """Findings to the one site that they speak of; what has several is left out, but for limbs."""
    sites: dict[str, list[str]] = {}
    for site, made in lexicon.together.items():
        for code in made.values():
            sites.setdefault(code, []).append(site)
    limbs = ("arm", "leg")
    return {
        code: next((site for site in several if site in limbs), several[0])
        for code, several in sites.items()
        if len(set(several)) == 1 or code in ("numbness", "limb_weakness", "leg_swelling")
    }


def _stopped(units: Sequence[Unit], first: int, last: int) -> bool:
    """Whether a sentence ends between two places."""
    return any(units[i].gap >= Break.STOP for i in range(first, min(last, len(units))))
