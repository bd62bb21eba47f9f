"""A private Mosquitto for the tests, on a loopback port; can be stopped and started again."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.debian import ServerMissing
from tests.support.postgres_server import free_port


def mosquitto_binary() -> str:
    """Return the path of ``mosquitto``.

    Raises:
        ServerMissing: it is not on this machine.
    """
    found = shutil.which(
        "mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin"
    )
    if found is None:
        raise ServerMissing("Mosquitto is not on this machine; install it (Debian: mosquitto)")
    return found


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
        self._process = await asyncio.create_subprocess_exec(
            mosquitto_binary(), "-c", str(self._config),
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
    except ServerMissing as missing:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(str(missing))
    yield server
    await server.stop()
