"""Who answers for alerts: seen, taken, given back."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Form, HTTPException, Request, Response
from fastapi.responses import RedirectResponse
from sqlalchemy import select, update

from services.database.tables import DutyShift, User
from services.web.audit import Did, note
from services.web.desk import Desk
from services.web.visitors import Visitor, may, own_form

router = APIRouter()

LONGEST_HOURS = 24


@router.get("/duty")
async def duty_page(
    request: Request, visitor: Annotated[Visitor, Depends(may("take_duty"))]
) -> Response:
    """Show who is on duty and let the reader take it."""
    desk = Desk.of(request)
    people: list[tuple[str, str]] = []
    if visitor.may("set_duty"):
        async with desk.services.sessions() as session:
            query = select(User.id, User.name).where(User.active).order_by(User.name)
            people = [(user_id, name) for user_id, name in await session.execute(query)]
    return desk.page(request, "duty.html", people=people, longest=LONGEST_HOURS)


@router.post("/duty", dependencies=[Depends(own_form)])
async def take_duty(
    request: Request,
    visitor: Annotated[Visitor, Depends(may("take_duty"))],
    hours: Annotated[int, Form(ge=1, le=LONGEST_HOURS)],
    user_id: Annotated[str | None, Form()] = None,
) -> Response:
    """Put the reader, or whom a supervisor names, on duty from now on."""
    services = Desk.of(request).services
    user_id = user_id or visitor.id
    if user_id != visitor.id and not visitor.may("set_duty"):
        raise HTTPException(403)
    now = services.clock()
    async with services.sessions() as session:
        user = await session.get(User, user_id)
    if user is None or not user.active:
        raise HTTPException(422)
    await services.duty.take(user_id, now, now + timedelta(hours=hours))
    async with services.sessions.begin() as session:
        note(session, now, visitor.id, Did.TAKE_DUTY, "user", user_id)
    services.changes.tell()
    return RedirectResponse("/duty", 303)


@router.post("/duty/end", dependencies=[Depends(own_form)])
async def end_duty(
    request: Request, visitor: Annotated[Visitor, Depends(may("take_duty"))]
) -> Response:
    """End the reader's own duty now."""
    services = Desk.of(request).services
    now = services.clock()
    async with services.sessions.begin() as session:
        await session.execute(
            update(DutyShift)
            .where(DutyShift.user_id == visitor.id, DutyShift.ends_at > now)
            .values(ends_at=now)
        )
        note(session, now, visitor.id, Did.END_DUTY, "user", visitor.id)
    services.changes.tell()
    return RedirectResponse("/duty", 303)
