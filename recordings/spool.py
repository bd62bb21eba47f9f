"""The raw recording on disk while the call goes on: an encrypted log that survives its writer.

Synchronous; the recorder runs it in worker threads. A spool is a folder of this worker's machine: an
object store cannot be appended to.
"""

from __future__ import annotations

import os
from pathlib import Path

from recordings.container import Sealer
from recordings.errors import RecordingError

CHUNK_BYTES = 16_000
"""Clear bytes a chunk: about a second of one side."""
RAW = ".pcm"
"""Ending of the raw log's name; the rest is the name of the recording it becomes."""


class SpoolWriter:
    """Appends to one raw log, so that whatever was appended in whole chunks can be read again."""

    def __init__(self, folder: Path, object_key: str, data_key: bytes, key_id: str) -> None:
        name = object_key + RAW
        self.path = folder / name
        self._sealer = Sealer(data_key, key_id, name, CHUNK_BYTES)
        self._unwritten = bytearray(self._sealer.start())
        self._written = 0
        self._finished = False

    def append(self, clear: bytes) -> None:
        """Seal and write.

        Raises:
            RecordingError: the disk would not take it (retryable). Nothing is lost: what was
                refused is written with the next call.
        """
        self._unwritten += self._sealer.add(clear)
        self._write()

    def finish(self) -> None:
        """Write the final chunk; may be repeated when the disk refused.

        Raises:
            RecordingError: as ``append``.
        """
        if not self._finished:
            self._finished = True
            self._unwritten += self._sealer.finish()
        self._write()

    def _write(self) -> None:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                # Also writes over what a failed write may have left half done.
                file.seek(self._written)
                file.write(self._unwritten)
                file.flush()
                os.fsync(descriptor)
        except OSError as error:
            raise RecordingError(
                f"the raw recording could not be written: {error.strerror}; free the disk",
                retryable=True,
            ) from error
        self._written += len(self._unwritten)
        self._unwritten.clear()

    def remove(self) -> None:
        """Delete the log; harmless when there is none."""
        self.path.unlink(missing_ok=True)
