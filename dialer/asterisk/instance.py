"""A private Asterisk on loopback: unpacked, configured, started and stopped by us.

For development, demonstrations and tests. A hospital has its own switch (see
``docs/how-to/connect-asterisk.md``). Several instances may run side by side, each with its own
folder and ports.
"""

from __future__ import annotations

import contextlib
import importlib.resources
import os
import secrets
import signal
import string
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from dialer.asterisk.unpacking import Report, Tree, UnpackingError, unpack

DEFAULT_PREFIX = Path(".servers/asterisk")
"""Where Asterisk is unpacked, below the repository's root."""
DEFAULT_RUN = Path(".servers/asterisk-run")
_PROGRAM = "usr/sbin/asterisk"


class InstanceError(Exception):
    """The private Asterisk cannot be had or does not start; the message says what to do.

    ``retryable``: whether the same request may succeed later.
    """

    def __init__(self, message: str, *, retryable: bool = False) -> None:
        super().__init__(message)
        self.retryable = retryable


@dataclass(frozen=True, slots=True)
class InstanceSettings:
    """Where one private instance lives and what it listens on; all on 127.0.0.1."""

    run: Path = DEFAULT_RUN
    """Folder of its configuration, log and state."""
    http_port: int = 18088
    """ARI and media."""
    sip_port: int = 15060
    rtp_start: int = 20000
    rtp_end: int = 21999
    trunk_contact: str = "127.0.0.1:15070"
    """Host and port of the SIP peer behind ``PJSIP/<number>@trunk``."""
    ari_user: str = "huifang"
    ari_password: str | None = None
    """None: made up on the first start and kept in the run folder."""


@dataclass(frozen=True, slots=True)
class Instance:
    """A running private Asterisk."""

    url: str
    """Base URL for ARI, ``http://127.0.0.1:<port>``."""
    user: str
    password: str
    pid: int
    run: Path


def get(prefix: Path = DEFAULT_PREFIX, report: Report = lambda _: None) -> str:
    """Unpack Asterisk into ``prefix`` unless it is there already; its version line.

    Raises:
        InstanceError: no Debian, no mirror, or the network failed.
    """
    try:
        with contextlib.suppress(InstanceError):
            return version(prefix)
        return _version(unpack(("asterisk",), prefix, report=report))
    except UnpackingError as error:
        raise InstanceError(str(error), retryable=error.retryable) from error


def version(prefix: Path = DEFAULT_PREFIX) -> str:
    """What the unpacked Asterisk says of itself (``Asterisk 22.10.1…``).

    Raises:
        InstanceError: there is none in ``prefix``.
    """
    tree = Tree(prefix.absolute())
    if not (tree.prefix / _PROGRAM).exists():
        raise InstanceError(f"no Asterisk in {prefix}: run `huifang asterisk get`")
    return _version(tree)


