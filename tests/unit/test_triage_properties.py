"""What must hold for any input: it never raises, and danger is only ever added."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scripts.answers import (
    AskedQuestion,
    ClinicalContext,
    HeardWord,
    QuestionType,
    Understanding,
    Utterance,
)
from services.triage.understanding import load

CONTEXT = ClinicalContext(
    now=datetime(2026, 11, 22, 9, 30, tzinfo=UTC), since=date(2026, 11, 19), age=71
)
UNDERSTAND = load()
QUESTIONS = (
    AskedQuestion("a", "出院以后，您胸口疼过吗？", QuestionType.YES_NO, asks_about=("chest_pain",)),
    AskedQuestion("b", "最高烧到多少度？", QuestionType.NUMBER, unit="celsius"),
    AskedQuestion("c", "血压多少？", QuestionType.NUMBER, unit="mmHg"),
    AskedQuestion("d", "您哪年出生？", QuestionType.NUMBER, unit="year"),
    AskedQuestion("e", "您打几分？", QuestionType.SCALE),
    AskedQuestion("f", "", QuestionType.CHOICE, choices={"better": ("好(|)", "="), "worse": ("",)}),
    AskedQuestion("g", "还有什么？", QuestionType.FREE_TEXT),
)
FREE = QUESTIONS[-1]
TALK = st.lists(
    st.sampled_from(
        "没有 有点 胸口 疼 不 喘 就是 以前 我老伴 好像 如果 昨天 三十八 度 五 一百四 九十 也 都 ， 。 了 的 "
        "no chest pain but I can't breathe xiong kou teng 3 十 百 千 点 半 比以前 不是 头晕 大便 黑".split()
    ),
    max_size=25,
).map("".join)
WORDS = st.lists(
    st.builds(
        HeardWord,
        text=st.sampled_from(["疼", "胸口", "", "没有", "a"]),
        start=st.floats(),
        end=st.floats(),
        pinyin=st.sampled_from([None, "teng2", "xiong1 kou3", "", "ü"]),
    ),
    max_size=6,
).map(tuple)
BOUNDED = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def said(text: str, question: AskedQuestion = FREE) -> Understanding:
    return UNDERSTAND(Utterance(text, "zh"), question, CONTEXT)


@BOUNDED
@given(
    text=st.one_of(st.text(st.characters(), max_size=100), TALK),
    words=WORDS,
    question=st.sampled_from(QUESTIONS),
    language=st.sampled_from(["zh", "en", "ko", "xx", ""]),
    speaker=st.sampled_from(["patient", "proxy", "unknown", "?"]),
)
def test_nothing_that_is_said_raises(
    text: str, words: tuple[HeardWord, ...], question: AskedQuestion, language: str, speaker: str
) -> None:
    utterance = Utterance(text, language, words, speaker)
    once, again = (UNDERSTAND(utterance, question, CONTEXT) for _ in range(2))
    assert once == again
    for finding in once.findings:
        assert finding.evidence == text[finding.start : finding.end]
    if once.answer.end:
        assert once.answer.evidence == text[once.answer.start : once.answer.end]


@pytest.mark.parametrize("text", ["没有胸口疼，", "一二三四", "\ud800"])
def test_a_hundred_thousand_characters_are_understood(text: str) -> None:
    said(text * (100_000 // len(text)))


@BOUNDED
@given(TALK)
def test_a_denied_danger_never_raises_the_severity(talk: str) -> None:
    assert said(talk + "。没有晕倒过。").severity.rank <= said(talk).severity.rank


@BOUNDED
@given(TALK)
def test_a_present_danger_never_lowers_it(talk: str) -> None:
    before = said(talk).severity.rank
    assert said(talk + "。我今天晕倒了。").severity.rank >= max(before, 3)


@BOUNDED
@given(TALK, st.sampled_from(["嗯，", "那个，", "呃，", "嗯那个，"]))
def test_a_filler_in_front_changes_nothing(talk: str, filler: str) -> None:
    plain, filled = said(talk), said(filler + talk)
    assert plain.severity == filled.severity
    assert [(f.finding, f.status) for f in plain.findings] == [
        (f.finding, f.status) for f in filled.findings
    ]
