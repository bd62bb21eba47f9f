"""Reading what Asterisk says: events, versions, names."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialer.asterisk.ari_connection import OLDEST, release
from dialer.asterisk.ari_events import (
    ApplicationReplaced,
    ChannelDestroyed,
    ChannelStateChange,
    Event,
    StasisStart,
    parse_event,
)
from dialer.asterisk.line import application_name

CHANNEL = {"id": "leg-1", "name": "PJSIP/trunk-00000005", "state": "Ringing"}


@pytest.mark.parametrize(
    ("message", "event"),
    [
        ({"type": "StasisStart", "args": [], "channel": CHANNEL}, StasisStart("leg-1")),
        (
            {"type": "ChannelStateChange", "channel": CHANNEL},
            ChannelStateChange("leg-1", "Ringing"),
        ),
        (
            {"type": "ChannelDestroyed", "cause": 17, "tech_cause": 486, "channel": CHANNEL},
            ChannelDestroyed("leg-1", 17, 486),
        ),
        (
            {"type": "ChannelDestroyed", "cause": 0, "channel": CHANNEL},
            ChannelDestroyed("leg-1", None, None),
        ),
        (
            {"type": "ApplicationReplaced", "application": "huifang-1"},
            ApplicationReplaced("huifang-1"),
        ),
        ({"type": "ChannelVarset", "channel": CHANNEL}, None),
        ({"type": "StasisStart", "channel": None}, None),
        ([], None),
    ],
)
def test_events_are_typed(message: object, event: Event | None) -> None:
    assert parse_event(json.dumps(message)) == event


@given(st.one_of(st.text(), st.recursive(st.none() | st.text() | st.integers(),
       lambda c: st.lists(c) | st.dictionaries(st.sampled_from(["type", "channel", "id", "cause"]), c)
       ).map(json.dumps)))  # fmt: skip
def test_nothing_that_arrives_breaks_the_reading(text: str) -> None:
    parse_event(text)


@pytest.mark.parametrize(
    ("version", "fit"),
    [
        ("22.10.1+dfsg+~cs6.17.60671434-1", True),
        ("22.8.0", True),
        ("23.0.0", True),
        ("22.7.0", False),
        ("20.18.2", False),
        ("GIT-master", False),
    ],
)
def test_versions_are_compared_by_number(version: str, fit: bool) -> None:
    assert (release(version) >= OLDEST) is fit


def test_an_application_name_holds_nothing_asterisk_splits_at() -> None:
    assert application_name("ward 3,b") == "huifang-ward_3_b"
