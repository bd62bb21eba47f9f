"""One call: heard, read, judged."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException, Request, Response
from fastapi.responses import StreamingResponse
from sqlalchemy import select

from recordings.reading import SealedFile, open_sealed
from services.database.tables import Attempt, Recording, RecordingState, User
from services.patients import Patients, data_key
from services.web import call_view, ranges
from services.web.audit import Did, note
from services.web.desk import Desk
from services.web.visitors import Visitor, may

router = APIRouter()

MEDIA_TYPE = 'audio/ogg; codecs="opus"'
PIECE_BYTES = 64_000


@router.get("/calls/{attempt_id}")
async def call_page(
    request: Request,
    attempt_id: str,
    visitor: Annotated[Visitor, Depends(may("read_calls"))],
) -> Response:
    """Show everything of a call."""
    desk, services = Desk.of(request), Desk.of(request).services
    patients = Patients(services.sessions, services.keys, services.clock)
    async with services.sessions.begin() as session:
        attempt = await session.get(Attempt, attempt_id)
        if attempt is None:
            raise HTTPException(404)
        view = await call_view.load(session, patients, services.keys, attempt)
        takers = {alert.acknowledged_by for alert in view.alerts}
        names = await session.execute(select(User.id, User.name).where(User.id.in_(takers)))
        note(
            session,
            services.clock(),
            visitor.id,
            Did.READ_CALL,
            "attempt",
            attempt_id,
            attempt.patient_id,
        )
    return desk.page(
        request,
        "call.html",
        call=view,
        age=view.patient.age(desk.now().date()),
        waveform=view.waveform(desk.catalogue.terms(desk.language(request))),
        names={user_id: name for user_id, name in names},
    )


@router.get("/calls/{attempt_id}/recording")
async def recording(
    request: Request,
    attempt_id: str,
    visitor: Annotated[Visitor, Depends(may("hear_recordings"))],
) -> Response:
    """Send the recording or a range of it, decrypted piece by piece as it goes out."""
    services = Desk.of(request).services
    async with services.sessions.begin() as session:
        found = (
            await session.execute(
                select(Recording, Attempt.patient_id)
                .join(Attempt, Attempt.id == Recording.attempt_id)
                .where(Recording.attempt_id == attempt_id, Recording.state == RecordingState.STORED)
            )
        ).first()
        if found is None:
            raise HTTPException(404)
        row, patient_id = found
        key = await data_key(session, services.keys, row.data_key_id)
        note(
            session,
            services.clock(),
            visitor.id,
            Did.HEAR_RECORDING,
            "recording",
            row.id,
            patient_id,
        )
    file = await open_sealed(services.recordings, row.object_key, key)
    return _ranged(file, request.headers.get("range"))


def _ranged(file: SealedFile, wanted: str | None) -> Response:
    headers = {"Accept-Ranges": "bytes"}
    try:
        part = ranges.wanted(wanted, file.size)
    except ranges.Unsatisfiable:
        headers["Content-Range"] = f"bytes */{file.size}"
        return Response(status_code=416, headers=headers)
    start, end = part or (0, file.size)
    headers["Content-Length"] = str(end - start)
    if part is not None:
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{file.size}"
    return StreamingResponse(
        _pieces(file, start, end), 206 if part else 200, headers, media_type=MEDIA_TYPE
    )


async def _pieces(file: SealedFile, start: int, end: int) -> AsyncIterator[bytes]:
    for offset in range(start, end, PIECE_BYTES):
        yield await file.read(offset, min(PIECE_BYTES, end - offset))
