"""The one-time link with which the first administrator is made."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from services.clock import Clock
from services.database.session import Sessions
from services.database.tables import SetupToken, User
from services.security.tokens import new_token, token_hash

LASTS = timedelta(hours=24)


async def offer_setup(sessions: Sessions, clock: Clock) -> str | None:
    """Return a fresh token for ``/setup?token=…``; None when an administrator can sign in already.

    An older offer ends: only the newest token works.
    """
    now = clock()
    token = new_token()
    async with sessions.begin() as session:
        if await _has_administrator(session):
            return None
        await session.execute(
            update(SetupToken).where(SetupToken.used_at.is_(None)).values(expires_at=now)
        )
        session.add(
            SetupToken(token_hash=token_hash(token), created_at=now, expires_at=now + LASTS)
        )
    return token


async def may_set_up(session: AsyncSession, token: str, now: datetime) -> bool:
    """Whether the token is good."""
    query = select(SetupToken.token_hash).where(
        SetupToken.token_hash == token_hash(token),
        SetupToken.used_at.is_(None),
        SetupToken.expires_at > now,
    )
    return await session.scalar(query) is not None and not await _has_administrator(session)


async def use_setup(session: AsyncSession, token: str, now: datetime) -> bool:
    """Use the token up, within the transaction that makes the administrator; False: it is not good."""
    if not await may_set_up(session, token, now):
        return False
    # Of two who use it at once, one finds it used.
    used = await session.scalar(
        update(SetupToken)
        .where(SetupToken.token_hash == token_hash(token), SetupToken.used_at.is_(None))
        .values(used_at=now)
        .returning(SetupToken.token_hash)
    )
    return used is not None


async def _has_administrator(session: AsyncSession) -> bool:
    query = select(User.id).where(User.role == "administrator", User.active).limit(1)
    return await session.scalar(query) is not None
