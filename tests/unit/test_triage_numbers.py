"""Numbers as clinics say them."""

from __future__ import annotations

import pytest

from services.triage.numbers import quantities
from services.triage.syllables import units


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("三十八度五", [(38.5, 38.5)]),
        ("三十八点二", [(38.2, 38.2)]),
        ("三十七度八九", [(37.8, 37.9)]),
        ("38度5", [(38.5, 38.5)]),
        ("三十八度半", [(38.5, 38.5)]),
        ("七八分", [(7, 8)]),
        ("三四十", [(30, 40)]),
        ("一百三四十", [(130, 140)]),
        ("一百四", [(140, 140)]),
        ("一百四五九十二", [(145, 145), (92, 92)]),
        ("一百四九十二", [(140, 140), (92, 92)]),
        ("一百四十五九十二", [(145, 145), (92, 92)]),
        ("一百九一百一", [(190, 190), (110, 110)]),
        ("五一百四", [(5, 5), (140, 140)]),
        ("一九五三", [(1953, 1953)]),
        ("一千九百五十三", [(1953, 1953)]),
        ("两千零一", [(2001, 2001)]),
        ("一万零四十", [(10040, 10040)]),
        ("二百零三", [(203, 203)]),
        ("六个半", [(6.5, 6.5)]),
        ("半片", [(0.5, 0.5)]),
        ("一点都不疼", []),
        ("一直疼", []),
        ("34,567", [(34567, 34567)]),
    ],
)
def test_mandarin(text: str, values: list[tuple[float, float]]) -> None:
    assert [(q.low, q.high) for q in quantities(units(text, "zh"))] == values


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("thirty eight point five", [38.5]),
        ("thirty-eight", [38]),
        ("one forty over ninety", [140, 90]),
        ("nineteen fifty three", [1953]),
        ("a hundred and one", [101]),
        ("a hundred and two point two", [102.2]),
        ("two thousand and one", [2001]),
    ],
)
def test_english(text: str, values: list[float]) -> None:
    assert [q.high for q in quantities(units(text, "en"))] == values


def test_syllables_that_were_left_as_pinyin_are_read() -> None:
    assert [q.high for q in quantities(units("san shi ba du wu", "zh"))] == [38.5]


def test_what_sounds_like_a_numeral_counts_only_when_a_number_was_asked_for() -> None:
    heard = units("三是八度", "zh")
    assert [q.high for q in quantities(heard)] == [3, 8]
    assert [q.high for q in quantities(heard, by_sound=True)] == [38]
