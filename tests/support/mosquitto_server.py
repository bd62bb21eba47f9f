"""A private Mosquitto for the tests, on a loopback port; can be stopped and started again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support import debian
from tests.support.postgres_server import free_port


class Mosquitto:
    """One broker on one port."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self._config = folder / "mosquitto.conf"
        self._config.write_text(
            f"listener {self.port} 127.0.0.1\nallow_anonymous true\npersistence false\n"
        )
        self._process: asyncio.subprocess.Process | None = None

    @property
    def url(self) -> str:
        return f"mqtt://127.0.0.1:{self.port}"

    async def start(self) -> None:
        """Start, and return once it takes connections."""
        program, environment = debian.mosquitto()
        self._process = await asyncio.create_subprocess_exec(
            program, "-c", str(self._config), env=environment,
            stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        for _ in range(200):
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", self.port)
            except OSError:
                await asyncio.sleep(0.05)
            else:
                writer.close()
                return
        raise RuntimeError("Mosquitto did not come up")

    async def stop(self) -> None:
        """End it at once, as a crash would."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()


@pytest.fixture
async def mosquitto(tmp_path: Path) -> AsyncIterator[Mosquitto]:
    """A running broker."""
    server = Mosquitto(tmp_path)
    try:
        await server.start()
    except debian.ServerMissing as missing:
        debian.left_out(missing)
    yield server
    await server.stop()
