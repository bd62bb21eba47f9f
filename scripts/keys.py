"""Keys pressed on the telephone, as the answer to a question.

For yes and no: 1 and 2; for a choice: its place; for a number: its digits, ``*`` for the decimal
point where the question does not say how many decimals there are; ``#`` ends.
"""

from __future__ import annotations

from scripts.answers import AnswerValue, QuestionType
from scripts.questionnaire import Keypad, Question

_YES_NO = {"1": True, "2": False}
_WORDS = {"zh": ("是", "不是"), "en": ("yes", "no"), "ko": ("네", "아니요")}


def expected(question: Question) -> int:
    """How many keys make a whole answer; 0: none are expected."""
    if question.type in (QuestionType.YES_NO, QuestionType.CHOICE):
        return 1
    return question.keypad.digits if question.keypad else 0


def value(question: Question, keys: str) -> AnswerValue:
    """What the keys mean; None: nothing to this question."""
    pressed = keys.partition("#")[0]
    if question.type is QuestionType.YES_NO:
        return _YES_NO.get(pressed)
    if question.type is QuestionType.CHOICE:
        by_key = {str(place): key for place, key in enumerate(question.choices, start=1)}
        return by_key.get(pressed)
    if question.keypad is None or question.between is None:
        return None
    low, high = question.between
    for number in _readings(pressed, question.keypad):
        if low <= number <= high:
            return number
    return None


def _readings(pressed: str, keypad: Keypad) -> list[float]:
    """The numbers the keys may mean, the likeliest first."""
    whole, _, fraction = pressed.partition("*")
    if not (whole.isascii() and whole.isdigit() and len(whole) <= keypad.digits):
        return []
    if "*" in pressed:
        written = f"{whole}.{fraction or '0'}"
        return [float(written)] if fraction.isascii() and (fraction + "0").isdigit() else []
    return [int(whole) / 10**keypad.decimals, float(whole)]


def words(question: Question, meaning: AnswerValue, language: str) -> str:
    """Words that say the same, for those who judge how serious an answer is."""
    if isinstance(meaning, bool):
        return _WORDS.get(language, _WORDS["en"])[0 if meaning else 1]
    if isinstance(meaning, str) and meaning in question.choices:
        ways = question.choices[meaning][language]
        return ways[0] if ways else meaning
    return f"{meaning:g}" if isinstance(meaning, int | float) else ""
