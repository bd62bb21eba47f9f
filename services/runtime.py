"""The one place where concrete parts are put together.

``hospital`` opens what every process needs (rows, keys, broker, alerts); ``working`` adds what a
worker needs to place calls (line, ears, voices, engine). Commands and the desk are given the result.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from asr import models
from asr.decoding import DecodingPool, PooledRecogniser
from asr.models import FoundModel
from asr.recogniser import Recogniser
from asr.voice_activity import SileroVoiceActivity
from dialer.asterisk.ari import Ari
from dialer.asterisk.line import AsteriskLine, application_name
from dialer.line import Line
from dialer.ports import Observer
from recordings.store import FolderStore, Store
from scripts.answers import Understand
from services.alerts.changes import Changes
from services.alerts.duty import Duty
from services.alerts.raising import AlertDesk
from services.calls.call_recordings import CallRecordings
from services.calls.calling_window import CallingWindow
from services.calls.ending import Endings
from services.calls.engine import Engine, Rhythm
from services.calls.followups import FollowUps
from services.calls.journal import Desks
from services.calls.orders import load_order
from services.calls.phoning import Equipment, PhoneCalls
from services.calls.placing import Placing, Trunk
from services.calls.reconciling import Reconciling
from services.calls.retry import load_policy
from services.calls.workers import Heartbeats
from services.clock import Clock, utc_now
from services.database.migration import migrate_engine
from services.database.session import Sessions, connect, sessions_of
from services.messaging.broker import embedded_broker
from services.messaging.mqtt import Announcement, BrokerAddress, Publisher
from services.patients import Patients
from services.security.keys import KeyRing
from services.settings import Settings
from services.triage.understanding import load as load_understanding
from tts.prompts import Clips, PromptBook
from tts.pyttsx3_voice import Pyttsx3Voice
from tts.recorded import MANIFEST, RecordedVoice
from tts.voice import Voice

log = logging.getLogger(__name__)

DEMO_MARK = "DEMO"
"""File in a data folder that belongs to the demo: its key and its people are not to be trusted."""
OVERTIME_SECONDS = 30.0
"""A call is broken off so long after the switch should have ended it."""


HearsIn = Callable[[str], Awaitable[Sequence[Recogniser]]]
"""The recognisers of a language, best first."""


class NotReady(Exception):
    """The product cannot start as it is set up. The text says what is missing and what to do."""


@dataclass(frozen=True)
class Hospital:
    """What every process of the product works on."""

    settings: Settings
    clock: Clock
    sessions: Sessions
    keys: KeyRing
    patients: Patients
    follow_ups: FollowUps
    recordings: Store
    publisher: Publisher
    changes: Changes
    alerts: AlertDesk
    duty: Duty
    understand: Understand
    mqtt_url: str


@asynccontextmanager
async def hospital(
    settings: Settings, *, worker: bool = False, clock: Clock = utc_now
) -> AsyncIterator[Hospital]:
    """Open what every process needs; the tables are brought up to date.

    Args:
        settings: the settings.
        worker: this process places calls: it announces itself to the broker.
        clock: the time.

    Raises:
        NotReady: the settings, the database or the key file are of no use.
    """
    _refuse_demo_data(settings)
    async with AsyncExitStack() as stack:
        keys = KeyRing.open(settings.key_file)
        engine = connect(settings.sql_url)
        stack.push_async_callback(engine.dispose)
        try:
            await migrate_engine(engine)
        except (SQLAlchemyError, OSError) as error:
            raise NotReady(
                f"the database cannot be used ({type(error).__name__}): is it running, and is "
                "HUIFANG_DATABASE_URL right?"
            ) from error
        sessions = sessions_of(engine)
        mqtt_url = await stack.enter_async_context(_broker(settings))
        announced = Announcement(settings.worker_id, settings.lines) if worker else None
        publisher = await stack.enter_async_context(
            Publisher(BrokerAddress.of(mqtt_url), clock, announced)
        )
        changes = Changes(sessions)
        yield Hospital(
            settings=settings,
            clock=clock,
            sessions=sessions,
            keys=keys,
            patients=Patients(sessions, keys, clock),
            follow_ups=FollowUps(sessions, _window(settings), clock),
            recordings=FolderStore(settings.data / "recordings"),
            publisher=publisher,
            changes=changes,
            alerts=AlertDesk(sessions, publisher, changes, clock),
            duty=Duty(sessions),
            understand=load_understanding(),
            mqtt_url=mqtt_url,
        )


@asynccontextmanager
async def working(
    on: Hospital,
    *,
    line: Line | None = None,
    ears: HearsIn | None = None,
    observer: Observer | None = None,
    rhythm: Rhythm | None = None,
) -> AsyncIterator[Engine]:
    """Place calls while the context lasts; at its end calls that go on take a polite leave.

    Args:
        on: the open hospital.
        line: None: the one of the settings.
        ears: None: ``LoadedEars``; whoever brings their own closes them.
        observer: told the times of every reply.
        rhythm: how often things happen; None: as in service.

    Raises:
        NotReady: a model or voice is missing.
        LineError: the switch cannot be reached or does not fit.
        WorkerTaken: another process runs under this worker's id.
    """
    settings, shutdown = on.settings, asyncio.Event()
    async with AsyncExitStack() as stack:
        if ears is None:
            loaded = ears = LoadedEars(settings)
            stack.callback(loaded.close)
        await ears(settings.language)
        voices, synthetic = voices_of(settings)
        stack.push_async_callback(synthetic.close)
        heartbeats = Heartbeats(
            on.sessions,
            settings.worker_id,
            lines=settings.lines,
            version=version("huifang"),
            clock=on.clock,
            monotonic=time.monotonic,
        )
        # Before the line is opened: a second process of this name would take the first one's
        # application on the switch over, and be refused only then.
        await heartbeats.register()
        if line is None:
            line = await stack.enter_async_context(_asterisk_line(settings))
        recordings = CallRecordings(
            on.sessions, on.patients, on.recordings, settings.data / "spool", settings.worker_id
        )
        shared: Clips = {}
        equipment = Equipment(
            line=line,
            ears=ears,
            voice_activity=SileroVoiceActivity,
            speech=lambda: PromptBook(voices, shared),
            understand=on.understand,
            caller_name=caller_name(settings),
            ring_seconds=settings.ring_seconds,
            call_seconds=settings.call_limit_seconds,
            observer=observer,
        )
        desks = Desks(on.sessions, on.alerts, on.publisher, on.changes, on.clock)
        orders = partial(load_order, on.sessions, on.keys, on.clock)
        calls = PhoneCalls(orders, desks, recordings, equipment, shutdown)
        engine = _engine(on, line, calls, heartbeats, rhythm)
        await recordings.finish_left()
        async with engine:
            stack.enter_context(_finishing_recordings(recordings))
            try:
                yield engine
            finally:
                shutdown.set()


def _engine(
    on: Hospital, line: Line, calls: PhoneCalls, heartbeats: Heartbeats, rhythm: Rhythm | None
) -> Engine:
    settings = on.settings
    trunk = Trunk(line, settings.lines, settings.call_limit_seconds + OVERTIME_SECONDS)
    endings = Endings(on.sessions, load_policy(), on.publisher, on.changes, on.clock)
    placing = Placing(endings, trunk, calls, _window(settings), heartbeats)
    return Engine(
        settings.sql_url,
        trunk,
        settings.calls_per_second,
        follow_ups=on.follow_ups,
        placing=placing,
        reconciling=Reconciling(on.sessions, line, placing),
        heartbeats=heartbeats,
        alerts=on.alerts,
        rhythm=rhythm or Rhythm(alert_repeat=settings.alert_repeat_seconds),
    )


@contextlib.contextmanager
def _finishing_recordings(recordings: CallRecordings, seconds: float = 15.0) -> Iterator[None]:
    """Finish, now and then, recordings whose call was interrupted on this machine."""

    async def loop() -> None:
        while True:
            await asyncio.sleep(seconds)
            try:
                await recordings.finish_left()
            except SQLAlchemyError as error:
                log.warning("left recordings cannot be looked for: %s", type(error).__name__)

    task = asyncio.create_task(loop(), name="finish recordings")
    try:
        yield
    finally:
        task.cancel()


class LoadedEars:
    """Recognisers by language, loaded once for all calls.

    Raises:
        NotReady: when called for a language for which no model is on this machine.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._pool = DecodingPool(workers=max(1, os.cpu_count() or 1))
        self._loaded: dict[str, list[Recogniser]] = {}
        self._loading = asyncio.Lock()

    async def __call__(self, language: str) -> Sequence[Recogniser]:
        """Return the recognisers of a language, best first."""
        async with self._loading:
            if language not in self._loaded:
                found = find_ears(self._settings, language)
                log.info("ears for %s: %s %s (%s)", language, found.engine, found.model, found.why)
                engine = await asyncio.to_thread(models.open_engine, found)
                self._loaded[language] = [PooledRecogniser(engine, self._pool)]
        return self._loaded[language]

    def close(self) -> None:
        """Let the decoding threads end."""
        self._pool.close()


