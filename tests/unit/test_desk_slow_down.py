from __future__ import annotations

from services.web.slow_down import SlowDown
from tests.support.rows import TestClock


def test_five_failures_are_free_then_the_wait_doubles_up_to_five_minutes() -> None:
    clock = TestClock()
    slow = SlowDown(clock)
    waits = []
    for _ in range(16):
        waits.append(slow.wait("login a"))
        slow.failed("login a")
        clock.pass_(seconds=slow.wait("login a"))
    assert waits == [0.0] * 16
    slow.failed("login a")
    assert slow.wait("login a") == 300
    assert slow.wait("login b") == 0
    assert slow.wait("login b", "login a") == 300


def test_the_sixth_try_waits_a_second() -> None:
    slow = SlowDown(TestClock())
    for _ in range(4):
        slow.failed("login a")
    assert slow.wait("login a") == 0
    slow.failed("login a")
    assert slow.wait("login a") == 1
    slow.failed("login a")
    assert slow.wait("login a") == 2


def test_success_and_time_forget() -> None:
    clock = TestClock()
    slow = SlowDown(clock)
    for _ in range(9):
        slow.failed("login a", "login b")
    slow.succeeded("login a")
    assert slow.wait("login a") == 0
    clock.pass_(minutes=31)
    slow.failed("login b")
    assert slow.wait("login b") == 0


def test_memory_is_bounded() -> None:
    slow = SlowDown(TestClock())
    for number in range(10_050):
        slow.failed(f"login {number}")
    assert len(slow._failures) == 10_000
