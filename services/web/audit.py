"""Writing down who read or changed what."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy.ext.asyncio import AsyncSession

from services.database.tables import Audit


class Did(StrEnum):
    """What people do at the desk."""

    SIGN_IN = "sign_in"
    SIGN_IN_REFUSED = "sign_in_refused"
    SIGN_OUT = "sign_out"
    SET_UP = "set_up"
    LIST_ALERTS = "list_alerts"
    LIST_CALLS = "list_calls"
    READ_CALL = "read_call"
    HEAR_RECORDING = "hear_recording"
    ACKNOWLEDGE_ALERT = "acknowledge_alert"
    TAKE_DUTY = "take_duty"
    END_DUTY = "end_duty"
    LIST_USERS = "list_users"
    ADD_USER = "add_user"
    CHANGE_USER = "change_user"


def note(
    session: AsyncSession,
    at: datetime,
    user_id: str | None,
    action: Did,
    subject: str,
    subject_id: str | None = None,
    patient_id: str | None = None,
) -> None:
    """Add an audit row to a transaction: what is read is shown only once this is committed."""
    session.add(
        Audit(
            at=at,
            user_id=user_id,
            action=action,
            subject=subject,
            subject_id=subject_id,
            patient_id=patient_id,
        )
    )
