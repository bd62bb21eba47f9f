"""``huifang understand``: one JSON object a line in, one a line out.

The field names are those of the understanding contract (docs/reference/understanding.md). A line that
cannot be read yields ``{"id": ..., "error": ...}`` and the run goes on.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from typing import Any

from scripts.answers import (
    AskedQuestion,
    ClinicalContext,
    HeardWord,
    Procedure,
    QuestionType,
    Understand,
    Understanding,
    Utterance,
)
from services.triage.understanding import load

FAILED_STATUS = 3
"""Exit status of a run in which any line failed."""
_TYPES = {
    "identity": QuestionType.YES_NO,
    "consent": QuestionType.YES_NO,
    "date": QuestionType.FREE_TEXT,
    **{kind.value: kind for kind in QuestionType},
}
_NO_DATE = datetime(2000, 1, 1, tzinfo=UTC)
"""The clock of a line that brings none: nothing is dated by it but two-digit years."""


@dataclass(slots=True)
class Tally:
    """How a run went."""

    lines: int = 0
    failed: int = 0

    @property
    def exit_status(self) -> int:
        """0 when every line was understood, else 3."""
        return FAILED_STATUS if self.failed else 0


def run(
    lines: Iterable[str], *, understand: Understand | None = None, tally: Tally | None = None
) -> Iterator[str]:
    """Understand line by line, in order, one line out for each line in.

    Args:
        lines: JSON objects; blank lines are passed over.
        understand: What understands; the shipped rules and lexicon when left out.
        tally: Counts lines and failures as they go; its ``exit_status`` is the command's.
    """
    understander = understand or load()
    counted = tally if tally is not None else Tally()
    for line in lines:
        if not line.strip():
            continue
        counted.lines += 1
        result = one(line, understander)
        counted.failed += "error" in result
        yield json.dumps(result, ensure_ascii=False)


def one(line: str, understand: Understand) -> dict[str, Any]:
    """Understand one line; the error, if any, says what to mend and holds none of the words."""
    try:
        given = json.loads(line)
    except (ValueError, RecursionError):
        return {"id": None, "error": "not a JSON object; write one object a line"}
    if not isinstance(given, dict):
        return {"id": None, "error": "not a JSON object; write one object a line"}
    identifier = given.get("id")
    try:
        utterance, question, context = _utterance(given), _question(given), _context(given)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        return {
            "id": identifier,
            "error": f"{_field_of(error)}; see docs/reference/understanding.md",
        }
    return {"id": identifier, **as_json(understand(utterance, question, context))}


class FieldError(ValueError):
    """A field of a line is missing or not what it should be. Trying again does not help."""


def _field_of(error: Exception) -> str:
    return str(error) if isinstance(error, FieldError) else "a field has a wrong type or is missing"


def _utterance(given: Mapping[str, Any]) -> Utterance:
    for name in ("text", "lang"):
        if not isinstance(given.get(name), str):
            raise FieldError(f"{name} must be there and be text")
    return Utterance(
        text=given["text"],
        language=given["lang"][:2].lower(),
        words=tuple(_word(word) for word in given.get("words") or ()),
        speaker=str(given.get("speaker") or "patient"),
        relation=given.get("relation"),
    )


def _word(given: Mapping[str, Any]) -> HeardWord:
    confidence = given.get("confidence")
    pinyin = given.get("pinyin")
    return HeardWord(
        text=str(given["text"]),
        start=float(given.get("start", 0.0)),
        end=float(given.get("end", 0.0)),
        confidence=None if confidence is None else float(confidence),
        pinyin=None if pinyin is None else str(pinyin),
    )


def _question(given: Mapping[str, Any]) -> AskedQuestion:
    asked = given.get("question") or {}
    kind = asked.get("type", "free_text")
    if kind not in _TYPES:
        raise FieldError(f"question.type must be one of {', '.join(sorted(_TYPES))}")
    unit = asked.get("unit")
    return AskedQuestion(
        id=str(asked.get("id", "")),
        text=str(asked.get("text", "")),
        type=_TYPES[kind],
        unit=None if unit is None else str(unit),
        choices={
            str(key): tuple(str(way) for way in ways)
            for key, ways in (asked.get("choices") or {}).items()
        },
        asks_about=tuple(str(code) for code in asked.get("asks_about") or ()),
    )


def _context(given: Mapping[str, Any]) -> ClinicalContext:
    known = given.get("context") or {}
    now = datetime.fromisoformat(known["now"]) if known.get("now") else _NO_DATE
    since = known.get("since")
    age = known.get("age")
    return ClinicalContext(
        now=now if now.tzinfo else now.replace(tzinfo=UTC),
        since=date.fromisoformat(since[:10]) if since else None,
        diagnoses=tuple(str(code) for code in known.get("diagnoses") or ()),
        procedures=tuple(
            Procedure(str(done["code"]), date.fromisoformat(done["date"][:10]))
            for done in known.get("procedures") or ()
        ),
        medicines=tuple(str(name) for name in known.get("medicines") or ()),
        age=None if age is None else int(age),
    )


def as_json(understood: Understanding) -> dict[str, Any]:
    """An understanding with the contract's field names."""
    made = asdict(understood)
    value = made["answer"]["value"]
    if isinstance(value, float) and value == int(value):
        made["answer"]["value"] = int(value)
    return {
        name: made[name]
        for name in (
            "version",
            "intent",
            "needs_review",
            "answer",
            "findings",
            "severity",
            "because",
        )
    }
