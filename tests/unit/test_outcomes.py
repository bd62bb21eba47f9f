"""What a call's end means, from the line's and the dialogue's last words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialer.line import LegEnded
from dialer.outcomes import result
from scripts.turns import Disposition, End


def unanswered(
    cause: int | None, sip: int | None, *, rang: bool = False, by_us: bool = False
) -> LegEnded:
    return LegEnded(9.0, cause, sip, by_us, answered=False, rang=rang)


@pytest.mark.parametrize(
    ("cause", "sip", "rang", "disposition"),
    [
        (17, 486, False, Disposition.BUSY),
        (17, None, True, Disposition.BUSY),
        (21, 603, True, Disposition.DECLINED),
        (21, None, True, Disposition.DECLINED),
        (21, 403, False, Disposition.LINE_FAILURE),
        (19, 480, True, Disposition.NO_ANSWER),
        (19, 480, False, Disposition.UNREACHABLE),
        (18, 408, False, Disposition.UNREACHABLE),
        (1, 404, False, Disposition.INVALID_NUMBER),
        (22, 410, False, Disposition.INVALID_NUMBER),
        (28, 484, False, Disposition.INVALID_NUMBER),
        (1, None, False, Disposition.INVALID_NUMBER),
        (34, 503, False, Disposition.LINE_FAILURE),
        (38, 500, False, Disposition.LINE_FAILURE),
        (58, 488, False, Disposition.LINE_FAILURE),
        (127, 487, False, Disposition.LINE_FAILURE),
        (None, None, False, Disposition.UNREACHABLE),
        (20, None, False, Disposition.UNREACHABLE),
    ],
)
def test_unanswered(cause: int | None, sip: int | None, rang: bool, disposition: object) -> None:
    ended = unanswered(cause, sip, rang=rang)
    judged = result(ended, None, answered=False)
    assert judged.disposition is disposition
    assert (judged.cause, judged.sip_code, judged.answered) == (cause, sip, False)


def test_an_announcement_explains_a_quiet_end_but_not_a_clear_one() -> None:
    quiet, busy = unanswered(31, 480), unanswered(17, 486)
    assert (
        result(quiet, None, answered=False, announcement=True).disposition
        is Disposition.CARRIER_ANNOUNCEMENT
    )
    assert result(busy, None, answered=False, announcement=True).disposition is Disposition.BUSY


def test_we_gave_up() -> None:
    assert (
        result(unanswered(16, None, rang=True, by_us=True), None, answered=False).disposition
        is Disposition.NO_ANSWER
    )
    assert (
        result(unanswered(16, None, by_us=True), None, answered=False).disposition
        is Disposition.INTERRUPTED
    )


def test_a_line_that_broke() -> None:
    assert result(None, None, answered=False).disposition is Disposition.LINE_FAILURE
    assert result(None, None, answered=True).disposition is Disposition.INTERRUPTED


endings = st.builds(
    LegEnded,
    st.just(1.0),
    st.none() | st.integers(0, 127),
    st.none() | st.integers(400, 699),
    st.booleans(),
    st.booleans(),
    st.booleans(),
)


@given(endings, st.sampled_from(Disposition), st.none() | st.text())
def test_the_dialogues_last_word_stands(
    ended: LegEnded, said: Disposition, call_back: str | None
) -> None:
    judged = result(ended, End(said, call_back), answered=True)
    assert (judged.disposition, judged.call_back) == (said, call_back)


@given(endings, st.booleans())
def test_nobody_answered_is_never_an_outcome_of_a_conversation(
    ended: LegEnded, announcement: bool
) -> None:
    judged = result(ended, None, answered=False, announcement=announcement)
    assert judged.disposition not in {
        Disposition.COMPLETED,
        Disposition.PARTIAL,
        Disposition.REFUSED,
        Disposition.WRONG_PERSON,
    }
