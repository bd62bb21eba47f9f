"""One call as the desk shows it: rows unsealed, joined and marked."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from recordings.waveform import Mark, draw
from scripts.answers import FindingStatus, FindingTime, Severity
from services.database.tables import (
    Alert,
    AnswerRow,
    Attempt,
    Consent,
    FindingRow,
    Recording,
    RecordingState,
    TurnRow,
)
from services.patients import Patients, PatientView, data_key
from services.security.keys import KeyRing
from services.security.sealing import unseal
from services.web.languages import Speak
from services.web.severities import worst_of
from services.web.transcript import Piece, Span, TimedWord, pieces, time_of


@dataclass(frozen=True, slots=True)
class TurnView:
    """One thing that was said."""

    row: TurnRow
    pieces: tuple[Piece, ...]


@dataclass(frozen=True, slots=True)
class Danger:
    """A finding that somebody should look at, with the words that show it."""

    finding: str
    status: str
    time: str
    experiencer: str
    attributes: tuple[str, ...]
    evidence: str
    severity: Severity
    at: float
    """Seconds from the start of the recording."""


@dataclass(frozen=True, slots=True)
class AnswerView:
    """The settled answer to one question."""

    row: AnswerRow
    asked: str | None
    """The question as it was spoken."""
    value: Any
    evidence: str


@dataclass(frozen=True, slots=True)
class CallView:
    """Everything of one call."""

    attempt: Attempt
    patient: PatientView
    turns: tuple[TurnView, ...]
    dangers: tuple[Danger, ...]
    answers: tuple[AnswerView, ...]
    alerts: tuple[Alert, ...]
    recording: Recording | None
    consent: bool | None
    """Whether the patient agreed to the recording; None: it was not settled."""

    @property
    def severity(self) -> Severity:
        """The worst of alerts and answers."""
        return worst_of(
            *(alert.severity for alert in self.alerts),
            *(answer.row.severity for answer in self.answers),
        )

    @property
    def number(self) -> str | None:
        """The number that was called."""
        wanted = self.attempt.phone_number_id
        return next((n.number for n in self.patient.numbers if n.id == wanted), None)

    @property
    def playable(self) -> bool:
        """Whether the recording is finished."""
        return self.recording is not None and self.recording.state == RecordingState.STORED

    def waveform(self, term: Speak) -> str | None:
        """Return the drawing, its marks labelled in the reader's language."""
        recording = self.recording
        if recording is None or not recording.peaks or not recording.seconds:
            return None
        marks = [Mark(d.at, d.severity, term("finding", d.finding)) for d in self.dangers]
        return draw(recording.peaks, recording.seconds, marks)


async def load(session: AsyncSession, patients: Patients, keys: KeyRing, call: Attempt) -> CallView:
    """Read a call.

    Raises:
        SecurityError: the patient's key was destroyed, or something does not unseal.
    """

    async def rows(table: Any, *order: Any) -> Sequence[Any]:
        query = select(table).where(table.attempt_id == call.id).order_by(*order)
        return (await session.scalars(query)).all()

    patient = await patients.view_in(session, call.patient_id)
    alerts: Sequence[Alert] = await rows(Alert, Alert.number)
    consents: Sequence[Consent] = await rows(Consent, Consent.at)
    said = _Said(
        await data_key(session, keys, patient.data_key_id),
        await rows(TurnRow, TurnRow.index),
        await rows(FindingRow, FindingRow.turn_index, FindingRow.start),
        alerts,
    )
    return CallView(
        attempt=call,
        patient=patient,
        turns=said.turns(),
        dangers=said.dangers(),
        answers=tuple(said.answer(row) for row in await rows(AnswerRow, AnswerRow.at)),
        alerts=tuple(alerts),
        recording=await session.scalar(select(Recording).where(Recording.attempt_id == call.id)),
        consent=next((c.granted for c in reversed(consents) if c.kind == "recording"), None),
    )


