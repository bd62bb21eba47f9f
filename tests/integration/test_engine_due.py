"""Who may be called now, and what the end of a call means for the follow-up."""

from __future__ import annotations

from datetime import time, timedelta

import pytest
from sqlalchemy import select

from dialer.outcomes import CallResult
from scripts.turns import Disposition
from services.alerts.changes import Changes
from services.calls.calling_window import CallingWindow
from services.calls.ending import Endings
from services.calls.followups import FollowUps, NewFollowUp, Ticket
from services.calls.retry import load_policy
from services.database.session import Sessions
from services.database.tables import (
    FollowUp,
    FollowUpState,
    OptOutRow,
    PhoneNumber,
)
from services.security.sealing import SearchHash
from tests.support.outgoing import Posted
from tests.support.rows import (
    INVENTED,
    NOW,
    RING,
    TestClock,
    add_attempt,
    add_follow_up,
    add_patient,
    add_script,
    number_id_of,
    put_on_duty,
)


@pytest.fixture
def clock() -> TestClock:
    return TestClock()


@pytest.fixture
async def follow_ups(sessions: Sessions, clock: TestClock) -> FollowUps:
    await put_on_duty(sessions, ends_at=NOW + timedelta(days=30))
    return FollowUps(sessions, CallingWindow(time(9, 0), time(19, 30)), clock)


async def claimed(follow_ups: FollowUps, lines: int = 9) -> list[str]:
    return [ticket.follow_up_id for ticket in await follow_ups.claim_due(lines)]


async def test_the_most_urgent_first_and_no_more_than_lines(
    sessions: Sessions, follow_ups: FollowUps
) -> None:
    by_priority = {
        priority: (
            await add_follow_up(sessions, await add_patient(sessions, priority), priority=priority)
        ).id
        for priority in (4, 2, 9, 1)
    }
    assert await claimed(follow_ups, lines=3) == [by_priority[1], by_priority[2], by_priority[4]]
    assert await claimed(follow_ups, lines=3) == []
    assert await claimed(follow_ups, lines=4) == [by_priority[9]]


async def test_not_before_it_is_due_nor_after_it_expired(
    sessions: Sessions, follow_ups: FollowUps, clock: TestClock
) -> None:
    hour = timedelta(hours=1)
    row = await add_follow_up(sessions, due_at=NOW + hour, expires_at=NOW + 3 * hour)
    assert await claimed(follow_ups) == []
    clock.pass_(hours=3)
    assert await claimed(follow_ups) == []
    assert await follow_ups.give_up_expired() == 1
    assert (await state_of(sessions, row)).state == "given_up"
    clock.pass_(hours=-2)
    assert await claimed(follow_ups) == []


async def test_only_while_the_window_is_open_where_the_patient_lives(
    sessions: Sessions, follow_ups: FollowUps, clock: TestClock
) -> None:
    zones = {"Asia/Shanghai": 1, "Europe/London": 2, "Middle/Earth": 3}
    ids = {
        zone: (await add_follow_up(sessions, await add_patient(sessions, index, time_zone=zone))).id
        for zone, index in zones.items()
    }
    assert await claimed(follow_ups) == [ids["Asia/Shanghai"]]
    clock.pass_(hours=8)
    assert await claimed(follow_ups) == [ids["Europe/London"]]


async def test_a_person_may_have_a_call_placed_outside_the_window(
    sessions: Sessions, follow_ups: FollowUps, clock: TestClock
) -> None:
    row = await add_follow_up(sessions, ignore_window=True)
    clock.pass_(hours=12)
    assert await claimed(follow_ups) == [row.id]


async def test_whoever_opted_out_is_not_called(sessions: Sessions, follow_ups: FollowUps) -> None:
    patient = await add_patient(sessions)
    await add_follow_up(sessions, patient)
    async with sessions.begin() as session:
        session.add(OptOutRow(patient_id=patient, at=NOW))
    assert await claimed(follow_ups) == []


async def test_a_number_that_opted_out_is_not_dialled_for_anybody(
    sessions: Sessions, follow_ups: FollowUps
) -> None:
    await add_follow_up(sessions)
    number_hash = SearchHash(RING.search_key).of("number", INVENTED.numbers[0])
    async with sessions.begin() as session:
        session.add(OptOutRow(number_hash=number_hash, at=NOW))
    assert await claimed(follow_ups) == []


async def test_without_a_valid_number_nobody_is_called(
    sessions: Sessions, follow_ups: FollowUps
) -> None:
    patient = await add_patient(sessions)
    await add_follow_up(sessions, patient)
    async with sessions.begin() as session:
        number = await session.get_one(PhoneNumber, await number_id_of(sessions, patient))
        number.valid = False
    assert await claimed(follow_ups) == []


async def test_one_call_at_a_time_for_each_patient(
    sessions: Sessions, follow_ups: FollowUps
) -> None:
    patient = await add_patient(sessions)
    later = await add_follow_up(sessions, patient, priority=5)
    sooner = await add_follow_up(sessions, patient, priority=1)
    assert await claimed(follow_ups) == [sooner.id]
    assert await claimed(follow_ups) == []
    live = await add_attempt(sessions, sooner)
    async with sessions.begin() as session:
        (await session.get_one(FollowUp, sooner.id)).state = FollowUpState.CANCELLED
    assert await claimed(follow_ups) == []
    async with sessions.begin() as session:
        (await session.get_one(type(live), live.id)).ended_at = NOW
    assert await claimed(follow_ups) == [later.id]


