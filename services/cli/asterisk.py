"""``huifang asterisk``: a private Asterisk on loopback, for trying things out without a hospital's."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dialer.asterisk import instance
from services.cli.failing import stop_with

app = typer.Typer(
    no_args_is_help=True, help="A private Asterisk on loopback, for trying things out."
)

Prefix = Annotated[Path, typer.Option(help="Folder of the unpacked Asterisk.")]
Run = Annotated[Path, typer.Option(help="Folder of the running instance's configuration and log.")]

PREFIX = instance.DEFAULT_PREFIX
RUN = Path(".servers/asterisk-run")


@app.callback()
def group() -> None:
    """A private Asterisk on loopback, for trying things out."""


@app.command()
def get(prefix: Prefix = PREFIX) -> None:
    """Unpack the current Debian build, without root and without touching the host."""
    with stop_with(instance.InstanceError):
        print(instance.get(prefix, lambda line: print(line, flush=True)))


@app.command()
def start(
    prefix: Prefix = PREFIX,
    run: Run = RUN,
    http_port: Annotated[int, typer.Option(help="Port of ARI and media.")] = 18088,
    sip_port: Annotated[int, typer.Option(help="Port of SIP over UDP.")] = 15060,
    trunk: Annotated[
        str, typer.Option(help="HOST:PORT of the SIP peer that is called.")
    ] = "127.0.0.1:15070",
) -> None:
    """Start it, or find it running, and print the settings that reach it."""
    settings = instance.InstanceSettings(run, http_port, sip_port, trunk_contact=trunk)
    with stop_with(instance.InstanceError):
        running = instance.start(settings, prefix)
    print(f"Asterisk runs (process {running.pid}); its log is in {running.run}. To use it:")
    print(f"export HUIFANG_ARI_URL={running.url} HUIFANG_ARI_USER={running.user}")
    print(f"export HUIFANG_ARI_PASSWORD_FILE={running.run}/ari.secret")


@app.command()
def stop(run: Run = RUN) -> None:
    """Stop it, its calls with it."""
    print("Asterisk stopped." if instance.stop(run) else "No Asterisk was running there.")
