"""Where finished recordings lie: objects by name, written whole, read by ranges.

The port is what an S3-compatible store offers: put a stream, read a range, delete, list. What goes in
is encrypted already; a store never sees a key.
"""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import AsyncIterator
from pathlib import Path
from typing import BinaryIO, Protocol

from recordings.errors import NotInStore, RecordingError


class Store(Protocol):
    """Keeps objects by name: path-like, ``2026/03/…``, ASCII letters, digits, ``-_./``."""

    async def put(self, object_key: str, content: AsyncIterator[bytes]) -> None:
        """Keep the stream under this name, replacing what was there; all of it or nothing.

        Raises:
            RecordingError: it could not be kept (retryable).
        """
        ...

    async def size(self, object_key: str) -> int:
        """Return the bytes of an object.

        Raises:
            NotInStore: there is none.
        """
        ...

    async def read(self, object_key: str, offset: int, length: int) -> bytes:
        """Return a range; shorter only at the object's end.

        Raises:
            NotInStore: there is none.
        """
        ...

    async def delete(self, object_key: str) -> None:
        """Remove an object; harmless when there is none."""
        ...

    def names(self, prefix: str = "") -> AsyncIterator[str]:
        """Yield the names that start with ``prefix``, in order."""
        ...


class FolderStore:
    """Objects as files below one folder, readable by this user only."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def put(self, object_key: str, content: AsyncIterator[bytes]) -> None:
        """Write beside, then rename: a reader never sees half an object."""
        path = self._path(object_key)
        temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        try:
            file = await asyncio.to_thread(_create, temporary)
            try:
                async for piece in content:
                    await asyncio.to_thread(file.write, piece)
                await asyncio.to_thread(_sync, file)
            finally:
                await asyncio.to_thread(file.close)
            await asyncio.to_thread(_move, temporary, path)
        except OSError as error:
            raise RecordingError(
                f"{object_key} could not be written to the recordings folder: {error.strerror}",
                retryable=True,
            ) from error
        finally:
            await asyncio.to_thread(temporary.unlink, missing_ok=True)

    async def size(self, object_key: str) -> int:
        """Return the file's size."""
        try:
            return (await asyncio.to_thread(self._path(object_key).stat)).st_size
        except FileNotFoundError:
            raise NotInStore(object_key) from None

    async def read(self, object_key: str, offset: int, length: int) -> bytes:
        """Read a range of the file."""
        try:
            return await asyncio.to_thread(_read, self._path(object_key), offset, length)
        except FileNotFoundError:
            raise NotInStore(object_key) from None

    async def delete(self, object_key: str) -> None:
        """Remove the file."""
        await asyncio.to_thread(self._path(object_key).unlink, missing_ok=True)

    async def names(self, prefix: str = "") -> AsyncIterator[str]:
        """Walk the folder."""
        for name in await asyncio.to_thread(self._walk):
            if name.startswith(prefix):
                yield name

    def _walk(self) -> list[str]:
        files = (path for path in self._folder.rglob("*") if path.is_file())
        return sorted(
            path.relative_to(self._folder).as_posix()
            for path in files
            if not path.name.startswith(".")
        )

    def _path(self, object_key: str) -> Path:
        parts = object_key.split("/")
        if any(part.startswith(".") or not part for part in parts) or "\\" in object_key:
            raise ValueError(f"{object_key!r} cannot name a recording")
        return self._folder.joinpath(*parts)


def _create(path: Path) -> BinaryIO:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")


def _sync(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())


def _move(temporary: Path, path: Path) -> None:
    temporary.replace(path)
    # The new name, too, has to survive a power cut.
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _read(path: Path, offset: int, length: int) -> bytes:
    with path.open("rb") as file:
        file.seek(offset)
        return file.read(length)