def find_ears(settings: Settings, language: str) -> FoundModel:
    """Find the model that hears a language on this machine.

    Raises:
        NotReady: there is none.
    """
    found = models.find(language, settings.ears, settings.models)
    if found is None:
        raise NotReady(
            f"no recogniser model for {language!r} is on this machine; "
            f"run: huifang models pull {language}"
        )
    return found


def voices_of(settings: Settings) -> tuple[list[Voice], Pyttsx3Voice]:
    """Return the voices, best first: the hospital's recordings, the shipped ones, the synthetic."""
    synthetic = Pyttsx3Voice()
    packs: list[Path] = []
    if settings.voice != "pyttsx3":
        for folder in (settings.data / "voices", Path(str(files("tts").joinpath("packs")))):
            if folder.is_dir():
                packs += sorted(each.parent for each in folder.glob(f"*/{MANIFEST}"))
    voices: list[Voice] = [RecordedVoice(pack) for pack in packs]
    if settings.voice != "recorded":
        voices.append(synthetic)
    return voices, synthetic


def caller_name(settings: Settings) -> Callable[[str], str]:
    """Return who calls, by language; of a language that has no name, that of the hospital's own."""
    names = settings.caller_name

    def name(language: str) -> str:
        return names.get(language) or names[settings.language]

    return name


