from __future__ import annotations

from xml.etree import ElementTree

import numpy as np
import pytest

from recordings.waveform import Mark, draw, peaks

SVG = "{http://www.w3.org/2000/svg}"


def parsed(drawn: str) -> ElementTree.Element:
    return ElementTree.fromstring(drawn)  # noqa: S314 - our own XML, not foreign


def test_peaks_tell_the_loudest_sample_of_each_50_ms() -> None:
    sound = np.zeros((2, 1000), np.int16)
    sound[0, 399] = -32768
    sound[1, 400] = 16384
    assert peaks(sound) == {"per_second": 20, "patient": [100, 0, 0], "system": [0, 50, 0]}


def test_peaks_of_nothing() -> None:
    assert peaks(np.zeros((2, 0), np.int16)) == {"per_second": 20, "patient": [], "system": []}


@pytest.mark.parametrize("count", [0, 1, 999, 1000, 1001, 18000])
def test_the_drawing_is_valid_and_bounded(count: int) -> None:
    levels = [100 if n == count - 1 else 0 for n in range(count)]
    drawn = draw({"per_second": 20, "patient": levels, "system": levels}, count / 20)
    root = parsed(drawn)
    assert len(drawn) < 60_000
    paths = root.findall(f"{SVG}path")
    assert [path.get("class") for path in paths] == ["lane patient", "lane system"]
    if count:
        # The one loud moment is still seen when many levels share a column.
        assert " 2.0" in str(paths[0].get("d"))


def test_marks_stand_at_their_time_and_are_escaped() -> None:
    marks = [Mark(5.0, "emergency", '<胸痛> & "x"'), Mark(99.0, "urgent", "late")]
    drawn = draw({"patient": [1], "system": [1]}, 10.0, marks)
    lines = parsed(drawn).findall(f"{SVG}line")
    assert [line.get("x1") for line in lines] == ["500.0", "1000.0", "0"]
    assert lines[0].get("class") == "mark emergency"
    assert lines[0].findtext(f"{SVG}title") == '<胸痛> & "x"'


def test_no_style_is_inline() -> None:
    assert "style" not in draw({"patient": [1], "system": [1]}, 1.0)
