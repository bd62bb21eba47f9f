"""Messages keep to the published schemas, and tell nobody who it is."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from enum import StrEnum

import jsonschema
import pytest

from scripts.answers import Severity
from scripts.turns import AlertStage, Disposition, Stage
from services.database.tables import Alert, Attempt, new_id
from services.messaging.messages import (
    AlertKind,
    CallKind,
    Message,
    WorkerStatus,
    alert_message,
    call_message,
    schema,
    worker_message,
    worker_topic,
)
from services.messaging.mqtt import BrokerAddress, BrokerUrlError

NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)


def check(message: Message, name: str) -> None:
    jsonschema.validate(
        json.loads(message.payload), schema(name), format_checker=jsonschema.FormatChecker()
    )


def alert(severity: Severity, stage: AlertStage) -> Alert:
    return Alert(
        id=new_id(), attempt_id=new_id(), patient_id=new_id(), number=1, severity=severity,
        stage=stage, question_id="chest_pain", rules=["chest-pain-with-dyspnea"],
        findings=["chest_pain", "dyspnea"], raised_at=NOW,
    )  # fmt: skip


@pytest.mark.parametrize("kind", AlertKind)
@pytest.mark.parametrize("stage", AlertStage)
@pytest.mark.parametrize("severity", [s for s in Severity if s is not Severity.NONE])
def test_alerts(kind: AlertKind, stage: AlertStage, severity: Severity) -> None:
    message = alert_message(alert(severity, stage), kind, NOW)
    assert message.topic == f"huifang/v1/alerts/{severity}"
    assert not message.retain
    check(message, "alert")


def attempt() -> Attempt:
    return Attempt(id=new_id(), follow_up_id=new_id(), patient_id=new_id())


@pytest.mark.parametrize("stage", Stage)
def test_stages_of_a_call(stage: Stage) -> None:
    check(call_message(attempt(), CallKind.STAGE, NOW, stage=stage), "call")


@pytest.mark.parametrize("disposition", Disposition)
def test_ends_of_a_call(disposition: Disposition) -> None:
    check(call_message(attempt(), CallKind.ENDED, NOW, disposition=disposition), "call")


@pytest.mark.parametrize("status", WorkerStatus)
def test_workers_are_retained(status: WorkerStatus) -> None:
    message = worker_message("worker-1", status, 4, NOW)
    assert message.retain
    check(message, "worker")


@pytest.mark.parametrize(
    ("name", "field", "members"),
    [
        ("alert", "kind", AlertKind),
        ("call", "kind", CallKind),
        ("worker", "status", WorkerStatus),
    ],
)
def test_schemas_know_every_kind(name: str, field: str, members: type[StrEnum]) -> None:
    assert schema(name)["properties"][field]["enum"] == [member.value for member in members]


def test_schemas_have_no_room_for_words() -> None:
    message = alert_message(alert(Severity.URGENT, AlertStage.CONFIRMED), AlertKind.RAISED, NOW)
    content = json.loads(message.payload)
    for spoiled in ({**content, "evidence": "x"}, {**content, "findings": ["胸口疼得厉害"]}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(spoiled, schema("alert"))


@pytest.mark.parametrize("worker_id", ["", "a/b", "+", "x#"])
def test_worker_ids_stay_one_level(worker_id: str) -> None:
    with pytest.raises(ValueError, match="worker id"):
        worker_topic(worker_id)


def test_broker_urls() -> None:
    assert BrokerAddress.of("mqtt://u:p%40x@host") == BrokerAddress("host", 1883, "u", "p@x")
    assert BrokerAddress.of("mqtts://host").port == 8883
    assert BrokerAddress.of("mqtt://[::1]:99").port == 99
    assert "p@x" not in repr(BrokerAddress.of("mqtt://u:p%40x@host"))


@pytest.mark.parametrize("url", ["", "host:1883", "http://host", "mqtt://", "mqtt://h:secretport"])
def test_useless_broker_urls_are_refused_without_quoting(url: str) -> None:
    with pytest.raises(BrokerUrlError) as refused:
        BrokerAddress.of(url)
    assert "secret" not in str(refused.value)
