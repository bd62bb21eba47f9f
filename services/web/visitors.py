"""Who is at the browser: sessions, permissions, forged requests."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated

from fastapi import Depends, Form, HTTPException, Request
from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.database.tables import DutyShift, Role, User, WebSession
from services.security.tokens import new_token, token_hash
from services.web.desk import Desk

COOKIE = "huifang_session"
SESSION_LASTS = timedelta(hours=12)
"""A long shift; then the password is asked again."""


class NotSignedIn(Exception):
    """Nobody is signed in; the answer is the sign-in page."""


@dataclass(frozen=True, slots=True)
class Visitor:
    """A signed-in user."""

    id: str
    login: str
    name: str
    role: str
    language: str
    permissions: frozenset[str]
    csrf: str
    """Goes into every form; only this session's pages know it."""

    def may(self, permission: str) -> bool:
        """Whether the user's role allows it."""
        return permission in self.permissions


@dataclass(frozen=True, slots=True)
class OnDuty:
    """Somebody who answers for alerts now."""

    user_id: str
    name: str
    until: datetime


async def open_session(session: AsyncSession, user_id: str, now: datetime) -> str:
    """Start a session and return its token, for the cookie only. Clears away old sessions."""
    await session.execute(delete(WebSession).where(WebSession.expires_at <= now))
    token = new_token()
    session.add(
        WebSession(
            token_hash=token_hash(token),
            user_id=user_id,
            created_at=now,
            expires_at=now + SESSION_LASTS,
        )
    )
    return token


async def visitor_of(session: AsyncSession, token: str | None, now: datetime) -> Visitor | None:
    """Return who a session's token belongs to; None: nobody, or not any more."""
    if not token:
        return None
    query = (
        select(User, Role.permissions)
        .join(WebSession, WebSession.user_id == User.id)
        .join(Role, Role.name == User.role)
        .where(WebSession.token_hash == token_hash(token), WebSession.expires_at > now, User.active)
    )
    found = (await session.execute(query)).first()
    if found is None:
        return None
    user, permissions = found
    return Visitor(
        id=user.id,
        login=user.login,
        name=user.name,
        role=user.role,
        language=user.language,
        permissions=frozenset(permissions),
        csrf=_csrf_of(token),
    )


async def people_on_duty(session: AsyncSession, now: datetime) -> tuple[OnDuty, ...]:
    """Return who is on duty at ``now``, the longest there first, each once."""
    query = (
        select(User.id, User.name, DutyShift.ends_at)
        .join(User, User.id == DutyShift.user_id)
        .where(DutyShift.starts_at <= now, DutyShift.ends_at > now, User.active)
        .order_by(DutyShift.starts_at)
    )
    people: dict[str, OnDuty] = {}
    for user_id, name, until in await session.execute(query):
        known = people.get(user_id)
        people[user_id] = OnDuty(user_id, name, max(until, known.until) if known else until)
    return tuple(people.values())


async def signed_in(request: Request) -> Visitor:
    """Require a signed-in user, and leave them in the request's state for the page.

    Raises:
        NotSignedIn: nobody is.
    """
    services = Desk.of(request).services
    now = services.clock()
    async with services.sessions() as session:
        visitor = await visitor_of(session, request.cookies.get(COOKIE), now)
        if visitor is None:
            raise NotSignedIn
        request.state.visitor = visitor
        request.state.on_duty = await people_on_duty(session, now)
    return visitor


def may(permission: str) -> Callable[..., Awaitable[Visitor]]:
    """Require a signed-in user whose role has the permission."""

    async def check(visitor: Annotated[Visitor, Depends(signed_in)]) -> Visitor:
        if not visitor.may(permission):
            raise HTTPException(403)
        return visitor

    return check


async def own_form(
    visitor: Annotated[Visitor, Depends(signed_in)], csrf: Annotated[str, Form()] = ""
) -> None:
    """Require that a form came from a page of this session."""
    if not hmac.compare_digest(csrf.encode(), visitor.csrf.encode()):
        raise HTTPException(403)


def _csrf_of(token: str) -> str:
    return hmac.new(token.encode(), b"csrf", hashlib.sha256).hexdigest()
