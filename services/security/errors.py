"""What can go wrong with keys and sealed values."""

from __future__ import annotations


class SecurityError(Exception):
    """A key or a sealed value cannot be used. A retry never helps; a person must look."""


class KeyFileError(SecurityError):
    """The master key file is missing a version, damaged, or readable by others."""


class KeyDestroyed(SecurityError):
    """The data key was destroyed: what it protected is erased for good."""

    def __init__(self, key_id: str) -> None:
        super().__init__(f"data key {key_id} was destroyed; what it protected is erased")


class Unreadable(SecurityError):
    """A sealed value was altered, moved to another row, or sealed with another key."""
