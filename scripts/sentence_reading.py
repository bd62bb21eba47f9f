"""Reading what is spoken: sentences in every language, cut into clips, with their slots checked."""

from __future__ import annotations

import re
from collections.abc import Mapping

import yaml

from scripts.marked_yaml import MarkedYaml
from scripts.questionnaire import CALLER, NAME, Prompt

_SLOT = re.compile(r"\{[^{}]*\}")
_FIRST_SENTENCE = re.compile(r"^.*?(?:[。！？]|[.!?](?!\w)|$)", re.DOTALL)
_DISCLOSURES: Mapping[str, tuple[str, ...]] = {
    "zh": ("人工智能", "机器人", "智能语音"),
    "en": ("A I ", "AI ", "artificial intelligence", "automated", "robot"),
    "ko": ("인공지능", "로봇"),
}
"""A call made by a machine says so in its first sentence; one of these must be in it."""


class SentenceReader:
    """Reads the sentences of one script in its languages."""

    def __init__(self, marked: MarkedYaml, languages: tuple[str, ...]) -> None:
        self.marked = marked
        self.languages = languages

    def prompt(
        self, node: yaml.Node, prompt_id: str, *, name_allowed: bool, disclosure: bool = False
    ) -> Prompt:
        """A sentence in every language.

        Args:
            node: language to sentence.
            prompt_id: the id the prompt gets.
            name_allowed: whether the name may be spoken here.
            disclosure: whether its first sentence must say that a machine is speaking.
        """
        pieces = {}
        for language, text_node in self.marked.fields(node, self.languages).items():
            pieces[language] = self._pieces(text_node, name_allowed)
            said = _DISCLOSURES.get(language)
            first = _FIRST_SENTENCE.match("".join(pieces[language]))
            if disclosure and said and first and not any(word in first[0] for word in said):
                self.marked.problem(
                    text_node,
                    f"the first sentence must say that a machine speaks ({' or '.join(said)})",
                )
        return Prompt(prompt_id, pieces)

    def stranger_safe(self, nodes: Mapping[str, yaml.Node], prompt_id: str) -> Prompt:
        """A sentence, its languages already taken apart, that whoever picked up may hear."""
        return Prompt(prompt_id, {key: self._pieces(node, False) for key, node in nodes.items()})

    def _pieces(self, node: yaml.Node, name_allowed: bool) -> tuple[str, ...]:
        pieces = tuple(piece.strip() for piece in self.marked.text(node).split("|"))
        for piece in pieces:
            for slot in _SLOT.findall(piece):
                if slot not in (NAME, CALLER):
                    self.marked.problem(
                        node,
                        f"unknown slot {slot}; known: {NAME}, {CALLER}. Nothing else of a patient "
                        "is ever spoken",
                    )
                elif slot == NAME and not name_allowed:
                    self.marked.problem(node, f"{NAME} here could be heard by a stranger")
                elif piece != slot:
                    self.marked.problem(node, f"{slot} must stand alone between bars: |{slot}|")
            if "{" in _SLOT.sub("", piece) or "}" in _SLOT.sub("", piece):
                self.marked.problem(node, "a brace without its partner")
            elif len(pieces) > 1 and not any(c.isalnum() for c in piece):
                self.marked.problem(node, "a clip between bars has no words")
        return pieces

    def words(self, node: yaml.Node) -> dict[str, str]:
        """Words in every language that are not spoken."""
        return {
            language: self.marked.text(text)
            for language, text in self.marked.fields(node, self.languages).items()
        }

    def lists(self, node: yaml.Node) -> dict[str, tuple[str, ...]]:
        """A list of words in every language."""
        return {
            language: self.marked.texts(words)
            for language, words in self.marked.fields(node, self.languages).items()
        }
