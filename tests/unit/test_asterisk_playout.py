"""The play-out bookkeeping against a model of Asterisk's media queue."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialer.asterisk.playout import AHEAD, PlayEvent, Playout, command
from dialer.line import FRAME_BYTES, PlayFinished, PlayStarted

TICK = 0.02
QUEUE_LIMIT, XOFF, XON = 1000, 900, 800


class Switch:
    """chan_websocket's queue: one frame a tick, marks in between, flush and status at once."""

    def __init__(self, playout: Playout) -> None:
        self.playout = playout
        self.queue: deque[bytes | str] = deque()
        self.now = 0.0
        self.heard = b""
        self.events: list[PlayEvent] = []
        self.dropped = 0

    @property
    def frames(self) -> int:
        return sum(isinstance(entry, bytes) for entry in self.queue)

    def send(self) -> None:
        for message in self.playout.messages(self.now):
            self.take(message)

    def take(self, message: bytes | str) -> None:
        if isinstance(message, bytes):
            if self.frames >= QUEUE_LIMIT:
                self.dropped += 1
                return
            for start in range(0, len(message), FRAME_BYTES):
                self.queue.append(message[start : start + FRAME_BYTES])
            return
        assert len(message) <= 128
        order = json.loads(message)
        if order["command"] == "MARK_MEDIA":
            self.queue.append(order["correlation_id"])
        elif order["command"] == "GET_STATUS":
            self.events += self.playout.status(self.frames, self.now)
        elif order["command"] == "FLUSH_MEDIA":
            self.queue.clear()

    def flush(self) -> None:
        for message in self.playout.flush():
            self.take(message)

    def tick(self, count: int = 1) -> None:
        for _ in range(count):
            while self.queue and isinstance(self.queue[0], str):
                name = str(self.queue.popleft())
                self.events += self.playout.mark(name, self.now)
                self.send()
            frame = self.queue.popleft() if self.queue else b""
            assert isinstance(frame, bytes)
            self.heard += frame
            self.now += TICK


def told(events: Iterable[PlayEvent]) -> list[tuple[str, str, float, float | None]]:
    """Events as (what, clip, at, seconds), times rounded to the microsecond."""
    return [
        (type(e).__name__, e.clip, round(e.at, 6), round(e.seconds, 6))
        if isinstance(e, PlayFinished)
        else (type(e).__name__, e.clip, round(e.at, 6), None)
        for e in events
    ]


