"""What a nurse sees, hears and does, over HTTP; and that it is written down."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from datetime import timedelta
from html import unescape
from pathlib import Path

import aiohttp
import pytest
from sqlalchemy import update

from recordings.reading import open_sealed
from recordings.store import FolderStore
from services.alerts.duty import Duty
from services.database.tables import Alert, DataKey, Patient, Recording, Role
from tests.support.desk_rows import SeededCall, add_call, add_desk_user
from tests.support.desk_server import CHEAP, Browser, RunningDesk, browser, running_desk
from tests.support.rows import NOW, TestClock, add_attempt, add_follow_up, add_patient


@pytest.fixture
def clock() -> TestClock:
    return TestClock(NOW + timedelta(minutes=1))


@pytest.fixture
async def desk(tmp_path: Path, clock: TestClock) -> AsyncIterator[RunningDesk]:
    async with running_desk(tmp_path, clock) as running:
        yield running


@pytest.fixture
async def nurse(desk: RunningDesk) -> AsyncIterator[Browser]:
    await add_desk_user(desk.sessions, CHEAP, NOW, language="en")
    async with browser(desk.url) as opened:
        await opened.sign_in()
        yield opened


@pytest.fixture
async def call(desk: RunningDesk) -> SeededCall:
    return await add_call(desk.sessions, NOW, recordings=desk.recordings)


async def test_nothing_is_shown_to_strangers(desk: RunningDesk, call: SeededCall) -> None:
    async with browser(desk.url) as stranger:
        for path in ("/", "/calls", f"/calls/{call.attempt_id}", "/duty", "/users", "/live"):
            page = await stranger.get(path)
            assert page.path.startswith("/sign-in"), path
            assert "小满" not in page.text
        sound = f"/calls/{call.attempt_id}/recording"
        assert (await stranger.get(sound, {"Accept": "*/*"})).status == 401
        assert (await stranger.post(f"/alerts/{call.alert_id}/acknowledge", {})).path == "/sign-in"
    assert desk.posted.messages == []


async def test_alerts_stand_in_order_of_severity_and_age(desk: RunningDesk, nurse: Browser) -> None:
    for index, (severity, ago) in enumerate(
        [("urgent", 1), ("emergency", 2), ("routine", 9), ("emergency", 5)]
    ):
        at = NOW - timedelta(minutes=ago)
        await add_call(desk.sessions, at, index=index + 1, severity=severity)
    page = (await nurse.get("/")).text
    raised = [page.index(f"Raised 11-23 {time}") for time in ("09:55", "09:58", "09:59", "09:51")]
    assert raised == sorted(raised)
    assert "<title>(4) Alerts" in page
    assert len(await desk.audited("list_alerts")) == 2


async def test_an_alert_is_taken_once_and_everybody_sees_by_whom(
    desk: RunningDesk, nurse: Browser, call: SeededCall
) -> None:
    page = await nurse.post(f"/alerts/{call.alert_id}/acknowledge", {})
    assert (page.status, page.path) == (200, "/")
    assert "No alert is waiting" in page.text
    assert "Taken by 测试nurse, 11-23 10:01" in page.text
    await add_desk_user(desk.sessions, CHEAP, NOW, "late", language="en")
    async with browser(desk.url) as late:
        await late.sign_in("late")
        back = {"back_to_call": "true"}
        page = await late.post(f"/alerts/{call.alert_id}/acknowledge", back)
        assert page.path == f"/calls/{call.attempt_id}"
        assert "Taken by 测试nurse" in page.text
    assert desk.posted.kinds("huifang/v1/alerts") == ["acknowledged"]
    [row] = await desk.audited("acknowledge_alert")
    assert (row.subject_id, row.patient_id) == (call.alert_id, call.patient_id)
    assert (await nurse.post("/alerts/nothing/acknowledge", {})).status == 404


async def test_the_calls_of_a_day_of_the_hospitals_zone(desk: RunningDesk, nurse: Browser) -> None:
    # 10:00 in China is 02:00 UTC; 23:59 the day before and 00:00 are minutes apart.
    midnight = NOW - timedelta(hours=10)
    follow_up = await add_follow_up(desk.sessions, await add_patient(desk.sessions, 1))
    ended = midnight + timedelta(minutes=1)
    for number, (at, disposition) in enumerate(
        [(midnight - timedelta(seconds=1), "busy"), (midnight, "no_answer")]
    ):
        await add_attempt(
            desk.sessions,
            follow_up,
            number=number + 1,
            started_at=at,
            ended_at=ended,
            disposition=disposition,
        )
    today = (await nurse.get("/calls")).text
    assert "No answer" in today
    assert "Busy" not in today
    before = (await nurse.get("/calls?day=2026-11-22")).text
    assert "Busy" in before
    assert "No answer" not in before
    assert (await nurse.get("/calls?day=nonsense")).status == 422
    assert len(await desk.audited("list_calls")) == 2


async def test_one_call_shows_everything(
    desk: RunningDesk, nurse: Browser, call: SeededCall
) -> None:
    page = await nurse.get(f"/calls/{call.attempt_id}")
    text = unescape(page.text)
    for shown in (
        "钱小满",
        "M-0001",
        "01055550001",
        "1953-03-09 (age 73)",
        "Completed",
        "0:32",
        "chest pain",
        "Hear from 0:11",
        'class="mark emergency"',
        "<blockquote>出了一身冷汗</blockquote>",
        "confirmed by read-back",
        "3 of 10",
        "unclear",
        "to be reviewed",
        "agreed",
    ):
        assert shown in text, shown
    assert 'data-start="11.9' in text
    assert text.count('<mark class="emergency">') == 9
    [row] = await desk.audited("read_call")
    assert (row.subject_id, row.patient_id) == (call.attempt_id, call.patient_id)
    assert (await nurse.get("/calls/nothing")).status == 404


async def test_an_alert_from_a_value_is_a_danger_at_its_answer(
    desk: RunningDesk, nurse: Browser, call: SeededCall
) -> None:
    async with desk.sessions.begin() as session:
        session.add(
            Alert(
                attempt_id=call.attempt_id,
                patient_id=call.patient_id,
                number=2,
                severity="urgent",
                stage="unconfirmed",
                question_id="temperature",
                rules=["temperature-39-or-more"],
                findings=[],
                raised_at=NOW,
            )
        )
    text = (await nurse.get(f"/calls/{call.attempt_id}")).text
    assert "temperature-39-or-more" in text
    assert "<blockquote>没烧</blockquote>" in text
    assert "Hear from 0:17" in text
    assert text.count('class="mark urgent"') == 1


async def test_the_recording_streams_decrypted_by_ranges(
    desk: RunningDesk, nurse: Browser, call: SeededCall
) -> None:
    path = f"/calls/{call.attempt_id}/recording"
    store = FolderStore(desk.recordings)
    [name] = [name async for name in store.names()]
    clear = await (await open_sealed(store, name, call.data_key)).read()
    async with desk.sessions() as session:
        row = await session.get_one(Recording, call.recording_id)
        assert hashlib.sha256(clear).hexdigest() == row.sha256
    whole = await nurse.get(path)
    assert (whole.status, whole.body) == (200, clear)
    assert whole.headers["Content-Type"] == 'audio/ogg; codecs="opus"'
    assert whole.headers["Accept-Ranges"] == "bytes"
    size = len(clear)
    for start, end in ((0, 100), (15_990, 16_010), (size - 10, size)):
        part = await nurse.get(path, {"Range": f"bytes={start}-{end - 1}"})
        assert (part.status, part.body) == (206, clear[start:end])
        assert part.headers["Content-Range"] == f"bytes {start}-{end - 1}/{size}"
    beyond = await nurse.get(path, {"Range": f"bytes={size}-"})
    assert (beyond.status, beyond.headers["Content-Range"]) == (416, f"bytes */{size}")
    heard = await desk.audited("hear_recording")
    assert len(heard) == 5
    assert {(row.subject_id, row.patient_id) for row in heard} == {
        (call.recording_id, call.patient_id)
    }


async def test_what_a_role_may_not_do_it_cannot(
    desk: RunningDesk, nurse: Browser, call: SeededCall
) -> None:
    async with desk.sessions.begin() as session:
        await session.execute(
            update(Role).where(Role.name == "nurse").values(permissions=["read_calls"])
        )
    page = await nurse.get(f"/calls/{call.attempt_id}")
    assert "You may not hear recordings" in page.text
    assert "I take this" not in page.text
    assert (await nurse.get(f"/calls/{call.attempt_id}/recording")).status == 403
    assert (await nurse.post(f"/alerts/{call.alert_id}/acknowledge", {})).status == 403
    assert (await nurse.get("/duty")).status == 403
    assert (await nurse.get("/users")).status == 403
    assert await desk.audited("hear_recording") == []


async def test_a_call_without_recording_and_one_that_goes_on(
    desk: RunningDesk, nurse: Browser
) -> None:
    call = await add_call(desk.sessions, NOW, index=2)
    assert "There is no recording" in (await nurse.get(f"/calls/{call.attempt_id}")).text
    assert (await nurse.get(f"/calls/{call.attempt_id}/recording")).status == 404
    follow_up = await add_follow_up(desk.sessions, await add_patient(desk.sessions, 3))
    live = await add_attempt(desk.sessions, follow_up)
    page = (await nurse.get(f"/calls/{live.id}")).text
    assert "Dialling" in page
    assert "data-live" in page


async def test_an_erased_patient_is_gone_from_the_pages(
    desk: RunningDesk, nurse: Browser, call: SeededCall
) -> None:
    async with desk.sessions.begin() as session:
        patient = await session.get_one(Patient, call.patient_id)
        await session.execute(
            update(DataKey).where(DataKey.id == patient.data_key_id).values(wrapped=None)
        )
    assert "(erased patient)" in (await nurse.get("/")).text
    assert "(erased patient)" in (await nurse.get("/calls")).text
    page = await nurse.get(f"/calls/{call.attempt_id}")
    assert page.status == 410
    assert "was erased" in page.text
    assert (await nurse.get(f"/calls/{call.attempt_id}/recording")).status == 410


async def test_a_damaged_recording_is_an_honest_error(
    desk: RunningDesk, nurse: Browser, call: SeededCall
) -> None:
    [path] = [file for file in desk.recordings.rglob("*") if file.is_file()]
    path.write_bytes(path.read_bytes()[:-1])
    page = await nurse.get(f"/calls/{call.attempt_id}/recording")
    assert page.status == 500
    assert "Traceback" not in page.text
    assert "The system failed" in page.text


async def test_duty_is_taken_given_and_ended(
    desk: RunningDesk, nurse: Browser, clock: TestClock
) -> None:
    duty = Duty(desk.sessions)
    assert "No patient is called" in (await nurse.get("/calls")).text
    page = await nurse.post("/duty", {"hours": "8"})
    assert page.path == "/duty"
    assert "until 11-23 18:01" in page.text
    assert "No patient is called" not in page.text
    assert await duty.somebody_on_duty(clock() + timedelta(hours=7, minutes=59))
    assert not await duty.somebody_on_duty(clock() + timedelta(hours=8))
    assert "No patient is called" in (await nurse.post("/duty/end", {})).text
    assert not await duty.somebody_on_duty(clock())
    for hours in ("0", "25", "x"):
        assert (await nurse.post("/duty", {"hours": hours})).status == 422
    other = await add_desk_user(desk.sessions, CHEAP, NOW, "head", "supervisor", "en")
    assert (await nurse.post("/duty", {"hours": "1", "user_id": other})).status == 403
    async with browser(desk.url) as head:
        await head.sign_in("head")
        assert (await head.post("/duty", {"hours": "1", "user_id": "nobody"})).status == 422
        assert (await head.post("/duty", {"hours": "1", "user_id": other})).status == 200
    assert await duty.on_duty(clock()) == (other,)
    assert len(await desk.audited("take_duty")) == 2
    assert len(await desk.audited("end_duty")) == 1


async def test_a_new_alert_is_announced_at_once_and_without_a_word_about_it(
    desk: RunningDesk, nurse: Browser
) -> None:
    async with nurse.stream("/live") as events:
        assert await events.readuntil(b"\n\n") == b"event: changed\ndata:\n\n"
        await add_call(desk.sessions, NOW)
        async with asyncio.timeout(10):
            assert await events.readuntil(b"\n\n") == b"event: changed\ndata:\n\n"


async def test_the_stream_ends_with_the_session(
    desk: RunningDesk, nurse: Browser, clock: TestClock
) -> None:
    async with nurse.stream("/live") as events:
        await events.readuntil(b"\n\n")
        clock.pass_(hours=13)
        desk.changes.tell()
        await add_call(desk.sessions, NOW)
        async with asyncio.timeout(10):
            assert await events.read() == b""


async def test_a_failure_shows_no_traceback(
    desk: RunningDesk, nurse: Browser, call: SeededCall
) -> None:
    async with desk.sessions.begin() as session:
        await session.execute(update(Patient).values(mrn_sealed=b"broken"))
    page = await nurse.get(f"/calls/{call.attempt_id}")
    assert page.status == 500
    assert "The system failed" in page.text
    assert "Unreadable" not in page.text


async def test_a_client_that_is_no_browser_gets_no_redirect_to_a_page(desk: RunningDesk) -> None:
    async with aiohttp.ClientSession() as client, client.get(desk.url + "/live") as answer:
        assert answer.status == 401
