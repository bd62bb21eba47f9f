"""The pages keep up with the product: settings, commands, outcomes, links, and the tests they name."""

from __future__ import annotations

import json
import pkgutil
import re
from collections.abc import Iterator
from datetime import time, timedelta
from importlib import import_module
from pathlib import Path

import pytest
import typer
from pydantic import SecretStr

import services.cli
from dialer.line import LegEnded
from dialer.outcomes import result
from scripts.turns import Disposition
from services.calls.retry import Done, Person, load_policy
from services.cli.main import app
from services.cli.patients import PatientLine
from services.settings import Settings

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(
    [*ROOT.glob("*.md"), *DOCS.rglob("*.md"), *(ROOT / "deploy").rglob("*.md")],
    key=lambda page: page.as_posix(),
)


def page_name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def rows(page: str, columns: int) -> list[list[str]]:
    """The cells of every table row of a page that has so many columns and begins with code."""
    lines = (DOCS / page).read_text("utf-8").splitlines()
    split = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]
    return [cells for cells in split if len(cells) == columns and cells[0].startswith("`")]


def code(cell: str) -> str:
    return cell.removeprefix("`").removesuffix("`")


# --- settings ---------------------------------------------------------------------------------


def as_written(value: object) -> str:
    """How a default is written in ``huifang.toml``."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, int | float):
        return f"`{value}`"
    if isinstance(value, dict):
        pairs = ", ".join(f"{key} = {as_written(each).strip('`')}" for key, each in value.items())
        return f"`{{{pairs}}}`"
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    text = f"{value:%H:%M}" if isinstance(value, time) else str(value)
    return f"`{json.dumps(text, ensure_ascii=False)}`"


def test_every_setting_stands_in_the_reference_with_its_default() -> None:
    written = {code(name): default for name, default, _ in rows("reference/settings.md", 3)}
    meant = {
        name: as_written(field.get_default(call_default_factory=True))
        for name, field in Settings.model_fields.items()
    }
    assert written == meant


# --- commands ---------------------------------------------------------------------------------


def commands() -> Iterator[tuple[str, list[str]]]:
    """Every command by its whole name, with its options.

    A module of ``services.cli`` with an ``app`` is a group.
    """
    groups: dict[str, typer.Typer] = {"": app}
    for module in pkgutil.iter_modules(services.cli.__path__):
        group = getattr(import_module(f"services.cli.{module.name}"), "app", None)
        if isinstance(group, typer.Typer) and group is not app:
            groups[f"{module.name} "] = group
    for prefix, group in groups.items():
        for name, command in typer.main.get_group(group).commands.items():
            # The application is shared: another test may have added the groups to it.
            if f"{name} " not in groups:
                params = [each for each in command.params if each.param_type_name == "option"]
                yield prefix + name, [param.opts[0] for param in params]


def command_sections() -> dict[str, str]:
    parts = (DOCS / "reference/commands.md").read_text("utf-8").split("\n### `huifang ")[1:]
    return {part.split("`")[0]: part for part in parts}


def named(section: str) -> str:
    """The command of a heading, without its arguments."""
    return " ".join(word for word in section.split() if word.isalpha() and word.islower())


def test_every_command_stands_in_the_reference() -> None:
    assert sorted(map(named, command_sections())) == sorted(name for name, _ in commands())


@pytest.mark.parametrize(("name", "options"), list(commands()))
def test_every_option_of_a_command_is_explained(name: str, options: list[str]) -> None:
    section = next(text for heading, text in command_sections().items() if named(heading) == name)
    missing = [option for option in options if f"`{option}" not in section]
    assert missing == []


def test_every_field_of_an_enrolment_is_explained() -> None:
    written = [code(name) for name, _, _ in rows("how-to/enrol-patients.md", 3)]
    assert sorted(written) == sorted(PatientLine.model_fields)


# --- how calls end ----------------------------------------------------------------------------


def rule_as_written(rule: Done | Person | tuple[timedelta, ...]) -> str:
    if isinstance(rule, Done):
        return "finished"
    if isinstance(rule, Person):
        return "a person"
    return ", ".join(str(int(wait.total_seconds() // 60)) for wait in rule)


def test_every_disposition_stands_in_the_reference_with_what_follows() -> None:
    written = {code(name): after for name, _, after in rows("reference/dispositions.md", 3)}
    policy = load_policy()
    assert written == {each.value: rule_as_written(policy.after[each]) for each in Disposition}
    text = (DOCS / "reference/dispositions.md").read_text("utf-8")
    assert f"at most {policy.most_attempts} times" in text


def test_the_codes_of_a_line_mean_what_the_reference_says() -> None:
    table = rows("reference/dispositions.md", 4)
    assert len(table) >= 8
    for codes, kind, rang, disposition in table:
        for each in codes.split(", "):
            number = int(code(each))
            ended = LegEnded(
                cause=None if kind == "SIP" else number,
                sip_code=number if kind == "SIP" else None,
                by_us=False,
                rang=rang == "yes",
                answered=False,
                at=1.0,
            )
            assert result(ended, None, answered=False).disposition == code(disposition), each


# --- links, and what the pages name -----------------------------------------------------------


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    found = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in found}


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text("utf-8"), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        there = (page.parent / path).resolve() if path else page
        assert there.exists(), target
        assert not anchor or anchor in anchors(there), target


def test_every_page_is_in_the_index() -> None:
    index = (DOCS / "README.md").read_text("utf-8")
    linked = set(re.findall(r"\]\(([^)]+\.md)\)", index))
    there = {page.relative_to(DOCS).as_posix() for page in DOCS.rglob("*.md")} - {"README.md"}
    assert linked == there


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_the_files_and_tests_a_page_names_exist(page: Path) -> None:
    """A page may say what proves a promise; the proof must be there under that name."""
    text = page.read_text("utf-8")
    for path in re.findall(r"`((?:tests|services|scripts|dialer|deploy|docs)/[\w./-]+)`", text):
        assert (ROOT / path).exists(), path
    tests = "\n".join(file.read_text("utf-8") for file in (ROOT / "tests").rglob("*.py"))
    for name in re.findall(r"`(test_\w+)`", text):
        assert f"def {name}(" in tests, name
