"""Live updates: server-sent events that say *look again*, and nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import StreamingResponse

from services.web.desk import Desk
from services.web.visitors import COOKIE, Visitor, may, visitor_of

router = APIRouter()

HEARTBEAT_SECONDS = 15.0
"""Keeps proxies from closing a quiet stream, and the session from outliving its end."""


@router.get("/live")
async def live(
    request: Request, visitor: Annotated[Visitor, Depends(may("read_calls"))]
) -> Response:
    """Send ``changed`` at the start and whenever alerts, calls or duties changed."""
    return StreamingResponse(
        _events(Desk.of(request), request.cookies.get(COOKIE)),
        media_type="text/event-stream",
        headers={"X-Accel-Buffering": "no"},
    )


async def _events(desk: Desk, token: str | None) -> AsyncIterator[str]:
    services = desk.services
    changes = services.changes.watch()
    coming = asyncio.ensure_future(anext(changes))
    try:
        while True:
            await asyncio.wait((coming,), timeout=HEARTBEAT_SECONDS)
            async with services.sessions() as session:
                if await visitor_of(session, token, services.clock()) is None:
                    return
            if not coming.done():
                yield ": still here\n\n"
                continue
            coming.result()
            yield "event: changed\ndata:\n\n"
            coming = asyncio.ensure_future(anext(changes))
    finally:
        coming.cancel()
