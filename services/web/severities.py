"""Comparing severities as the rows keep them."""

from __future__ import annotations

from scripts.answers import Severity


def worst_of(*severities: str) -> Severity:
    """Return the worst of some; NONE of nothing."""
    return max((Severity(one) for one in severities), key=lambda s: s.rank, default=Severity.NONE)
