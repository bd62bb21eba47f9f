"""``huifang doctor``: what is found, what is missing, and the one command that mends it."""

from __future__ import annotations

import asyncio
import os
import platform
from collections.abc import AsyncIterator
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from dialer.asterisk import instance
from dialer.asterisk.ari import Ari
from dialer.line import LineError
from services.cli.running import read_settings
from services.database.session import DatabaseError, connect
from services.messaging.mqtt import BrokerAddress, BrokerUrlError
from services.runtime import NotReady, ari_password, find_ears, voices_of
from services.security.errors import SecurityError
from services.security.keys import KeyRing
from services.settings import Settings

PATIENCE = 5.0
"""Seconds for a server to answer."""
LANGUAGES = ("zh", "en")


@dataclass(frozen=True, slots=True)
class Observation:
    """One thing that was looked at."""

    what: str
    found: str | None
    """None: it is missing."""
    why: str = ""
    mend: str = ""
    """The command, when it is missing."""
    needed: bool = True
    """Without it no call can be placed."""


async def examine() -> int:
    """Look at everything and print it; 1 when something that is needed is missing."""
    try:
        settings = read_settings()
    except NotReady as error:
        print(f"huifang: {error}")
        return 1
    missing = 0
    async for seen in _look(settings):
        mark = "ok     " if seen.found else "MISSING" if seen.needed else "absent "
        print(f"{mark}  {seen.what}: {seen.found or seen.why}")
        if not seen.found and seen.mend:
            print(f"         -> {seen.mend}")
        missing += seen.needed and not seen.found
    return 1 if missing else 0


async def _look(settings: Settings) -> AsyncIterator[Observation]:
    yield Observation("Python", f"{platform.python_version()} on {platform.machine()}")
    if settings.line == "asterisk":
        yield await _asterisk(settings)
    for language in LANGUAGES:
        yield _ears(settings, language)
        yield _voice(settings, language)
    yield await _database(settings)
    yield await _broker(settings)
    yield _keys(settings)


async def _asterisk(settings: Settings) -> Observation:
    what = f"Asterisk at {settings.ari_url}"
    # A name of its own: a worker's would be taken over.
    application = f"huifang-doctor-{os.getpid()}"
    try:
        ari = Ari(settings.ari_url, settings.ari_user, ari_password(settings), application)
        async with asyncio.timeout(PATIENCE):
            await ari.open(lambda _: None, lambda: None)
        await ari.close()
    except (LineError, NotReady, TimeoutError) as error:
        why = str(error) or f"no answer within {PATIENCE:.0f} s"
        return Observation(what, None, why, _asterisk_mend(settings))
    return Observation(what, ari.version)


def _asterisk_mend(settings: Settings) -> str:
    if settings.ari_url != Settings.model_fields["ari_url"].default:
        return "see docs/how-to/connect-asterisk.md, or unset HUIFANG_ARI_URL"
    try:
        instance.version()
    except instance.InstanceError:
        return "huifang asterisk get && huifang asterisk start"
    return "huifang asterisk start"


def _ears(settings: Settings, language: str) -> Observation:
    what = f"ears for {language}"
    needed = language == settings.language
    try:
        found = find_ears(settings, language)
    except NotReady:
        mend = f"huifang models pull {language}"
        return Observation(what, None, "no recogniser model is here", mend, needed)
    return Observation(what, f"{found.engine} {found.model} ({found.why})")


def _voice(settings: Settings, language: str) -> Observation:
    voices, _ = voices_of(settings)
    names = [voice.name for voice in voices if voice.speaks(language)]
    needed = language == settings.language
    return Observation(
        f"voice for {language}",
        ", then ".join(names) or None,
        "none",
        "unset HUIFANG_VOICE",
        needed,
    )


async def _database(settings: Settings) -> Observation:
    kind = settings.sql_url.partition("+")[0]
    try:
        engine = connect(settings.sql_url)
        try:
            async with asyncio.timeout(PATIENCE), engine.connect() as connection:
                await connection.execute(text("SELECT 1"))
        finally:
            await engine.dispose()
    except (SQLAlchemyError, DatabaseError, TimeoutError, OSError) as error:
        why = str(error) if isinstance(error, DatabaseError) else type(error).__name__
        return Observation(f"database ({kind})", None, why, "set HUIFANG_DATABASE_URL, start it")
    return Observation(f"database ({kind})", "answers")


async def _broker(settings: Settings) -> Observation:
    if settings.mqtt_url is None:
        if settings.mode == "demo":
            return Observation("broker", "embedded")
        mend = "set HUIFANG_MQTT_URL=mqtt://user:password@host:port"
        return Observation("broker", None, "none is set", mend)
    try:
        address = BrokerAddress.of(settings.mqtt_url)
        async with asyncio.timeout(PATIENCE):
            _, writer = await asyncio.open_connection(address.host, address.port)
        writer.close()
    except (BrokerUrlError, OSError, TimeoutError) as error:
        why = str(error) if isinstance(error, BrokerUrlError) else type(error).__name__
        return Observation("broker", None, why, "start the broker, or correct HUIFANG_MQTT_URL")
    return Observation("broker", f"listens on {address.host}:{address.port}")


def _keys(settings: Settings) -> Observation:
    if not settings.key_file.exists():
        return Observation("master key", "made on first use; then back it up")
    try:
        KeyRing.open(settings.key_file)
    except SecurityError as error:
        return Observation("master key", None, str(error), "restore it from its backup")
    return Observation("master key", str(settings.key_file))
