"""Signing in and out, and making the first administrator."""

from __future__ import annotations

import asyncio
import math
from typing import Annotated

from fastapi import APIRouter, Depends, Form, HTTPException, Query, Request, Response
from fastapi.responses import RedirectResponse
from sqlalchemy import delete, select, update

from services.database.tables import User, WebSession, new_id
from services.security.first_administrator import may_set_up, use_setup
from services.security.tokens import token_hash
from services.web.audit import Did, note
from services.web.desk import Desk
from services.web.visitors import COOKIE, SESSION_LASTS, Visitor, open_session, own_form, signed_in

router = APIRouter()

SHORTEST_PASSWORD = 10
LONGEST_PASSWORD = 200
"""Hashing grows with the length; nobody types more."""


@router.get("/sign-in")
async def sign_in_page(request: Request, next: Annotated[str, Query()] = "/") -> Response:
    """Ask for login and password."""
    return Desk.of(request).page(request, "sign_in.html", next=_own_path(next), problem=None)


@router.post("/sign-in")
async def sign_in(
    request: Request,
    login: Annotated[str, Form()] = "",
    password: Annotated[str, Form()] = "",
    next: Annotated[str, Form()] = "/",
) -> Response:
    """Check login and password; slower after every failure."""
    desk, services = Desk.of(request), Desk.of(request).services
    login = login.strip().lower()
    tried = (f"login {login}", f"from {request.client.host if request.client else ''}")
    wait = desk.slow_down.wait(*tried)
    if wait > 0:
        page = desk.page(request, "sign_in.html", 429, next=_own_path(next), problem="sign_in.wait")
        page.headers["Retry-After"] = str(math.ceil(wait))
        return page
    # Counted before the slow check, so that tries at the same time count as well.
    desk.slow_down.failed(*tried)
    async with services.sessions() as session:
        user = await session.scalar(select(User).where(User.login == login, User.active))
    stored = user.password_hash if user else None
    fits = await asyncio.to_thread(services.passwords.check, stored, password[:LONGEST_PASSWORD])
    if user is None or not fits:
        async with services.sessions.begin() as session:
            user_id = user.id if user else None
            note(session, services.clock(), user_id, Did.SIGN_IN_REFUSED, "user", user_id)
        return desk.page(
            request, "sign_in.html", 401, next=_own_path(next), problem="sign_in.refused"
        )
    desk.slow_down.succeeded(*tried)
    await _renew_hash(desk, user, password)
    return await _enter(request, user.id, Did.SIGN_IN, _own_path(next))


@router.post("/sign-out", dependencies=[Depends(own_form)])
async def sign_out(request: Request, visitor: Annotated[Visitor, Depends(signed_in)]) -> Response:
    """End the session."""
    services = Desk.of(request).services
    token = request.cookies[COOKIE]
    async with services.sessions.begin() as session:
        await session.execute(delete(WebSession).where(WebSession.token_hash == token_hash(token)))
        note(session, services.clock(), visitor.id, Did.SIGN_OUT, "user", visitor.id)
    answer = RedirectResponse("/sign-in", 303)
    answer.delete_cookie(COOKIE)
    return answer


@router.post("/language", dependencies=[Depends(own_form)])
async def change_language(
    request: Request,
    visitor: Annotated[Visitor, Depends(signed_in)],
    language: Annotated[str, Form()],
    next: Annotated[str, Form()] = "/",
) -> Response:
    """Keep the user's language."""
    desk = Desk.of(request)
    if language not in desk.catalogue.languages:
        raise HTTPException(422)
    async with desk.services.sessions.begin() as session:
        await session.execute(update(User).where(User.id == visitor.id).values(language=language))
    return RedirectResponse(_own_path(next), 303)


@router.get("/setup")
async def setup_page(request: Request, token: Annotated[str, Query()] = "") -> Response:
    """Ask for the first administrator's name, login and password."""
    desk = Desk.of(request)
    async with desk.services.sessions() as session:
        good = await may_set_up(session, token, desk.services.clock())
    if not good:
        return desk.page(request, "setup.html", 403, token=None, problem=None, name="", login="")
    return desk.page(request, "setup.html", token=token, problem=None, name="", login="")


@router.post("/setup")
async def set_up(
    request: Request,
    token: Annotated[str, Form()],
    name: Annotated[str, Form(max_length=80)] = "",
    login: Annotated[str, Form(max_length=60)] = "",
    password: Annotated[str, Form(max_length=LONGEST_PASSWORD)] = "",
    again: Annotated[str, Form(max_length=LONGEST_PASSWORD)] = "",
) -> Response:
    """Make the first administrator and sign them in."""
    desk, services = Desk.of(request), Desk.of(request).services
    name, login = name.strip(), login.strip().lower()
    problem = problem_with(name, login, password, again)
    if problem is not None:
        return desk.page(
            request, "setup.html", 422, token=token, problem=problem, name=name, login=login
        )
    password_hash = await asyncio.to_thread(services.passwords.hash, password)
    now = services.clock()
    async with services.sessions.begin() as session:
        if not await use_setup(session, token, now):
            return desk.page(
                request, "setup.html", 403, token=None, problem=None, name="", login=""
            )
        user = User(
            id=new_id(),
            login=login,
            name=name,
            password_hash=password_hash,
            role="administrator",
            language=desk.language(request),
            created_at=now,
        )
        session.add(user)
    return await _enter(request, user.id, Did.SET_UP, "/")


def problem_with(name: str, login: str, password: str, again: str) -> str | None:
    """Return the message key of what is wrong with a new user, None when nothing is."""
    if not name or not login:
        return "user.missing"
    if len(password) < SHORTEST_PASSWORD:
        return "user.short_password"
    return None if password == again else "user.passwords_differ"


async def _renew_hash(desk: Desk, user: User, password: str) -> None:
    passwords = desk.services.passwords
    if not passwords.is_outdated(user.password_hash):
        return
    renewed = await asyncio.to_thread(passwords.hash, password)
    async with desk.services.sessions.begin() as session:
        await session.execute(update(User).where(User.id == user.id).values(password_hash=renewed))


async def _enter(request: Request, user_id: str, how: Did, path: str) -> Response:
    services = Desk.of(request).services
    now = services.clock()
    async with services.sessions.begin() as session:
        token = await open_session(session, user_id, now)
        note(session, now, user_id, how, "user", user_id)
    answer = RedirectResponse(path, 303)
    answer.set_cookie(
        COOKIE,
        token,
        max_age=int(SESSION_LASTS.total_seconds()),
        httponly=True,
        samesite="lax",
        secure=request.url.scheme == "https",
    )
    return answer


def _own_path(path: str) -> str:
    """Return a path of this desk; anything that could lead elsewhere becomes the first page."""
    own = path.startswith("/") and not path.startswith("//") and path.isprintable()
    return path if own and "\\" not in path else "/"
