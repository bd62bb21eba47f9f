"""Workers: alive while their heartbeat moves, cleaned up after by the others when it stops.

Whether a heartbeat moves is judged by the watcher's own clock: what counts is how long a row has not
changed while we looked, not what time it holds. Clocks of two machines that disagree would otherwise
kill live calls.

Times after a worker's death: the others know within ``LOST_SECONDS`` and a look, its legs are reaped
and its attempts ended as ``interrupted`` at once, its workflows are handed to DBOS for recovery.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.dialects import postgresql, sqlite

from services.clock import Clock
from services.database.session import Sessions
from services.database.tables import Worker

BEAT_SECONDS = 2.0
"""Between two heartbeats."""
LOOK_SECONDS = 1.0
"""Between two looks at the heartbeats of the others."""
LOST_SECONDS = 6.0
"""A heartbeat that has not moved for so long is a dead worker's."""
SURE_SECONDS = 4.0
"""A worker whose last heartbeat is older dials nobody: the others may take it for dead soon."""


class WorkerTaken(RuntimeError):
    """Another process runs under this worker's id. Give each its own ``worker_id``."""

    def __init__(self, worker_id: str) -> None:
        super().__init__(f"another process runs as {worker_id}; give each its own worker_id")


@dataclass(slots=True)
class Pulses:
    """When each worker's heartbeat was last seen to move; pure."""

    lost_after: float = LOST_SECONDS
    _moved: dict[str, tuple[datetime, float]] = field(default_factory=dict)

    def look(self, beats: Iterable[tuple[str, datetime]], now: float) -> set[str]:
        """Take the heartbeats as they stand now; return whose have not moved for too long.

        Args:
            beats: worker ids with the time in their row.
            now: this process's monotonic clock, seconds.
        """
        seen = dict(beats)
        self._moved = {
            worker: self._moved[worker]
            if worker in self._moved and self._moved[worker][0] == beat
            else (beat, now)
            for worker, beat in seen.items()
        }
        return {w for w, (_, since) in self._moved.items() if now - since >= self.lost_after}


class Heartbeats:
    """This worker's heartbeat, and its view of the others.

    Args:
        monotonic: seconds that never jump; ``time.monotonic`` outside of tests.
    """

    def __init__(
        self,
        sessions: Sessions,
        worker_id: str,
        *,
        lines: int,
        version: str,
        clock: Clock,
        monotonic: Callable[[], float],
    ) -> None:
        self.worker_id = worker_id
        self._sessions = sessions
        self._lines = lines
        self._version = version
        self._clock = clock
        self._monotonic = monotonic
        self._pulses = Pulses()
        self._lost: set[str] = set()
        self._last_beat: float | None = None

    async def register(self, wait: float = 2 * BEAT_SECONDS) -> None:
        """Announce this worker in the rows.

        After a crash its own row looks alive for a moment; whether another process beats it is seen
        by waiting ``wait`` seconds.

        A second call does nothing: whoever opens something that only one process may have (a name
        on the switch) registers first.

        Raises:
            WorkerTaken: it does.
        """
        if self._last_beat is not None:
            return
        before = await self._beat_in_row()
        if before is not None:
            await asyncio.sleep(wait)
            if await self._beat_in_row() != before:
                raise WorkerTaken(self.worker_id)
        await self._write(started=True)

    async def beat(self) -> None:
        """Write the heartbeat."""
        await self._write(started=False)

    async def sign_off(self) -> None:
        """Say that this worker stopped of its own will: the others may take over at once."""
        self._last_beat = None
        await self._mark_stopped([self.worker_id])

    async def look(self) -> None:
        """Look at the others' heartbeats, and note in the rows who is lost."""
        async with self._sessions() as session:
            rows = (await session.scalars(select(Worker))).all()
        others = [row for row in rows if row.id != self.worker_id]
        running = [(row.id, row.heartbeat_at) for row in others if row.stopped_at is None]
        stopped = {row.id for row in others if row.stopped_at is not None}
        dead = self._pulses.look(running, self._monotonic())
        self._lost = dead | stopped
        if dead:
            await self._mark_stopped(sorted(dead))

    @property
    def lost(self) -> frozenset[str]:
        """Ids of the other workers that died or stopped."""
        return frozenset(self._lost)

    def is_lost(self, worker_id: str) -> bool:
        """Whether another worker died or stopped."""
        return worker_id in self._lost

    def seen_alive(self) -> bool:
        """Whether the others are sure to take this worker for alive."""
        beat = self._last_beat
        return beat is not None and self._monotonic() - beat < SURE_SECONDS

    async def _beat_in_row(self) -> datetime | None:
        async with self._sessions() as session:
            query = select(Worker.heartbeat_at).where(
                Worker.id == self.worker_id, Worker.stopped_at.is_(None)
            )
            return await session.scalar(query)

    async def _mark_stopped(self, workers: list[str]) -> None:
        async with self._sessions.begin() as session:
            await session.execute(
                update(Worker)
                .where(Worker.id.in_(workers), Worker.stopped_at.is_(None))
                .values(stopped_at=self._clock())
            )

    async def _write(self, *, started: bool) -> None:
        began = self._monotonic()
        now = self._clock()
        fresh = {
            "heartbeat_at": now,
            "stopped_at": None,
            "lines": self._lines,
            "version": self._version,
        }
        changes = {**fresh, "started_at": now} if started else fresh
        async with self._sessions.begin() as session:
            dialect = session.get_bind().dialect.name
            insert = postgresql.insert if dialect == "postgresql" else sqlite.insert
            statement = insert(Worker).values(id=self.worker_id, started_at=now, **fresh)
            await session.execute(
                statement.on_conflict_do_update(index_elements=[Worker.id], set_=changes)
            )
        self._last_beat = began
