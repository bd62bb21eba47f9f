"""The one rule for what a machine lacks: a test is left out and says so, in CI it fails."""

from __future__ import annotations

import os
from typing import NoReturn

import pytest


def leave_out(what_is_missing: str) -> NoReturn:
    """Skip a test, a fixture or a whole module; with ``CI=true`` fail instead."""
    if os.environ.get("CI") == "true":
        pytest.fail(what_is_missing, pytrace=False)
    # Nothing is hidden: the line above is what CI runs.
    pytest.skip(f"left out: {what_is_missing}", allow_module_level=True)
