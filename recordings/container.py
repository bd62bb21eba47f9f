"""The encrypted container: a file sealed in chunks that can be appended to and read at random.

Layout::

    header   magic "HUIF" | format 1 | algorithm 1 | chunk size u32 | salt 16 | key id length u8 | key id
    chunk 0  ciphertext of exactly ``chunk size`` bytes, then a 16-byte tag
    ...
    final    ciphertext of fewer than ``chunk size`` bytes (perhaps none), then a tag

The construction is STREAM (Hoang, Reyhanitabar, Rogaway, Vizár 2015) as the age file format uses it:
the file's own key is derived from the data key and the random salt (HKDF-SHA256), and the nonce of
a chunk is its index (11 bytes) and a flag that only the final chunk sets. So chunks cannot be moved,
dropped or repeated unnoticed, and a file without its final chunk is known to be unfinished: it
was cut, or its writer died, and is readable up to its last whole chunk. Header and object name are
bound to every chunk: a file put in another's place does not open.
"""

from __future__ import annotations

import secrets
import struct
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from recordings.errors import Damaged

MAGIC = b"HUIF"
FORMAT = 1
AES_256_GCM = 1
TAG_BYTES = 16
LARGEST_HEADER = 4 + 1 + 1 + 4 + 16 + 1 + 255
"""Bytes; reading this many from the start always yields the whole header."""
_FIXED = struct.Struct(">4sBBI16sB")
_LARGEST_CHUNK = 1 << 24


@dataclass(frozen=True, slots=True)
class Header:
    """What is said in clear at the start of a container."""

    key_id: str
    """Id of the data key that opens it."""
    chunk_size: int
    """Clear bytes a chunk."""
    salt: bytes
    algorithm: int = AES_256_GCM

    def encode(self) -> bytes:
        """Return the header's bytes."""
        key_id = self.key_id.encode()
        fixed = _FIXED.pack(MAGIC, FORMAT, self.algorithm, self.chunk_size, self.salt, len(key_id))
        return fixed + key_id

    @classmethod
    def decode(cls, start: bytes) -> Header:
        """Read the header from the first bytes of a container.

        Raises:
            Damaged: it is no container, or one this version cannot read.
        """
        if len(start) < _FIXED.size:
            raise Damaged("the recording is shorter than its header")
        magic, form, algorithm, chunk_size, salt, length = _FIXED.unpack_from(start)
        key_id = start[_FIXED.size : _FIXED.size + length]
        if magic != MAGIC or form != FORMAT or algorithm != AES_256_GCM:
            raise Damaged("the file is not a recording that this version can read")
        if not 0 < chunk_size <= _LARGEST_CHUNK or len(key_id) < length:
            raise Damaged("the recording's header is damaged")
        try:
            return cls(key_id.decode(), chunk_size, salt, algorithm)
        except UnicodeDecodeError:
            raise Damaged("the recording's header is damaged") from None


class Cipher:
    """Seals and opens the chunks of one file; ``name`` is the object's name in its store."""

    def __init__(self, data_key: bytes, header: Header, name: str) -> None:
        self._bound = header.encode() + name.encode()
        derivation = HKDF(hashes.SHA256(), 32, salt=header.salt, info=b"huifang recording")
        self._aead = AESGCM(derivation.derive(data_key))

    def seal(self, index: int, clear: bytes, *, final: bool) -> bytes:
        """Return a chunk of the file."""
        return self._aead.encrypt(_nonce(index, final), clear, self._bound)

    def open(self, index: int, sealed: bytes, *, final: bool) -> bytes:
        """Return a chunk's clear bytes.

        Raises:
            Damaged: altered, or not this chunk of this file.
        """
        try:
            return self._aead.decrypt(_nonce(index, final), sealed, self._bound)
        except InvalidTag:
            raise Damaged(f"chunk {index} of the recording was altered or is not its own") from None


def _nonce(index: int, final: bool) -> bytes:
    return index.to_bytes(11, "big") + bytes([final])


class Sealer:
    """Turns clear bytes into a container's bytes, in order. Nothing is written here."""

    def __init__(self, data_key: bytes, key_id: str, name: str, chunk_size: int) -> None:
        self.header = Header(key_id, chunk_size, secrets.token_bytes(16))
        self._cipher = Cipher(data_key, self.header, name)
        self._held = bytearray()
        self._index = 0

    def start(self) -> bytes:
        """Return the header; it comes first."""
        return self.header.encode()

    def add(self, clear: bytes) -> bytes:
        """Take clear bytes; return the chunks that became whole, which may be none."""
        self._held += clear
        size = self.header.chunk_size
        whole = len(self._held) // size
        sealed = bytearray()
        for number in range(whole):
            chunk = bytes(self._held[number * size : (number + 1) * size])
            sealed += self._cipher.seal(self._index, chunk, final=False)
            self._index += 1
        del self._held[: whole * size]
        return bytes(sealed)

    def finish(self) -> bytes:
        """Return the final chunk; nothing may be added after it."""
        return self._cipher.seal(self._index, bytes(self._held), final=True)


def seal_all(data_key: bytes, key_id: str, name: str, clear: bytes, chunk_size: int) -> bytes:
    """Return a finished container of ``clear``."""
    sealer = Sealer(data_key, key_id, name, chunk_size)
    return sealer.start() + sealer.add(clear) + sealer.finish()