def _version(tree: Tree) -> str:
    done = subprocess.run(  # noqa: S603 - the program we unpacked, with a fixed argument
        tree.command(_PROGRAM, "-V"), capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise InstanceError(
            f"the Asterisk in {tree.prefix} does not run; remove it and get it anew"
        )
    return done.stdout.strip()


def start(
    settings: InstanceSettings,
    prefix: Path = DEFAULT_PREFIX,
    *,
    patience: float = 20.0,
    clock: Callable[[], float] = time.monotonic,
) -> Instance:
    """Start an instance, or find it running; returns once ARI answers.

    Args:
        settings: its folder and ports.
        prefix: where ``get`` unpacked Asterisk.
        patience: seconds until it must answer.
        clock: monotonic seconds.

    Raises:
        InstanceError: not unpacked, a port is taken, or it does not come up.
    """
    version(prefix)
    run = settings.run.absolute()
    url = f"http://127.0.0.1:{settings.http_port}"
    password = settings.ari_password or _kept_password(run)
    pid = _running(run)
    if pid is None:
        configuration = _configure(Tree(prefix.absolute()), settings, run, password)
        pid = _launch(Tree(prefix.absolute()), configuration, run)
    deadline = clock() + patience
    while not _answers(url, settings.ari_user, password):
        time.sleep(0.1)  # first: a process that has only just begun shows no command line yet
        if _running(run) is None:
            raise InstanceError(f"Asterisk ended at once; {_last_words(run)}")
        if clock() > deadline:
            stop(run)
            raise InstanceError(
                f"Asterisk did not answer on {url} within {patience:.0f} s; {_last_words(run)}"
            )
    return Instance(url, settings.ari_user, password, pid, run)


def stop(
    run: Path = DEFAULT_RUN, *, patience: float = 5.0, clock: Callable[[], float] = time.monotonic
) -> bool:
    """End the instance of this run folder, its calls with it. True if it was running."""
    run = run.absolute()
    pid = _running(run)
    if pid is None:
        return False
    os.kill(pid, signal.SIGTERM)
    deadline = clock() + patience
    while _running(run) is not None and clock() < deadline:
        _collect(pid)
        time.sleep(0.05)
    if _running(run) is not None:
        os.kill(pid, signal.SIGKILL)
        _collect(pid)
    (run / "pid").unlink(missing_ok=True)
    return True


def _configure(tree: Tree, settings: InstanceSettings, run: Path, password: str) -> Path:
    """Write the configuration; the path of its asterisk.conf."""
    etc = run / "etc"
    folders = ("varlib", "db", "keys", "agi", "spool/recording", "spool/tmp", "run", "log")
    for folder in (etc, *(run / name for name in folders)):
        folder.mkdir(parents=True, exist_ok=True)
    etc.chmod(0o700)
    values = {
        "etc": etc,
        "run": run,
        "prefix": tree.prefix,
        "libraries": tree.libraries,
        "http_port": settings.http_port,
        "sip_port": settings.sip_port,
        "rtp_start": settings.rtp_start,
        "rtp_end": settings.rtp_end,
        "trunk_contact": settings.trunk_contact,
        "ari_user": settings.ari_user,
        "ari_password": password,
    }
    for template in importlib.resources.files("dialer.asterisk.private").iterdir():
        if template.name.endswith(".conf"):
            text = string.Template(template.read_text(encoding="utf-8")).substitute(values)
            (etc / template.name).write_text(text, encoding="utf-8")
    return etc / "asterisk.conf"


def _launch(tree: Tree, configuration: Path, run: Path) -> int:
    command = tree.command(_PROGRAM, "-f", "-n", "-C", str(configuration))
    with (run / "console.log").open("wb") as console:
        process = subprocess.Popen(  # noqa: S603 - the program we unpacked, with our own paths
            command,
            stdin=subprocess.DEVNULL,
            stdout=console,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            cwd=run,
        )
    (run / "pid").write_text(str(process.pid), encoding="ascii")
    return process.pid


def _running(run: Path) -> int | None:
    """The process of this run folder, None if it has ended (or its number is somebody else's)."""
    try:
        pid = int((run / "pid").read_text(encoding="ascii"))
        _collect(pid)
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except (OSError, ValueError):
        return None
    return pid if str(run / "etc" / "asterisk.conf").encode() in command else None


def _collect(pid: int) -> None:
    """Take the exit status of an ended child, so that it does not linger as a zombie."""
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)


def _kept_password(run: Path) -> str:
    kept = run / "ari.secret"
    if not kept.exists():
        run.mkdir(parents=True, exist_ok=True)
        kept.touch(mode=0o600)
        kept.write_text(secrets.token_urlsafe(24), encoding="ascii")
    return kept.read_text(encoding="ascii")


def _answers(url: str, user: str, password: str) -> bool:
    keys = urllib.request.HTTPPasswordMgrWithDefaultRealm()
    keys.add_password(None, url, user, password)
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({}), urllib.request.HTTPBasicAuthHandler(keys)
    )
    try:
        with opener.open(f"{url}/ari/asterisk/modules/chan_websocket.so", timeout=2) as answer:
            return b'"Running"' in answer.read()
    except urllib.error.HTTPError as error:
        if error.code == 401:
            raise InstanceError(
                f"something on {url} refuses the ARI password: another server has the port"
            ) from error
        return False
    except OSError:
        return False


def _last_words(run: Path) -> str:
    try:
        lines = (run / "console.log").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    errors = [line for line in lines if "ERROR" in line] or lines
    return f"its log {run / 'console.log'} ends: {' / '.join(errors[-3:])}"
