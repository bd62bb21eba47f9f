"""The ``huifang`` command. Each command imports what it needs only when it runs."""

from __future__ import annotations

import asyncio
import sys
from importlib import import_module
from typing import Annotated

import typer

app = typer.Typer(
    name="huifang",
    help="Phones patients after discharge, understands their answers, raises the alarm.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
_OF_PYTEST = {"allow_extra_args": True, "ignore_unknown_options": True}


@app.command()
def demo(
    once: Annotated[
        bool, typer.Option("--once", help="One round, a table, an exit status; no desk.")
    ] = False,
) -> None:
    """Call a ward of simulated patients through the real pipeline, and open the desk."""
    from services.cli.demonstrating import demonstrate

    raise typer.Exit(demonstrate(once=once))


@app.command()
def run() -> None:
    """Place calls and serve the desk, in one process."""
    _long_running(work=True, serve=True)


@app.command()
def work() -> None:
    """Place calls."""
    _long_running(work=True, serve=False)


@app.command()
def serve() -> None:
    """Serve the desk."""
    _long_running(work=False, serve=True)


@app.command()
def call(
    number: Annotated[str, typer.Argument(help="One of the patient's enrolled numbers.")],
    script: Annotated[str, typer.Option(help="Id of the script.")],
    patient: Annotated[str, typer.Option(help="The patient's medical record number.")],
    language: Annotated[str | None, typer.Option(help="Instead of the patient's own.")] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Wait for the end of the call.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Have a running worker call a patient now, whatever the calling window."""
    from services.cli.calling import CallWish, call_now

    wish = CallWish(number, script, patient, language)
    raise typer.Exit(asyncio.run(call_now(wish, wait=wait, as_json=as_json)))


@app.command()
def understand() -> None:
    """Understand answers: one JSON object a line in, one out; status 3 if a line failed."""
    from services.triage.lines import Tally, run

    tally = Tally()
    for line in run(sys.stdin, tally=tally):
        print(line)
    raise typer.Exit(tally.exit_status)


@app.command()
def doctor() -> None:
    """Say what is found, what is missing, and the command that mends each thing."""
    from services.cli.doctor import examine

    raise typer.Exit(asyncio.run(examine()))


@app.command()
def check() -> None:
    """Check formatting, lint, types, imports and dependencies (from a checkout)."""
    from services.cli.testing import check

    raise typer.Exit(1 if check() else 0)


@app.command(context_settings=_OF_PYTEST)
def test(context: typer.Context) -> None:
    """Run the checks and every test; arguments go to pytest and choose some (from a checkout)."""
    from services.cli.testing import test

    raise typer.Exit(test(context.args))


def _long_running(*, work: bool, serve: bool) -> None:
    from services.cli.failing import stop_with
    from services.cli.running import NOT_STARTED, read_settings, run

    with stop_with(*NOT_STARTED):
        asyncio.run(run(read_settings(), work=work, serve=serve))


GROUPS = {
    "asterisk": "A private Asterisk on loopback, for trying things out.",
    "models": "The recognisers' models on this machine.",
    "patients": "Who is followed up, and when.",
    "scripts": "The questionnaires.",
}
"""Commands with commands of their own; each is a module of this package."""


def main() -> None:
    """Run the command line."""
    for name, purpose in GROUPS.items():
        app.add_typer(_group(name, purpose), name=name)
    app()


def _group(name: str, purpose: str) -> typer.Typer:
    """Return a group; its own imports are paid for only by those who use it."""
    if name in sys.argv[1:2]:
        group: typer.Typer = import_module(f"services.cli.{name}").app
        return group
    unused = typer.Typer(help=purpose)
    unused.callback()(lambda: None)
    return unused
