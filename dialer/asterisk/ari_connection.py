"""The connection to Asterisk's REST interface (ARI): HTTP for commands, one WebSocket for events.

Each worker process uses an application name of its own: a second subscriber to a name takes it over
and leaves the first one open and mute. The event socket reconnects by itself with growing pauses;
whoever uses the client is told of every (re)connection and reconciles then, because what happened
in between is not repeated.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import logging
import re
from collections.abc import Callable, Mapping
from typing import Any

import aiohttp

from dialer.asterisk.ari_events import EVENT_TYPES, ApplicationReplaced, Event, parse_event
from dialer.line import LineError, LineUnavailable

log = logging.getLogger(__name__)

OLDEST = (22, 8)
"""First release with media marks and JSON control messages on chan_websocket."""
_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 5.0
_HEARTBEAT = 15.0


class AriError(LineError):
    """Asterisk answered a command with an error.

    ``status`` is the HTTP status. Nothing of the request's content is in the message.
    """

    def __init__(self, status: int, command: str, reason: str) -> None:
        super().__init__(f"Asterisk refused {command}: {status} {reason}", retryable=status >= 500)
        self.status = status


class UnfitSwitch(LineError):
    """This Asterisk cannot carry our calls; the message says what it lacks."""

    def __init__(self, message: str) -> None:
        super().__init__(message, retryable=False)


class AriConnection:
    """A connection to one Asterisk under one application name.

    Args:
        url: base URL, ``http://host:8088``.
        user: name of the section in ``ari.conf``.
        password: its password.
        application: Stasis application name, unique to this process.
        time_limit: seconds a command may take.
    """

    def __init__(
        self, url: str, user: str, password: str, application: str, *, time_limit: float = 10.0
    ) -> None:
        self.application = application
        """Stasis application name."""
        self.version = ""
        self.replaced = False
        """Another process took the application name over; nothing is heard here any more."""
        self.url = url.rstrip("/")
        token = base64.b64encode(f"{user}:{password}".encode()).decode()
        self._authorization = f"Basic {token}"
        self._time_limit = time_limit
        self._http: aiohttp.ClientSession | None = None
        self._listening: asyncio.Task[None] | None = None
        self._connected = asyncio.Event()
        self._on_event: Callable[[Event], None] = lambda _: None
        self._on_connected: Callable[[], None] = lambda: None

    @property
    def connected(self) -> bool:
        """Whether events arrive at present."""
        return self._connected.is_set() and not self.replaced

    async def open(
        self, on_event: Callable[[Event], None], on_connected: Callable[[], None]
    ) -> None:
        """Check the switch and subscribe to its events.

        Args:
            on_event: called with each event, in order; must not block.
            on_connected: called after every connection, the first included.

        Raises:
            UnfitSwitch: too old, or chan_websocket is not loaded.
            LineUnavailable: not reachable.
        """
        self._on_event, self._on_connected = on_event, on_connected
        self._http = aiohttp.ClientSession(
            headers={"Authorization": self._authorization},
            connector=aiohttp.TCPConnector(limit=64, keepalive_timeout=10),
            timeout=aiohttp.ClientTimeout(total=self._time_limit),
        )
        try:
            await self._check()
            self._listening = asyncio.create_task(self._listen(), name="ari-events")
            async with asyncio.timeout(self._time_limit):
                await self._connected.wait()
        except TimeoutError as error:
            await self.close()
            raise LineUnavailable("Asterisk's event socket does not open") from error
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Stop listening and close every connection. Channels are left as they are."""
        if self._listening is not None:
            self._listening.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._listening
            self._listening = None
        self._connected.clear()
        http, self._http = self._http, None
        if http is not None:
            await http.close()

    def session(self) -> aiohttp.ClientSession:
        """The HTTP session. LineUnavailable: the connection is closed."""
        if self._http is None:
            raise LineUnavailable("the connection to Asterisk is closed")
        return self._http

    async def _check(self) -> None:
        info = await self.command("GET", "/asterisk/info")
        self.version = str(info["system"]["version"])
        if release(self.version) < OLDEST:
            raise UnfitSwitch(
                f"Asterisk {self.version} is too old: 22.8 or newer is needed "
                "(`huifang asterisk get` unpacks one for trying)"
            )
        try:
            module = await self.command("GET", "/asterisk/modules/chan_websocket.so")
        except AriError as error:
            if error.status != 404:
                raise
            module = {"status": "not loaded"}
        if module["status"] != "Running":
            raise UnfitSwitch("Asterisk has chan_websocket.so not running: load it in modules.conf")

    async def command(
        self, method: str, path: str, body: Mapping[str, object] | None = None
    ) -> Any:
        """One REST command. Arguments travel in the body, so that no URL holds a number."""
        try:
            async with self.session().request(method, f"{self.url}/ari{path}", json=body) as answer:
                text = await answer.text()
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise LineUnavailable(
                f"Asterisk does not answer ({type(error).__name__}): is it running, "
                "and is ari_url right?"
            ) from error
        if answer.status == 401:
            raise UnfitSwitch("Asterisk refuses the ARI user or password: compare ari.conf")
        if answer.status >= 400:
            raise AriError(answer.status, f"{method} {_shape(path)}", answer.reason or "")
        return json.loads(text) if text else None

    async def _listen(self) -> None:
        pause = _FIRST_PAUSE
        while not self.replaced:
            try:
                async with self.session().ws_connect(
                    f"{self.url}/ari/events",
                    params={"app": self.application, "subscribeAll": "false"},
                    heartbeat=_HEARTBEAT,
                    max_msg_size=0,
                ) as socket:
                    await self._filter_events()
                    pause = _FIRST_PAUSE
                    self._connected.set()
                    self._on_connected()
                    await self._receive(socket)
                log.warning("Asterisk closed the event socket")
            except (aiohttp.ClientError, OSError, TimeoutError, LineError) as error:
                log.warning("no event socket to Asterisk (%s)", type(error).__name__)
            self._connected.clear()
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)

    async def _filter_events(self) -> None:
        """Ask for what we act on only: unfiltered, Asterisk's queue overflows under load."""
        allowed = [{"type": kind} for kind in EVENT_TYPES]
        await self.command(
            "PUT", f"/applications/{self.application}/eventFilter", {"allowed": allowed}
        )

    async def _receive(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        async for message in socket:
            if message.type is not aiohttp.WSMsgType.TEXT:
                continue
            event = parse_event(message.data)
            if isinstance(event, ApplicationReplaced):
                log.error("another process took over the ARI application %s", self.application)
                self.replaced = True
                return
            if event is not None:
                self._on_event(event)


def release(version: str) -> tuple[int, int]:
    """Major and minor number of a version line (``22.10.1+dfsg…``); (0, 0) if unreadable."""
    found = re.search(r"(\d+)\.(\d+)", version)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def _shape(path: str) -> str:
    """A path without ids, for messages."""
    kind, *rest = path.strip("/").split("/")
    return "/".join([f"/{kind}", *("…" if index == 0 else part for index, part in enumerate(rest))])
