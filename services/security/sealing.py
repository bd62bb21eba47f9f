"""Personal columns: sealed values, and keyed hashes to find them by.

A sealed value is ``version (1 byte) | algorithm (1 byte) | nonce (12) | ciphertext and tag``. It is
bound to its column and row: copied into another row it does not open.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import unicodedata
from typing import Literal

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from services.security.errors import Unreadable
from services.security.keys import NONCE_BYTES

_VERSION = 1
_AES_256_GCM = 1
_HEADER = bytes([_VERSION, _AES_256_GCM])


def seal(key: bytes, place: str, row_id: str, value: str) -> bytes:
    """Encrypt ``value`` for one column of one row.

    ``place`` is ``table.column`` (``patients.mrn_sealed``); the same must be given to ``unseal``.
    """
    nonce = secrets.token_bytes(NONCE_BYTES)
    sealed = AESGCM(key).encrypt(nonce, value.encode(), _bound_to(place, row_id))
    return _HEADER + nonce + sealed


def unseal(key: bytes, place: str, row_id: str, sealed: bytes) -> str:
    """Decrypt what ``seal`` made.

    Raises:
        Unreadable: altered, moved to another column or row, sealed with another key or by a newer
            version of the product.
    """
    if sealed[: len(_HEADER)] != _HEADER:
        raise Unreadable(f"{place} of row {row_id} was sealed in a form this version cannot read")
    start = len(_HEADER) + NONCE_BYTES
    try:
        nonce, ciphertext = sealed[len(_HEADER) : start], sealed[start:]
        return AESGCM(key).decrypt(nonce, ciphertext, _bound_to(place, row_id)).decode()
    except (InvalidTag, ValueError):
        raise Unreadable(f"{place} of row {row_id} was altered or belongs elsewhere") from None


def _bound_to(place: str, row_id: str) -> bytes:
    return _HEADER + f"{place}\0{row_id}".encode()


class SearchHash:
    """Keyed hashes of personal values: equal for equal values, useless without the key."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def of(self, kind: Literal["mrn", "number", "name"], value: str) -> str:
        """Return the hash (64 hex digits) of a value as people write it.

        Width, case, spaces and punctuation do not count; for numbers neither does the country code
        of China.
        """
        message = f"{kind}\0{_normalised(kind, value)}".encode()
        return hmac.new(self._key, message, hashlib.sha256).hexdigest()


def _normalised(kind: str, value: str) -> str:
    plain = unicodedata.normalize("NFKC", value).casefold()
    if kind == "number":
        digits = re.sub(r"\D", "", plain)
        # 86, 0086 or +86 before an 11-digit mobile number or a land line with its area code.
        return re.sub(r"^(?:00)?86(?=1\d{10}$|0\d{9,11}$)", "", digits)
    return "".join(character for character in plain if character.isalnum())
