"""Reading the questions: their types, keys, choices and conditions."""

from __future__ import annotations

import re
from collections.abc import Collection

import yaml

from scripts.answers import QuestionType
from scripts.marked_yaml import MarkedYaml
from scripts.questionnaire import (
    ENDINGS,
    GATES,
    OPENING_SENTENCES,
    SENTENCES,
    Condition,
    Keypad,
    Question,
    ReadBack,
)
from scripts.sentence_reading import SentenceReader

_ID = re.compile(r"[a-z][a-z0-9_]{0,39}")
_TAKEN = {*OPENING_SENTENCES, *GATES, *SENTENCES, *ENDINGS}
_BY_TYPE: dict[QuestionType, tuple[str, ...]] = {
    QuestionType.NUMBER: ("unit", "between", "keypad"),
    QuestionType.CHOICE: ("choices",),
}
"""Fields that only this type has, and needs."""
_SCALE_KEYPAD = Keypad(digits=2)
_SCALE_BETWEEN = (0.0, 10.0)
_YEAR_KEYPAD = Keypad(digits=4)
_YEAR_BETWEEN = (1900.0, 2100.0)


class QuestionReader:
    """Reads the questions of one script, in order."""

    def __init__(
        self, marked: MarkedYaml, sentences: SentenceReader, findings: Collection[str] | None
    ) -> None:
        self.marked = marked
        self.sentences = sentences
        self.findings = findings
        self._read: dict[str, Question] = {}

    def gate(self, node: yaml.Node, gate_id: str) -> Question:
        """One of the fixed questions before the questionnaire."""
        found = self.marked.fields(node, ("text", "simple", "hints"))
        year = gate_id == "birth_year"
        return Question(
            id=gate_id,
            type=QuestionType.NUMBER if year else QuestionType.YES_NO,
            text=self.sentences.prompt(found["text"], gate_id, name_allowed=not year),
            simple=self.sentences.prompt(
                found["simple"], f"{gate_id}.simple", name_allowed=not year
            ),
            hints=self.sentences.lists(found["hints"]),
            unit="year" if year else None,
            between=_YEAR_BETWEEN if year else None,
            keypad=_YEAR_KEYPAD if year else None,
        )

    def questions(self, node: yaml.Node) -> tuple[Question, ...]:
        """The questions in the order they are asked."""
        items = self.marked.items(node)
        if not items:
            self.marked.problem(node, "a script needs a question")
        return tuple(self._question(item) for item in items)

    def _question(self, node: yaml.Node) -> Question:
        kind = self._type(node)
        found = self.marked.fields(
            node,
            ("id", "type", "text", "simple", "hints", "source", *_BY_TYPE.get(kind, ())),
            ("asks_about", "ask_if", "readback"),
        )
        scale = kind is QuestionType.SCALE
        question_id = self._id(found["id"])
        question = Question(
            id=question_id,
            type=kind,
            text=self.sentences.prompt(found["text"], question_id, name_allowed=True),
            simple=self.sentences.prompt(
                found["simple"], f"{question_id}.simple", name_allowed=True
            ),
            hints=self.sentences.lists(found["hints"]),
            unit=self.marked.text(found["unit"]) if "unit" in found else None,
            between=self._between(found["between"])
            if "between" in found
            else (_SCALE_BETWEEN if scale else None),
            choices=self._choices(found["choices"]) if "choices" in found else {},
            asks_about=self._findings(found["asks_about"]) if "asks_about" in found else (),
            keypad=self._keypad(found["keypad"])
            if "keypad" in found
            else (_SCALE_KEYPAD if scale else None),
            ask_if=self._condition(found["ask_if"]) if "ask_if" in found else None,
            readback=self._finding(found["readback"]) if "readback" in found else None,
            source=self.marked.text(found["source"]),
        )
        self._read[question_id] = question
        return question

    def _type(self, node: yaml.Node) -> QuestionType:
        """The type first: it decides which fields there are."""
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                if isinstance(key, yaml.ScalarNode) and key.value == "type":
                    word = str(self.marked.scalar(value))
                    if word in list(QuestionType):
                        return QuestionType(word)
                    kinds = ", ".join(QuestionType)
                    self.marked.problem(value, f"unknown type '{word}'; known: {kinds}")
        return QuestionType.FREE_TEXT

    def _id(self, node: yaml.Node) -> str:
        word = self.marked.text(node)
        if word and not _ID.fullmatch(word):
            self.marked.problem(node, "an id is small letters, digits and _, 40 at most")
        elif word in _TAKEN:
            self.marked.problem(node, f"'{word}' is the name of a sentence of every script")
        elif word in self._read:
            self.marked.problem(node, f"there is a question '{word}' already")
        return word

    def _between(self, node: yaml.Node) -> tuple[float, float]:
        ends = [self.marked.number(end) for end in self.marked.items(node)]
        if len(ends) != 2 or not ends[0] < ends[1]:
            self.marked.problem(node, "two numbers are expected here, the smaller one first")
            return (0.0, 0.0)
        return (ends[0], ends[1])

    def _keypad(self, node: yaml.Node) -> Keypad:
        found = self.marked.fields(node, ("digits",), ("decimals",))
        digits = self.marked.whole(found["digits"], 1, 8)
        decimals = self.marked.whole(found["decimals"], 0, 7) if "decimals" in found else 0
        if digits and decimals >= digits:
            self.marked.problem(node, "a digit must be left before the decimal point")
        return Keypad(digits, decimals)

    def _choices(self, node: yaml.Node) -> dict[str, dict[str, tuple[str, ...]]]:
        choices = {
            key: self.sentences.lists(ways) for key, (_, ways) in self.marked.entries(node).items()
        }
        if not 2 <= len(choices) <= 9:
            self.marked.problem(node, "two to nine choices are needed, one for each key")
        return choices

    def _findings(self, node: yaml.Node) -> tuple[str, ...]:
        return tuple(dict.fromkeys(self._finding(item) for item in self.marked.items(node)))

    def _finding(self, node: yaml.Node) -> str:
        code = self.marked.text(node)
        if self.findings is not None and code not in self.findings:
            self.marked.problem(node, f"no finding has the code '{code}'")
        return code

    def _condition(self, node: yaml.Node) -> Condition:
        found = self.marked.fields(node, ("question",), ("is", "at_least", "at_most"))
        asked = self.marked.text(found["question"])
        before = self._read.get(asked)
        if before is None:
            self.marked.problem(
                found["question"],
                f"no question '{asked}' comes before this one, so it would never be asked",
            )
            return Condition(asked)
        if ("is" in found) == ("at_least" in found or "at_most" in found):
            self.marked.problem(node, "either 'is', or 'at_least' and 'at_most', is needed")
            return Condition(asked)
        if "is" in found:
            return Condition(asked, values=self._values(found["is"], before))
        return self._bounds(node, found, before)

    def _values(self, node: yaml.Node, before: Question) -> tuple[bool | str, ...]:
        nodes = list(node.value) if isinstance(node, yaml.SequenceNode) else [node]
        possible: dict[str | bool | int | float, bool | str] = {}
        if before.type is QuestionType.YES_NO:
            possible = {True: True, False: False}
        elif before.type is QuestionType.CHOICE:
            possible = {key: key for key in before.choices}
        values = []
        for item in nodes:
            value = self.marked.scalar(item)
            # True and 1 are equal to Python, not to a nurse.
            if value in possible and isinstance(value, bool | str):
                values.append(possible[value])
            else:
                self.marked.problem(item, f"'{before.id}' is never answered with this")
        return tuple(values)

    def _bounds(self, node: yaml.Node, found: dict[str, yaml.Node], before: Question) -> Condition:
        least = self.marked.number(found["at_least"]) if "at_least" in found else None
        most = self.marked.number(found["at_most"]) if "at_most" in found else None
        if before.between is None:
            self.marked.problem(node, f"'{before.id}' is not answered with a number")
            return Condition(before.id)
        low, high = before.between
        floor = low if least is None else max(low, least)
        ceiling = high if most is None else min(high, most)
        if floor > ceiling:
            self.marked.problem(node, f"'{before.id}' is never answered with such a number")
        return Condition(before.id, least=least, most=most)

    def readbacks(self, node: yaml.Node) -> tuple[ReadBack, ...]:
        """The read-backs; the last one must fit everything, and each must be able to be spoken."""
        items = self.marked.items(node)
        readbacks: list[ReadBack] = []
        covered: set[str] = set()
        names: set[str] = set()
        for item in items:
            found = self.marked.fields(item, ("id", "findings", *self.sentences.languages))
            codes = self._findings(found["findings"])
            name = self.marked.text(found["id"])
            if name in names:
                self.marked.problem(found["id"], f"there is a read-back '{name}' already")
            if (item is items[-1]) != (not codes):
                self.marked.problem(item, "the last read-back, and only that, has no findings")
            elif codes and covered.issuperset(codes):
                self.marked.problem(item, "never spoken: read-backs before it have its findings")
            names.add(name)
            covered.update(codes)
            text = self.sentences.stranger_safe(
                {language: found[language] for language in self.sentences.languages},
                f"readback.{name}",
            )
            readbacks.append(ReadBack(text, codes))
        if not items:
            self.marked.problem(node, "a script needs a read-back")
        return tuple(readbacks)
