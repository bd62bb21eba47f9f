"""Recording a call: in memory until consent, then encrypted on disk, at the end Opus in the store."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from recordings import alignment, opus, pieces, waveform
from recordings.alignment import Samples
from recordings.container import seal_all
from recordings.errors import NotInStore, RecordingError
from recordings.pieces import SAMPLE_RATE, Piece, Side
from recordings.reading import open_sealed
from recordings.spool import CHUNK_BYTES, RAW, SpoolWriter
from recordings.store import FolderStore, Store

log = logging.getLogger(__name__)

CODEC = "opus"
_SLICE_BYTES = 32 * CHUNK_BYTES


@dataclass(frozen=True, slots=True)
class StoredRecording:
    """A finished recording; the columns of ``recordings``."""

    object_key: str
    codec: str
    seconds: float
    size: int
    """Bytes of the clear file."""
    sha256: str
    """Of the clear file, 64 hex digits."""
    peaks: dict[str, Any]
    """See ``recordings.waveform.peaks``."""


class CallRecorder:
    """Records one call. Used from the event loop; disk and compression go to worker threads.

    Until ``keep`` everything stays in memory. ``patient`` and ``system`` never block and never
    raise: a full disk must not end a call.
    """

    def __init__(
        self, store: Store, spool: Path, *, object_key: str, data_key: bytes, key_id: str
    ) -> None:
        """Prepare; nothing is written yet.

        Args:
            store: where the finished recording goes.
            spool: folder of this machine for the raw log; the same after a restart.
            object_key: name in the store, such as ``2026/03/<attempt id>.opus``.
            data_key: the patient's, 32 bytes.
            key_id: id of the data key, kept in the file's header.
        """
        self._store = store
        self._spool = spool
        self._object_key = object_key
        self._data_key = data_key
        self._key_id = key_id
        self._raw = SpoolWriter(spool, object_key, data_key, key_id)
        self._held = bytearray()
        self._kept = False
        self._closed = False
        self._writing: asyncio.Task[None] | None = None

    @property
    def kept(self) -> bool:
        """Whether what is recorded goes to disk."""
        return self._kept

    def patient(self, pcm: bytes, at: float) -> None:
        """Sound from the far side; ``at`` seconds on the leg's clock is its first sample."""
        self._add(Piece(Side.PATIENT, at, pcm))

    def system(self, pcm: bytes, at: float) -> None:
        """Sound the line played from ``at`` on; a whole clip or frames, also after the fact.

        It ends whatever of an earlier clip would still sound then.
        """
        self._add(Piece(Side.SYSTEM, at, pcm))

    def keep(self) -> None:
        """The right party consented: write what is held, and everything from now on."""
        if not self._closed:
            self._kept = True
            self._write_if_due()

    def drop(self) -> None:
        """Refused, or the wrong person: forget everything, also what was kept, and hear no more."""
        self._kept, self._closed = False, True
        self._held[:] = bytes(len(self._held))
        self._held.clear()
        self._raw.remove()

    async def finish(self) -> StoredRecording | None:
        """Close the recording and put it into the store.

        Returns:
            What was stored; None when nothing was to be kept or nothing was heard.

        Raises:
            RecordingError: disk or store would not take it; the raw log stays for ``recover``.
        """
        if self._writing is not None:
            await self._writing
        if not self._kept:
            self.drop()
            return None
        self._closed = True
        held, self._held = bytes(self._held), bytearray()
        await asyncio.to_thread(self._close_raw, held)
        return await recover(
            self._store, self._spool, self._object_key, self._data_key, self._key_id
        )

    def _add(self, piece: Piece) -> None:
        if not self._closed:
            self._held += pieces.encode(piece)
            self._write_if_due()

    def _write_if_due(self) -> None:
        if self._kept and self._writing is None and len(self._held) >= CHUNK_BYTES:
            self._writing = asyncio.create_task(self._write())

    async def _write(self) -> None:
        try:
            while self._kept and len(self._held) >= CHUNK_BYTES:
                held, self._held = bytes(self._held), bytearray()
                await asyncio.to_thread(self._raw.append, held)
        except RecordingError as error:
            # The spool holds on to what the disk refused and writes it with the next second.
            log.warning("recording %s is held in memory: %s", self._object_key, error)
        finally:
            self._writing = None
            if self._closed and not self._kept:
                self._raw.remove()

    def _close_raw(self, held: bytes) -> None:
        self._raw.append(held)
        self._raw.finish()


async def recover(
    store: Store, spool: Path, object_key: str, data_key: bytes, key_id: str
) -> StoredRecording | None:
    """Turn the raw log of a call, finished or broken off, into the recording in the store.

    May be repeated: where the recording is in the store already it is described again.

    Returns:
        What is stored; None when there is neither raw log nor recording, or it holds no sound.

    Raises:
        RecordingError: the log is damaged, or the store would not take the recording (retryable).
    """
    raw_store, raw_name = FolderStore(spool), object_key + RAW
    try:
        raw = await open_sealed(raw_store, raw_name, data_key, unfinished=True)
    except NotInStore:
        return await _describe(store, object_key, data_key)
    # In slices: to decrypt an hour in one go would hold up every live call for its time.
    slices = [await raw.read(at, _SLICE_BYTES) for at in range(0, raw.size, _SLICE_BYTES)]
    stored = None
    sound = await asyncio.to_thread(_align, slices)
    if sound.shape[1]:
        file = await asyncio.to_thread(opus.encode, sound)
        sealed = await asyncio.to_thread(seal_all, data_key, key_id, object_key, file, CHUNK_BYTES)
        await store.put(object_key, _whole(sealed))
        stored = await asyncio.to_thread(_stored, object_key, file, sound)
    await raw_store.delete(raw_name)
    return stored


async def _describe(store: Store, object_key: str, data_key: bytes) -> StoredRecording | None:
    try:
        file = await (await open_sealed(store, object_key, data_key)).read()
    except NotInStore:
        return None
    sound = await asyncio.to_thread(opus.decode, file)
    return await asyncio.to_thread(_stored, object_key, file, sound)


def _align(log: list[bytes]) -> Samples:
    return alignment.align(pieces.decode(b"".join(log)))


def _stored(object_key: str, file: bytes, sound: Samples) -> StoredRecording:
    return StoredRecording(
        object_key=object_key,
        codec=CODEC,
        seconds=sound.shape[1] / SAMPLE_RATE,
        size=len(file),
        sha256=hashlib.sha256(file).hexdigest(),
        peaks=waveform.peaks(sound),
    )


async def _whole(content: bytes) -> AsyncIterator[bytes]:
    yield content
