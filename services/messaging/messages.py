"""What Huifang tells others over MQTT. The published schemas are in ``schemas/``.

No message holds a name, a number or a word that was said: ids, codes and times only.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from importlib import resources
from typing import Any

from scripts.turns import Disposition, Stage
from services.database.tables import Alert, Attempt

ROOT = "huifang/v1"
"""All topics begin here; the number changes when a message changes incompatibly."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message to the broker, sent with QoS 1."""

    topic: str
    payload: str
    """JSON."""
    retain: bool = False


class AlertKind(StrEnum):
    """Why an alert message was sent; also the kinds of an alert's events in the rows."""

    RAISED = "raised"
    CONFIRMED = "confirmed"
    AMENDED = "amended"
    REPEATED = "repeated"
    """Nobody has acknowledged it yet."""
    ACKNOWLEDGED = "acknowledged"


class CallKind(StrEnum):
    """What happened to a call."""

    DIALING = "dialing"
    RINGING = "ringing"
    ANSWERED = "answered"
    STAGE = "stage"
    ENDED = "ended"


class WorkerStatus(StrEnum):
    """How a worker stands."""

    ONLINE = "online"
    STOPPED = "stopped"
    """It was asked to stop, and did."""
    LOST = "lost"
    """Its connection broke: the broker says this in the worker's place (last will)."""


def alert_message(alert: Alert, kind: AlertKind, at: datetime) -> Message:
    """Tell of an alert; the topic ends in the severity it has now."""
    return Message(
        f"{ROOT}/alerts/{alert.severity}",
        _json(
            kind=kind,
            alert_id=alert.id,
            call_id=alert.attempt_id,
            patient_id=alert.patient_id,
            number=alert.number,
            severity=alert.severity,
            stage=alert.stage,
            question_id=alert.question_id,
            rules=alert.rules,
            findings=alert.findings,
            raised_at=alert.raised_at.isoformat(),
            at=at.isoformat(),
        ),
    )


def call_message(
    attempt: Attempt,
    kind: CallKind,
    at: datetime,
    *,
    stage: Stage | None = None,
    disposition: Disposition | None = None,
) -> Message:
    """Tell how far a call came, or how it ended."""
    return Message(
        f"{ROOT}/calls/{attempt.id}",
        _json(
            kind=kind,
            call_id=attempt.id,
            follow_up_id=attempt.follow_up_id,
            patient_id=attempt.patient_id,
            stage=stage,
            disposition=disposition,
            at=at.isoformat(),
        ),
    )


def worker_message(worker_id: str, status: WorkerStatus, lines: int, at: datetime) -> Message:
    """Tell how a worker stands. Retained: whoever subscribes later learns it too."""
    return Message(
        worker_topic(worker_id),
        _json(worker_id=worker_id, status=status, lines=lines, at=at.isoformat()),
        retain=True,
    )


def worker_topic(worker_id: str) -> str:
    """Return a worker's topic.

    Raises:
        ValueError: the id would change the topic's levels.
    """
    if not worker_id or set("/+#") & set(worker_id):
        raise ValueError("a worker id must not be empty or hold '/', '+' or '#'; change worker_id")
    return f"{ROOT}/workers/{worker_id}"


def schema(name: str) -> dict[str, Any]:
    """Return a published JSON schema: ``alert``, ``call`` or ``worker``."""
    source = resources.files("services.messaging") / "schemas" / f"{name}.json"
    content: dict[str, Any] = json.loads(source.read_text("utf-8"))
    return content


def _json(**fields: object) -> str:
    return json.dumps({"version": 1, **fields}, ensure_ascii=False)
