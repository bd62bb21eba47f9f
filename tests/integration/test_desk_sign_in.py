"""Who gets in, and what a foreign page cannot do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from http.cookies import Morsel
from pathlib import Path

import aiohttp
import pytest
from sqlalchemy import select, update

from services.database.tables import User, WebSession
from services.security.first_administrator import offer_setup
from services.security.tokens import token_hash
from tests.support.desk_rows import PASSWORD, add_desk_user
from tests.support.desk_server import CHEAP, Browser, RunningDesk, browser, running_desk
from tests.support.rows import NOW, TestClock


@pytest.fixture
def clock() -> TestClock:
    return TestClock()


@pytest.fixture
async def desk(tmp_path: Path, clock: TestClock) -> AsyncIterator[RunningDesk]:
    async with running_desk(tmp_path, clock) as running:
        yield running


@pytest.fixture
async def visitor(desk: RunningDesk) -> AsyncIterator[Browser]:
    async with browser(desk.url) as opened:
        yield opened


SETUP = {"name": "Ada Example", "login": "Ada ", "password": PASSWORD, "again": PASSWORD}


async def test_the_set_up_link_makes_one_administrator(
    desk: RunningDesk, visitor: Browser, clock: TestClock
) -> None:
    token = await offer_setup(desk.sessions, clock)
    assert token is not None
    assert "Make and sign in" in (await visitor.get(f"/setup?token={token}")).text
    page = await visitor.post("/setup", SETUP | {"token": token})
    assert (page.status, page.path) == (200, "/")
    async with desk.sessions() as session:
        user = (await session.scalars(select(User))).one()
    assert (user.login, user.role, user.language) == ("ada", "administrator", "en")
    assert user.password_hash.startswith("$argon2id$")
    again = await visitor.post("/setup", SETUP | {"token": token, "login": "eve"})
    assert again.status == 403
    assert (await visitor.get(f"/setup?token={token}")).status == 403
    assert await offer_setup(desk.sessions, clock) is None
    assert len(await desk.audited("set_up")) == 1


async def test_of_two_who_use_the_link_at_once_one_gets_in(
    desk: RunningDesk, clock: TestClock
) -> None:
    token = await offer_setup(desk.sessions, clock)
    assert token is not None

    async def use(login: str) -> int:
        async with browser(desk.url) as someone:
            form = SETUP | {"token": token, "login": login}
            return (await someone.post("/setup", form)).status

    assert sorted(await asyncio.gather(use("a"), use("b"), use("c"))) == [200, 403, 403]


async def test_a_set_up_link_grows_old_and_is_replaced(
    desk: RunningDesk, visitor: Browser, clock: TestClock
) -> None:
    first = await offer_setup(desk.sessions, clock)
    second = await offer_setup(desk.sessions, clock)
    assert (await visitor.get(f"/setup?token={first}")).status == 403
    assert (await visitor.get(f"/setup?token={second}")).status == 200
    clock.pass_(hours=25)
    assert (await visitor.post("/setup", SETUP | {"token": str(second)})).status == 403
    assert (await visitor.get("/setup")).status == 403


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"password": "short", "again": "short"}, "at least ten"),
        ({"again": "another password"}, "differ"),
        ({"name": " "}, "needed"),
    ],
)
async def test_a_poor_administrator_is_refused_and_the_link_stays_good(
    desk: RunningDesk, visitor: Browser, clock: TestClock, changed: dict[str, str], message: str
) -> None:
    token = str(await offer_setup(desk.sessions, clock))
    page = await visitor.post("/setup", SETUP | {"token": token} | changed)
    assert page.status == 422
    assert message in page.text
    assert PASSWORD not in page.text
    assert (await visitor.get(f"/setup?token={token}")).status == 200


async def test_signing_in_and_out(desk: RunningDesk, visitor: Browser, clock: TestClock) -> None:
    user_id = await add_desk_user(desk.sessions, CHEAP, NOW)
    assert (await visitor.get("/calls")).path == "/sign-in?next=/calls"
    form = {"login": "Nurse", "password": PASSWORD, "next": "/calls"}
    assert (await visitor.post("/sign-in", form)).path == "/calls"
    async with desk.sessions() as session:
        kept = (await session.scalars(select(WebSession))).one()
    cookie = _cookie(visitor)
    assert kept.token_hash == token_hash(cookie.value)
    assert cookie["httponly"]
    assert cookie["samesite"] == "lax"
    assert (await visitor.post("/sign-out", {})).path == "/sign-in"
    async with desk.sessions() as session:
        assert (await session.scalars(select(WebSession))).all() == []
    async with aiohttp.ClientSession(cookies={"huifang_session": cookie.value}) as thief:
        answer = await thief.get(desk.url + "/", allow_redirects=False)
        assert answer.status == 401
    assert [row.user_id for row in await desk.audited("sign_in")] == [user_id]
    assert [row.user_id for row in await desk.audited("sign_out")] == [user_id]


async def test_a_wrong_password_and_an_unknown_login_look_the_same(
    desk: RunningDesk, visitor: Browser
) -> None:
    user_id = await add_desk_user(desk.sessions, CHEAP, NOW)
    wrong = await visitor.post("/sign-in", {"login": "nurse", "password": "wrong"})
    unknown = await visitor.post("/sign-in", {"login": "nobody", "password": "wrong"})
    assert (wrong.status, unknown.status) == (401, 401)
    assert wrong.text == unknown.text
    assert [row.user_id for row in await desk.audited("sign_in_refused")] == [user_id, None]


async def test_guessing_is_slowed_down_and_the_right_password_waits_too(
    desk: RunningDesk, visitor: Browser, clock: TestClock
) -> None:
    await add_desk_user(desk.sessions, CHEAP, NOW)
    for _ in range(5):
        assert (await visitor.post("/sign-in", {"login": "nurse", "password": "x"})).status == 401
    slowed = await visitor.sign_in()
    assert slowed.status == 429
    assert slowed.headers["Retry-After"] == "1"
    clock.pass_(seconds=1)
    assert (await visitor.sign_in()).path == "/"


async def test_guesses_at_the_same_time_count(desk: RunningDesk) -> None:
    await add_desk_user(desk.sessions, CHEAP, NOW)

    async def guess() -> int:
        async with browser(desk.url) as someone:
            form = {"login": "nurse", "password": "x"}
            return (await someone.post("/sign-in", form)).status

    statuses = await asyncio.gather(*(guess() for _ in range(12)))
    assert statuses.count(401) == 5


async def test_a_session_ends_after_a_shift_and_when_the_user_is_stopped(
    desk: RunningDesk, visitor: Browser, clock: TestClock
) -> None:
    await add_desk_user(desk.sessions, CHEAP, NOW)
    await visitor.sign_in()
    clock.pass_(hours=11, minutes=59)
    assert (await visitor.get("/")).path == "/"
    clock.pass_(minutes=2)
    assert (await visitor.get("/")).path == "/sign-in"
    await visitor.sign_in()
    assert (await visitor.get("/")).path == "/"
    async with desk.sessions.begin() as session:
        await session.execute(update(User).values(active=False))
    assert (await visitor.get("/")).path == "/sign-in"
    assert (await visitor.sign_in()).status == 401


@pytest.mark.parametrize(
    "leads_away", ["//evil.example", "https://evil.example", "/\\evil", "evil"]
)
async def test_signing_in_never_leads_elsewhere(
    desk: RunningDesk, visitor: Browser, leads_away: str
) -> None:
    await add_desk_user(desk.sessions, CHEAP, NOW)
    form = {"login": "nurse", "password": PASSWORD, "next": leads_away}
    assert (await visitor.post("/sign-in", form)).path == "/"


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
async def test_a_form_of_another_site_is_refused(
    desk: RunningDesk, visitor: Browser, headers: dict[str, str]
) -> None:
    await add_desk_user(desk.sessions, CHEAP, NOW)
    form = {"login": "nurse", "password": PASSWORD}
    assert (await visitor.post("/sign-in", form, headers)).status == 403
    await visitor.sign_in()
    assert (await visitor.post("/duty", {"hours": "8"}, headers)).status == 403


@pytest.mark.parametrize("csrf", ["", "0" * 64, "汉"])
async def test_a_form_without_the_sessions_token_is_refused(
    desk: RunningDesk, visitor: Browser, csrf: str
) -> None:
    await add_desk_user(desk.sessions, CHEAP, NOW)
    await visitor.sign_in()
    assert (await visitor.post("/duty", {"hours": "8", "csrf": csrf})).status == 403
    assert "现在没有人值班" in (await visitor.get("/duty")).text


async def test_every_answer_is_guarded(desk: RunningDesk, visitor: Browser) -> None:
    await add_desk_user(desk.sessions, CHEAP, NOW)
    for path in ("/sign-in", "/setup", "/nothing", "/static/desk.js", "/static/nothing"):
        headers = (await visitor.get(path)).headers
        assert "default-src 'none'" in headers["Content-Security-Policy"], path
        assert "unsafe" not in headers["Content-Security-Policy"]
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
        assert headers["Cache-Control"] == "no-store"
        assert headers["X-Content-Type-Options"] == "nosniff"
    page = await visitor.sign_in()
    assert "<script>" not in page.text
    assert "style=" not in page.text


async def test_language_follows_the_browser_then_the_user(desk: RunningDesk) -> None:
    await add_desk_user(desk.sessions, CHEAP, NOW, language="zh")
    async with browser(desk.url, "en") as visitor:
        assert "Sign in" in (await visitor.get("/sign-in")).text
        assert "没有等待处理的警报" in (await visitor.sign_in()).text
        page = await visitor.post("/language", {"language": "en", "next": "/duty"})
        assert page.path == "/duty"
        assert 'lang="en"' in page.text
        assert (await visitor.post("/language", {"language": "xx"})).status == 422


async def test_users_are_managed_by_administrators_only(
    desk: RunningDesk, visitor: Browser
) -> None:
    await add_desk_user(desk.sessions, CHEAP, NOW, "boss", "administrator", "en")
    await add_desk_user(desk.sessions, CHEAP, NOW, "nurse", "nurse", "en")
    await visitor.sign_in("boss")
    new = {"name": "New Example", "login": "new", "role": "nurse", "password": PASSWORD}
    assert (await visitor.post("/users", new)).status == 200
    assert "is taken" in (await visitor.post("/users", new | {"login": "NEW"})).text
    assert (await visitor.post("/users", new | {"login": "x", "role": "king"})).status == 422
    async with browser(desk.url) as other:
        assert (await other.sign_in("new")).path == "/"
        async with desk.sessions() as session:
            ids = {user.login: user.id for user in await session.scalars(select(User))}
        await visitor.post(f"/users/{ids['new']}/active", {"active": "false"})
        assert (await other.get("/")).path == "/sign-in"
        assert (await visitor.post(f"/users/{ids['boss']}/active", {"active": "no"})).status == 422
        await other.sign_in("nurse")
        assert (await other.get("/users")).status == 403
        assert (await other.post("/users", new)).status == 403
    assert len(await desk.audited("add_user")) == 1
    assert len(await desk.audited("change_user")) == 1


def _cookie(visitor: Browser) -> Morsel[str]:
    return next(c for c in visitor.cookies if c.key == "huifang_session")
