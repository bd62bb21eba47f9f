"""YAML that remembers where everything stands, so that a problem can be shown where it is.

PyYAML's node graph carries line and column of every node; this wraps it in readers that report a
problem and carry on, so that all problems of a file come at once.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import isfinite

import yaml
from yaml.constructor import SafeConstructor


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong in a script."""

    file: str
    line: int
    """Counts from 1."""
    column: int
    """Counts from 1."""
    message: str
    source_line: str
    """The offending line, as it stands."""

    def __str__(self) -> str:
        """As compilers show it: place and message, the line, and a mark under the column."""
        mark = "".join("\t" if c == "\t" else " " for c in self.source_line[: self.column - 1])
        return f"{self.file}:{self.line}:{self.column}: {self.message}\n  {self.source_line}\n  {mark}^"


class ScriptError(Exception):
    """A script cannot be used as it is. Retrying does not help; its text must be mended."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


_ABSENT = "!absent"


class MarkedYaml:
    """One YAML text and the problems found in it so far.

    Every reader returns a value of its type also when there is a problem (an empty one), and what is
    missing is reported once, where it is missed. So a caller reads on to the end, and then asks
    ``raise_problems`` whether what it built may be used.
    """

    def __init__(self, source: str, file: str) -> None:
        self.source = source
        self.file = file
        self.problems: list[Problem] = []
        self._lines = source.splitlines()

    def root(self) -> yaml.Node:
        """The document's top node."""
        try:
            node = yaml.compose(self.source, Loader=yaml.SafeLoader)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            self._note(mark, f"this is not YAML: {error.problem or error.context}")
            return self._absent()
        except (yaml.YAMLError, RecursionError) as error:
            self._note(None, f"this is not YAML: {error}")
            return self._absent()
        if node is None:
            self._note(None, "the file is empty")
            return self._absent()
        return node

    def problem(self, node: yaml.Node, message: str) -> None:
        """Note a problem where the node begins."""
        if node.tag != _ABSENT:
            self._note(node.start_mark, message)

    def _note(self, mark: yaml.Mark | None, message: str) -> None:
        line, column = (mark.line, mark.column) if mark else (0, 0)
        source_line = self._lines[line] if line < len(self._lines) else ""
        self.problems.append(Problem(self.file, line + 1, column + 1, message, source_line))

    def _absent(self) -> yaml.Node:
        return yaml.ScalarNode(_ABSENT, "")

    def fields(
        self, node: yaml.Node, required: Iterable[str] = (), optional: Iterable[str] = ()
    ) -> dict[str, yaml.Node]:
        """The fields of a mapping; unknown, missing and repeated ones are problems.

        Every required field is in what is returned, the optional ones that are there.
        """
        required = tuple(required)
        found: dict[str, yaml.Node] = {}
        known = {*required, *optional}
        for name, (key, value) in self.entries(node).items():
            if name in known:
                found[name] = value
            else:
                self.problem(key, f"unknown field '{name}'; known: {', '.join(sorted(known))}")
        for name in required:
            if name not in found:
                if isinstance(node, yaml.MappingNode):
                    self.problem(node, f"'{name}' is missing")
                found[name] = self._absent()
        return found

    def entries(self, node: yaml.Node) -> dict[str, tuple[yaml.Node, yaml.Node]]:
        """Whatever a mapping holds, by key: the key's node and the value's."""
        if not isinstance(node, yaml.MappingNode):
            self.problem(node, "fields with values are expected here")
            return {}
        found: dict[str, tuple[yaml.Node, yaml.Node]] = {}
        for key, value in node.value:
            name = self.text(key)
            if name in found:
                self.problem(key, f"'{name}' is here twice")
            elif name:
                found[name] = (key, value)
        return found

    def items(self, node: yaml.Node) -> list[yaml.Node]:
        """The items of a list."""
        if isinstance(node, yaml.SequenceNode):
            return list(node.value)
        self.problem(node, "a list is expected here")
        return []

    def scalar(self, node: yaml.Node) -> str | bool | int | float:
        """A single value."""
        if isinstance(node, yaml.ScalarNode) and node.tag != _ABSENT:
            try:
                value = SafeConstructor().construct_object(node)
            except (yaml.YAMLError, ValueError) as error:
                self.problem(node, f"this value cannot be read: {error}")
                return ""
            if isinstance(value, str | bool | int | float):
                return value
        self.problem(node, "a single word, sentence or number is expected here")
        return ""

    def text(self, node: yaml.Node) -> str:
        """Words, without the blanks around them. What YAML takes for a truth value is refused."""
        before = len(self.problems)
        value = self.scalar(node)
        if not isinstance(value, str):
            self.problem(node, "words are expected here; write them in quotes")
            return ""
        if not value.strip() and len(self.problems) == before:
            self.problem(node, "this is empty")
        return value.strip()

    def texts(self, node: yaml.Node) -> tuple[str, ...]:
        """A list of words; repeated ones are problems."""
        found: dict[str, None] = {}
        for item in self.items(node):
            text = self.text(item)
            if text in found:
                self.problem(item, f"'{text}' is here twice")
            found[text] = None
        return tuple(found)

    def number(self, node: yaml.Node) -> float:
        """A finite number."""
        before = len(self.problems)
        value = self.scalar(node)
        if isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value):
            return value
        if len(self.problems) == before:
            self.problem(node, "a number is expected here")
        return 0.0

    def whole(self, node: yaml.Node, least: int, most: int) -> int:
        """A whole number within bounds, both included."""
        before = len(self.problems)
        value = self.number(node)
        if len(self.problems) == before and not (value == int(value) and least <= value <= most):
            self.problem(node, f"a whole number from {least} to {most} is expected here")
        return int(value)

    def raise_problems(self) -> None:
        """Say everything that is wrong, in the order of the lines.

        Raises:
            ScriptError: there is a problem.
        """
        if self.problems:
            raise ScriptError(sorted(self.problems, key=lambda p: (p.line, p.column)))
