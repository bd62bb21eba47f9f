"""The alerts: open ones first, to be taken."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Form, HTTPException, Request, Response
from fastapi.responses import RedirectResponse
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from scripts.answers import Severity
from services.database.tables import Alert, User
from services.web.audit import Did, note
from services.web.desk import Desk
from services.web.names import Names, Person
from services.web.visitors import Visitor, may, own_form

router = APIRouter()

CLOSED_SHOWN_FOR = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class AlertView:
    """An alert with whom it is about."""

    row: Alert
    patient: Person
    taken_by: str | None
    """Name of who acknowledged it."""


@router.get("/")
async def alerts_page(
    request: Request, visitor: Annotated[Visitor, Depends(may("read_calls"))]
) -> Response:
    """Show the open alerts, the worst and oldest first, then what was taken in the last day."""
    desk = Desk.of(request)
    now = desk.services.clock()
    async with desk.services.sessions.begin() as session:
        alerts = await _alerts(session, Names(desk.services), now - CLOSED_SHOWN_FOR)
        note(session, now, visitor.id, Did.LIST_ALERTS, "alert")
    return desk.page(
        request,
        "alerts.html",
        open=[alert for alert in alerts if alert.row.acknowledged_at is None],
        taken=[alert for alert in alerts if alert.row.acknowledged_at is not None],
    )


@router.post("/alerts/{alert_id}/acknowledge", dependencies=[Depends(own_form)])
async def acknowledge(
    request: Request,
    alert_id: str,
    visitor: Annotated[Visitor, Depends(may("acknowledge_alerts"))],
    back_to_call: Annotated[bool, Form()] = False,
) -> Response:
    """Take an alert; harmless when somebody was faster, the page then says who."""
    services = Desk.of(request).services
    async with services.sessions() as session:
        alert = await session.get(Alert, alert_id)
    if alert is None:
        raise HTTPException(404)
    if await services.alerts.acknowledge(alert_id, visitor.id):
        async with services.sessions.begin() as session:
            note(
                session,
                services.clock(),
                visitor.id,
                Did.ACKNOWLEDGE_ALERT,
                "alert",
                alert_id,
                alert.patient_id,
            )
    return RedirectResponse(f"/calls/{alert.attempt_id}" if back_to_call else "/", 303)


async def _alerts(session: AsyncSession, names: Names, since: object) -> list[AlertView]:
    query = (
        select(Alert, User.name)
        .outerjoin(User, User.id == Alert.acknowledged_by)
        .where((Alert.acknowledged_at.is_(None)) | (Alert.acknowledged_at >= since))
        .order_by(Alert.raised_at)
    )
    found = (await session.execute(query)).all()
    people = await names.of(session, {alert.patient_id for alert, _ in found})
    views = [AlertView(alert, people[alert.patient_id], name) for alert, name in found]
    return sorted(views, key=lambda view: -Severity(view.row.severity).rank)
