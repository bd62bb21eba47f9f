from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.web.ranges import Unsatisfiable, wanted


@pytest.mark.parametrize(
    ("header", "range_"),
    [
        (None, None),
        ("bytes=0-", (0, 100)),
        ("bytes=10-19", (10, 20)),
        ("bytes=90-500", (90, 100)),
        ("bytes=-30", (70, 100)),
        ("bytes=-500", (0, 100)),
        ("bytes=99-99", (99, 100)),
        ("bytes=-", None),
        ("bytes=5-2", None),
        ("bytes=0-1,5-6", None),
        ("seconds=0-1", None),
        ("bytes=a-b", None),
    ],
)
def test_ranges_of_a_hundred_bytes(header: str | None, range_: tuple[int, int] | None) -> None:
    assert wanted(header, 100) == range_


@pytest.mark.parametrize("header", ["bytes=100-", "bytes=100-200", "bytes=-0"])
def test_ranges_behind_the_end(header: str) -> None:
    with pytest.raises(Unsatisfiable):
        wanted(header, 100)


@given(
    header=st.from_regex(r"bytes=[0-9]{0,5}-[0-9]{0,5}", fullmatch=True), size=st.integers(0, 999)
)
def test_a_range_lies_within_the_content(header: str, size: int) -> None:
    try:
        range_ = wanted(header, size)
    except Unsatisfiable:
        return
    if range_ is not None:
        assert 0 <= range_[0] < range_[1] <= size
