"""The desk on an open hospital; named by its import path, since nothing imports the desk."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from fastapi import FastAPI

from services.runtime import Hospital
from services.web.app import create
from services.web.desk import DeskServices


def application(on: Hospital) -> FastAPI:
    """Make the desk's application."""
    return create(
        DeskServices(
            sessions=on.sessions,
            keys=on.keys,
            recordings=on.recordings,
            alerts=on.alerts,
            changes=on.changes,
            duty=on.duty,
            clock=on.clock,
            zone=ZoneInfo(on.settings.time_zone),
        )
    )
