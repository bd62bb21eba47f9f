"""``huifang work`` that also prints the times of every reply, for ``tests.benchmarks.calls``."""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict

from dialer.ports import ReplyTiming
from services.cli.running import read_settings, until_signalled
from services.runtime import hospital, working


class PrintedTimings:
    """An observer."""

    def reply(self, timing: ReplyTiming) -> None:
        """Print one line of JSON."""
        print("reply", json.dumps(asdict(timing)), flush=True)


async def work() -> None:
    """Place calls until a signal ends it."""
    settings = read_settings()
    async with hospital(settings, worker=True) as on, working(on, observer=PrintedTimings()):
        print(f"{settings.worker_id} places calls", flush=True)
        await until_signalled()


if __name__ == "__main__":
    asyncio.run(work())
