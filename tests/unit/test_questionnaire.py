"""Reading scripts: what ships is whole, and a broken script says where and why."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scripts.answers import QuestionType
from scripts.dialogue import Dialogue, PatientFacts
from scripts.questionnaire import NAME, Condition
from scripts.reading import ScriptError, library, load, read
from scripts.turns import Answered, Listen, Segment

LIBRARY = Path(__file__).parents[2] / "scripts" / "library"
KOREAN = Path(__file__).parents[1] / "data" / "scripts" / "korean_short.yaml"
GENERAL = (LIBRARY / "general_discharge.yaml").read_text(encoding="utf-8")


def problems(source: str, **more: set[str]) -> list[tuple[int, int, str]]:
    """Line, column and message of every problem."""
    with pytest.raises(ScriptError) as raised:
        read(source, findings=more.get("findings"))
    return [(one.line, one.column, one.message) for one in raised.value.problems]


def changed(old: str, new: str, source: str = GENERAL) -> str:
    """The general script with one place changed."""
    assert source.count(old) == 1, f"{source.count(old)} times: {old}"
    return source.replace(old, new)


def test_the_library_is_sound() -> None:
    assert "general_discharge" in library()
    for script_id in library():
        script = load(script_id)
        assert script.id == script_id
        assert script.languages
        assert len(script.sha256) == 64


@pytest.mark.parametrize("language", ["zh", "en"])
def test_every_sentence_can_be_rendered_ahead(language: str) -> None:
    sentences = load("general_discharge").sentences(language, "健康随访中心")
    assert len({prompt_id for prompt_id, _ in sentences}) == len(sentences)
    for prompt_id, segments in sentences:
        for segment in segments:
            assert segment.personal == (segment.text == NAME), prompt_id
            assert "{" not in segment.text or segment.personal
            assert "|" not in segment.text


def test_only_a_clip_with_the_name_is_personal() -> None:
    identity = load("general_discharge").prompt("identity")
    segments = identity.segments("zh", caller="健康随访中心", name="王先生")
    assert segments == (
        Segment("请问，您是"),
        Segment("王先生", personal=True),
        Segment("本人吗？"),
    )


def test_the_recogniser_is_told_what_to_expect() -> None:
    script = load("general_discharge")
    for question in script.questions:
        for language in script.languages:
            assert len(script.expected(question, language)) >= 20
    condition = script.question("general_condition")
    assert "好多了" in script.expected(condition, "zh")
    assert condition.asked("zh").choices["worse"]
    everywhere = script.expected_anywhere("zh")
    assert len(everywhere) == len(set(everywhere))


def test_the_korean_script_runs() -> None:
    script = read(KOREAN)
    facts = PatientFacts("김영수 님", 1950, "건강 상담실")
    actions = Dialogue(script, "ko", facts).handle(Answered())
    assert isinstance(actions[-1], Listen)
    assert actions[-1].question.id == "identity"


def test_a_hospitals_own_script_wins(tmp_path: Path) -> None:
    own = tmp_path / "general_discharge.yaml"
    own.write_text(changed("version: 1\n", "version: 2-ward\n"), encoding="utf-8")
    assert load("general_discharge", tmp_path).version == "2-ward"
    assert load("general_discharge").version == "1"
    with pytest.raises(LookupError, match="general_discharge"):
        load("nothing", tmp_path)


def test_all_problems_come_at_once_with_their_places() -> None:
    source = changed("title:\n  zh:", "titel:\n  zh:")
    source = changed("    zh: 好的，我再说一遍。\n", "", source)
    source = changed("type: scale", "type: scael", source)
    found = problems(source)
    lines = source.splitlines()
    for line, column, _ in found:
        assert 1 <= line <= len(lines)
        assert 1 <= column <= len(lines[line - 1]) + 1
    place = next(n for n, text in enumerate(lines, 1) if text.startswith("titel:"))
    assert (place, 1) in [(line, column) for line, column, _ in found]
    messages = " / ".join(message for _, _, message in found)
    for part in ("unknown field 'titel'", "'title' is missing", "'zh' is missing", "unknown type"):
        assert part in messages
    assert found == sorted(found, key=lambda one: one[:2])


def test_a_problem_shows_its_line_and_column() -> None:
    with pytest.raises(ScriptError) as raised:
        read(changed("ask_if: {question: fever, is: yes}", "ask_if: {question: fever, is: maybe}"))
    (problem,) = raised.value.problems
    assert problem.source_line == "    ask_if: {question: fever, is: maybe}"
    assert problem.source_line[problem.column - 1 :].startswith("maybe")
    assert str(problem).splitlines()[2].index("^") == 2 + problem.column - 1
    assert str(problem).startswith(f"script:{problem.line}:{problem.column}: ")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("id: general_discharge\n", "id: general_discharge\nid: again\n", "'id' is here twice"),
        ("languages: [zh, en]", "languages: []", "a script needs a language"),
        ("languages: [zh, en]", "languages: [zh, en, ko]", "'ko' is missing"),
        ("languages: [zh, en]", "languages: [zh]", "unknown field 'en'"),
        ("您好，我是人工智能语音助手，代表", "您好。我是人工智能语音助手，代表", "first sentence"),
        ("an A I voice assistant, calling", "your voice assistant, calling", "first sentence"),
        ("代表|{caller}|给您", "代表|{doctor}|给您", "unknown slot {doctor}"),
        ("代表|{caller}|给您", "代表|{caller|给您", "brace without its partner"),
        ("代表|{caller}|给您", "代表{caller}给您", "must stand alone between bars"),
        ("代表|{caller}|给您", "代表|{caller}|，|给您", "a clip between bars has no words"),
        ("zh: 请您再说一遍出生", "zh: 您是|{name}|请您再说一遍出生", "by a stranger"),
        ("zh: 对不起，打扰您了。再见。", "zh: 对不起|{name}|再见。", "by a stranger"),
        ("zh: 最高烧到多少度？", "zh: 您是|{birth_year}|年生的吗？", "unknown slot {birth_year}"),
        ("zh: 最高烧到多少度？", "zh: ''", "this is empty"),
        ("- id: fall\n    type", "- id: faint\n    type", "there is a question 'faint' already"),
        ("- id: fall\n    type", "- id: closing\n    type", "the name of a sentence of every script"),
        ("- id: fall\n    type", "- id: Fall down\n    type", "an id is small letters"),
        ("question: wound, is: yes", "question: woundd, is: yes", "would never be asked"),
        ("question: wound, is: yes", "question: wound_detail, is: yes", "would never be asked"),
        ("question: wound, is: yes", "question: medicines, is: yes", "would never be asked"),
        ("question: wound, is: yes", "question: wound, is: red", "never answered with this"),
        ("question: wound, is: yes", "question: wound, is: 1", "never answered with this"),
        ("question: wound, is: yes", "question: wound, at_least: 1", "not answered with a number"),
        ("question: wound, is: yes", "question: wound", "is needed"),
        ("question: wound, is: yes", "question: pain, at_least: 11", "such a number"),
        ("question: wound, is: yes", "question: general_condition, is: [worse, bad]", "never answered"),
        ("between: [34, 43]", "between: [43, 34]", "the smaller one first"),
        ("between: [34, 43]", "between: [34, hot]", "a number is expected"),
        ("keypad: {digits: 3, decimals: 1}", "keypad: {digits: 3, decimals: 3}", "a digit must be left"),
        ("keypad: {digits: 3, decimals: 1}", "keypad: {digits: 0}", "from 1 to 8"),
        ("    unit: celsius\n", "", "'unit' is missing"),
        ("asks_about: [melena]", "unit: celsius", "unknown field 'unit'"),
        ("      zh: 您有没有摔跤？有，请按一。没有，请按二。\n", "", "'zh' is missing"),
        ("    findings: [fall]", "    findings: []", "the last read-back"),
        ("    findings: [fall]", "    findings: [fever]", "never spoken"),
        ("  - id: fall\n    findings", "  - id: fever\n    findings", "there is a read-back 'fever'"),
        ("  filler:\n", "  fillar:\n", "'filler' is missing"),
        ('zh: [有, 没有, 有一点, 有点, 没,', "zh: [有, 没有, 有, 有点, 没,", "'有' is here twice"),
        ('en: ["yes", "no", "a little"', "en: [yes, no, a little", "write them in quotes"),
        ("version: 1\n", "version: [1\n", "not YAML"),
        ("version: 1\n", "version: !!python/name:os.system x\n", "cannot be read"),
    ],
)  # fmt: skip
def test_what_the_checker_sees(old: str, new: str, message: str) -> None:
    found = problems(changed(old, new))
    assert any(message in one for _, _, one in found), found


def test_finding_codes_are_checked_where_they_are_known() -> None:
    script = load("general_discharge")
    known = {code for question in script.questions for code in question.asks_about}
    known |= {code for readback in script.readbacks for code in readback.findings}
    load("general_discharge", findings=known)
    found = problems(GENERAL, findings=known - {"melena"})
    assert [message for _, _, message in found] == ["no finding has the code 'melena'"] * 2


def test_an_empty_file_and_a_missing_one(tmp_path: Path) -> None:
    assert "the file is empty" in str(problems(""))
    with pytest.raises(OSError, match="nowhere"):
        read(tmp_path / "nowhere.yaml")
    latin = tmp_path / "latin.yaml"
    latin.write_bytes(b"id: caf\xe9")
    with pytest.raises(ScriptError, match="not UTF-8"):
        read(latin)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_no_text_breaks_the_checker(data: st.DataObject) -> None:
    source = KOREAN.read_text(encoding="utf-8")
    start = data.draw(st.integers(0, len(source)))
    end = data.draw(st.integers(start, min(len(source), start + 60)))
    noise = data.draw(st.text(alphabet="[]{}:-|&*!?#'\"\n 가a1,", max_size=8))
    try:
        script = read(source[:start] + noise + source[end:])
    except ScriptError:
        return
    assert script.questions


@given(st.text(max_size=200))
def test_any_text_at_all_is_read_or_refused(source: str) -> None:
    with pytest.raises(ScriptError):
        read(source)


@pytest.mark.parametrize(
    ("condition", "value", "holds"),
    [
        (Condition("q", values=(True,)), True, True),
        (Condition("q", values=(True,)), False, False),
        (Condition("q", values=(True,)), None, False),
        (Condition("q", values=("worse",)), "worse", True),
        (Condition("q", least=38.0), 38.0, True),
        (Condition("q", least=38.0), 37.9, False),
        (Condition("q", most=3.0), 4.0, False),
        (Condition("q", least=0.0), True, False),
    ],
)
def test_conditions(condition: Condition, value: bool | float | str | None, holds: bool) -> None:
    assert condition.holds(value) is holds


def test_types_in_the_script() -> None:
    types = {question.type for question in load("general_discharge").questions}
    assert types == set(QuestionType)
