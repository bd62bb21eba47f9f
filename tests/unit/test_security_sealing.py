from __future__ import annotations

from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.security.errors import Unreadable
from services.security.sealing import SearchHash, seal, unseal

KEY = b"k" * 32
PLACE = "patients.mrn_sealed"


@given(value=st.text())
def test_what_is_sealed_opens(value: str) -> None:
    assert unseal(KEY, PLACE, "row", seal(KEY, PLACE, "row", value)) == value


@given(bit=st.integers(0, 8 * (2 + 12 + 9 + 16) - 1))
def test_any_flipped_bit_is_noticed(bit: int) -> None:
    sealed = bytearray(seal(KEY, PLACE, "row", "fictional"))
    sealed[bit // 8] ^= 1 << bit % 8
    with pytest.raises(Unreadable):
        unseal(KEY, PLACE, "row", bytes(sealed))


@pytest.mark.parametrize(
    ("key", "place", "row"),
    [
        (b"x" * 32, PLACE, "row"),
        (KEY, "patients.family_name_sealed", "row"),
        (KEY, PLACE, "another"),
    ],
)
def test_a_value_does_not_open_elsewhere(key: bytes, place: str, row: str) -> None:
    with pytest.raises(Unreadable) as refused:
        unseal(key, place, row, seal(KEY, PLACE, "row", "fictional"))
    assert "fictional" not in str(refused.value)


@pytest.mark.parametrize("length", range(31))
def test_a_shortened_value_does_not_open(length: int) -> None:
    with pytest.raises(Unreadable):
        unseal(KEY, PLACE, "row", seal(KEY, PLACE, "row", "x")[:length])


def test_equal_values_are_sealed_differently() -> None:
    assert seal(KEY, PLACE, "row", "x") != seal(KEY, PLACE, "row", "x")


@pytest.mark.parametrize(
    ("kind", "one", "same"),
    [
        ("mrn", "ZY-0012 34", "ｚｙ001234"),
        ("number", "+86 138 0000 0001", "13800000001"),
        ("number", "0086 138-0000-0001", "138 0000 0001"),
        ("number", "86 010 5550 0001", "(010) 55500001"),
        ("name", "Alex  Example", "alexexample"),
    ],
)
def test_search_ignores_how_a_value_is_written(
    kind: Literal["mrn", "number", "name"], one: str, same: str
) -> None:
    assert SearchHash(KEY).of(kind, one) == SearchHash(KEY).of(kind, same)


def test_search_hashes_differ_by_kind_value_and_key() -> None:
    values = {
        SearchHash(KEY).of("mrn", "1"),
        SearchHash(KEY).of("number", "1"),
        SearchHash(KEY).of("mrn", "2"),
        SearchHash(b"x" * 32).of("mrn", "1"),
    }
    assert len(values) == 4
    assert all(len(value) == 64 for value in values)