async def test_cancelled_means_not_called(sessions: Sessions, follow_ups: FollowUps) -> None:
    row = await add_follow_up(sessions)
    assert await follow_ups.cancel(row.id)
    assert await claimed(follow_ups) == []
    assert not await follow_ups.cancel(row.id)


async def test_planning(sessions: Sessions, follow_ups: FollowUps) -> None:
    patient, script = await add_patient(sessions), await add_script(sessions)
    new = NewFollowUp(patient, script, "zh", NOW, NOW + timedelta(days=1), priority=2)
    planned = await follow_ups.plan(new)
    assert await claimed(follow_ups) == [planned]
    with pytest.raises(ValueError, match="must expire after"):
        await follow_ups.plan(NewFollowUp(patient, script, "zh", NOW, NOW))


async def test_a_script_is_kept_once_for_each_wording(follow_ups: FollowUps) -> None:
    first = await follow_ups.keep_script("check", "1", "id: check")
    assert await follow_ups.keep_script("check", "1", "id: check") == first
    assert await follow_ups.keep_script("check", "1", "id: check # reworded") != first


async def state_of(sessions: Sessions, follow_up: FollowUp) -> FollowUp:
    async with sessions() as session:
        return await session.get_one(FollowUp, follow_up.id)


class Ending:
    """Ends the attempts of one follow-up, one after the other."""

    def __init__(self, sessions: Sessions, clock: TestClock, follow_ups: FollowUps) -> None:
        self.posted = Posted()
        self.endings = Endings(sessions, load_policy(), self.posted, Changes(sessions), clock)
        self._sessions = sessions
        self._follow_ups = follow_ups

    async def after(self, follow_up: FollowUp, disposition: Disposition) -> FollowUp:
        """Claim, attempt, end; return the follow-up as it stands then."""
        (ticket,) = await self._follow_ups.claim_due(9)
        attempt = await add_attempt(self._sessions, follow_up, number=ticket.number)
        assert await self.endings.end(attempt.id, CallResult(disposition))
        assert not await self.endings.end(attempt.id, CallResult(Disposition.COMPLETED))
        return await state_of(self._sessions, follow_up)


@pytest.fixture
def ending(sessions: Sessions, clock: TestClock, follow_ups: FollowUps) -> Ending:
    return Ending(sessions, clock, follow_ups)


async def test_a_busy_patient_is_called_again_and_then_given_to_a_person(
    sessions: Sessions, ending: Ending, clock: TestClock
) -> None:
    row = await add_follow_up(sessions)
    waits = []
    while (after := await ending.after(row, Disposition.BUSY)).state == "planned":
        waits.append((after.due_at - clock()) / timedelta(minutes=1))
        clock.at = after.due_at
    assert waits == [15, 60, 240]
    assert (after.state, after.disposition, after.attempts) == ("given_up", "busy", 4)


async def test_an_attempt_ends_once_and_is_told_once(sessions: Sessions, ending: Ending) -> None:
    row = await add_follow_up(sessions)
    after = await ending.after(row, Disposition.REFUSED)
    assert (after.state, after.disposition) == ("done", "refused")
    assert ending.posted.contents("huifang/v1/calls/")[0]["disposition"] == "refused"
    assert len(ending.posted.messages) == 1


async def test_after_an_invalid_number_the_next_one_is_tried(
    sessions: Sessions, ending: Ending
) -> None:
    patient = await add_patient(sessions, numbers=("01055550001", "01055550002"))
    row = await add_follow_up(sessions, patient)
    after = await ending.after(row, Disposition.INVALID_NUMBER)
    assert (after.state, after.due_at) == ("planned", NOW)
    async with sessions() as session:
        numbers = await session.scalars(select(PhoneNumber).order_by(PhoneNumber.position))
        assert [number.valid for number in numbers] == [False, True]


async def test_when_the_only_number_is_invalid_a_person_sees_to_it(
    sessions: Sessions, ending: Ending
) -> None:
    row = await add_follow_up(sessions)
    after = await ending.after(row, Disposition.INVALID_NUMBER)
    assert after.state == "given_up"
    async with sessions() as session:
        number = await session.get_one(PhoneNumber, await number_id_of(sessions, row.patient_id))
        assert not number.valid


async def test_a_follow_up_cancelled_during_the_call_stays_cancelled(
    sessions: Sessions, ending: Ending, follow_ups: FollowUps
) -> None:
    row = await add_follow_up(sessions)
    (ticket,) = await follow_ups.claim_due(9)
    attempt = await add_attempt(sessions, row, number=ticket.number)
    await follow_ups.cancel(row.id)
    await ending.endings.end(attempt.id, CallResult(Disposition.NO_ANSWER))
    assert (await state_of(sessions, row)).state == "cancelled"


async def test_release_never_touches_a_ticket_that_was_used(
    sessions: Sessions, follow_ups: FollowUps
) -> None:
    row = await add_follow_up(sessions)
    (ticket,) = await follow_ups.claim_due(9)
    await follow_ups.release(Ticket(row.id, ticket.number + 1))
    assert (await state_of(sessions, row)).state == "queued"
    attempt = await add_attempt(sessions, row, number=ticket.number)
    await follow_ups.release(ticket)
    assert (await state_of(sessions, row)).state == "queued"
    async with sessions.begin() as session:
        await session.delete(await session.get_one(type(attempt), attempt.id))
    await follow_ups.release(ticket)
    assert (await state_of(sessions, row)).state == "planned"
