"""``huifang scripts``: the questionnaires."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from scripts.marked_yaml import ScriptError
from scripts.reading import library, load, read
from services.cli.failing import stop_with

app = typer.Typer(no_args_is_help=True)


class NoSuchScript(Exception):
    """A file that is to be checked is not there."""


@app.callback()
def group() -> None:
    """The questionnaires."""


@app.command()
def check(
    files: Annotated[list[Path], typer.Argument(help="Scripts to check, as YAML files.")],
) -> None:
    """Check scripts; every problem with its file, line and column."""
    for file in files:
        with stop_with(ScriptError, NoSuchScript):
            if not file.is_file():
                raise NoSuchScript(f"{file}: there is no such file")
            script = read(file)
        print(
            f"{file}: good: {script.id} version {script.version}, {', '.join(script.languages)}, "
            f"{len(script.questions)} questions"
        )


@app.command("list")
def list_library() -> None:
    """List the scripts that come with the product."""
    for script_id in library():
        script = load(script_id)
        print(
            f"{script.id}  version {script.version}  {', '.join(script.languages)}  {script.review}"
        )
