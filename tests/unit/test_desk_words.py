"""The catalogue has what the pages and the rows ask for, in both languages."""

from __future__ import annotations

import re
import string
from enum import StrEnum
from pathlib import Path

import pytest
import yaml

import services.web
from scripts.answers import AnswerStatus, Experiencer, FindingStatus, Severity
from scripts.turns import AlertStage, Disposition, Stage
from services.database.tables import AttemptState
from services.web.languages import Catalogue

HERE = Path(services.web.__file__).parent
CATALOGUE = Catalogue.read(HERE / "catalogue.yaml")


def test_every_message_is_in_both_languages_with_the_same_places() -> None:
    assert len(CATALOGUE.messages) > 150
    for key, message in CATALOGUE.messages.items():
        assert set(message) == {"zh", "en"}, key
        places = [
            sorted(field for _, field, _, _ in string.Formatter().parse(text) if field)
            for text in message.values()
        ]
        assert places[0] == places[1], key


def test_every_key_the_pages_use_exists() -> None:
    used: set[str] = set()
    for template in (HERE / "templates").glob("*.html"):
        used.update(re.findall(r"""\bt\(["']([\w.]+)["'][,)]""", template.read_text("utf-8")))
    for source in HERE.glob("*.py"):
        used.update(
            re.findall(r"\"((?:sign_in|user|setup)\.(?!html)[a-z_]+)\"", source.read_text("utf-8"))
        )
    assert len(used) > 60
    assert used <= set(CATALOGUE.messages)


@pytest.mark.parametrize(
    ("kind", "codes"),
    [
        ("severity", Severity),
        ("alert_stage", AlertStage),
        ("disposition", Disposition),
        ("stage", Stage),
        ("state", AttemptState),
        ("answer_status", AnswerStatus),
        ("finding_status", FindingStatus),
        ("experiencer", Experiencer),
    ],
)
def test_every_code_of_the_rows_has_a_name(kind: str, codes: type[StrEnum]) -> None:
    missing = [code for code in codes if f"{kind}.{code}" not in CATALOGUE.messages]
    assert missing == []


def test_every_finding_that_can_be_understood_has_a_name() -> None:
    lexicon = HERE.parent / "triage" / "lexicon.yaml"
    codes = {name.split("#")[0] for name in yaml.safe_load(lexicon.read_text("utf-8"))["findings"]}
    assert len(codes) > 50
    assert [code for code in sorted(codes) if f"finding.{code}" not in CATALOGUE.messages] == []


def test_a_code_that_is_too_new_is_shown_as_it_is() -> None:
    assert CATALOGUE.terms("zh")("finding", "a_new_finding") == "a new finding"
    assert CATALOGUE.terms("zh")("finding", "chest_pain") == "胸痛"


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("", "zh"),
        ("fr", "zh"),
        ("en-GB,en;q=0.9", "en"),
        ("fr;q=1, en;q=0.5, zh;q=0.7", "zh"),
        ("en;q=0, zh", "zh"),
        ("en;q=nonsense", "zh"),
        ("EN", "en"),
    ],
)
def test_the_browsers_wish_counts(header: str, language: str) -> None:
    assert CATALOGUE.preferred(header) == language
