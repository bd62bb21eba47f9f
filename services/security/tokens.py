"""Random tokens for sessions and one-time links; only their hashes are ever stored."""

from __future__ import annotations

import hashlib
import secrets


def new_token() -> str:
    """Return 256 random bits, safe in a URL and a cookie."""
    return secrets.token_urlsafe(32)


def token_hash(token: str) -> str:
    """Return what is stored of a token: 64 hex digits of SHA-256.

    Plain SHA-256 is enough: the token is random, so there is nothing to guess.
    """
    return hashlib.sha256(token.encode()).hexdigest()
