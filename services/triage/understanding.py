"""An utterance understood: intent, answer, findings, severity.

``load()`` reads the lexicon and the rules once and returns the pure function that the live call,
re-processing and evaluation share. It is deterministic for a version and never raises on any input.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from scripts.answers import (
    Answer,
    AnswerStatus,
    AskedQuestion,
    ClinicalContext,
    Experiencer,
    Finding,
    FindingStatus,
    FindingTime,
    Intent,
    QuestionType,
    Severity,
    Understand,
    Understanding,
    Utterance,
)
from services.triage import lexicon as lexicons
from services.triage import severity as severities
from services.triage.choices import choose
from services.triage.findings import Reader
from services.triage.intents import Wish, Wishes
from services.triage.lexicon import Lexicon
from services.triage.matching import Mark
from services.triage.measures import Measured, corrected, measure
from services.triage.mentioned import mentioned
from services.triage.numbers import quantities
from services.triage.severity import Facts, Judgement, Rules
from services.triage.syllables import Unit, units
from services.triage.yes_no import Verdict, asks_for_good, judge

LOW_CONFIDENCE = 0.6
"""Under this a nurse looks."""
FEVER = 37.3
"""Degrees Celsius from which a temperature is a finding (usual in Chinese hospitals)."""
MODERATE_PAIN = 4.0
"""Points of ten from which a score is a finding."""
_YIELDS = frozenset(
    {Intent.WAIT, Intent.GREETING, Intent.GOODBYE, Intent.QUESTION, Intent.COMPLAINT, Intent.FILLER}
)
"""Intents that give way to an answer that was also given."""
_PAIN = frozenset({"pain", "wound_pain", "abdominal_pain", "headache", "chest_pain", "eye_pain"})


@dataclass(frozen=True, slots=True)
class _Said:
    """An utterance cut up, with what every part of understanding looks at."""

    utterance: Utterance
    question: AskedQuestion
    units: tuple[Unit, ...]
    fillers: frozenset[int]
    corrections: tuple[int, ...]

    def word_at(self, position: int) -> str:
        """The word at a place; empty outside."""
        return self.units[position].key if 0 <= position < len(self.units) else ""

    def evidence(self, first: int, last: int) -> tuple[str, int, int]:
        """Words, start and end of some units."""
        if not self.units or first >= last:
            return "", 0, 0
        start, end = self.units[first].start, self.units[last - 1].end
        return self.utterance.text[start:end], start, end


class Understander:
    """Understands with one version of lexicon and rules. Call it; it keeps no state."""

    def __init__(self, lexicon: Lexicon, rules: Rules) -> None:
        self._lexicon, self._rules = lexicon, rules
        self._reader, self._wishes = Reader(lexicon), Wishes()
        self.version = f"rules {rules.version} · lexicon {lexicon.version}"

    def __call__(
        self, utterance: Utterance, question: AskedQuestion, context: ClinicalContext
    ) -> Understanding:
        """Understand one utterance as the answer to one question. Pure; never raises."""
        said = self._cut(utterance, question)
        found = self._reader.read(utterance, said.units, question, context)
        answer, values, implied, plausible = self._answer(said, found, context)
        findings = (*found, *implied)
        wish = self._wishes.hear(said.units, said.fillers)
        intent = self._intent(said, wish, answer, findings)
        answer = self._settled(said, intent, answer)
        values = {**mentioned(said.units, self._lexicon, context), **values}
        judgement = severities.judge(
            Facts(findings, values, context, self._groups_said(utterance.text)), self._rules
        )
        return Understanding(
            version=self.version,
            intent=intent,
            answer=answer,
            findings=findings,
            severity=judgement.severity,
            because=judgement.because,
            needs_review=not plausible or self._needs_review(answer, findings, judgement, context),
        )

    def _cut(self, utterance: Utterance, question: AskedQuestion) -> _Said:
        cut = units(utterance.text, utterance.language, utterance.words)
        marks = self._lexicon.answers.marks(cut)
        return _Said(
            utterance,
            question,
            cut,
            frozenset(i for m in marks if m.kind == "filler" for i in range(m.first, m.last)),
            tuple(m.first for m in marks if _corrects(m)),
        )

    # --- the answer -----------------------------------------------------------------------------

    def _answer(
        self, said: _Said, found: Sequence[Finding], context: ClinicalContext
    ) -> tuple[Answer, Mapping[str, float], tuple[Finding, ...], bool]:
        """The answer, the values measured, the findings it implies, and whether it is plausible."""
        kind = said.question.type
        if not said.units:
            return Answer(AnswerStatus.NONE), {}, (), True
        if kind is QuestionType.YES_NO:
            verdict = judge(said.units, said.question, found, self._lexicon)
            good = asks_for_good(said.question, self._lexicon)
            return (
                self._stated(said, verdict),
                {},
                _elliptical(said, verdict, found, good=good),
                True,
            )
        if kind is QuestionType.CHOICE:
            chosen = choose(said.units, said.question.choices, self._lexicon)
            return (
                self._picked(said, chosen.key, chosen.first, chosen.last, chosen.confidence),
                {},
                (),
                True,
            )
        if kind is QuestionType.FREE_TEXT:
            text = said.utterance.text
            return Answer(AnswerStatus.ANSWERED, text, 0.9, text, 0, len(text)), {}, (), True
        return self._number(said, found, context)

    def _stated(self, said: _Said, verdict: Verdict) -> Answer:
        if verdict.value is None:
            return Answer(AnswerStatus.UNCLEAR)
        return self._picked(said, verdict.value, verdict.first, verdict.last, verdict.confidence)

    def _picked(
        self, said: _Said, value: bool | str | float | None, first: int, last: int, sure: float
    ) -> Answer:
        if value is None:
            return Answer(AnswerStatus.UNCLEAR)
        evidence, start, end = said.evidence(first, last)
        return Answer(AnswerStatus.ANSWERED, value, round(sure, 2), evidence, start, end)

    def _number(
        self, said: _Said, found: Sequence[Finding], context: ClinicalContext
    ) -> tuple[Answer, Mapping[str, float], tuple[Finding, ...], bool]:
        unit = "scale" if said.question.type is QuestionType.SCALE else said.question.unit
        measured, sure = None, 0.95
        for by_sound in (False, True):
            spoken = corrected(quantities(said.units, by_sound=by_sound), said.corrections)
            again = measure(unit, spoken, context, said.word_at)
            if again is not None and (measured is None or again.plausible):
                measured, sure = again, 0.8 if by_sound else 0.95
            if measured is not None and measured.plausible:
                break
        if measured is None:
            if unit == "scale" and _painless(found):
                none = next(f for f in found if f.finding in _PAIN)
                zero = Answer(AnswerStatus.ANSWERED, 0.0, 0.9, none.evidence, none.start, none.end)
                return zero, {"scale": 0.0}, (), True
            return Answer(AnswerStatus.UNCLEAR), {}, (), True
        evidence, start, end = said.evidence(measured.first, measured.last)
        if not measured.plausible:
            kept = Answer(AnswerStatus.UNCLEAR, measured.value, 0.3, evidence, start, end)
            return kept, {}, (), False
        answer = Answer(AnswerStatus.ANSWERED, measured.value, sure, evidence, start, end)
        values = _values(unit, measured)
        return answer, values, _measured_findings(values, answer, found), True

    def _settled(self, said: _Said, intent: Intent, answer: Answer) -> Answer:
        """What the intent leaves of the answer."""
        if intent in (Intent.ANSWER, Intent.QUESTION, Intent.COMPLAINT):
            return answer
        if intent is Intent.REFUSE:
            return Answer(AnswerStatus.REFUSED)
        if intent is Intent.BUSY:
            time = self._wishes.time_named(said.utterance.text)
            return Answer(AnswerStatus.NONE, time)
        if intent in (Intent.NOT_PATIENT, Intent.WRONG_NUMBER):
            if said.question.type is QuestionType.YES_NO and not said.question.asks_about:
                return Answer(AnswerStatus.ANSWERED, False, 0.9)
            return answer if answer.status is AnswerStatus.ANSWERED else Answer(AnswerStatus.NONE)
        return Answer(AnswerStatus.NONE)

    # --- the intent -----------------------------------------------------------------------------

    def _intent(
        self, said: _Said, wish: Wish | None, answer: Answer, findings: Sequence[Finding]
    ) -> Intent:
        if not said.units:
            return Intent.UNINTELLIGIBLE
        free = said.question.type is QuestionType.FREE_TEXT
        answered = answer.status is AnswerStatus.ANSWERED and not free
        spoken_of = bool(findings)
        if wish is not None:
            if wish.intent in _YIELDS and (answered or spoken_of):
                return Intent.ANSWER
            return wish.intent
        if answered:
            return Intent.ANSWER
        if not spoken_of and self._wishes.asks(said.units, said.utterance.text):
            return Intent.QUESTION
        if len(said.fillers) == len(said.units):
            return Intent.FILLER
        return Intent.ANSWER

    def _groups_said(self, text: str) -> frozenset[str]:
        lowered = text.lower()
        named = any(
            word in lowered for words in self._rules.vital_medicine.values() for word in words
        )
        return frozenset({"vital_medicine"} if named else ())

    # --- a nurse's look -------------------------------------------------------------------------

    def _needs_review(
        self,
        answer: Answer,
        findings: Sequence[Finding],
        judgement: Judgement,
        context: ClinicalContext,
    ) -> bool:
        if answer.status is AnswerStatus.ANSWERED and answer.confidence < LOW_CONFIDENCE:
            return True
        used = {index for reason in judgement.because for index in reason.findings}
        shaky = any(
            findings[i].status is FindingStatus.UNCERTAIN or findings[i].confidence < LOW_CONFIDENCE
            for i in used
        )
        return shaky or _contradictory(findings) or self._others_emergency(findings, context)

    def _others_emergency(self, findings: Sequence[Finding], context: ClinicalContext) -> bool:
        """Whether somebody else is in danger: raises nothing, but a nurse should see it."""
        if all(finding.experiencer is Experiencer.PATIENT for finding in findings):
            return False
        as_own = [
            replace(f, experiencer=Experiencer.PATIENT)
            for f in findings
            if f.experiencer is Experiencer.OTHER
        ]
        return (
            severities.judge(Facts(as_own, {}, context), self._rules).severity is Severity.EMERGENCY
        )


def _corrects(mark: Mark) -> bool:
    """A word of correction, or a no in the middle (三十八度五，不对，三十七度五)."""
    denies = mark.kind == "denying" and mark.code == "lead" and mark.first > 0
    return mark.confidence == 1.0 and (mark.kind == "correction" or denies)


def _painless(found: Sequence[Finding]) -> bool:
    pains = [f for f in found if f.finding in _PAIN and f.time is FindingTime.CURRENT]
    return bool(pains) and all(f.status is FindingStatus.ABSENT for f in pains)


def _elliptical(
    said: _Said, verdict: Verdict, found: Sequence[Finding], *, good: bool
) -> tuple[Finding, ...]:
    """What a bare yes or no says about the findings that were asked about."""
    if verdict.value is None or not verdict.by_word:
        return ()
    spoken = {
        f.finding
        for f in found
        if f.time is FindingTime.CURRENT and f.experiencer is Experiencer.PATIENT
    }
    present = verdict.value is not good
    evidence, start, end = said.evidence(verdict.first, verdict.last)
    return tuple(
        Finding(
            finding=code,
            status=FindingStatus.PRESENT if present else FindingStatus.ABSENT,
            time=FindingTime.CURRENT,
            experiencer=Experiencer.PATIENT,
            attributes=(),
            evidence=evidence,
            start=start,
            end=end,
            confidence=round(verdict.confidence * 0.95, 2),
            by="question",
        )
        for code in said.question.asks_about
        if code not in spoken
    )


def _values(unit: str | None, measured: Measured) -> dict[str, float]:
    """A measured answer under the names that the rules use."""
    if isinstance(measured.value, Mapping):
        return {name: value for name, value in measured.value.items() if value is not None}
    name = {"celsius": "celsius", "mmol/L": "glucose", "percent": "spo2", "scale": "scale"}.get(
        unit or ""
    )
    if name is None or not isinstance(measured.value, float):
        return {}
    return {name: measured.value}


def _measured_findings(
    values: Mapping[str, float], answer: Answer, found: Sequence[Finding]
) -> tuple[Finding, ...]:
    """The finding that a number is by itself: a fever, a strong pain."""
    codes = {finding.finding for finding in found if finding.status is FindingStatus.PRESENT}
    made: list[tuple[str, tuple[str, ...]]] = []
    if values.get("celsius", 0.0) >= FEVER and "fever" not in codes:
        made.append(("fever", ()))
    if values.get("scale", 0.0) >= MODERATE_PAIN and not codes & _PAIN:
        made.append(("pain", ("severe",) if values["scale"] >= 7 else ()))
    return tuple(
        Finding(
            finding=code,
            status=FindingStatus.PRESENT,
            time=FindingTime.CURRENT,
            experiencer=Experiencer.PATIENT,
            attributes=attributes,
            evidence=answer.evidence,
            start=answer.start,
            end=answer.end,
            confidence=answer.confidence,
            by="question",
        )
        for code, attributes in made
    )


def _contradictory(findings: Sequence[Finding]) -> bool:
    """Whether the same thing is both there and not there now."""
    current = [
        f
        for f in findings
        if f.time is FindingTime.CURRENT and f.experiencer is Experiencer.PATIENT
    ]
    present = {f.finding for f in current if f.status is FindingStatus.PRESENT}
    absent = {f.finding for f in current if f.status is FindingStatus.ABSENT}
    return bool(present & absent)


@lru_cache(maxsize=1)
def load() -> Understand:
    """Read lexicon and rules and return the function that understands.

    Raises:
        RuleError: the shipped rules are broken (a defect of the release).
    """
    lexicon = lexicons.load()
    return Understander(lexicon, severities.load(lexicon.codes))