@asynccontextmanager
async def _asterisk_line(settings: Settings) -> AsyncIterator[AsteriskLine]:
    application = application_name(settings.worker_id)
    ari = Ari(settings.ari_url, settings.ari_user, ari_password(settings), application)
    async with AsteriskLine(ari, trunk=settings.trunk, caller_id=settings.caller_id) as line:
        yield line


def ari_password(settings: Settings) -> str:
    """Return the password of ARI.

    Raises:
        NotReady: its file cannot be read.
    """
    if settings.ari_password_file is None:
        return settings.ari_password.get_secret_value()
    try:
        return settings.ari_password_file.read_text("utf-8").strip()
    except OSError as error:
        raise NotReady(
            f"the file of HUIFANG_ARI_PASSWORD_FILE cannot be read: {error.strerror}"
        ) from error


@asynccontextmanager
async def _broker(settings: Settings) -> AsyncIterator[str]:
    if settings.mqtt_url is not None:
        yield settings.mqtt_url
    elif settings.mode == "demo":
        async with embedded_broker(free_port()) as url:
            yield url
    else:
        raise NotReady("no broker is set; set HUIFANG_MQTT_URL=mqtt://user:password@host:port")


def free_port() -> int:
    """Return a loopback port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _refuse_demo_data(settings: Settings) -> None:
    if settings.mode == "production" and (settings.data / DEMO_MARK).exists():
        raise NotReady(
            f"{settings.data} was made by the demo, and its key is no secret; "
            "set HUIFANG_DATA to another folder"
        )


def _window(settings: Settings) -> CallingWindow:
    return CallingWindow(settings.window_from, settings.window_until)
