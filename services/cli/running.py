"""``huifang work``, ``serve`` and ``run``: the long-running processes, until a signal ends them."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import socket
import tomllib
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager

import uvicorn
from fastapi import FastAPI
from pydantic import ValidationError
from pydantic_settings import SettingsError
from uvicorn.importer import import_from_string

from dialer.line import LineError
from services.calls.workers import WorkerTaken
from services.database.session import DatabaseError
from services.messaging.mqtt import BrokerUrlError
from services.runtime import Hospital, NotReady, hospital, working
from services.security.errors import SecurityError
from services.security.first_administrator import offer_setup
from services.settings import Settings

DESK = "services.web.serving:application"
NOT_STARTED = (
    NotReady,
    LineError,
    WorkerTaken,
    DatabaseError,
    BrokerUrlError,
    SecurityError,
)
"""What keeps a process from starting; the text of each says what to do."""


def read_settings() -> Settings:
    """Read the settings.

    Raises:
        NotReady: one of them cannot be understood; its value is not quoted.
    """
    try:
        return Settings()
    except ValidationError as error:
        problems = "; ".join(
            ": ".join([*map(str, each["loc"]), each["msg"].removeprefix("Value error, ")])
            for each in error.errors(include_input=False, include_url=False)
        )
        raise NotReady(f"settings (HUIFANG_* or huifang.toml): {problems}") from None
    except SettingsError:
        raise NotReady(
            "settings: a HUIFANG_* variable that holds a table must be JSON, as in "
            'HUIFANG_CALLER_NAME=\'{"zh": "…", "en": "…"}\''
        ) from None
    except tomllib.TOMLDecodeError as error:
        raise NotReady(f"huifang.toml cannot be read: {error}") from None


async def run(settings: Settings, *, work: bool, serve: bool) -> None:
    """Work, serve, or both, until SIGINT or SIGTERM; calls that go on take a polite leave."""
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    stopped = _stop_on_signals()
    async with AsyncExitStack() as stack:
        on = await stack.enter_async_context(hospital(settings, worker=work))
        if serve:
            address = await stack.enter_async_context(desk(on))
            print(f"The desk is at {address}", flush=True)
            if token := await offer_setup(on.sessions, on.clock):
                print(f"Make the first administrator: {address}/setup?token={token}", flush=True)
        if work:
            await stack.enter_async_context(working(on))
            print(f"{settings.worker_id} places calls, {settings.lines} at once", flush=True)
            if not await on.duty.somebody_on_duty(on.clock()):
                print(
                    "Nobody is on duty for alerts: nobody is called until somebody is.", flush=True
                )
        await stopped.wait()
        print("stopping: calls that go on take their leave …", flush=True)


class _Desk(uvicorn.Server):
    """A server that leaves signals to the process, which ends the calls before the desk."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield


@asynccontextmanager
async def desk(on: Hospital) -> AsyncIterator[str]:
    """Serve the desk while the context lasts; yields its address.

    Raises:
        NotReady: the port is taken or may not be listened on.
    """
    host, port = on.settings.listen_host, on.settings.listen_port
    application: Callable[[Hospital], FastAPI] = import_from_string(DESK)
    config = uvicorn.Config(
        application(on),
        # The set-up link carries its token; addresses of pages carry row ids.
        access_log=False,
        log_level="warning",
        lifespan="off",
        timeout_graceful_shutdown=3,
    )
    try:
        listening = socket.create_server((host, port))
    except OSError as error:
        raise NotReady(
            f"the desk cannot listen on {host}:{port} ({error.strerror}); "
            "set HUIFANG_LISTEN_HOST and HUIFANG_LISTEN_PORT"
        ) from error
    server = _Desk(config)
    serving = asyncio.create_task(server.serve(sockets=[listening]), name="desk")
    try:
        yield f"http://{host}:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        await serving
        listening.close()


async def until_signalled() -> None:
    """Return on SIGINT or SIGTERM."""
    await _stop_on_signals().wait()


def _stop_on_signals() -> asyncio.Event:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    return stopped
