"""Syllables into Hanzi: what is sure becomes text, what is not stays as it was heard."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr.sherpa_engine import spell_words, time_syllables
from asr.syllables import Speller, TimedSyllable, join_text, join_tokens, pinyin_of, toneless


def spell(pinyin: str, *hints: str) -> str:
    return join_text(piece.text for piece in Speller(hints).spell(pinyin.split()))


@pytest.mark.parametrize(
    ("heard", "text"),
    [
        ("méi yǒu", "没有"),
        ("bú shì", "不是"),  # 不 before a fourth tone
        ("yì diǎn diǎn", "一点点"),  # 一 before a third tone
        ("ké yǐ", "可以"),  # two third tones in a row
        ("xiōng mèn", "胸闷"),  # one tone misheard
        ("wǒ xiōng kǒu téng", "我胸口疼"),
        ("yǒu yī diǎn tóu yūn", "有一点头晕"),
        ("chuǎn bú shàng qì", "喘不上气"),
        ("dài fū", "大夫"),  # not dà fū, the nobleman
        ("tù xiě", "吐血"),  # as it is said, not as it is read
        ("èr shí jiǔ dù", "二十九度"),
        ("yī sān sì qī sān bā èr yāo", "一三四七三八二幺"),
        ("sān shí bā diǎn wǔ", "三十八点五"),
        ("měi tiān", "每天"),
        ("yào chī wán le", "药吃完了"),
    ],
)
def test_everyday_answers_become_hanzi(heard: str, text: str) -> None:
    assert spell(heard) == text


@pytest.mark.parametrize(
    ("heard", "text"),
    [
        ("fān", "fān"),  # 三, misheard: not a number
        ("kě suǒ", "kě suǒ"),  # 咳嗽, misheard
        ("měi", "měi"),  # 每 is not 没 ("no")
        ("mǎ tóu", "mǎ tóu"),  # 码头 does not ask 吗
        ("nán xiáng sì", "nán xiáng 四"),  # 南翔寺 is no wish to die (想死)
        ("shì táng", "是 táng"),
        ("gē qǔ méi yǒu", "gē qǔ 没有"),
        ("A méi yǒu", "A 没有"),
    ],
)
def test_what_is_not_sure_stays_pinyin(heard: str, text: str) -> None:
    assert spell(heard) == text


def test_a_wish_to_die_is_written_when_its_tones_agree() -> None:
    assert spell("wǒ xiǎng sǐ") == "我想死"
    assert spell("wǒ xiáng sǐ") == "我想死"


def test_a_hint_wins_over_an_everyday_word_that_sounds_the_same() -> None:
    assert spell("tóu yūn") == "头晕"
    assert spell("yī shēng") == "医生"
    assert spell("yī shēng", "一生") == "一生"
    assert spell("lì pǔ tuǒ", "立普妥（他汀）") == "立普妥"
    assert spell("wèi", "卫") == "卫"


def test_a_hint_of_one_character_may_be_misheard_in_its_tone() -> None:
    assert spell("téng", "藤") == "藤"
    assert spell("tèng", "疼") == "疼"


def test_hints_that_are_not_hanzi_are_left_out() -> None:
    assert spell("méi yǒu", "yes", "SpO2", "") == "没有"


SYLLABLES = st.sampled_from(
    "méi yǒu bú shì xiōng kǒu téng tóu yūn fān zhèng nǚ lüè A xī táng yī diǎn wǒ".split()
)


@given(st.lists(SYLLABLES, max_size=30), st.lists(st.sampled_from(["胸口", "正", "西", "女"])))
def test_every_syllable_is_covered_once_and_in_order(heard: list[str], hints: list[str]) -> None:
    pieces = Speller(hints).spell(heard)
    assert [at for piece in pieces for at in range(piece.first, piece.last)] == list(
        range(len(heard))
    )
    for piece in pieces:
        part = heard[piece.first : piece.last]
        sounds_like = [toneless(s) for s in pinyin_of(piece.text)]
        assert piece.text == part[0] or sounds_like == [toneless(s) for s in part]


@given(st.lists(SYLLABLES, max_size=20))
def test_words_keep_what_was_heard(heard: list[str]) -> None:
    syllables = [
        TimedSyllable(pinyin, start=at, end=at + 1, confidence=0.5)
        for at, pinyin in enumerate(heard)
    ]
    words = spell_words(Speller(), syllables)
    assert " ".join(word.pinyin or "" for word in words).split() == heard
    assert all(word.start < word.end for word in words)
    assert all(one.end <= two.start for one, two in itertools.pairwise(words))


def test_tokens_become_syllables_with_times_and_confidences() -> None:
    syllables = time_syllables(
        ["m", "éi", "y", "ǒu", "èr"], [0.40, 0.48, 0.60, 0.64, 1.2], [0.0, -0.2, 0.0, 0.0, -9.0]
    )
    assert [s.pinyin for s in syllables] == ["méi", "yǒu", "èr"]
    assert [s.start for s in syllables] == [0.40, 0.60, 1.2]
    assert syllables[0].end == 0.60  # not into the next syllable
    assert syllables[1].end == pytest.approx(0.80)
    assert syllables[0].confidence == pytest.approx(0.905, abs=0.001)
    assert syllables[2].confidence == pytest.approx(0.0001, abs=0.0001)


def test_an_initial_without_a_final_is_kept() -> None:
    assert [text for text, _, _ in join_tokens(["t", "sh", "ì", "m"])] == ["t", "shì", "m"]


def test_pinyin_and_hanzi_are_written_apart() -> None:
    assert join_text(["没有", "fān", "疼", "了"]) == "没有 fān 疼了"
    assert join_text([]) == ""


def test_tones_are_taken_off_and_umlauts_kept() -> None:
    assert [toneless(s) for s in ("nǚ", "lüè", "xiōng", "er")] == ["nü", "lüe", "xiong", "er"]
