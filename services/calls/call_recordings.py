"""The recordings of this worker's calls, and those that a crash left unfinished.

The raw log of a call lies in this machine's spool until the call is over; then the compressed
recording goes to the store, and its row says so.
"""

from __future__ import annotations

import logging
from pathlib import Path

from recordings.errors import RecordingError
from recordings.recorder import CallRecorder, recover
from recordings.store import Store
from services.calls.orders import CallOrder
from services.calls.recording_rows import (
    object_key,
    recording_abandoned,
    recording_stored,
    unfinished_recordings,
)
from services.database.session import Sessions
from services.database.tables import Attempt
from services.patients import Patients
from services.security.errors import SecurityError

log = logging.getLogger(__name__)


class CallRecordings:
    """Makes recorders and puts what they recorded where it belongs.

    Args:
        spool: folder on this machine; the same after a restart.
    """

    def __init__(
        self, sessions: Sessions, patients: Patients, store: Store, spool: Path, worker_id: str
    ) -> None:
        self._sessions = sessions
        self._patients = patients
        self._store = store
        self._spool = spool
        self._worker_id = worker_id

    def recorder(self, order: CallOrder) -> CallRecorder:
        """Make the recorder of a call; nothing is kept before consent."""
        return CallRecorder(
            self._store,
            self._spool,
            object_key=object_key(order.attempt_id),
            data_key=order.data_key,
            key_id=order.patient.data_key_id,
        )

    async def finish(self, order: CallOrder, recorder: CallRecorder) -> None:
        """Close a recording. What the disk or the store refuses stays in the spool for later."""
        kept = recorder.kept
        try:
            stored = await recorder.finish()
        except RecordingError as error:
            log.error("the recording of %s waits in the spool: %s", order.attempt_id, error)
            return
        if stored is not None:
            await recording_stored(self._sessions, order.attempt_id, stored)
        elif not kept:
            await recording_abandoned(self._sessions, order.attempt_id)

    async def finish_left(self) -> int:
        """Finish what calls of this worker that were interrupted left in the spool; how many."""
        done = 0
        for attempt_id, name in await unfinished_recordings(self._sessions, self._worker_id):
            try:
                async with self._sessions() as session:
                    attempt = await session.get_one(Attempt, attempt_id)
                key_id, key = await self._patients.data_key(attempt.patient_id)
                stored = await recover(self._store, self._spool, name, key, key_id)
            except (RecordingError, SecurityError) as error:
                log.error("the recording of %s cannot be finished yet: %s", attempt_id, error)
                continue
            if stored is not None:
                await recording_stored(self._sessions, attempt_id, stored)
                done += 1
        return done
