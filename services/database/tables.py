"""Every row the hospital keeps.

Columns that end in ``_sealed`` hold personal data, encrypted with the patient's own data key (see
``services.security.sealing``); columns that end in ``_hash`` hold a keyed hash for exact search.
Nothing else in here may tell who a patient is or what they said: enums, ids, times and codes only.
Times are timezone-aware UTC.
"""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, ClassVar

from sqlalchemy import (
    JSON,
    Boolean,
    DateTime,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Text,
    TypeDecorator,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class UtcDateTime(TypeDecorator[datetime]):
    """A timezone-aware UTC time on every database (SQLite forgets the zone)."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse a naive time; store UTC."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time without a zone was about to be stored")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Give every time its zone."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def new_id() -> str:
    """Return a fresh random row id."""
    return str(uuid.uuid4())


class Base(DeclarativeBase):
    """Common ground of all tables."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(column_0_N_label)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        datetime: UtcDateTime,
        dict[str, Any]: JSON,
        list[str]: JSON,
    }


class DataKey(Base):
    """One key a patient, wrapped by a version of the master key. Destroying it erases the patient."""

    __tablename__ = "data_keys"
    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    algorithm: Mapped[str] = mapped_column(String(20))
    """Cipher of what the key protects: ``AES-256-GCM``."""
    master_version: Mapped[int] = mapped_column(Integer)
    wrapped: Mapped[bytes | None] = mapped_column(LargeBinary)
    created_at: Mapped[datetime]
    destroyed_at: Mapped[datetime | None]


class Patient(Base):
    """Somebody who was discharged and is to be called."""

    __tablename__ = "patients"
    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    data_key_id: Mapped[str] = mapped_column(ForeignKey("data_keys.id"))
    mrn_sealed: Mapped[bytes] = mapped_column(LargeBinary)
    mrn_hash: Mapped[str] = mapped_column(String(64), unique=True)
    """Medical record number."""
    family_name_sealed: Mapped[bytes] = mapped_column(LargeBinary)
    given_name_sealed: Mapped[bytes] = mapped_column(LargeBinary)
    name_hash: Mapped[str] = mapped_column(String(64), index=True)
    birth_date_sealed: Mapped[bytes] = mapped_column(LargeBinary)
    """ISO date."""
    sex: Mapped[str] = mapped_column(String(1))
    """``m``, ``f`` or ``x``; chooses the honorific."""
    language: Mapped[str] = mapped_column(String(8))
    time_zone: Mapped[str] = mapped_column(String(40))
    """IANA name."""
    clinical_sealed: Mapped[bytes | None] = mapped_column(LargeBinary)
    """JSON: discharged (ISO date), diagnoses, procedures [{code, date}], medicines."""
    created_at: Mapped[datetime]


class PhoneNumber(Base):
    """A number under which a patient, or somebody for them, is reached."""

    __tablename__ = "phone_numbers"
    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    patient_id: Mapped[str] = mapped_column(ForeignKey("patients.id"), index=True)
    number_sealed: Mapped[bytes] = mapped_column(LargeBinary)
    number_hash: Mapped[str] = mapped_column(String(64), index=True)
    position: Mapped[int] = mapped_column(Integer, default=0)
    """Order in which they are tried."""
    relation: Mapped[str] = mapped_column(String(20), default="patient")
    valid: Mapped[bool] = mapped_column(Boolean, default=True)


class Consent(Base):
    """What somebody agreed to, or did not, and in which call."""

    __tablename__ = "consents"
    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    patient_id: Mapped[str] = mapped_column(ForeignKey("patients.id"), index=True)
    kind: Mapped[str] = mapped_column(String(20))
    """``recording`` or ``calls``."""
    granted: Mapped[bool]
    attempt_id: Mapped[str | None] = mapped_column(ForeignKey("attempts.id"))
    at: Mapped[datetime]


