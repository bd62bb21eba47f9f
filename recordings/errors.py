"""What can go wrong with recordings."""

from __future__ import annotations


class RecordingError(Exception):
    """A recording cannot be written or read. ``retryable``: whether a second try may work."""

    def __init__(self, message: str, *, retryable: bool = False) -> None:
        super().__init__(message)
        self.retryable = retryable


class Damaged(RecordingError):
    """A recording was altered, cut short, renamed, or is opened with another key."""


class NotInStore(RecordingError):
    """The store holds nothing of this name."""

    def __init__(self, object_key: str) -> None:
        super().__init__(f"the recordings store holds no {object_key}")
