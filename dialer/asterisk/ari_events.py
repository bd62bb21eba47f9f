"""The few ARI events this product acts on, as types; everything else is ignored.

Field names follow Asterisk's own ``rest-api/api-docs/events.json``.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class StasisStart:
    """A channel came under the control of our application."""

    channel: str


@dataclass(frozen=True, slots=True)
class ChannelStateChange:
    """A channel changed its state (``Ringing``, ``Up`` …)."""

    channel: str
    state: str


@dataclass(frozen=True, slots=True)
class ChannelDestroyed:
    """A channel is gone."""

    channel: str
    cause: int | None
    """ITU-T Q.850; None where Asterisk gives 0."""
    sip_code: int | None
    """Final SIP response, where there was one (``tech_cause``)."""


@dataclass(frozen=True, slots=True)
class ApplicationReplaced:
    """Another subscriber took our application name over; this socket stays open and mute."""

    application: str


Event = StasisStart | ChannelStateChange | ChannelDestroyed | ApplicationReplaced

EVENT_TYPES = tuple(
    kind.__name__
    for kind in (StasisStart, ChannelStateChange, ChannelDestroyed, ApplicationReplaced)
)
"""What Asterisk is asked to send."""


def parse_event(text: str) -> Event | None:
    """The typed form of one message; None for what we do not act on or cannot read."""
    try:
        message = json.loads(text)
    except ValueError:
        return None
    if not isinstance(message, dict):
        return None
    kind = message.get("type")
    if kind == "ApplicationReplaced":
        return ApplicationReplaced(str(message.get("application", "")))
    channel = message.get("channel")
    if not isinstance(channel, dict) or not isinstance(channel.get("id"), str):
        return None
    name = channel["id"]
    if kind == "StasisStart":
        return StasisStart(name)
    if kind == "ChannelStateChange":
        return ChannelStateChange(name, str(channel.get("state", "")))
    if kind == "ChannelDestroyed":
        return ChannelDestroyed(name, _code(message, "cause"), _code(message, "tech_cause"))
    return None


def _code(message: dict[str, Any], field: str) -> int | None:
    value = message.get(field)
    return value if isinstance(value, int) and value > 0 else None