class OptOutRow(Base):
    """Never to be called again: this patient, and this number."""

    __tablename__ = "opt_outs"
    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    patient_id: Mapped[str | None] = mapped_column(ForeignKey("patients.id"), index=True)
    number_hash: Mapped[str | None] = mapped_column(String(64), index=True)
    attempt_id: Mapped[str | None] = mapped_column(ForeignKey("attempts.id"))
    at: Mapped[datetime]


class ScriptVersion(Base):
    """A script exactly as it was asked; answers point here."""

    __tablename__ = "script_versions"
    __table_args__ = (UniqueConstraint("script_id", "version", "sha256"),)
    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    script_id: Mapped[str] = mapped_column(String(60))
    version: Mapped[str] = mapped_column(String(20))
    sha256: Mapped[str] = mapped_column(String(64))
    source: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime]


class FollowUpState(StrEnum):
    """Where a follow-up stands."""

    PLANNED = "planned"
    QUEUED = "queued"
    """A workflow has it."""
    DONE = "done"
    GIVEN_UP = "given_up"
    """No attempt is left or its window is over; a person must see to it."""
    CANCELLED = "cancelled"


class FollowUp(Base):
    """One questionnaire to be asked of one patient around one time."""

    __tablename__ = "follow_ups"
    __table_args__ = (Index("ix_follow_ups_due", "state", "due_at"),)
    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    patient_id: Mapped[str] = mapped_column(ForeignKey("patients.id"), index=True)
    script_version_id: Mapped[str] = mapped_column(ForeignKey("script_versions.id"))
    language: Mapped[str] = mapped_column(String(8))
    due_at: Mapped[datetime]
    """Not dialled before; moved forward after an attempt that did not finish."""
    expires_at: Mapped[datetime]
    """Not dialled after."""
    priority: Mapped[int] = mapped_column(Integer, default=5)
    """1 is most urgent."""
    state: Mapped[str] = mapped_column(String(12), default=FollowUpState.PLANNED)
    attempts: Mapped[int] = mapped_column(Integer, default=0)
    """How many workflows were started for it, each for the attempt of that number. A workflow that
    finds the call no longer allowed makes no attempt, so numbers may be left out."""
    disposition: Mapped[str | None] = mapped_column(String(24))
    """Of the last attempt."""
    ignore_window: Mapped[bool] = mapped_column(Boolean, default=False)
    """Placed by a person just now (``huifang call``): the calling window does not hold it back."""
    phone_number_id: Mapped[str | None] = mapped_column(ForeignKey("phone_numbers.id"))
    """The only number that is tried; None: the patient's in turn."""
    created_at: Mapped[datetime]


class AttemptState(StrEnum):
    """How far an attempt came."""

    DIALING = "dialing"
    RINGING = "ringing"
    TALKING = "talking"
    ENDED = "ended"


class Attempt(Base):
    """One call to one number. Committed before the phone rings; live until ``ended_at`` is set."""

    __tablename__ = "attempts"
    __table_args__ = (
        # Nobody is rung twice: the database itself refuses a second live call to a patient.
        Index(
            "uq_attempts_one_live_per_patient",
            "patient_id",
            unique=True,
            sqlite_where=text("ended_at IS NULL"),
            postgresql_where=text("ended_at IS NULL"),
        ),
        UniqueConstraint("follow_up_id", "number"),
    )
    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    """Also the leg's id on the switch."""
    follow_up_id: Mapped[str] = mapped_column(ForeignKey("follow_ups.id"), index=True)
    patient_id: Mapped[str] = mapped_column(ForeignKey("patients.id"), index=True)
    phone_number_id: Mapped[str] = mapped_column(ForeignKey("phone_numbers.id"))
    number: Mapped[int] = mapped_column(Integer)
    """Counts the attempts of the follow-up from 1."""
    worker_id: Mapped[str] = mapped_column(String(60))
    line: Mapped[str] = mapped_column(String(40))
    state: Mapped[str] = mapped_column(String(12), default=AttemptState.DIALING)
    stage: Mapped[str | None] = mapped_column(String(20))
    disposition: Mapped[str | None] = mapped_column(String(24))
    cause: Mapped[int | None]
    """ITU-T Q.850 cause."""
    sip_code: Mapped[int | None]
    started_at: Mapped[datetime]
    ringing_at: Mapped[datetime | None]
    answered_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]


