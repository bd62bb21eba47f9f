"""The Asterisk line: ``dialer.line.Line`` over ARI and chan_websocket.

A call is created and dialled in two steps rather than originated, because a plain originate reaches
the application only after the answer, and carriers say why a number cannot be reached before it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
import time
from collections.abc import Callable
from typing import Self

from dialer.asterisk.ari import Ari
from dialer.asterisk.ari_connection import AriError
from dialer.asterisk.ari_events import ApplicationReplaced, Event
from dialer.asterisk.leg import BRIDGE_SUFFIX, MEDIA_SUFFIX, AsteriskLeg
from dialer.line import DialRequest, LegExists, LineError, LineUnavailable

log = logging.getLogger(__name__)

APPLICATION = "huifang"
_NUMBER = re.compile(r"\+?[0-9*#]{1,32}")
_LEG_ID = re.compile(r"[A-Za-z0-9_.-]{1,100}")
_SECOND_LOOK = 1.0
"""Seconds before a leg that is not on the switch is given up: its last event may be on its way."""


class AsteriskLine:
    """A trunk of one Asterisk.

    Args:
        ari: the connection; opened and closed by the line.
        trunk: how Asterisk reaches a number, ``PJSIP/{number}@trunk``.
        caller_id: number shown to the patient; empty: what the trunk shows.
        reconcile_seconds: how often live legs are compared with the switch, besides after every
            reconnection.
        clock: monotonic seconds.
    """

    name = "asterisk"

    def __init__(
        self,
        ari: Ari,
        *,
        trunk: str = "PJSIP/{number}@trunk",
        caller_id: str = "",
        reconcile_seconds: float = 5.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ari = ari
        self._trunk = trunk
        self._caller_id = caller_id
        self._reconcile_seconds = reconcile_seconds
        self._clock = clock
        self._legs: dict[str, AsteriskLeg] = {}
        self._used: set[str] = set()
        self._look = asyncio.Event()
        self._reconciling: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Connect to the switch.

        Raises:
            LineError: it cannot be reached (retryable) or cannot carry our calls (not).
        """
        await self._ari.open(self._on_event, self._look.set)
        with contextlib.suppress(LineError):
            for bridge in await self._ari.empty_bridges():
                await self._ari.destroy_bridge(bridge)
        self._reconciling = asyncio.create_task(self._reconcile_always(), name="reconcile")

    async def close(self) -> None:
        """Hang up the legs that are up, and disconnect."""
        legs = tuple(self._legs.values())
        for leg in legs:
            leg.wants_hang_up = True
        await asyncio.gather(*(leg.abandon() for leg in legs))
        if self._reconciling is not None:
            self._reconciling.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._reconciling
            self._reconciling = None
        await self._ari.close()

    async def __aenter__(self) -> Self:
        """Open."""
        await self.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close."""
        await self.close()

    async def dial(self, request: DialRequest) -> AsteriskLeg:
        """Create the leg, bring its media path up, and start ringing.

        Raises:
            LegExists: the id was used before, by this process or by a leg that is up.
            LineUnavailable: the switch cannot be reached or refuses; nothing rang.
            LineError: the number or the id cannot be dialled at all.
        """
        if not _NUMBER.fullmatch(request.number):
            raise LineError("the number holds more than digits, * and #", retryable=False)
        if not _LEG_ID.fullmatch(request.leg_id) or request.leg_id.endswith(MEDIA_SUFFIX):
            raise LineError(
                f"a leg id is made of letters, digits, - _ and . and does not end in {MEDIA_SUFFIX}",
                retryable=False,
            )
        if request.leg_id in self._used:
            raise LegExists(request.leg_id)
        self._require_events()
        leg = AsteriskLeg(self._ari, request, self._clock, self._forget)
        self._used.add(request.leg_id)
        self._legs[request.leg_id] = leg
        try:
            await self._create(leg, request)
            await leg.ring()
        except BaseException as error:
            if isinstance(error, LegExists):
                self._forget(leg.id)
                raise
            if not leg.dialled:
                self._used.discard(leg.id)
            await leg.abandon()
            raise
        return leg

    async def reap(self, leg_id: str) -> bool:
        """Hang up whatever is left of a leg, also one of a dead process. True if it was there."""
        if not _LEG_ID.fullmatch(leg_id):
            return False
        self._used.add(leg_id)
        leg = self._legs.get(leg_id)
        if leg is not None:
            leg.wants_hang_up = True
        found = await self._ari.hang_up(leg_id)
        found |= await self._ari.hang_up(leg_id + MEDIA_SUFFIX)
        return await self._ari.destroy_bridge(leg_id + BRIDGE_SUFFIX) or found

    async def legs(self) -> tuple[str, ...]:
        """Ids of the legs that are up on the switch and were dialled through this product."""
        return tuple(
            channel.id
            for channel in await self._ari.channels()
            if (channel.application or "").startswith(APPLICATION)
            and not channel.id.endswith(MEDIA_SUFFIX)
        )

    # --- inside --------------------------------------------------------------------------------

    def _require_events(self) -> None:
        if self._ari.replaced:
            raise LineUnavailable(
                f"another process uses the ARI application {self._ari.application}: "
                "give each worker an id of its own and start this one again"
            )
        if not self._ari.connected:
            raise LineUnavailable("no event socket to Asterisk at present")

    async def _create(self, leg: AsteriskLeg, request: DialRequest) -> None:
        endpoint = self._trunk.format(number=request.number)
        try:
            await leg.create(endpoint)
        except AriError as error:
            if error.status == 409:
                raise LegExists(request.leg_id) from error
            raise LineUnavailable(
                f"{error}: does the trunk of the setting `trunk` exist there?"
            ) from error
        try:
            await leg.connect(self._caller_id)
        except AriError as error:
            raise LineUnavailable(str(error)) from error

    def _on_event(self, event: Event) -> None:
        if isinstance(event, ApplicationReplaced):
            return
        leg = self._legs.get(event.channel.removesuffix(MEDIA_SUFFIX))
        if leg is not None:
            leg.handle(event)

    def _forget(self, leg_id: str) -> None:
        self._legs.pop(leg_id, None)

    async def _reconcile_always(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._reconcile_seconds):
                    await self._look.wait()
            self._look.clear()
            legs = tuple(leg for leg in self._legs.values() if leg.dialled and not leg.over)
            if legs:
                await self._reconcile(legs)

    async def _reconcile(self, legs: tuple[AsteriskLeg, ...]) -> None:
        """Compare legs with the switch: what happened unheard is told now."""
        try:
            states = {channel.id: channel.state for channel in await self._ari.channels()}
        except LineError as error:
            log.warning("legs cannot be compared with the switch: %s", error)
            states = {leg.id: "" for leg in legs if not leg.overdue}
        missing = []
        for leg in legs:
            if leg.id not in states:
                missing.append(leg)
                continue
            leg.reached(states[leg.id])
            if leg.must_end:
                await leg.hang_up()
        if missing:
            await asyncio.sleep(_SECOND_LOOK)
            for leg in missing:
                leg.end(None, None)


def application_name(worker_id: str) -> str:
    """The Stasis application name of a worker's process."""
    return f"{APPLICATION}-{re.sub(r'[^A-Za-z0-9_.-]', '_', worker_id)}"
