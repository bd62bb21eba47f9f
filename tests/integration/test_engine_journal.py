"""The journal of a call: everything is there again afterwards, and only for those with the key."""

from __future__ import annotations

import json
from dataclasses import dataclass

import pytest
from sqlalchemy import select, text

from dialer.journal import CallJournal, Turn
from recordings.recorder import StoredRecording
from scripts.answers import (
    Answer,
    AnswerStatus,
    AskedQuestion,
    Experiencer,
    Finding,
    FindingStatus,
    FindingTime,
    HeardWord,
    Intent,
    QuestionType,
    Reason,
    Severity,
    Understanding,
)
from scripts.turns import AlertStage, RaiseAlert, Stage, StoreAnswer
from services.alerts.changes import Changes
from services.alerts.raising import AlertDesk
from services.calls.journal import Desks, JournalError, RowJournal
from services.calls.orders import CallOrder, load_order
from services.calls.recording_rows import (
    object_key,
    recording_abandoned,
    recording_stored,
    unfinished_recordings,
)
from services.database.session import Sessions, connect
from services.database.tables import (
    Alert,
    AnswerRow,
    Attempt,
    Base,
    Consent,
    FindingRow,
    OptOutRow,
    Recording,
    TurnRow,
)
from services.security.sealing import SearchHash, unseal
from tests.support.outgoing import Posted
from tests.support.rows import INVENTED, NOW, RING, add_attempt, add_follow_up, now

WORDS = "胸口疼得厉害"
QUESTION = AskedQuestion("chest_pain", "您胸口疼吗？", QuestionType.YES_NO)
PAIN = Finding(
    "chest_pain", FindingStatus.PRESENT, FindingTime.CURRENT, Experiencer.PATIENT, ("severe",),
    WORDS, 0, 6, 0.9, "lexicon",
)  # fmt: skip
UNDERSTOOD = Understanding(
    "rules 1 · lexicon 1",
    Intent.ANSWER,
    Answer(AnswerStatus.ANSWERED, True, 0.9, WORDS, 0, 6),
    (PAIN,),
    Severity.URGENT,
    (Reason("new-chest-pain", (0,)),),
)
TURN = Turn(
    index=1, speaker="patient", text=WORDS, started=3.0, ended=4.5, question_id="chest_pain",
    words=(HeardWord("胸口", 3.0, 3.5, 0.8, "xiong1 kou3"), HeardWord("疼", 3.5, 4.5)),
    ears="sherpa zipformer",
)  # fmt: skip


@dataclass
class Call:
    """A journal with its surroundings."""

    order: CallOrder
    posted: Posted
    journal: CallJournal


@pytest.fixture
async def call(sessions: Sessions) -> Call:
    attempt = await add_attempt(sessions, await add_follow_up(sessions))
    order = await load_order(sessions, RING, now, attempt.id)
    posted, changes = Posted(), Changes(sessions)
    alerts = AlertDesk(sessions, posted, changes, now)
    journal = RowJournal(Desks(sessions, alerts, posted, changes, now), order)
    return Call(order, posted, journal)


async def test_the_order_knows_what_the_call_needs(call: Call) -> None:
    order = call.order
    assert order.number == INVENTED.numbers[0]
    assert order.number_hash == SearchHash(RING.search_key).of("number", INVENTED.numbers[0])
    assert order.script_source == "id: check"
    assert order.context.diagnoses == ("I21.4",)
    assert order.context.age == 73
    assert order.context.now.isoformat() == "2026-11-23T10:00:00+08:00"
    assert INVENTED.given_name not in repr(order)
    assert INVENTED.numbers[0] not in repr(order)


async def test_what_was_said_opens_with_the_key(sessions: Sessions, call: Call) -> None:
    await call.journal.turn(TURN, UNDERSTOOD)
    async with sessions() as session:
        turn = (await session.scalars(select(TurnRow))).one()
        finding = (await session.scalars(select(FindingRow))).one()
    key = call.order.data_key
    assert unseal(key, "turns.text_sealed", turn.id, turn.text_sealed) == WORDS
    assert turn.words_sealed is not None
    words = json.loads(unseal(key, "turns.words_sealed", turn.id, turn.words_sealed))
    assert words[0] == {
        "text": "胸口", "start": 3.0, "end": 3.5, "confidence": 0.8, "pinyin": "xiong1 kou3",
    }  # fmt: skip
    assert (turn.started, turn.ended, turn.intent) == (3.0, 4.5, "answer")
    evidence = unseal(key, "findings.evidence_sealed", finding.id, finding.evidence_sealed)
    assert (finding.finding, finding.turn_index, evidence) == ("chest_pain", 1, WORDS)
    assert finding.version == UNDERSTOOD.version


