"""HTTP byte ranges (RFC 9110, section 14)."""

from __future__ import annotations

import re


class Unsatisfiable(ValueError):
    """The range lies outside of the content: status 416."""


def wanted(header: str | None, size: int) -> tuple[int, int] | None:
    """Return the first byte and the end (exclusive) of a single range.

    None: send everything, because no range was asked, or one that is malformed or of several parts,
    which a server may ignore.

    Raises:
        Unsatisfiable: it starts behind the end.
    """
    found = re.fullmatch(r"bytes=(\d{0,18})-(\d{0,18})", (header or "").strip())
    if found is None or found.group() == "bytes=-":
        return None
    first, last = found.groups()
    if not first:
        length = min(int(last), size)
        if length == 0:
            raise Unsatisfiable
        return size - length, size
    start = int(first)
    end = min(int(last) + 1, size) if last else size
    if last and int(last) < start:
        return None
    if start >= size:
        raise Unsatisfiable
    return start, end
