"""Reading a container out of a store, by ranges, without ever holding all of it."""

from __future__ import annotations

from recordings.container import LARGEST_HEADER, TAG_BYTES, Cipher, Header
from recordings.errors import Damaged
from recordings.store import Store


class SealedFile:
    """A container in a store, open for reading. Made by ``open_sealed``."""

    def __init__(
        self, store: Store, name: str, header: Header, cipher: Cipher, sealed_size: int
    ) -> None:
        self.header = header
        self.complete = False
        """Whether the final chunk is there."""
        self._store = store
        self._name = name
        self._cipher = cipher
        self._start = len(header.encode())
        self._stride = header.chunk_size + TAG_BYTES
        self._whole, self._tail = divmod(max(0, sealed_size - self._start), self._stride)
        self._final = b""

    @property
    def size(self) -> int:
        """Clear bytes in all."""
        return self._whole * self.header.chunk_size + len(self._final)

    async def read(self, offset: int = 0, length: int | None = None) -> bytes:
        """Return the clear bytes of a range, cut at the end of the file.

        Raises:
            Damaged: a chunk in the range was altered.
            NotInStore: the object was removed meanwhile.
        """
        end = self.size if length is None else min(offset + length, self.size)
        if offset >= end:
            return b""
        chunk_size = self.header.chunk_size
        first, last = offset // chunk_size, (end - 1) // chunk_size
        clear = await self._chunks(first, min(last, self._whole - 1))
        if last == self._whole:
            clear += self._final
        return clear[offset - first * chunk_size : end - first * chunk_size]

    async def _chunks(self, first: int, last: int) -> bytes:
        if last < first:
            return b""
        sealed = await self._store.read(
            self._name, self._start + first * self._stride, (last - first + 1) * self._stride
        )
        pieces = (sealed[at : at + self._stride] for at in range(0, len(sealed), self._stride))
        return b"".join(
            self._cipher.open(first + number, piece, final=False)
            for number, piece in enumerate(pieces)
        )

    async def find_end(self) -> None:
        """Look for the final chunk and learn whether the file is complete."""
        if self._tail < TAG_BYTES:
            return
        offset = self._start + self._whole * self._stride
        sealed = await self._store.read(self._name, offset, self._tail)
        try:
            self._final = self._cipher.open(self._whole, sealed, final=True)
        except Damaged:
            # A chunk torn while it was being written looks like this too: unfinished, either way.
            return
        self.complete = True


async def open_sealed(
    store: Store, object_key: str, data_key: bytes, *, unfinished: bool = False
) -> SealedFile:
    """Open a container for reading.

    ``unfinished``: also one without its final chunk, up to its last whole chunk.

    Raises:
        Damaged: no container, cut short, or opened with another key.
        NotInStore: there is no such object.
    """
    header = Header.decode(await store.read(object_key, 0, LARGEST_HEADER))
    cipher = Cipher(data_key, header, object_key)
    file = SealedFile(store, object_key, header, cipher, await store.size(object_key))
    await file.find_end()
    if not (file.complete or unfinished):
        raise Damaged(
            "the recording has no valid end: it was cut short, altered or is still written"
        )
    return file
