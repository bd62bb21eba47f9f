"""A finished call with everything the desk can show: invented people, invented words."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np

from recordings.recorder import CallRecorder
from recordings.store import FolderStore
from services.database.session import Sessions
from services.database.tables import (
    Alert,
    AlertEvent,
    AnswerRow,
    Attempt,
    AttemptState,
    Consent,
    FindingRow,
    Recording,
    RecordingState,
    TurnRow,
    User,
    new_id,
)
from services.patients import Patients
from services.security.passwords import Passwords
from services.security.sealing import seal
from tests.support.rows import RING, add_attempt, add_follow_up, add_patient

PASSWORD = "a password of tests"


@dataclass(frozen=True)
class Line:
    """One turn: who, what, when, and the question it belongs to."""

    speaker: str
    text: str
    started: float
    ended: float
    question_id: str | None = None


TALK = (
    Line("system", "您好，我是人工智能语音助手。请问，您是钱女士本人吗？", 1.0, 5.0),
    Line("patient", "是我", 5.6, 6.3),
    Line("system", "出院以后，您胸口疼过吗？", 8.0, 10.2, "chest_pain"),
    Line("patient", "昨天晚上胸口疼，还出了一身冷汗", 11.0, 14.4, "chest_pain"),
    Line("system", "最高烧到多少度？", 15.0, 16.4, "temperature"),
    Line("patient", "没烧", 17.0, 17.6, "temperature"),
    Line("system", "您现在身上疼不疼？请打个分。", 18.0, 20.0, "pain"),
    Line("patient", "大概三分吧", 20.5, 21.6, "pain"),
)
DANGER_AT = 11.0 + 4 * 3.4 / 15
"""Seconds at which the fifth of fifteen characters is said: 胸口疼."""


@dataclass(frozen=True)
class SeededCall:
    """Ids of what was seeded."""

    attempt_id: str
    patient_id: str
    data_key: bytes
    alert_id: str
    recording_id: str | None


async def add_desk_user(
    sessions: Sessions,
    passwords: Passwords,
    at: datetime,
    login: str = "nurse",
    role: str = "nurse",
    language: str = "zh",
) -> str:
    """Make somebody who can sign in with ``PASSWORD``."""
    user = User(
        id=new_id(),
        login=login,
        name=f"测试{login}",
        password_hash=passwords.hash(PASSWORD),
        role=role,
        language=language,
        created_at=at,
    )
    async with sessions.begin() as session:
        session.add(user)
    return user.id


async def add_call(
    sessions: Sessions,
    at: datetime,
    *,
    index: int = 1,
    recordings: Path | None = None,
    severity: str = "emergency",
) -> SeededCall:
    """Keep a call in which chest pain was told at ``DANGER_AT``; with ``recordings``, a recording."""
    patient_id = await add_patient(sessions, index)
    key_id, key = await Patients(sessions, RING, lambda: at).data_key(patient_id)
    follow_up = await add_follow_up(sessions, patient_id)
    attempt = await add_attempt(
        sessions,
        follow_up,
        started_at=at,
        ended_at=at + timedelta(seconds=40),
        disposition="completed",
    )
    alert = Alert(
        id=new_id(),
        attempt_id=attempt.id,
        patient_id=patient_id,
        number=1,
        severity=severity,
        stage="confirmed",
        question_id="chest_pain",
        rules=["chest-pain-with-sweating"],
        findings=["chest_pain", "sweating"],
        raised_at=at + timedelta(seconds=16),
    )
    async with sessions.begin() as session:
        row = await session.get_one(Attempt, attempt.id)
        row.state, row.stage = AttemptState.ENDED, "ending"
        row.answered_at = at + timedelta(seconds=8)
        session.add(
            Consent(
                patient_id=patient_id, kind="recording", granted=True, attempt_id=attempt.id, at=at
            )
        )
        session.add_all(_turn(key, attempt.id, number, line) for number, line in enumerate(TALK))
        session.add_all(_findings(key, attempt.id))
        session.add_all(_answers(key, attempt.id, severity, at))
        session.add(alert)
        await session.flush()
        session.add(AlertEvent(alert_id=alert.id, kind="raised", at=alert.raised_at))
    recording_id = None
    if recordings is not None:
        recording_id = await _record(sessions, recordings, attempt.id, key_id, key, at)
    return SeededCall(attempt.id, patient_id, key, alert.id, recording_id)


def _turn(key: bytes, attempt_id: str, index: int, line: Line) -> TurnRow:
    row_id = new_id()
    words = None
    if line.speaker == "patient":
        step = (line.ended - line.started) / len(line.text)
        words = [
            {
                "text": character,
                "start": line.started + n * step,
                "end": line.started + (n + 1) * step,
                "confidence": 0.9,
                "pinyin": None,
            }
            for n, character in enumerate(line.text)
            if character != "，"
        ]
    return TurnRow(
        id=row_id,
        attempt_id=attempt_id,
        index=index,
        speaker=line.speaker,
        question_id=line.question_id,
        prompt_id=line.question_id if line.speaker == "system" else None,
        text_sealed=seal(key, "turns.text_sealed", row_id, line.text),
        words_sealed=words and seal(key, "turns.words_sealed", row_id, json.dumps(words)),
        started=line.started,
        ended=line.ended,
    )


def _findings(key: bytes, attempt_id: str) -> list[FindingRow]:
    text = TALK[3].text
    rows = []
    for finding, evidence in (("chest_pain", "胸口疼"), ("sweating", "出了一身冷汗")):
        row_id = new_id()
        start = text.index(evidence)
        rows.append(
            FindingRow(
                id=row_id,
                attempt_id=attempt_id,
                turn_index=3,
                question_id="chest_pain",
                finding=finding,
                status="present",
                time="current",
                experiencer="patient",
                attributes=["severe"] if finding == "chest_pain" else [],
                evidence_sealed=seal(key, "findings.evidence_sealed", row_id, evidence),
                start=start,
                end=start + len(evidence),
                confidence=0.97,
                by="lexicon",
                version="test",
            )
        )
    return rows


def _answers(key: bytes, attempt_id: str, severity: str, at: datetime) -> list[AnswerRow]:
    rows = []
    told = (
        ("chest_pain", "yes_no", None, "answered", True, "胸口疼", severity),
        ("temperature", "number", "celsius", "unclear", None, "", "none"),
        ("pain", "scale", None, "answered", 3.0, "三分", "none"),
    )
    for number, (question, kind, unit, status, value, evidence, level) in enumerate(told):
        row_id = new_id()
        rows.append(
            AnswerRow(
                id=row_id,
                attempt_id=attempt_id,
                question_id=question,
                type=kind,
                unit=unit,
                status=status,
                value_sealed=seal(key, "answers.value_sealed", row_id, json.dumps(value)),
                evidence_sealed=seal(key, "answers.evidence_sealed", row_id, evidence),
                confidence=0.9,
                severity=level,
                needs_review=status == "unclear",
                at=at + timedelta(seconds=20 + number),
            )
        )
    return rows


def voice(hertz: float, seconds: float) -> bytes:
    """A tone that swells like syllables, 8 kHz."""
    time = np.arange(int(seconds * 8000)) / 8000
    swell = np.abs(np.sin(2 * np.pi * 2.5 * time))
    return (9000 * swell * np.sin(2 * np.pi * hertz * time)).astype("<i2").tobytes()


async def _record(
    sessions: Sessions, folder: Path, attempt_id: str, key_id: str, key: bytes, at: datetime
) -> str:
    recorder = CallRecorder(
        FolderStore(folder),
        folder.parent / "spool",
        object_key=f"2026/11/{attempt_id}.opus",
        data_key=key,
        key_id=key_id,
    )
    recorder.keep()
    for line in TALK:
        seconds = line.ended - line.started
        if line.speaker == "system":
            recorder.system(voice(1000, seconds), line.started)
        else:
            recorder.patient(voice(440, seconds), line.started)
    stored = await recorder.finish()
    assert stored is not None
    row = Recording(
        id=new_id(),
        attempt_id=attempt_id,
        data_key_id=key_id,
        state=RecordingState.STORED,
        object_key=stored.object_key,
        codec=stored.codec,
        seconds=stored.seconds,
        size=stored.size,
        sha256=stored.sha256,
        peaks=stored.peaks,
        created_at=at,
    )
    async with sessions.begin() as session:
        session.add(row)
    return row.id
