"""Servers for the tests out of Debian's packages, unpacked privately: the host stays as it was.

What the machine already has is used as it is. What it lacks is downloaded with the machine's own apt
configuration into a private state, together with the libraries the machine lacks, and unpacked into
one folder; nothing is installed, configured or started on the host, and no root is needed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import NoReturn

from tests.support.leaving_out import leave_out

ROOT = Path(__file__).resolve().parents[2]
SERVERS = ROOT / ".servers"


class ServerMissing(RuntimeError):
    """A server the tests need can neither be found nor fetched on this machine."""


def left_out(missing: Exception) -> NoReturn:
    """Leave out the tests that need a server that is missing."""
    leave_out(str(missing))


def unpack(name: str, packages: tuple[str, ...]) -> Path:
    """Fetch ``packages`` with the libraries they need into ``.servers/name``, once.

    Raises:
        ServerMissing: no apt here, or the packages cannot be fetched.
    """
    target = SERVERS / name
    if (target / "UNPACKED").exists():
        return target
    if shutil.which("apt-get") is None:
        raise ServerMissing(
            f"{name} is not installed, and this machine has no apt to fetch it with"
        )
    with tempfile.TemporaryDirectory() as scratch:
        archives = _download(Path(scratch), packages)
        fresh = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=_folder(SERVERS)))
        fresh.chmod(0o755)
        for archive in archives:
            subprocess.run(["dpkg-deb", "-x", str(archive), str(fresh)], check=True)
    (fresh / "UNPACKED").write_text(" ".join(sorted(a.name for a in archives)) + "\n")
    shutil.rmtree(target, ignore_errors=True)
    fresh.rename(target)
    return target


def _download(scratch: Path, packages: tuple[str, ...]) -> list[Path]:
    _folder(scratch / "lists" / "partial")
    _folder(scratch / "cache" / "archives" / "partial")
    if os.geteuid() == 0:  # apt drops its rights while it downloads
        for folder in (scratch, *scratch.rglob("*")):
            folder.chmod(0o755)
            shutil.chown(folder, "_apt")
    options = [
        f"-oDir::State::Lists={scratch}/lists",
        f"-oDir::Cache={scratch}/cache",
        "-oDebug::NoLocking=true",
        "-oAcquire::Languages=none",
        "-oAPT::Install-Recommends=false",
        "-oAcquire::Retries=3",
    ]
    for step in (["update"], ["install", "--yes", "--download-only", *packages]):
        done = subprocess.run(
            ["apt-get", "-qq", *options, *step], capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            raise ServerMissing(f"apt-get {step[0]} failed: {done.stderr.strip()[-500:]}")
    return sorted((scratch / "cache" / "archives").glob("*.deb"))


def _folder(path: Path) -> Path:
    path.mkdir(parents=True, exist_ok=True)
    return path


def environment(prefix: Path) -> dict[str, str]:
    """The environment in which a program out of ``prefix`` finds its libraries and fonts."""
    libraries = [str(p) for p in (prefix / "usr" / "lib").glob("*-linux-gnu")]
    libraries += [str(p) for p in (prefix / "lib").glob("*-linux-gnu")]
    libraries += [str(prefix / "usr" / "lib" / "chromium")]
    known = os.environ.get("LD_LIBRARY_PATH")
    path = ":".join(libraries + ([known] if known else []))
    return {**os.environ, "LD_LIBRARY_PATH": path}


def postgres_bin() -> tuple[Path, dict[str, str]]:
    """The folder with ``initdb`` and ``postgres``, and the environment they need."""
    for folder in sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True):
        if (folder / "initdb").exists():
            return folder, dict(os.environ)
    prefix = unpack("postgresql", ("postgresql",))
    folder = next(iter(sorted((prefix / "usr/lib/postgresql").glob("*/bin"), reverse=True)))
    return folder, environment(prefix)


def mosquitto() -> tuple[Path, dict[str, str]]:
    """The Mosquitto broker's program and the environment it needs."""
    found = shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if found:
        return Path(found), dict(os.environ)
    prefix = unpack("mosquitto", ("mosquitto",))
    return prefix / "usr/sbin/mosquitto", environment(prefix)


def chromium() -> tuple[Path, dict[str, str]]:
    """Chromium's program with a font that has Hanzi, and the environment it needs."""
    packages = ("chromium", "fonts-wqy-zenhei", "fontconfig-config")
    found = shutil.which("chromium")
    if found and Path("/usr/share/fonts/truetype/wqy").is_dir():
        return Path(found), dict(os.environ)
    prefix = unpack("chromium", packages)
    program = prefix / "usr/lib/chromium/chromium"
    fonts = prefix / "fonts.conf"
    fonts.write_text(
        '<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "fonts.dtd"><fontconfig>'
        f"<dir>{prefix}/usr/share/fonts</dir><dir>/usr/share/fonts</dir>"
        f"<cachedir>{prefix}/fontcache</cachedir></fontconfig>"
    )
    if not program.exists():  # the host has the browser, only the font was missing
        program = Path(found) if found else program
    return program, {**environment(prefix), "FONTCONFIG_FILE": str(fonts)}
