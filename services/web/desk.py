"""What the desk is given, and what every page shares."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from fastapi import Request, Response
from fastapi.templating import Jinja2Templates
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from recordings.store import Store
from services.clock import Clock
from services.database.session import Sessions
from services.security.keys import KeyRing
from services.security.passwords import Passwords
from services.web.languages import Catalogue
from services.web.slow_down import SlowDown

_HERE = Path(__file__).parent


class Alerts(Protocol):
    """Takes acknowledgements."""

    async def acknowledge(self, alert_id: str, user_id: str) -> bool:
        """Note that a person took the alert; False if somebody had taken it already."""
        ...


class Changes(Protocol):
    """Tells when alerts, calls or duties changed."""

    def tell(self) -> None:
        """Something changed and is committed."""
        ...

    def watch(self) -> AsyncIterator[None]:
        """Yield at the start and after every change."""
        ...


class Duty(Protocol):
    """The duty roster."""

    async def on_duty(self, at: datetime) -> tuple[str, ...]:
        """Return the ids of the users on duty."""
        ...

    async def take(self, user_id: str, starts_at: datetime, ends_at: datetime) -> str:
        """Put a user on duty; return the shift's id."""
        ...


@dataclass(frozen=True)
class DeskServices:
    """The hospital as the desk sees it; ``services.runtime`` and the tests make one."""

    sessions: Sessions
    keys: KeyRing
    recordings: Store
    alerts: Alerts
    changes: Changes
    duty: Duty
    clock: Clock
    zone: ZoneInfo
    """The hospital's zone: what *today* is."""
    passwords: Passwords = field(default_factory=Passwords)


class Desk:
    """One running desk: its services, its words, its templates."""

    def __init__(self, services: DeskServices) -> None:
        self.services = services
        self.catalogue = Catalogue.read(_HERE / "catalogue.yaml")
        self.slow_down = SlowDown(services.clock)
        # Autoescape for every template, whatever its name; a missing variable is an error.
        environment = Environment(
            loader=FileSystemLoader(_HERE / "templates"), autoescape=True, undefined=StrictUndefined
        )
        environment.filters.update(local=self._local, clock=_minutes_and_seconds)
        self._templates = Jinja2Templates(env=environment)

    @classmethod
    def of(cls, request: Request) -> Desk:
        """Return the desk that serves a request."""
        desk: Desk = request.app.state.desk
        return desk

    def page(
        self, request: Request, template: str, status_code: int = 200, **context: Any
    ) -> Response:
        """Render a page in the reader's language.

        The reader (``services.web.visitors.Visitor``) and who is on duty come from the request's
        state, where the sign-in check left them.
        """
        visitor = getattr(request.state, "visitor", None)
        language = self.language(request)
        shared = {
            "visitor": visitor,
            "on_duty": getattr(request.state, "on_duty", ()),
            "language": language,
            "t": self.catalogue.speak(language),
            "term": self.catalogue.terms(language),
            "path": request.url.path,
        }
        return self._templates.TemplateResponse(
            request, template, shared | context, status_code=status_code
        )

    def language(self, request: Request) -> str:
        """Return the reader's language: their own, else the browser's."""
        visitor = getattr(request.state, "visitor", None)
        if visitor is not None and visitor.language in self.catalogue.languages:
            return str(visitor.language)
        return self.catalogue.preferred(request.headers.get("accept-language", ""))

    def now(self) -> datetime:
        """Return the time in the hospital's zone."""
        return self.services.clock().astimezone(self.services.zone)

    def _local(self, at: datetime, form: str = "%H:%M") -> str:
        return at.astimezone(self.services.zone).strftime(form)


def _minutes_and_seconds(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}:{rest:02}"
