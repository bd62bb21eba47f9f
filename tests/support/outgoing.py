"""A broker's stand-in: a list of what was posted, acknowledged at once or when the test says so."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from services.messaging.messages import Message


class Posted:
    """Takes messages like the publisher."""

    def __init__(self, *, reachable: bool = True) -> None:
        self.messages: list[Message] = []
        self._reachable = reachable
        self._waiting: list[asyncio.Future[None]] = []

    def post(self, message: Message) -> asyncio.Future[None]:
        self.messages.append(message)
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if self._reachable:
            done.set_result(None)
        else:
            self._waiting.append(done)
        return done

    def broker_is_back(self) -> None:
        self._reachable = True
        for done in self._waiting:
            done.set_result(None)
        self._waiting.clear()

    def kinds(self, topic: str) -> list[str]:
        """The ``kind`` of every message whose topic begins so."""
        return [content["kind"] for content in self.contents(topic)]

    def contents(self, topic: str) -> list[dict[str, Any]]:
        """Every message whose topic begins so."""
        return [json.loads(m.payload) for m in self.messages if m.topic.startswith(topic)]
