"""How a call ended, from what the line and the dialogue say.

::

                      +-- hung up, switch ended it ---> as the dialogue says (it is told HungUp)
    dialled -> answered -- the dialogue ended --------> as the dialogue says
       |              +-- our side failed ------------> INTERRUPTED
       |
       +-> not answered, by the final SIP response, else the Q.850 cause:
             we gave up ourselves ....... NO_ANSWER if it rang, else INTERRUPTED
             busy ....................... BUSY
             declined ................... DECLINED
             no such number ............. INVALID_NUMBER
             an announcement was heard .. CARRIER_ANNOUNCEMENT
             the trunk's own trouble .... LINE_FAILURE
             anything else .............. NO_ANSWER if it rang, else UNREACHABLE

SIP responses say more than the causes Asterisk makes of them (RFC 3261 section 21; 403 becomes
cause 21 like a declined call but is the trunk's refusal). Causes: ITU-T Q.850.
"""

from __future__ import annotations

from dataclasses import dataclass

from dialer.line import LegEnded
from scripts.turns import Disposition, End

_BY_SIP = {
    486: Disposition.BUSY,
    600: Disposition.BUSY,
    603: Disposition.DECLINED,
    404: Disposition.INVALID_NUMBER,
    410: Disposition.INVALID_NUMBER,
    484: Disposition.INVALID_NUMBER,
    604: Disposition.INVALID_NUMBER,
}
_BY_CAUSE = {
    17: Disposition.BUSY,
    21: Disposition.DECLINED,
    1: Disposition.INVALID_NUMBER,
    22: Disposition.INVALID_NUMBER,
    28: Disposition.INVALID_NUMBER,
}
_QUIET_SIP = {408, 480}
"""Nobody took the call; whether it rang tells more."""
_QUIET_CAUSES = {None, 16, 18, 19, 20, 27, 31}


@dataclass(frozen=True, slots=True)
class CallResult:
    """How one call ended; the raw pair of the line is kept beside what it means."""

    disposition: Disposition
    cause: int | None = None
    """Q.850."""
    sip_code: int | None = None
    answered: bool = False
    call_back: str | None = None
    """The time the person named, as they said it."""


def result(
    ended: LegEnded | None, end: End | None, *, answered: bool, announcement: bool = False
) -> CallResult:
    """Judge a call.

    Args:
        ended: The line's last word; None if the line broke.
        end: The dialogue's last word; None if it never came to one.
        answered: Whether somebody picked up.
        announcement: Whether a carrier's announcement was understood before the answer.
    """
    cause, sip_code = (ended.cause, ended.sip_code) if ended else (None, None)
    if end is not None:
        disposition = end.disposition
    elif answered:
        disposition = Disposition.INTERRUPTED
    else:
        disposition = _unanswered(ended, announcement=announcement)
    return CallResult(disposition, cause, sip_code, answered, end.call_back if end else None)


def _unanswered(ended: LegEnded | None, *, announcement: bool) -> Disposition:
    if ended is None:
        return Disposition.LINE_FAILURE
    quiet = Disposition.NO_ANSWER if ended.rang else Disposition.UNREACHABLE
    if ended.by_us:
        return Disposition.NO_ANSWER if ended.rang else Disposition.INTERRUPTED
    code = ended.sip_code
    clear = _BY_SIP.get(code) if code is not None else _BY_CAUSE.get(ended.cause or 0)
    if clear is not None:
        return clear
    if announcement:
        return Disposition.CARRIER_ANNOUNCEMENT
    if code in _QUIET_SIP or (code is None and ended.cause in _QUIET_CAUSES):
        return quiet
    return Disposition.LINE_FAILURE