def sound(frames: float, value: int = 1) -> bytes:
    return bytes([value]) * (round(frames * FRAME_BYTES) // 2 * 2)


def play(switch: Switch, name: str, pcm: bytes) -> None:
    switch.playout.play(name, pcm)
    switch.send()


def test_a_clip_is_told_where_it_began_and_ended() -> None:
    switch = Switch(Playout())
    switch.tick(5)
    play(switch, "one", sound(10.5))
    switch.tick(20)
    assert told(switch.events) == [
        ("PlayStarted", "one", 0.1, None),
        ("PlayFinished", "one", 0.32, 0.21),
    ]
    assert switch.heard == sound(10.5).ljust(11 * FRAME_BYTES, b"\0")


def test_clips_follow_each_other_without_a_gap() -> None:
    switch = Switch(Playout())
    play(switch, "one", sound(3))
    play(switch, "two", sound(1, 2))
    play(switch, "three", sound(4, 3))
    switch.tick(10)
    starts = [e.at for e in switch.events if isinstance(e, PlayStarted)]
    assert starts == pytest.approx([0.0, 3 * TICK, 4 * TICK])
    assert switch.heard == sound(3) + sound(1, 2) + sound(4, 3)


def test_a_long_clip_never_overflows_the_switch() -> None:
    switch = Switch(Playout())
    clip = bytes(i // FRAME_BYTES % 251 for i in range(3000 * FRAME_BYTES))
    play(switch, "minute", clip)
    most = 0
    for _ in range(3010):
        most = max(most, switch.frames)
        switch.tick()
    assert most <= AHEAD + 50 < XOFF
    assert switch.heard == clip
    assert [type(e) for e in switch.events] == [PlayStarted, PlayFinished]


def test_a_flush_tells_how_much_went_out() -> None:
    switch = Switch(Playout())
    play(switch, "one", sound(5))
    play(switch, "two", sound(100))
    play(switch, "three", sound(1000))
    switch.tick(25)
    switch.flush()
    assert told(e for e in switch.events if isinstance(e, PlayFinished)) == [
        ("PlayFinished", "one", 0.1, 0.1),
        ("PlayFinished", "two", 0.5, 0.4),
        ("PlayFinished", "three", 0.5, 0.0),
    ]
    play(switch, "four", sound(2, 4))
    switch.tick(5)
    assert switch.heard == sound(25) + sound(2, 4)
    assert told(switch.events)[-2] == ("PlayStarted", "four", 0.5, None)


def test_marks_that_come_late_do_not_move_the_clip() -> None:
    playout = Playout()
    playout.play("one", sound(150))
    list(playout.messages(7.0))
    events = playout.mark("1", 7.3)  # due at 7.035; this process slept
    assert told(events) == [("PlayStarted", "one", 7.03, None)]
    playout.mark("51", 8.035)  # in time
    playout.mark("101", 9.6)
    events = playout.mark("150", 10.5)
    assert told(events) == [("PlayFinished", "one", 10.015, 3.0)]


def test_a_switch_that_stood_still_is_followed() -> None:
    playout = Playout()
    playout.play("one", sound(500))
    list(playout.messages(0.0))
    for place in (1, 51, 101, 151, 201, 251, 301, 351, 401, 451):
        playout.mark(str(place), place * TICK + (0.01 if place < 200 else 0.5))
    events = playout.mark("500", 10.5)
    assert told(events) == [("PlayFinished", "one", 10.5, 10.0)]


def test_nothing_to_flush_sends_nothing() -> None:
    assert Playout().flush() == ()


def test_a_full_queue_waits_for_room() -> None:
    playout = Playout()
    playout.pause(True)
    playout.play("one", sound(3))
    assert list(playout.messages(0.0)) == []
    playout.pause(False)
    assert list(playout.messages(0.0))


def test_marks_of_others_mean_nothing() -> None:
    playout = Playout()
    playout.play("one", sound(3))
    assert playout.mark("hello", 1.0) == []


def test_the_end_of_the_leg_finishes_every_clip() -> None:
    switch = Switch(Playout())
    play(switch, "one", sound(100))
    play(switch, "two", sound(100))
    switch.tick(50)
    assert told(switch.playout.ended(switch.now)) == [
        ("PlayFinished", "one", 1.0, 1.0),
        ("PlayFinished", "two", 1.0, 0.0),
    ]
    assert switch.playout.ended(switch.now) == []


def test_commands_are_what_the_switch_reads() -> None:
    assert command("MARK_MEDIA", correlation_id="7") == (
        '{"command":"MARK_MEDIA","correlation_id":"7"}'
    )


orders = st.lists(
    st.one_of(
        st.integers(0, 900).map(lambda frames: ("play", frames)),
        st.integers(1, 400).map(lambda ticks: ("tick", ticks)),
        st.just(("flush", 0)),
    ),
    max_size=25,
)


@given(orders)
def test_what_is_told_is_what_was_heard(script: list[tuple[str, int]]) -> None:
    switch = Switch(Playout())
    names: list[str] = []
    for order, amount in script:
        if order == "play":
            names.append(f"clip{len(names)}")
            play(switch, names[-1], sound(amount, 1 + len(names) % 100))
        elif order == "tick":
            switch.tick(amount)
        else:
            switch.flush()
    switch.tick(sum(amount for order, amount in script if order == "play") + 20)
    started = {e.clip: e.at for e in switch.events if isinstance(e, PlayStarted)}
    finished = [e for e in switch.events if isinstance(e, PlayFinished)]
    assert [e.clip for e in finished] == names, "each clip is finished once, in order"
    assert switch.dropped == 0
    loud = sum(1 for byte in switch.heard if byte) / FRAME_BYTES * TICK
    assert sum(e.seconds for e in finished) == pytest.approx(loud, abs=1e-6)
    for event in finished:
        if event.seconds:
            assert event.at - started[event.clip] == pytest.approx(event.seconds, abs=TICK)
    # A clip that was flushed before its first mark came back has a beginning that is only estimated.
    for before, after in pairwise(started.values()):
        assert before <= after + TICK
