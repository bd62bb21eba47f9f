"""Understanding measured on questions and answers that nobody here wrote.

The sets lie beside the repository (``../shared/eval``) and never inside it. Their figures are printed;
the floors are a little under what was reached, so that a change for the worse is seen.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from scripts.answers import (
    AnswerStatus,
    AskedQuestion,
    ClinicalContext,
    Intent,
    QuestionType,
    Understanding,
    Utterance,
)
from services.triage.numbers import quantities
from services.triage.syllables import units
from services.triage.understanding import load
from tests.support.leaving_out import leave_out

SETS = Path(__file__).parents[2] / ".." / "shared" / "eval"
CONTEXT = ClinicalContext(now=datetime(2026, 11, 22, 9, 30, tzinfo=UTC))
SWDA_EVERY = 7
"""One in so many of the telephone answers is read, to keep the run short."""

if not SETS.is_dir():
    leave_out("the evaluation sets are not beside the repository (../shared/eval)")

ITEMS_OF_MIE = {
    "胸痛": "chest_pain",
    "胸闷": "chest_tightness",
    "呼吸困难": "dyspnea",
    "心慌": "palpitations",
    "晕厥": "syncope",
    "头晕": "dizziness",
    "水肿": "swelling",
    "发热": "fever",
    "咳嗽": "cough",
    "恶心": "nausea",
    "呕吐": "vomiting",
    "乏力": "fatigue",
    "出汗": "sweating",
}


def lines(name: str) -> Iterator[Mapping[str, Any]]:
    with (SETS / f"{name}.jsonl").open(encoding="utf-8") as rows:
        yield from map(json.loads, rows)


def ask(text: str, question: str, language: str, *codes: str) -> Understanding:
    asked = AskedQuestion("q", question, QuestionType.YES_NO, asks_about=codes)
    return load()(Utterance(text, language), asked, CONTEXT)


def verdict(understood: Understanding) -> str:
    if understood.answer.status is not AnswerStatus.ANSWERED:
        return "unresolved"
    return "yes" if understood.answer.value else "no"


def macro_f1(pairs: list[tuple[str, str]], labels: tuple[str, ...]) -> float:
    total = 0.0
    for label in labels:
        hits = sum(gold == label == said for gold, said in pairs)
        claimed = sum(said == label for _, said in pairs)
        there = sum(gold == label for gold, _ in pairs)
        total += 2 * hits / max(claimed + there, 1)
    return total / len(labels)


def report(capsys: pytest.CaptureFixture[str], text: str) -> None:
    with capsys.disabled():
        print(f"\n  {text}")


def test_answers_about_one_symptom(capsys: pytest.CaptureFixture[str]) -> None:
    pairs = []
    for row in lines("mie_asked"):
        item = str(row["item"])
        if item not in ITEMS_OF_MIE or row["label"] not in ("yes", "no", "unresolved"):
            continue
        said = ask(row["text"], row["question"], "zh", ITEMS_OF_MIE[item])
        pairs.append((row["label"], verdict(said)))
    figure = macro_f1(pairs, ("yes", "no", "unresolved"))
    yes = [said for gold, said in pairs if gold == "yes"]
    lost = sum(said == "no" for said in yes) / len(yes)
    report(
        capsys, f"mie_asked: {len(pairs)} items, macro-F1 {figure:.3f}, yes read as no {lost:.1%}"
    )
    assert figure >= FLOORS["mie_asked"]
    assert lost <= 0.02


def test_answers_on_the_telephone(capsys: pytest.CaptureFixture[str]) -> None:
    pairs = []
    for number, row in enumerate(lines("swda_yesno")):
        if number % SWDA_EVERY:
            continue
        said = verdict(ask(row["text"], row["question"], "en"))
        pairs.append((row["label"], "uncertain" if said == "unresolved" else said))
    right = sum(gold == said for gold, said in pairs) / len(pairs)
    figure = macro_f1(pairs, ("yes", "no", "uncertain"))
    report(
        capsys,
        f"swda_yesno (1 in {SWDA_EVERY}): {len(pairs)}, accuracy {right:.3f}, macro-F1 {figure:.3f}",
    )
    assert right >= FLOORS["swda_yesno"]


def test_numbers_in_scope(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [row for row in lines("zh_numbers") if row["category"] in SCOPE_OF_NUMBERS]
    rows = [row for row in rows if 0 <= (row.get("value") or -1) < 10_000_000]
    wrong = [row["text"] for row in rows if not reads(row["text"], row["value"])]
    right = 1 - len(wrong) / len(rows)
    report(capsys, f"zh_numbers: {len(rows)} in scope, exact {right:.3f}")
    assert right >= FLOORS["zh_numbers"]


SCOPE_OF_NUMBERS = ("Numeral", "strict_data_dict", "normal_data_dict")
"""Whole and decimal numbers below ten million; dates, durations and volumes are not read yet."""


def reads(text: str, value: float) -> bool:
    found = quantities(units(text, "zh"))
    return len(found) == 1 and abs(found[0].high - value) < 1e-9


CONTROL: Mapping[str, Callable[[Understanding], bool]] = {
    "yes": lambda u: u.answer.value is True,
    "no": lambda u: u.answer.value is False,
    "uncertain": lambda u: u.answer.status is AnswerStatus.UNCLEAR,
    "repeat": lambda u: u.intent in (Intent.REPEAT, Intent.GREETING),
    "busy": lambda u: u.intent is Intent.BUSY,
    "wrong_number": lambda u: u.intent is Intent.WRONG_NUMBER,
    "proxy": lambda u: u.intent is Intent.NOT_PATIENT,
    "not_available": lambda u: u.intent is Intent.NOT_PATIENT,
    "who": lambda u: u.intent in (Intent.QUESTION, Intent.FILLER),
    "refuse": lambda u: u.intent in (Intent.REFUSE, Intent.OPT_OUT, Intent.COMPLAINT),
}


def test_intents_of_the_telephone(capsys: pytest.CaptureFixture[str]) -> None:
    rows = list(lines("zh_control_intents"))
    wrong = []
    for row in rows:
        said = ask(row["text"], "请问，您是王先生本人吗？", "zh")
        if not any(CONTROL[label](said) for label in row["labels"]):
            wrong.append(row["text"])
    right = 1 - len(wrong) / len(rows)
    report(
        capsys, f"zh_control_intents: {len(rows)}, accuracy {right:.3f}; wrong: {' '.join(wrong)}"
    )
    assert right >= FLOORS["zh_control_intents"]


FLOORS = {"mie_asked": 0.64, "swda_yesno": 0.78, "zh_numbers": 0.80, "zh_control_intents": 0.97}
