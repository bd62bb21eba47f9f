"""How a command fails: one clear line on standard error and a non-zero exit, never a traceback."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import typer


@contextlib.contextmanager
def stop_with(*expected: type[BaseException]) -> Iterator[None]:
    """Turn the expected errors, whose text says what to do, into that one line and exit status 1."""
    try:
        yield
    except expected as error:
        typer.echo(f"huifang: {error}", err=True)
        raise typer.Exit(1) from None
