"""A private PostgreSQL for the tests: on loopback, in a temporary folder, not as root."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support import debian


def free_port() -> int:
    """Return a loopback port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def postgres_server() -> Iterator[str]:
    """Run a server; yield its SQLAlchemy URL without a database name, ending in ``/``."""
    (bin_folder, environment), port = debian.postgres_bin(), free_port()
    # PostgreSQL refuses to run as root.
    user = "nobody" if os.geteuid() == 0 else None
    folder = Path(tempfile.mkdtemp(prefix="huifang-postgres-"))
    if user is not None:
        shutil.chown(folder, user)
    group = pwd.getpwnam(user).pw_gid if user is not None else None
    data = folder / "data"

    def call(*command: str) -> None:
        subprocess.run(
            command,
            user=user,
            group=group,
            cwd=folder,
            env=environment,
            check=True,
            capture_output=True,
            timeout=60,
        )

    try:
        call(
            str(bin_folder / "initdb"), "-D", str(data), "-U", "huifang", "-A", "trust",
            "-E", "UTF8", "--locale=C", "--no-sync",
        )  # fmt: skip
        # The data is thrown away afterwards: no waiting for the disk.
        options = (
            f"-h 127.0.0.1 -p {port} -k {folder} -c fsync=off -c synchronous_commit=off "
            "-c full_page_writes=off -c shared_buffers=32MB"
        )
        control = str(bin_folder / "pg_ctl")
        log = str(folder / "log")
        call(control, "-D", str(data), "-o", options, "-l", log, "-w", "start")
        try:
            yield f"postgresql+psycopg://huifang@127.0.0.1:{port}/"
        finally:
            call(control, "-D", str(data), "-m", "immediate", "-w", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
