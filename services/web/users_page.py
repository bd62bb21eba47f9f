"""Who may sign in: for administrators."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, Depends, Form, HTTPException, Request, Response
from fastapi.responses import RedirectResponse
from sqlalchemy import delete, select
from sqlalchemy.exc import IntegrityError

from services.database.tables import Role, User, WebSession, new_id
from services.web.audit import Did, note
from services.web.desk import Desk
from services.web.sign_in import LONGEST_PASSWORD, problem_with
from services.web.visitors import Visitor, may, own_form

router = APIRouter()

Administrator = Annotated[Visitor, Depends(may("manage_users"))]


@router.get("/users")
async def users_page(request: Request, visitor: Administrator) -> Response:
    """Show everybody who may sign in, and a form for one more."""
    services = Desk.of(request).services
    async with services.sessions.begin() as session:
        note(session, services.clock(), visitor.id, Did.LIST_USERS, "user")
    return await _page(request)


@router.post("/users", dependencies=[Depends(own_form)])
async def add_user(
    request: Request,
    visitor: Administrator,
    role: Annotated[str, Form()],
    name: Annotated[str, Form(max_length=80)] = "",
    login: Annotated[str, Form(max_length=60)] = "",
    password: Annotated[str, Form(max_length=LONGEST_PASSWORD)] = "",
) -> Response:
    """Add a user."""
    services = Desk.of(request).services
    name, login = name.strip(), login.strip().lower()
    problem = problem_with(name, login, password, password)
    if problem is not None:
        return await _page(request, problem)
    password_hash = await asyncio.to_thread(services.passwords.hash, password)
    user = User(
        id=new_id(),
        login=login,
        name=name,
        password_hash=password_hash,
        role=role,
        language=visitor.language,
        created_at=services.clock(),
    )
    try:
        async with services.sessions.begin() as session:
            if await session.get(Role, role) is None:
                raise HTTPException(422)
            session.add(user)
            note(session, services.clock(), visitor.id, Did.ADD_USER, "user", user.id)
    except IntegrityError:
        return await _page(request, "user.login_taken")
    return RedirectResponse("/users", 303)


@router.post("/users/{user_id}/active", dependencies=[Depends(own_form)])
async def set_active(
    request: Request, user_id: str, visitor: Administrator, active: Annotated[bool, Form()]
) -> Response:
    """Let a user sign in again, or no longer; open sessions end at once."""
    services = Desk.of(request).services
    if user_id == visitor.id:
        # Nobody locks themselves out: there is always an administrator left.
        raise HTTPException(422)
    async with services.sessions.begin() as session:
        user = await session.get(User, user_id)
        if user is None:
            raise HTTPException(404)
        user.active = active
        await session.execute(delete(WebSession).where(WebSession.user_id == user_id))
        note(session, services.clock(), visitor.id, Did.CHANGE_USER, "user", user_id)
    return RedirectResponse("/users", 303)


async def _page(request: Request, problem: str | None = None) -> Response:
    desk = Desk.of(request)
    async with desk.services.sessions() as session:
        users = (await session.scalars(select(User).order_by(User.name))).all()
        roles = (await session.scalars(select(Role.name))).all()
    return desk.page(
        request,
        "users.html",
        200 if problem is None else 422,
        users=users,
        roles=sorted(roles, key=["nurse", "supervisor", "administrator"].index),
        problem=problem,
    )