class _Said:
    """What was said in a call, in clear, and what was found in it."""

    def __init__(
        self,
        key: bytes,
        turns: Sequence[TurnRow],
        findings: Sequence[FindingRow],
        alerts: Sequence[Alert],
    ) -> None:
        self._key = key
        self._turns = turns
        self._alerts = alerts
        self._findings = [f for f in findings if f.status != FindingStatus.ABSENT]
        self._severities = {f.id: _severity(f, alerts) for f in self._findings}
        self._texts = {
            t.index: self._clear("turns.text_sealed", t.id, t.text_sealed) for t in turns
        }
        self._words = {t.index: self._timed_words(t) for t in turns}

    def turns(self) -> tuple[TurnView, ...]:
        """Every turn with its findings marked."""
        return tuple(
            TurnView(turn, pieces(self._texts[turn.index], self._words[turn.index], spans))
            for turn in self._turns
            for spans in [self._spans(turn.index)]
        )

    def dangers(self) -> tuple[Danger, ...]:
        """The findings that raised alerts, and the alerts that no finding here explains."""
        shown = [
            Danger(
                finding=finding.finding,
                status=finding.status,
                time=finding.time,
                experiencer=finding.experiencer,
                attributes=tuple(finding.attributes),
                evidence=self._clear(
                    "findings.evidence_sealed", finding.id, finding.evidence_sealed
                ),
                severity=self._severities[finding.id],
                at=self._said_at(finding),
            )
            for finding in self._findings
            if self._severities[finding.id] is not Severity.NONE
        ]
        explained = {danger.finding for danger in shown}
        unexplained = [alert for alert in self._alerts if explained.isdisjoint(alert.findings)]
        return tuple(
            sorted([*shown, *map(self._danger_of, unexplained)], key=lambda danger: danger.at)
        )

    def _danger_of(self, alert: Alert) -> Danger:
        """An alert from a value, or from words whose finding is not kept: shown by its answer."""
        turn = next(
            (
                turn
                for turn in reversed(self._turns)
                if turn.speaker == "patient" and turn.question_id == alert.question_id
            ),
            None,
        )
        return Danger(
            finding=next(iter([*alert.findings, *alert.rules]), alert.question_id),
            status=FindingStatus.PRESENT,
            time=FindingTime.CURRENT,
            experiencer="patient",
            attributes=(),
            evidence=self._texts[turn.index] if turn else "",
            severity=Severity(alert.severity),
            at=turn.started if turn else 0.0,
        )

    def answer(self, row: AnswerRow) -> AnswerView:
        """One answer, with the question as it was spoken."""
        # A question's own prompt has its id; others (thanks, an apology) may be said before it.
        asked = next((turn for turn in self._turns if turn.prompt_id == row.question_id), None)
        value = self._clear("answers.value_sealed", row.id, row.value_sealed)
        return AnswerView(
            row=row,
            asked=None if asked is None else self._texts[asked.index],
            value=json.loads(value) if value else None,
            evidence=self._clear("answers.evidence_sealed", row.id, row.evidence_sealed),
        )

    def _clear(self, place: str, row_id: str, sealed: bytes | None) -> str:
        return "" if sealed is None else unseal(self._key, place, row_id, sealed)

    def _timed_words(self, turn: TurnRow) -> list[TimedWord]:
        heard = self._clear("turns.words_sealed", turn.id, turn.words_sealed)
        return [TimedWord(w["text"], w["start"], w["end"]) for w in json.loads(heard or "[]")]

    def _spans(self, turn_index: int) -> list[Span]:
        return [
            Span(finding.start, finding.end, self._severities[finding.id])
            for finding in self._findings
            if finding.turn_index == turn_index
        ]

    def _said_at(self, finding: FindingRow) -> float:
        index = finding.turn_index
        turn = next((turn for turn in self._turns if turn.index == index), None)
        if turn is None:
            return 0.0
        said = time_of(self._texts[index], self._words[index], finding.start)
        return turn.started if said is None else said


def _severity(finding: FindingRow, alerts: Sequence[Alert]) -> Severity:
    """Return how bad a finding is: as bad as the alerts it raised; what is over raised none."""
    if finding.time != FindingTime.CURRENT:
        return Severity.NONE
    return worst_of(*(alert.severity for alert in alerts if finding.finding in alert.findings))