class TurnRow(Base):
    """One thing that was said."""

    __tablename__ = "turns"
    __table_args__ = (UniqueConstraint("attempt_id", "index"),)
    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    attempt_id: Mapped[str] = mapped_column(ForeignKey("attempts.id"), index=True)
    index: Mapped[int]
    speaker: Mapped[str] = mapped_column(String(8))
    question_id: Mapped[str | None] = mapped_column(String(60))
    prompt_id: Mapped[str | None] = mapped_column(String(80))
    text_sealed: Mapped[bytes] = mapped_column(LargeBinary)
    words_sealed: Mapped[bytes | None] = mapped_column(LargeBinary)
    """JSON: [{text, start, end, confidence, pinyin}] in seconds on the recording's clock."""
    started: Mapped[float] = mapped_column(Float)
    ended: Mapped[float] = mapped_column(Float)
    ears: Mapped[str | None] = mapped_column(String(80))
    intent: Mapped[str | None] = mapped_column(String(24))
    interrupted: Mapped[bool] = mapped_column(Boolean, default=False)


class AnswerRow(Base):
    """The settled answer to one question in one call."""

    __tablename__ = "answers"
    __table_args__ = (UniqueConstraint("attempt_id", "question_id"),)
    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    attempt_id: Mapped[str] = mapped_column(ForeignKey("attempts.id"), index=True)
    question_id: Mapped[str] = mapped_column(String(60))
    type: Mapped[str] = mapped_column(String(12))
    unit: Mapped[str | None] = mapped_column(String(20))
    status: Mapped[str] = mapped_column(String(12))
    value_sealed: Mapped[bytes | None] = mapped_column(LargeBinary)
    """JSON of the value."""
    evidence_sealed: Mapped[bytes | None] = mapped_column(LargeBinary)
    confidence: Mapped[float]
    severity: Mapped[str] = mapped_column(String(12))
    needs_review: Mapped[bool]
    at: Mapped[datetime]


class FindingRow(Base):
    """One clinical finding with the words that show it."""

    __tablename__ = "findings"
    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    attempt_id: Mapped[str] = mapped_column(ForeignKey("attempts.id"), index=True)
    turn_index: Mapped[int]
    question_id: Mapped[str | None] = mapped_column(String(60))
    finding: Mapped[str] = mapped_column(String(40), index=True)
    status: Mapped[str] = mapped_column(String(12))
    time: Mapped[str] = mapped_column(String(12))
    experiencer: Mapped[str] = mapped_column(String(12))
    attributes: Mapped[list[str]]
    evidence_sealed: Mapped[bytes] = mapped_column(LargeBinary)
    start: Mapped[int]
    end: Mapped[int]
    confidence: Mapped[float]
    by: Mapped[str] = mapped_column(String(20))
    version: Mapped[str] = mapped_column(String(80))
    """Version of the understanding."""


class Alert(Base):
    """Something a person must look at now; open until somebody acknowledges it."""

    __tablename__ = "alerts"
    __table_args__ = (UniqueConstraint("attempt_id", "number"),)
    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    attempt_id: Mapped[str] = mapped_column(ForeignKey("attempts.id"))
    patient_id: Mapped[str] = mapped_column(ForeignKey("patients.id"), index=True)
    number: Mapped[int]
    """Counts the alerts of the call from 1."""
    severity: Mapped[str] = mapped_column(String(12))
    stage: Mapped[str] = mapped_column(String(12))
    question_id: Mapped[str] = mapped_column(String(60))
    rules: Mapped[list[str]]
    findings: Mapped[list[str]]
    """Codes of the findings that raised it."""
    raised_at: Mapped[datetime]
    acknowledged_at: Mapped[datetime | None]
    acknowledged_by: Mapped[str | None] = mapped_column(ForeignKey("users.id"))


