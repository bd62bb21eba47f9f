"""The publisher: one kept connection to the broker, and an outbox for when there is none.

Messages leave in the order in which they were posted, each with QoS 1, one after the other: a
message leaves the outbox when the broker has acknowledged it. While the broker is away they wait.
The outbox lives in this process only; what must survive the process (alerts) is in the rows and is
published again from there.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import ssl
from collections import deque
from dataclasses import dataclass, field
from types import TracebackType
from typing import Protocol, Self
from urllib.parse import unquote, urlsplit

import aiomqtt

from services.clock import Clock
from services.messaging.messages import Message, WorkerStatus, worker_message

log = logging.getLogger(__name__)

OUTBOX_LIMIT = 20_000
"""Messages kept while the broker is away; beyond it the oldest are dropped."""
FIRST_WAIT, LONGEST_WAIT = 0.2, 15.0
"""Seconds before the connection is tried again: doubled after each failure."""
ANSWER_SECONDS = 5.0
"""After this a broker that does not acknowledge counts as gone."""
KEEPALIVE_SECONDS = 10
FAREWELL_SECONDS = 3.0


class BrokerUrlError(ValueError):
    """The setting ``mqtt_url`` is of no use; correct it."""


class Outgoing(Protocol):
    """Where messages go; the publisher, or a list in tests."""

    def post(self, message: Message) -> asyncio.Future[None]:
        """Take a message at once. The future is done when the broker has it.

        It is cancelled if the message was dropped, because the outbox ran over or the process ends.
        """
        ...


@dataclass(frozen=True, slots=True)
class BrokerAddress:
    """Where the broker is, read from ``mqtt://user:password@host:port`` (``mqtts``: over TLS)."""

    host: str
    port: int
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: bool = False

    @classmethod
    def of(cls, url: str) -> BrokerAddress:
        """Read a URL.

        Raises:
            BrokerUrlError: not of that form. The text does not quote it, for the password's sake.
        """
        parts = urlsplit(url)
        try:
            port = parts.port
        except ValueError:
            port = 0
        if parts.scheme not in ("mqtt", "mqtts") or not parts.hostname or port == 0:
            raise BrokerUrlError("mqtt_url must look like mqtt://user:password@host:port")
        tls = parts.scheme == "mqtts"
        return cls(
            parts.hostname,
            port or (8883 if tls else 1883),
            unquote(parts.username) if parts.username else None,
            unquote(parts.password) if parts.password else None,
            tls,
        )


@dataclass(frozen=True, slots=True)
class Announcement:
    """The worker that announces itself through this connection."""

    worker_id: str
    lines: int


class Publisher:
    """Publishes messages; ``async with`` keeps the connection while it lasts.

    Args:
        address: where the broker is.
        clock: the time, for the worker's own messages.
        worker: announced as online, retained, on every connection; its last will says it is lost.
            None for a process that places no calls.
    """

    def __init__(
        self, address: BrokerAddress, clock: Clock, worker: Announcement | None = None
    ) -> None:
        self._address = address
        self._clock = clock
        self._worker = worker
        self._outbox: deque[tuple[Message, asyncio.Future[None]]] = deque()
        self._posted = asyncio.Event()
        self._connected = asyncio.Event()
        self._client: aiomqtt.Client | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def connected(self) -> bool:
        """Whether the broker is there at this moment."""
        return self._connected.is_set()

    async def wait_connected(self) -> None:
        """Return once the broker is there."""
        await self._connected.wait()

    def post(self, message: Message) -> asyncio.Future[None]:
        """Take a message at once; see ``Outgoing.post``."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if len(self._outbox) >= OUTBOX_LIMIT:
            self._outbox.popleft()[1].cancel()
            log.error("the outbox ran over while the broker was away; the oldest message is gone")
        self._outbox.append((message, done))
        self._posted.set()
        return done

    async def __aenter__(self) -> Self:
        """Start to connect; does not wait for the broker."""
        self._task = asyncio.create_task(self._keep_connected(), name="mqtt publisher")
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Send what waits, say farewell, and disconnect; gives up after a few seconds."""
        if self._worker is not None and self.connected:
            self.post(self._status(self._worker, WorkerStatus.STOPPED))
        if self.connected and self._outbox:
            await asyncio.wait([done for _, done in self._outbox], timeout=FAREWELL_SECONDS)
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        for _, done in self._outbox:
            done.cancel()

    async def _keep_connected(self) -> None:
        wait = FIRST_WAIT
        while True:
            try:
                async with self._open() as client:
                    wait = FIRST_WAIT
                    await self._serve(client)
            except* Exception as gone:
                # Whatever it is: alerts go out through here, so this never gives up. An error's
                # text may quote the broker's address, never a message.
                log.warning("no broker (%s); trying again in %.1f s", gone.exceptions[0], wait)
            await asyncio.sleep(wait)
            wait = min(wait * 2, LONGEST_WAIT)

    async def _serve(self, client: aiomqtt.Client) -> None:
        if self._worker is not None:
            status = self._status(self._worker, WorkerStatus.ONLINE)
            await client.publish(status.topic, status.payload, qos=1, retain=True)
        self._connected.set()
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(self._watch(client))
                both.create_task(self._drain(client))
        finally:
            self._connected.clear()

    async def _watch(self, client: aiomqtt.Client) -> None:
        # Nothing is subscribed: this only notices at once that the broker went away.
        async for _ in client.messages:
            pass

    async def _drain(self, client: aiomqtt.Client) -> None:
        while True:
            while self._outbox:
                message, done = self._outbox[0]
                await client.publish(message.topic, message.payload, qos=1, retain=message.retain)
                # The outbox may have run over while we waited.
                if self._outbox and self._outbox[0][1] is done:
                    self._outbox.popleft()
                if not done.done():
                    done.set_result(None)
            self._posted.clear()
            await self._posted.wait()

    def _open(self) -> aiomqtt.Client:
        will = None
        if self._worker is not None:
            lost = self._status(self._worker, WorkerStatus.LOST)
            will = aiomqtt.Will(lost.topic, lost.payload, qos=1, retain=True)
        address = self._address
        return aiomqtt.Client(
            address.host,
            address.port,
            username=address.user,
            password=address.password,
            tls_context=ssl.create_default_context() if address.tls else None,
            will=will,
            timeout=ANSWER_SECONDS,
            keepalive=KEEPALIVE_SECONDS,
        )

    def _status(self, worker: Announcement, status: WorkerStatus) -> Message:
        return worker_message(worker.worker_id, status, worker.lines, self._clock())
