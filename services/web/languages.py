"""The desk's words in each of its languages."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml

Leaf = Mapping[str, str]
Speak = Callable[..., str]


class Catalogue:
    """Messages by key (``duty.take``), each in every language.

    Terms are messages that name something which the rows know by a code (``finding.chest_pain``): a
    code without a message is shown as it is, because rows may be newer than words.
    """

    languages = ("zh", "en")

    def __init__(self, messages: Mapping[str, Leaf]) -> None:
        self.messages = messages

    @classmethod
    def read(cls, path: Path) -> Catalogue:
        """Read the YAML catalogue."""
        return cls(dict(_flat("", yaml.safe_load(path.read_text("utf-8")))))

    def speak(self, language: str) -> Speak:
        """Return the function templates call: ``t("duty.until", time="18:00")``."""

        def say(key: str, **values: object) -> str:
            return self.messages[key][language].format(**values)

        return say

    def terms(self, language: str) -> Speak:
        """Return the function that names a code: ``term("finding", "chest_pain")``."""

        def name(kind: str, code: str) -> str:
            message = self.messages.get(f"{kind}.{code}")
            return code.replace("_", " ") if message is None else message[language]

        return name

    def preferred(self, accept_language: str) -> str:
        """Return the best language for an ``Accept-Language`` header (RFC 9110, section 12.5.4)."""
        wishes: list[tuple[float, str]] = []
        for part in accept_language.split(","):
            tag, _, quality = part.strip().partition(";q=")
            try:
                wishes.append((-float(quality or 1), tag[:2].lower()))
            except ValueError:
                continue
        known = [tag for weight, tag in sorted(wishes, key=lambda w: w[0]) if weight < 0]
        return next((tag for tag in known if tag in self.languages), self.languages[0])


def _flat(prefix: str, node: Mapping[str, Any]) -> list[tuple[str, Leaf]]:
    found: list[tuple[str, Leaf]] = []
    for key, value in node.items():
        if set(value) == set(Catalogue.languages):
            found.append((f"{prefix}{key}", value))
        else:
            found += _flat(f"{prefix}{key}.", value)
    return found
