"""The desk on a real socket, with rows in SQLite and recordings in a folder."""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http.cookies import Morsel
from pathlib import Path
from zoneinfo import ZoneInfo

import aiohttp
import uvicorn
from argon2 import PasswordHasher
from sqlalchemy import select

from recordings.store import FolderStore
from services.alerts.changes import Changes
from services.alerts.duty import Duty
from services.alerts.raising import AlertDesk
from services.clock import Clock
from services.database.migration import migrate
from services.database.session import Sessions, connect, sessions_of
from services.database.tables import Audit
from services.security.passwords import Passwords
from services.web.app import create
from services.web.desk import DeskServices
from tests.support.desk_rows import PASSWORD
from tests.support.outgoing import Posted
from tests.support.rows import RING

CHEAP = Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
"""Argon2id at a cost that tests can pay."""


@dataclass(frozen=True)
class RunningDesk:
    """A desk that answers at ``url``."""

    url: str
    sessions: Sessions
    recordings: Path
    changes: Changes
    posted: Posted

    async def audited(self, action: str) -> list[Audit]:
        """The audit rows of an action, the oldest first."""
        async with self.sessions() as session:
            query = select(Audit).where(Audit.action == action).order_by(Audit.at)
            return list(await session.scalars(query))


@asynccontextmanager
async def running_desk(folder: Path, clock: Clock) -> AsyncIterator[RunningDesk]:
    """Serve a fresh desk on a free port of this machine."""
    engine = connect(await _migrated(folder / "desk.db"))
    sessions = sessions_of(engine)
    changes = Changes(sessions, poll_seconds=0.1)
    posted = Posted()
    services = DeskServices(
        sessions=sessions,
        keys=RING,
        recordings=FolderStore(folder / "recordings"),
        alerts=AlertDesk(sessions, posted, changes, clock),
        changes=changes,
        duty=Duty(sessions),
        clock=clock,
        zone=ZoneInfo("Asia/Shanghai"),
        passwords=CHEAP,
    )
    config = uvicorn.Config(
        create(services), log_level="error", access_log=False, timeout_graceful_shutdown=1
    )
    server = uvicorn.Server(config)
    listening = socket.create_server(("127.0.0.1", 0))
    address = f"http://127.0.0.1:{listening.getsockname()[1]}"
    serving = asyncio.create_task(server.serve([listening]))
    async with asyncio.timeout(20):
        # The socket listens already: the first answer comes as soon as the server has started.
        async with aiohttp.ClientSession() as session, session.get(f"{address}/sign-in"):
            pass
    try:
        yield RunningDesk(address, sessions, folder / "recordings", changes, posted)
    finally:
        server.should_exit = True
        await serving
        await engine.dispose()


_empty_database: bytes | None = None


async def _migrated(file: Path) -> str:
    """Make a database with all tables; migrated once, then copied, because tests need many."""
    global _empty_database
    url = f"sqlite+aiosqlite:///{file}"
    if _empty_database is None:
        await migrate(url)
        _empty_database = await asyncio.to_thread(file.read_bytes)
    await asyncio.to_thread(file.write_bytes, _empty_database)
    return url


class Browser:
    """A client that keeps cookies and sends forms as a page of the desk would."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session = session
        self.url = url
        self.csrf = ""

    @property
    def cookies(self) -> Iterator[Morsel[str]]:
        """What the desk left here."""
        return iter(self._session.cookie_jar)

    async def get(self, path: str, headers: Mapping[str, str] | None = None) -> Page:
        """Fetch a page; redirects are followed."""
        headers = {"Accept": "text/html"} | dict(headers or {})
        async with self._session.get(self.url + path, headers=headers) as answer:
            return self._seen(await Page.of(answer))

    async def post(
        self, path: str, form: Mapping[str, str], headers: Mapping[str, str] | None = None
    ) -> Page:
        """Send a form; what it redirects to is fetched."""
        headers = {"Origin": self.url, "Accept": "text/html"} | dict(headers or {})
        content = {"csrf": self.csrf} | dict(form)
        async with self._session.post(self.url + path, data=content, headers=headers) as answer:
            return self._seen(await Page.of(answer))

    async def sign_in(self, login: str = "nurse") -> Page:
        """Sign in with the tests' password."""
        return await self.post("/sign-in", {"login": login, "password": PASSWORD})

    @asynccontextmanager
    async def stream(self, path: str) -> AsyncIterator[aiohttp.StreamReader]:
        """Read an answer while it comes."""
        async with self._session.get(self.url + path) as answer:
            yield answer.content

    def _seen(self, page: Page) -> Page:
        found = re.search(r'name="csrf" value="(\w+)"', page.text)
        self.csrf = found.group(1) if found else self.csrf
        return page


@dataclass(frozen=True)
class Page:
    """An answer."""

    status: int
    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        """The body as text; empty for sound."""
        return self.body.decode("utf-8", "ignore")

    @classmethod
    async def of(cls, answer: aiohttp.ClientResponse) -> Page:
        """Read an answer to its end."""
        return cls(answer.status, answer.url.path_qs, answer.headers, await answer.read())


@asynccontextmanager
async def browser(url: str, language: str = "en") -> AsyncIterator[Browser]:
    """Open a browser of its own cookies."""
    # Cookies of 127.0.0.1 are kept only by an unsafe jar (RFC 6265 knows no cookies of addresses).
    jar = aiohttp.CookieJar(unsafe=True)
    headers = {"Accept-Language": language}
    async with aiohttp.ClientSession(cookie_jar=jar, headers=headers) as session:
        yield Browser(session, url)
