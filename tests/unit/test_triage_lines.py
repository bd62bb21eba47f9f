"""JSON lines in, JSON lines out, with the contract's field names."""

from __future__ import annotations

import json
from typing import Any

import pytest

from services.triage.lines import Tally, run

ASKED = {
    "id": "a1",
    "lang": "zh",
    "text": "没有胸痛，就是有点闷，以前支架那会儿疼过",
    "speaker": "patient",
    "question": {
        "text": "出院以后有没有胸痛或者胸闷？",
        "type": "yes_no",
        "asks_about": ["chest_pain", "chest_tightness"],
    },
    "context": {
        "now": "2026-11-22T09:30:00+08:00",
        "since": "2026-11-19",
        "diagnoses": ["I21.4"],
        "procedures": [{"code": "stent", "date": "2026-11-12"}],
        "medicines": ["clopidogrel"],
        "age": 71,
    },
}


def understood(*given: dict[str, Any]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in run(json.dumps(one) for one in given)]


def test_the_contracts_own_example() -> None:
    (out,) = understood(ASKED)
    assert list(out) == [
        "id",
        "version",
        "intent",
        "needs_review",
        "answer",
        "findings",
        "severity",
        "because",
    ]
    assert out["id"] == "a1"
    assert out["intent"] == "answer"
    assert out["answer"]["value"] is True
    assert out["answer"]["evidence"] == "有点闷"
    assert [
        (f["finding"], f["status"], f["time"], f["evidence"], f["start"], f["end"], f["by"])
        for f in out["findings"]
    ] == [
        ("chest_pain", "absent", "current", "没有胸痛", 0, 4, "lexicon"),
        ("chest_tightness", "present", "current", "有点闷", 7, 10, "lexicon"),
        ("chest_pain", "present", "past", "以前支架那会儿疼过", 11, 20, "lexicon"),
    ]
    assert out["findings"][1]["attributes"] == ["mild"]
    assert out["severity"] == "urgent"
    assert out["because"][0]["findings"] == [1]


def test_only_text_and_language_must_be_there() -> None:
    (out,) = understood({"text": "胸口疼", "lang": "zh"})
    assert out["id"] is None
    assert out["severity"] == "urgent"


@pytest.mark.parametrize(
    "line",
    [
        "not json",
        "[1]",
        '{"id": 7, "lang": "zh"}',
        '{"id": 7, "text": 3, "lang": "zh"}',
        '{"id": 7, "text": "a", "lang": "zh", "question": {"type": "riddle"}}',
        '{"id": 7, "text": "a", "lang": "zh", "context": {"now": "yesterday"}}',
        '{"id": 7, "text": "a", "lang": "zh", "words": [1]}',
        "[" * 100_000,
    ],
)
def test_a_bad_line_is_reported_and_the_run_goes_on(line: str) -> None:
    tally = Tally()
    good = json.dumps(ASKED)
    bad, fine = run([line, "", good], tally=tally)
    assert set(json.loads(bad)) == {"id", "error"}
    assert json.loads(fine)["id"] == "a1"
    assert (tally.lines, tally.failed, tally.exit_status) == (2, 1, 3)


def test_an_error_holds_none_of_the_words() -> None:
    line = '{"id": 7, "text": "秘密的话", "lang": "zh", "context": {"age": "秘密的话"}}'
    (out,) = run([line])
    assert "error" in json.loads(out)
    assert "秘密" not in out


def test_who_speaks_decides_whose_it_is() -> None:
    daughter = {"text": "我妈昨天胸口疼", "lang": "zh", "speaker": "proxy", "relation": "女儿"}
    patient = {**daughter, "speaker": "patient", "relation": None}
    unknown = {**daughter, "speaker": "unknown", "relation": None}
    assert [
        out["findings"][0]["experiencer"] for out in understood(daughter, patient, unknown)
    ] == [
        "patient",
        "other",
        "patient",
    ]
    own = {**daughter, "text": "我自己也胸口疼"}
    assert understood(own)[0]["findings"][0]["experiencer"] == "other"


def test_an_emergency_of_somebody_else_is_shown_to_a_nurse() -> None:
    (out,) = understood({"text": "我老伴刚才晕倒了", "lang": "zh"})
    assert out["severity"] == "none"
    assert out["needs_review"] is True


def test_what_happened_before_discharge_is_past_and_after_it_current() -> None:
    since = {"now": "2026-11-22T09:30:00+08:00", "since": "2026-11-08"}
    lately, before = understood(
        {"text": "昨天晕倒过", "lang": "zh", "context": since},
        {"text": "上个月晕倒过", "lang": "zh", "context": since},
    )
    assert (lately["findings"][0]["time"], lately["severity"]) == ("current", "emergency")
    assert (before["findings"][0]["time"], before["severity"]) == ("past", "none")


def test_a_recognisers_syllables_count_as_heard() -> None:
    words = [
        {"text": "胸", "start": 0.0, "end": 0.2, "pinyin": "xiong1"},
        {"text": "口", "start": 0.2, "end": 0.4, "pinyin": "kou3"},
        {"text": "等", "start": 0.4, "end": 0.7, "pinyin": "teng2"},
    ]
    (out,) = understood({"text": "胸口等", "lang": "zh", "words": words})
    assert out["findings"][0]["finding"] == "chest_pain"


def test_a_pause_is_as_good_as_a_comma() -> None:
    words = [
        {"text": "没有", "start": 0.0, "end": 0.4},
        {"text": "发烧", "start": 0.4, "end": 0.8},
        {"text": "胸口", "start": 1.6, "end": 1.9},
        {"text": "疼", "start": 1.9, "end": 2.2},
    ]
    (out,) = understood({"text": "没有发烧胸口疼", "lang": "zh", "words": words})
    assert [(f["finding"], f["status"]) for f in out["findings"]] == [
        ("fever", "absent"),
        ("chest_pain", "present"),
    ]