class AlertEvent(Base):
    """What happened to an alert: raised, confirmed, amended, published, repeated, acknowledged."""

    __tablename__ = "alert_events"
    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    alert_id: Mapped[str] = mapped_column(ForeignKey("alerts.id"), index=True)
    kind: Mapped[str] = mapped_column(String(16))
    at: Mapped[datetime]
    user_id: Mapped[str | None] = mapped_column(ForeignKey("users.id"))


class RecordingState(StrEnum):
    """Where a recording stands."""

    WRITING = "writing"
    """The call goes on, or the process died: readable to the last second, not yet compressed."""
    STORED = "stored"


class Recording(Base):
    """A two-channel recording in the store: patient left, system right."""

    __tablename__ = "recordings"
    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    attempt_id: Mapped[str] = mapped_column(ForeignKey("attempts.id"), unique=True)
    data_key_id: Mapped[str] = mapped_column(ForeignKey("data_keys.id"))
    state: Mapped[str] = mapped_column(String(12))
    object_key: Mapped[str] = mapped_column(String(120))
    """Name in the store."""
    codec: Mapped[str] = mapped_column(String(12))
    """``pcm`` while writing, ``opus`` when stored."""
    seconds: Mapped[float | None]
    size: Mapped[int | None]
    """Bytes of the clear file."""
    sha256: Mapped[str | None] = mapped_column(String(64))
    """Of the clear file."""
    peaks: Mapped[dict[str, Any] | None]
    """{"per_second": 20, "patient": [0..100 ...], "system": [...]}; draws the waveform."""
    created_at: Mapped[datetime]


class Role(Base):
    """What a group of users may do."""

    __tablename__ = "roles"
    name: Mapped[str] = mapped_column(String(20), primary_key=True)
    """``administrator``, ``supervisor``, ``nurse``."""
    permissions: Mapped[list[str]]


class User(Base):
    """Somebody who signs in at the desk."""

    __tablename__ = "users"
    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    login: Mapped[str] = mapped_column(String(60), unique=True)
    name: Mapped[str] = mapped_column(String(80))
    password_hash: Mapped[str] = mapped_column(String(200))
    role: Mapped[str] = mapped_column(ForeignKey("roles.name"))
    language: Mapped[str] = mapped_column(String(8), default="zh")
    active: Mapped[bool] = mapped_column(Boolean, default=True)
    created_at: Mapped[datetime]


class WebSession(Base):
    """A signed-in browser. Only the hash of its token is kept."""

    __tablename__ = "web_sessions"
    token_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"), index=True)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]


class SetupToken(Base):
    """A one-time token with which the first administrator is made."""

    __tablename__ = "setup_tokens"
    token_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


class DutyShift(Base):
    """Who answers for alerts, and when. Without one, nobody is called."""

    __tablename__ = "duty_shifts"
    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"))
    starts_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    ends_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)


class Audit(Base):
    """Who read or changed what. Rows are only ever added."""

    __tablename__ = "audit"
    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    user_id: Mapped[str | None] = mapped_column(ForeignKey("users.id"))
    """None: the product itself or the command line."""
    action: Mapped[str] = mapped_column(String(40))
    """``sign_in``, ``read_call``, ``hear_recording``, ``acknowledge_alert`` ..."""
    subject: Mapped[str] = mapped_column(String(20))
    """Kind of row: ``attempt``, ``alert``, ``patient`` ..."""
    subject_id: Mapped[str | None] = mapped_column(String(36))
    patient_id: Mapped[str | None] = mapped_column(String(36), index=True)


class Worker(Base):
    """A process that places calls; alive while its heartbeat is fresh."""

    __tablename__ = "workers"
    id: Mapped[str] = mapped_column(String(60), primary_key=True)
    """Also the workflow engine's executor id and, with a prefix, the Stasis application's name."""
    started_at: Mapped[datetime]
    heartbeat_at: Mapped[datetime]
    stopped_at: Mapped[datetime | None]
    lines: Mapped[int]
    version: Mapped[str] = mapped_column(String(20))
