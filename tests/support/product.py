"""The product as its users run it: the ``huifang`` command, with settings from the environment."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.debian import ROOT

COMMAND = (sys.executable, "-c", "from services.cli.main import main; main()")


@dataclass(slots=True)
class Process:
    """A running ``huifang`` and every line it printed, log included."""

    process: asyncio.subprocess.Process
    lines: list[str] = field(default_factory=list)
    _printed: asyncio.Event = field(default_factory=asyncio.Event)

    async def read(self) -> None:
        """Collect what it prints until it ends."""
        if self.process.stdout is None:
            raise ValueError("the process has no standard output")
        async for line in self.process.stdout:
            self.lines.append(line.decode().rstrip("\n"))
            self._printed.set()

    async def printed(self, pattern: str, patience: float = 60.0) -> re.Match[str]:
        """The first line that matches, waiting for it."""
        async with asyncio.timeout(patience):
            while True:
                self._printed.clear()
                for line in self.lines:
                    if found := re.search(pattern, line):
                        return found
                if self.process.returncode is not None:
                    raise AssertionError("it ended:\n" + "\n".join(self.lines[-30:]))
                await self._printed.wait()

    @property
    def output(self) -> str:
        return "\n".join(self.lines)


@dataclass(frozen=True, slots=True)
class Product:
    """One installation."""

    environment: Mapping[str, str]
    command: Sequence[str] = COMMAND

    @asynccontextmanager
    async def running(self, *arguments: str, **more: str) -> AsyncIterator[Process]:
        """Run a long-running command; it is told to stop at the end, unless it has ended."""
        process = Process(await self._start(*arguments, **more))
        reading = asyncio.create_task(process.read())
        try:
            yield process
        finally:
            if process.process.returncode is None:
                process.process.send_signal(signal.SIGTERM)
                try:
                    async with asyncio.timeout(60):
                        await process.process.wait()
                except TimeoutError:
                    process.process.kill()
                    await process.process.wait()
            await reading
            # Shown by pytest when the test fails.
            print(f"--- huifang {' '.join(arguments)}", *process.lines, sep="\n")

    async def call(self, *arguments: str, stdin: str = "", **more: str) -> tuple[int, str]:
        """Run a command to its end; its exit status and everything it printed."""
        process = await self._start(*arguments, **more)
        out, _ = await process.communicate(stdin.encode())
        return process.returncode or 0, out.decode()

    async def _start(self, *arguments: str, **more: str) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            *self.command,
            *arguments,
            cwd=ROOT,
            env={**os.environ, **self.environment, **more, "PYTHONUNBUFFERED": "1"},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )


def installation(
    folder: Path, *, database_url: str, mqtt_url: str, ari_url: str, ari_user: str, ari_secret: Path
) -> Product:
    """An installation on real servers, in a folder of its own."""
    return Product(
        {
            "HUIFANG_DATA": str(folder),
            "HUIFANG_DATABASE_URL": database_url,
            "HUIFANG_MQTT_URL": mqtt_url,
            "HUIFANG_ARI_URL": ari_url,
            "HUIFANG_ARI_USER": ari_user,
            "HUIFANG_ARI_PASSWORD_FILE": str(ari_secret),
            "HUIFANG_MODELS": str(ROOT.parent / "shared" / "models"),
            "HUIFANG_EARS": "sherpa",
            "HUIFANG_LISTEN_PORT": "0",
            "HUIFANG_ALERT_REPEAT_SECONDS": "15",
        }
    )
