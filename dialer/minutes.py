"""Taking the minutes: the journal is written behind the conversation, in order, losing nothing.

The person on the telephone must not wait for a database. Alerts have a lane of their own, so that
no slow row stands between a warning sign and the nurse.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final

from dialer.journal import CallJournal, Turn
from scripts.answers import Understanding
from scripts.turns import RaiseAlert, Stage, StoreAnswer

_log = logging.getLogger(__name__)

RETRIES: Final = (0.2, 1.0, 3.0, 10.0)
"""Seconds between the tries of one entry."""

Write = Callable[[], Awaitable[None]]


class _Lane:
    """Writes one after the other; the first one that is lost for good is told at the end."""

    def __init__(self) -> None:
        self._entries: asyncio.Queue[Write | None] = asyncio.Queue()
        self._lost: Exception | None = None
        self._task = asyncio.create_task(self._write())

    def put(self, write: Write) -> None:
        self._entries.put_nowait(write)

    async def close(self) -> None:
        self._entries.put_nowait(None)
        await self._task
        if self._lost is not None:
            raise self._lost

    async def _write(self) -> None:
        while (write := await self._entries.get()) is not None:
            for pause in (*RETRIES, None):
                try:
                    await write()
                    break
                except Exception as error:
                    # Only the kind of error: its text may quote a row.
                    _log.warning("the journal refused an entry: %s", type(error).__name__)
                    if pause is None:
                        self._lost = self._lost or error
                    else:
                        await asyncio.sleep(pause)


class Minutes:
    """The journal of one call, written in the background. Needs a running event loop."""

    def __init__(self, journal: CallJournal) -> None:
        self._journal = journal
        self._rows, self._alerts = _Lane(), _Lane()
        self._turns = 0

    def ringing(self) -> None:
        """The far phone rings."""
        self._rows.put(self._journal.ringing)

    def answered(self) -> None:
        """Somebody picked up."""
        self._rows.put(self._journal.answered)

    def stage(self, stage: Stage) -> None:
        """The dialogue reached a stage."""
        self._rows.put(lambda: self._journal.stage(stage))

    def next_turn(self) -> int:
        """The number of the next turn, counted in the order of asking."""
        self._turns += 1
        return self._turns - 1

    def turn(self, turn: Turn, understanding: Understanding | None = None) -> None:
        """Somebody said something."""
        self._rows.put(lambda: self._journal.turn(turn, understanding))

    def answer(self, stored: StoreAnswer) -> None:
        """An answer is settled or given up."""
        self._rows.put(lambda: self._journal.answer(stored))

    def alert(self, alert: RaiseAlert) -> None:
        """Tell a person, before anything else that waits to be written."""
        self._alerts.put(lambda: self._journal.alert(alert))

    def recording_consent(self, granted: bool) -> None:
        """The right party agreed to the recording, or did not."""
        self._rows.put(lambda: self._journal.recording_consent(granted))

    def opt_out(self) -> None:
        """Never call this number again."""
        self._rows.put(self._journal.opt_out)

    async def close(self) -> None:
        """Return once everything is written.

        Raises:
            Exception: what the journal raised for an entry that it refused to the end.
        """
        try:
            await self._alerts.close()
        finally:
            await self._rows.close()
