"""A worker with everything real but the telephone: rows, engine, alerts, and a line that is a folder.

A leg is a file, so that it outlives the process that dialled it, as a channel on a switch does.
Run as a program it is a worker that can be killed:
``python -m tests.support.engine_rig DATABASE_URL WORKER_ID FOLDER TALK``, where ``TALK`` is
``completed`` or ``endless``.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable
from datetime import time as time_of_day
from pathlib import Path

from dialer.line import DialRequest, Leg, LegExists
from dialer.outcomes import CallResult
from scripts.turns import Disposition
from services.alerts.changes import Changes
from services.alerts.raising import AlertDesk
from services.calls.calling_window import CallingWindow
from services.calls.ending import Endings
from services.calls.engine import Engine, Rhythm
from services.calls.followups import FollowUps
from services.calls.placing import Placing, Trunk
from services.calls.reconciling import Reconciling
from services.calls.retry import load_policy
from services.calls.workers import Heartbeats
from services.clock import Clock, utc_now
from services.database.session import Sessions, connect, sessions_of
from tests.support.outgoing import Posted

QUICK = Rhythm(tick=0.05, look=0.2, beat=0.2, hand_over=0.3, queue=0.05, alert_repeat=0.2)
COMPLETED = CallResult(Disposition.COMPLETED, cause=16, sip_code=None, answered=True)

Talk = Callable[[str], Awaitable[CallResult]]


class FolderLine:
    """A line whose switch is a folder: ``rung`` lists every ring, one file for each leg that is up."""

    def __init__(self, folder: Path, name: str = "simulated") -> None:
        self.name = name
        self._legs = folder / "legs"
        self._legs.mkdir(parents=True, exist_ok=True)
        self._rung = folder / "rung"

    def ring(self, leg_id: str) -> None:
        """Ring somebody; the same id never rings again."""
        if leg_id in self.rung():
            raise LegExists(leg_id)
        with self._rung.open("a") as file:
            file.write(f"{leg_id}\n")
        (self._legs / leg_id).touch()

    def rung(self) -> list[str]:
        """Ids of all legs that ever rang."""
        return self._rung.read_text().split() if self._rung.exists() else []

    async def dial(self, request: DialRequest) -> Leg:
        raise AssertionError("the rig rings without talking")

    async def reap(self, leg_id: str) -> bool:
        was_there = (self._legs / leg_id).exists()
        (self._legs / leg_id).unlink(missing_ok=True)
        return was_there

    async def legs(self) -> tuple[str, ...]:
        return tuple(path.name for path in self._legs.iterdir())


class Worker:
    """One worker's parts, put together."""

    def __init__(
        self,
        database_url: str,
        sessions: Sessions,
        folder: Path,
        talk: Talk,
        *,
        clock: Clock = utc_now,
        worker_id: str = "worker-1",
        lines: int = 2,
        posted: Posted | None = None,
        call_seconds: float = 600,
    ) -> None:
        self.line = FolderLine(folder)
        self.posted = posted or Posted()
        self.talk = talk
        changes = Changes(sessions)
        window = CallingWindow(time_of_day(9, 0), time_of_day(19, 30))
        endings = Endings(sessions, load_policy(), self.posted, changes, clock)
        self.trunk = Trunk(self.line, lines, call_seconds)
        self.heartbeats = Heartbeats(
            sessions, worker_id, lines=lines, version="0", clock=clock, monotonic=time.monotonic
        )
        self.follow_ups = FollowUps(sessions, window, clock)
        self.placing = Placing(endings, self.trunk, self._place, window, self.heartbeats)
        self.reconciling = Reconciling(sessions, self.line, self.placing)
        self.alerts = AlertDesk(sessions, self.posted, changes, clock)
        self.engine = Engine(
            database_url,
            self.trunk,
            calls_per_second=50,
            follow_ups=self.follow_ups,
            placing=self.placing,
            reconciling=self.reconciling,
            heartbeats=self.heartbeats,
            alerts=self.alerts,
            rhythm=QUICK,
            stop_grace=0.2,
        )

    async def _place(self, attempt_id: str) -> CallResult:
        self.line.ring(attempt_id)
        result = await self.talk(attempt_id)
        await self.line.reap(attempt_id)
        return result


async def completed(attempt_id: str) -> CallResult:
    """Talk to the end at once."""
    return COMPLETED


async def endless(attempt_id: str) -> CallResult:
    """Talk until this is cancelled, or the process dies."""
    await asyncio.Event().wait()
    return COMPLETED


TALKS: dict[str, Talk] = {"completed": completed, "endless": endless}


async def _main(database_url: str, worker_id: str, folder: str, talk: str) -> None:
    database = connect(database_url)
    worker = Worker(
        database_url, sessions_of(database), Path(folder), TALKS[talk], worker_id=worker_id
    )
    async with worker.engine:
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_main(*sys.argv[1:]))
