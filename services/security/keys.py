"""Master keys and the data keys they wrap.

One data key a patient protects that patient's columns and recordings; it is kept in the database
wrapped by a version of the master key. The master key file lives outside the database. It may hold
several versions: the newest wraps, all of them unwrap, so a rotation needs no rewriting at once.
"""

from __future__ import annotations

import base64
import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from services.security.errors import KeyDestroyed, KeyFileError, Unreadable

ALGORITHM = "AES-256-GCM"
"""Cipher of everything a data key protects, and of the wrapping itself."""
KEY_BYTES = 32
NONCE_BYTES = 12
_SEARCH_KEY_ID = "search"


@dataclass(frozen=True, slots=True)
class WrappedKey:
    """A data key as it may be stored; the columns of ``data_keys``."""

    algorithm: str
    master_version: int
    wrapped: bytes
    """12-byte nonce, then the encrypted key with its 16-byte tag."""


class KeyRing:
    """The master keys of this hospital, by version."""

    def __init__(self, masters: Mapping[int, bytes], search: WrappedKey | None = None) -> None:
        if not masters:
            raise KeyFileError("the master key file holds no key; restore it from its backup")
        if any(len(key) != KEY_BYTES for key in masters.values()):
            raise KeyFileError(f"a master key is not {KEY_BYTES} bytes; restore the file")
        self._masters = dict(masters)
        if search is None:
            # Derived once from the oldest master and from then on kept wrapped, so that the
            # hashes in the rows stay valid when that master is retired.
            search = self.wrap(_SEARCH_KEY_ID, _derive(self._masters[min(self._masters)]))
        self._search = search

    @property
    def current(self) -> int:
        """Version that wraps new keys."""
        return max(self._masters)

    @property
    def search_key(self) -> bytes:
        """Key of ``services.security.sealing.SearchHash``; the same over every master version."""
        return self.unwrap(_SEARCH_KEY_ID, self._search.master_version, self._search.wrapped)

    def new_data_key(self, key_id: str) -> tuple[bytes, WrappedKey]:
        """Make a data key: the key itself, and what to store in the row ``key_id``."""
        key = secrets.token_bytes(KEY_BYTES)
        return key, self.wrap(key_id, key)

    def wrap(self, key_id: str, key: bytes) -> WrappedKey:
        """Wrap a data key with the newest master; only ``key_id`` unwraps it."""
        nonce = secrets.token_bytes(NONCE_BYTES)
        master = AESGCM(self._masters[self.current])
        return WrappedKey(
            ALGORITHM, self.current, nonce + master.encrypt(nonce, key, key_id.encode())
        )

    def unwrap(self, key_id: str, master_version: int, wrapped: bytes | None) -> bytes:
        """Return a data key.

        Raises:
            KeyDestroyed: ``wrapped`` is None.
            KeyFileError: the master version is not in the file.
            Unreadable: altered, or wrapped for another id.
        """
        if wrapped is None:
            raise KeyDestroyed(key_id)
        master = self._masters.get(master_version)
        if master is None:
            raise KeyFileError(
                f"master key version {master_version} is not in the key file; restore it"
            )
        try:
            return AESGCM(master).decrypt(
                wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:], key_id.encode()
            )
        except InvalidTag:
            raise Unreadable(f"data key {key_id} was altered or belongs elsewhere") from None

    def rotated(self) -> KeyRing:
        """Return a ring with one more version, which wraps from now on; write it with ``save``."""
        masters = {**self._masters, self.current + 1: secrets.token_bytes(KEY_BYTES)}
        ring = KeyRing(masters, self._search)
        ring._search = ring.wrap(_SEARCH_KEY_ID, self.search_key)
        return ring

    def save(self, path: Path) -> None:
        """Write the key file with mode 600, replacing the old one in one step."""
        temporary = _write_beside(path, self._as_json())
        os.replace(temporary, path)

    @classmethod
    def open(cls, path: Path) -> KeyRing:
        """Read the key file; make it on first use.

        Raises:
            KeyFileError: damaged, or others on this machine may read it.
        """
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            temporary = _write_beside(path, cls({1: secrets.token_bytes(KEY_BYTES)})._as_json())
            try:
                # A link never replaces: of two processes that start together, one wins.
                os.link(temporary, path)
            except FileExistsError:
                pass
            finally:
                temporary.unlink()
        if path.stat().st_mode & 0o077:
            raise KeyFileError(f"others may read the master key file; run: chmod 600 {path}")
        return cls._from_json(path.read_text("ascii"))

    def _as_json(self) -> str:
        return json.dumps(
            {
                "masters": {str(v): _text(key) for v, key in self._masters.items()},
                "search": {
                    "algorithm": self._search.algorithm,
                    "master_version": self._search.master_version,
                    "wrapped": _text(self._search.wrapped),
                },
            },
            indent=1,
        )

    @classmethod
    def _from_json(cls, source: str) -> KeyRing:
        try:
            content = json.loads(source)
            masters = {int(v): base64.b64decode(key) for v, key in content["masters"].items()}
            search = content["search"]
            wrapped = base64.b64decode(search["wrapped"])
            kept = WrappedKey(search["algorithm"], int(search["master_version"]), wrapped)
        except (ValueError, KeyError, TypeError, AttributeError):
            raise KeyFileError(
                "the master key file is damaged; restore it from its backup"
            ) from None
        return cls(masters, kept)


def _derive(master: bytes) -> bytes:
    return HKDF(hashes.SHA256(), KEY_BYTES, salt=None, info=b"huifang search").derive(master)


def _text(key: bytes) -> str:
    return base64.b64encode(key).decode("ascii")


def _write_beside(path: Path, content: str) -> Path:
    temporary = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    return temporary