async def test_a_later_answer_replaces_the_earlier(sessions: Sessions, call: Call) -> None:
    journal = call.journal
    pressure = Answer(AnswerStatus.ANSWERED, {"systolic": 160.0, "diastolic": None}, 0.9, "一百六")
    question = AskedQuestion("pressure", "", QuestionType.NUMBER, "mmHg")
    await journal.answer(StoreAnswer(question, Answer(AnswerStatus.UNCLEAR), Severity.NONE, True))
    await journal.answer(StoreAnswer(question, pressure, Severity.ROUTINE, False))
    async with sessions() as session:
        row = (await session.scalars(select(AnswerRow))).one()
    assert (row.status, row.severity, row.needs_review) == ("answered", "routine", False)
    assert row.value_sealed is not None
    value = unseal(call.order.data_key, "answers.value_sealed", row.id, row.value_sealed)
    assert json.loads(value) == {"systolic": 160.0, "diastolic": None}


async def test_progress_shows_in_the_attempt_and_on_the_broker(
    sessions: Sessions, call: Call
) -> None:
    await call.journal.ringing()
    await call.journal.answered()
    await call.journal.stage(Stage.OPENING)
    async with sessions() as session:
        attempt = await session.get_one(Attempt, call.order.attempt_id)
    assert (attempt.state, attempt.stage) == ("talking", "opening")
    assert (attempt.ringing_at, attempt.answered_at) == (NOW, NOW)
    topic = f"huifang/v1/calls/{call.order.attempt_id}"
    assert call.posted.kinds(topic) == ["ringing", "answered", "stage"]


async def test_no_table_and_no_message_shows_a_word(sessions: Sessions, call: Call) -> None:
    await call.journal.turn(TURN, UNDERSTOOD)
    await call.journal.answer(StoreAnswer(QUESTION, UNDERSTOOD.answer, Severity.URGENT, False))
    await call.journal.alert(
        RaiseAlert(1, AlertStage.UNCONFIRMED, Severity.URGENT, "q", (PAIN,), UNDERSTOOD.because)
    )
    async with sessions() as session:
        rows = [
            value
            for table in Base.metadata.sorted_tables
            for row in await session.execute(select(table))
            for value in row
        ]
        assert (await session.scalars(select(Alert))).one().patient_id == call.order.patient.id
    kept = b"\n".join(v if isinstance(v, bytes) else str(v).encode() for v in rows)
    told = "\n".join(message.payload for message in call.posted.messages)
    for secret in ("胸口", "疼", "xiong1", INVENTED.given_name, INVENTED.numbers[0]):
        assert secret.encode() not in kept
        assert secret not in told


@pytest.mark.parametrize("right_party", [True, False])
async def test_an_opt_out_counts_for_the_number_whoever_said_it(
    sessions: Sessions, call: Call, right_party: bool
) -> None:
    journal = call.journal
    if right_party:
        await journal.stage(Stage.RIGHT_PARTY)
    await journal.opt_out()
    async with sessions() as session:
        row = (await session.scalars(select(OptOutRow))).one()
    assert row.number_hash == call.order.number_hash
    assert row.patient_id == (call.order.patient.id if right_party else None)


async def test_the_recordings_row_is_there_from_the_consent_on(
    sessions: Sessions, call: Call
) -> None:
    attempt_id = call.order.attempt_id
    await call.journal.recording_consent(True)
    assert await unfinished_recordings(sessions, "worker-1") == ()
    async with sessions.begin() as session:
        (await session.get_one(Attempt, attempt_id)).ended_at = NOW
    left = await unfinished_recordings(sessions, "worker-1")
    assert left == ((attempt_id, object_key(attempt_id)),)
    assert await unfinished_recordings(sessions, "worker-2") == ()
    stored = StoredRecording(
        object_key(attempt_id), "opus", 12.5, 3000, "0" * 64, {"per_second": 20}
    )
    await recording_stored(sessions, attempt_id, stored)
    await recording_abandoned(sessions, attempt_id)
    assert await unfinished_recordings(sessions, "worker-1") == ()
    async with sessions() as session:
        consent = (await session.scalars(select(Consent))).one()
        row = (await session.scalars(select(Recording))).one()
    assert (consent.kind, consent.granted) == ("recording", True)
    assert (row.state, row.seconds, row.peaks) == ("stored", 12.5, {"per_second": 20})


async def test_a_recording_that_was_abandoned_leaves_no_row(sessions: Sessions, call: Call) -> None:
    await call.journal.recording_consent(True)
    await recording_abandoned(sessions, call.order.attempt_id)
    async with sessions() as session:
        assert (await session.scalars(select(Recording))).all() == []


async def test_without_consent_there_is_no_recording(sessions: Sessions, call: Call) -> None:
    await call.journal.recording_consent(False)
    async with sessions() as session:
        assert (await session.scalars(select(Recording))).all() == []
        assert not (await session.scalars(select(Consent))).one().granted


async def test_a_database_that_is_away_is_said_without_words(
    database_url: str, sessions: Sessions, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.calls.journal.DATABASE_WAITS", (0.0, 0.0))
    engine = connect(database_url)
    async with engine.begin() as connection:
        await connection.execute(text("ALTER TABLE turns RENAME TO gone"))
    await engine.dispose()
    with pytest.raises(JournalError) as refused:
        await call.journal.turn(TURN, UNDERSTOOD)
    assert "胸口" not in str(refused.value)
    assert refused.value.__cause__ is None
