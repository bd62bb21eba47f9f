"""The ARI commands this product gives, typed. Arguments travel in the body, never in a URL."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp

from dialer.asterisk.ari_connection import AriConnection, AriError
from dialer.line import LineUnavailable


@dataclass(frozen=True, slots=True)
class Channel:
    """A channel that is up on the switch."""

    id: str
    state: str
    application: str | None
    """The Stasis application that controls it."""


class Ari(AriConnection):
    """One Asterisk under one application name. Every command raises as ``command`` does."""

    async def create_channel(
        self, channel: str, endpoint: str, variables: Mapping[str, str]
    ) -> None:
        """Make a channel in our application without ringing yet. AriError 409: the id is taken."""
        await self.command(
            "POST",
            "/channels/create",
            {
                "endpoint": endpoint,
                "app": self.application,
                "channelId": channel,
                "variables": dict(variables),
            },
        )

    async def create_media_channel(
        self, channel: str, media_format: str, variables: Mapping[str, str]
    ) -> str:
        """Make a chan_websocket channel that waits for us; its connection id."""
        answer = await self.command(
            "POST",
            "/channels/externalMedia",
            {
                "app": self.application,
                "channelId": channel,
                "external_host": "INCOMING",
                "transport": "websocket",
                "encapsulation": "none",
                "connection_type": "server",
                "format": media_format,
                "transport_data": "f(json)",
                "variables": dict(variables),
            },
        )
        return str(answer["channelvars"]["MEDIA_WEBSOCKET_CONNECTION_ID"])

    async def create_bridge(self, bridge: str) -> None:
        """Make a mixing bridge, named after our application."""
        body = {"type": "mixing", "name": self.application}
        await self.command("POST", f"/bridges/{bridge}", body)

    async def bridge_channels(self, bridge: str, channels: tuple[str, ...]) -> None:
        """Join channels of our application."""
        await self.command("POST", f"/bridges/{bridge}/addChannel", {"channel": list(channels)})

    async def dial(self, channel: str, ring_timeout: float) -> None:
        """Start ringing; returns at once, events tell what comes of it."""
        await self.command("POST", f"/channels/{channel}/dial", {"timeout": round(ring_timeout)})

    async def stop_ring_tone(self, channel: str) -> None:
        """Silence the ring tone that Asterisk makes by itself for a bridged channel."""
        await self.command("DELETE", f"/channels/{channel}/ring")

    async def hang_up(self, channel: str) -> bool:
        """End a channel. False: it was not there."""
        return await self._delete(f"/channels/{channel}")

    async def destroy_bridge(self, bridge: str) -> bool:
        """Remove a bridge. False: it was not there."""
        return await self._delete(f"/bridges/{bridge}")

    async def channel(self, channel: str) -> Channel | None:
        """One channel; None if it is not up."""
        try:
            return _channel(await self.command("GET", f"/channels/{channel}"))
        except AriError as error:
            if error.status == 404:
                return None
            raise

    async def channels(self) -> tuple[Channel, ...]:
        """Everything that is up on the switch, also of others."""
        return tuple(_channel(found) for found in await self.command("GET", "/channels"))

    async def empty_bridges(self) -> tuple[str, ...]:
        """Bridges of our application that nobody is in."""
        return tuple(
            bridge["id"]
            for bridge in await self.command("GET", "/bridges")
            if bridge.get("name") == self.application and not bridge["channels"]
        )

    async def open_media(self, connection: str) -> aiohttp.ClientWebSocketResponse:
        """Connect to the media socket of a chan_websocket channel."""
        try:
            return await self.session().ws_connect(
                f"{self.url}/media/{connection}", protocols=("media",), max_msg_size=0
            )
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise LineUnavailable("Asterisk's media socket does not open") from error

    async def _delete(self, path: str) -> bool:
        try:
            await self.command("DELETE", path)
        except AriError as error:
            if error.status == 404:
                return False
            raise
        return True


def _channel(found: Mapping[str, Any]) -> Channel:
    plan = found.get("dialplan") or {}
    inside = plan.get("app_name") == "Stasis"
    application = str(plan.get("app_data", "")).split(",")[0] if inside else None
    return Channel(found["id"], found["state"], application)
