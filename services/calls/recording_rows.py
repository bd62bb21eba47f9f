"""The row of a call's recording: there from the consent on, so that a crash loses nothing."""

from __future__ import annotations

from sqlalchemy import delete, select, update

from recordings.recorder import StoredRecording
from services.calls.orders import CallOrder
from services.clock import Clock
from services.database.session import Sessions
from services.database.tables import Attempt, Recording, RecordingState


def object_key(attempt_id: str) -> str:
    """Return the name of a call's recording in the store."""
    # Spread over folders: thousands of files in one make a slow folder.
    return f"{attempt_id[:2]}/{attempt_id}.opus"


def recording_row(order: CallOrder, clock: Clock) -> Recording:
    """Make the row that says: the sound of this call is being written."""
    return Recording(
        attempt_id=order.attempt_id,
        data_key_id=order.patient.data_key_id,
        state=RecordingState.WRITING,
        object_key=object_key(order.attempt_id),
        codec="pcm",
        created_at=clock(),
    )


async def recording_stored(sessions: Sessions, attempt_id: str, stored: StoredRecording) -> None:
    """Note that a recording is complete in the store."""
    async with sessions.begin() as session:
        await session.execute(
            update(Recording)
            .where(Recording.attempt_id == attempt_id)
            .values(
                state=RecordingState.STORED,
                object_key=stored.object_key,
                codec=stored.codec,
                seconds=stored.seconds,
                size=stored.size,
                sha256=stored.sha256,
                peaks=stored.peaks,
            )
        )


async def recording_abandoned(sessions: Sessions, attempt_id: str) -> None:
    """Note that nothing was kept of a call after all."""
    async with sessions.begin() as session:
        await session.execute(
            delete(Recording).where(
                Recording.attempt_id == attempt_id, Recording.state == RecordingState.WRITING
            )
        )


async def unfinished_recordings(sessions: Sessions, worker_id: str) -> tuple[tuple[str, str], ...]:
    """Return (attempt id, object key) of what a crash of this worker left half written.

    Of ended attempts only: the recording of a call that goes on is nobody's to finish.
    """
    async with sessions() as session:
        query = (
            select(Recording.attempt_id, Recording.object_key)
            .join(Attempt, Attempt.id == Recording.attempt_id)
            .where(
                Recording.state == RecordingState.WRITING,
                Attempt.worker_id == worker_id,
                Attempt.ended_at.is_not(None),
            )
        )
        return tuple((row.attempt_id, row.object_key) for row in await session.execute(query))
