"""Somebody else in the hospital who listens to the broker."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiomqtt


@dataclass(frozen=True, slots=True)
class Arrived:
    """A message and when it came (``time.monotonic``)."""

    at: float
    topic: str
    payload: str

    @property
    def body(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.payload)
        return found


@dataclass(slots=True)
class Subscriber:
    """Everything that arrived, in order."""

    arrived: list[Arrived] = field(default_factory=list)
    _came: asyncio.Event = field(default_factory=asyncio.Event)

    def of(self, prefix: str) -> list[Arrived]:
        return [each for each in self.arrived if each.topic.startswith(prefix)]

    async def first(self, prefix: str, patience: float, **fields: str) -> Arrived:
        """The first message under a topic whose body holds these fields, waiting for it."""
        async with asyncio.timeout(patience):
            while True:
                self._came.clear()
                for each in self.of(prefix):
                    if fields.items() <= each.body.items():
                        return each
                await self._came.wait()

    async def listen(self, client: aiomqtt.Client) -> None:
        # The broker ends with the test.
        with contextlib.suppress(aiomqtt.MqttError):
            async for message in client.messages:
                payload = message.payload
                text = payload.decode() if isinstance(payload, bytes) else str(payload)
                self.arrived.append(Arrived(time.monotonic(), str(message.topic), text))
                self._came.set()


@asynccontextmanager
async def subscriber(port: int) -> AsyncIterator[Subscriber]:
    """Listen to everything the product publishes."""
    async with aiomqtt.Client("127.0.0.1", port) as client:
        await client.subscribe("huifang/#", qos=1)
        listening = Subscriber()
        task = asyncio.create_task(listening.listen(client))
        yield listening
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
