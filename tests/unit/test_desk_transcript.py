from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from scripts.answers import Severity
from services.web.transcript import Span, TimedWord, pieces, time_of

WORDS = [TimedWord("chest", 1.0, 1.4), TimedWord("pain", 1.5, 1.9), TimedWord("today", 2.0, 2.5)]


def test_words_carry_their_times_and_findings_their_severity() -> None:
    cut = pieces("Chest pain, today.", WORDS, [Span(0, 10, Severity.URGENT)])
    assert [(piece.text, piece.word and piece.word.start, piece.severity) for piece in cut] == [
        ("Chest", 1.0, Severity.URGENT),
        (" ", None, Severity.URGENT),
        ("pain", 1.5, Severity.URGENT),
        (", ", None, None),
        ("today", 2.0, None),
        (".", None, None),
    ]


def test_the_worst_of_two_findings_shows() -> None:
    spans = [Span(0, 3, Severity.ROUTINE), Span(1, 2, Severity.EMERGENCY)]
    assert [(p.text, p.severity) for p in pieces("胸口疼", [], spans)] == [
        ("胸", Severity.ROUTINE),
        ("口", Severity.EMERGENCY),
        ("疼", Severity.ROUTINE),
    ]


def test_a_word_said_twice_has_two_times() -> None:
    words = [TimedWord("疼", 1.0, 1.2), TimedWord("疼", 2.0, 2.2)]
    assert [p.word and p.word.start for p in pieces("疼疼", words, [])] == [1.0, 2.0]


def test_the_time_of_a_finding_is_that_of_its_first_word() -> None:
    assert time_of("Chest pain, today", WORDS, 8) == 1.5
    assert time_of("Chest pain, today", WORDS, 10) == 2.0
    assert time_of("no such words", WORDS, 0) is None


@given(
    text=st.text(max_size=30),
    words=st.lists(st.text(max_size=5), max_size=8),
    spans=st.lists(st.tuples(st.integers(-5, 40), st.integers(-5, 40)), max_size=5),
)
def test_nothing_said_is_lost_or_doubled(
    text: str, words: list[str], spans: list[tuple[int, int]]
) -> None:
    timed = [TimedWord(word, n, n + 1) for n, word in enumerate(words)]
    marked = [Span(start, end, Severity.URGENT) for start, end in spans]
    assert "".join(piece.text for piece in pieces(text, timed, marked)) == text
