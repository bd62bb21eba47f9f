"""The ARI client against a small stand-in for Asterisk, for what a real one does not do on demand."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from dialer.asterisk.ari import Ari
from dialer.asterisk.ari_connection import AriError, UnfitSwitch
from dialer.asterisk.ari_events import Event, StasisStart
from dialer.line import LineUnavailable


@dataclass
class StandIn:
    """Answers as Asterisk's REST interface does."""

    version: str = "22.10.1"
    media_module: int = 200
    refuse: bool = False
    delay: float = 0.0
    sockets: list[web.WebSocketResponse] = field(default_factory=list)
    filters: list[object] = field(default_factory=list)
    left: asyncio.Event = field(default_factory=asyncio.Event)
    """A client closed its event socket."""
    server: TestServer | None = None

    async def info(self, request: web.Request) -> web.Response:
        await asyncio.sleep(self.delay)
        if self.refuse:
            raise web.HTTPUnauthorized
        return web.json_response({"system": {"version": self.version}})

    async def module(self, request: web.Request) -> web.Response:
        return web.json_response({"status": "Running"}, status=self.media_module)

    async def filter(self, request: web.Request) -> web.Response:
        self.filters.append(await request.json())
        return web.json_response({})

    async def create(self, request: web.Request) -> web.Response:
        assert not request.query, "arguments travel in the body"
        return web.json_response({"message": "in use"}, status=409)

    async def events(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self.sockets.append(socket)
        async for _ in socket:
            pass
        self.left.set()
        return socket

    async def start(self) -> str:
        app = web.Application()
        app.router.add_get("/ari/asterisk/info", self.info)
        app.router.add_get("/ari/asterisk/modules/chan_websocket.so", self.module)
        app.router.add_put("/ari/applications/{name}/eventFilter", self.filter)
        app.router.add_post("/ari/channels/create", self.create)
        app.router.add_get("/ari/events", self.events)
        self.server = TestServer(app)
        await self.server.start_server()
        return str(self.server.make_url(""))


@pytest.fixture
async def switch() -> AsyncIterator[StandIn]:
    stand_in = StandIn()
    yield stand_in
    if stand_in.server is not None:
        await stand_in.server.close()


@dataclass
class Heard:
    events: asyncio.Queue[Event] = field(default_factory=asyncio.Queue)
    connections: asyncio.Queue[None] = field(default_factory=asyncio.Queue)

    def connected(self) -> None:
        self.connections.put_nowait(None)


async def opened(switch: StandIn, heard: Heard, **limits: float) -> Ari:
    ari = Ari(await switch.start(), "huifang", "secret", "huifang-t", **limits)
    await ari.open(heard.events.put_nowait, heard.connected)
    return ari


async def test_events_come_through_and_only_the_wanted_are_asked_for(switch: StandIn) -> None:
    heard = Heard()
    ari = await opened(switch, heard)
    await switch.sockets[0].send_str("no json")
    await switch.sockets[0].send_json({"type": "StasisStart", "channel": {"id": "a"}})
    assert await heard.events.get() == StasisStart("a")
    assert switch.filters == [
        {
            "allowed": [
                {"type": "StasisStart"},
                {"type": "ChannelStateChange"},
                {"type": "ChannelDestroyed"},
                {"type": "ApplicationReplaced"},
            ]
        }
    ]
    await ari.close()


async def test_a_lost_event_socket_comes_back_and_is_told(switch: StandIn) -> None:
    heard = Heard()
    ari = await opened(switch, heard)
    await heard.connections.get()
    await switch.sockets[0].close()
    await heard.connections.get()
    assert ari.connected
    await switch.sockets[1].send_json({"type": "StasisStart", "channel": {"id": "b"}})
    assert await heard.events.get() == StasisStart("b")
    await ari.close()


async def test_a_taken_over_application_is_not_taken_back(switch: StandIn) -> None:
    heard = Heard()
    ari = await opened(switch, heard)
    await heard.connections.get()
    await switch.sockets[0].send_json({"type": "ApplicationReplaced", "application": "huifang-t"})
    async with asyncio.timeout(5):
        await switch.left.wait()
    await asyncio.sleep(0.5)  # more than the first pause before a reconnection
    assert ari.replaced
    assert not ari.connected
    assert len(switch.sockets) == 1
    await ari.close()


async def test_an_old_asterisk_is_refused_with_words(switch: StandIn) -> None:
    switch.version = "20.6.0~dfsg"
    with pytest.raises(UnfitSwitch, match=r"20\.6\.0.*22\.8 or newer"):
        await opened(switch, Heard())


async def test_a_missing_media_module_is_named(switch: StandIn) -> None:
    switch.media_module = 404
    with pytest.raises(UnfitSwitch, match=r"chan_websocket\.so"):
        await opened(switch, Heard())


async def test_a_wrong_password_is_no_outage(switch: StandIn) -> None:
    switch.refuse = True
    with pytest.raises(UnfitSwitch, match=r"ari\.conf") as refused:
        await opened(switch, Heard())
    assert not refused.value.retryable


async def test_a_switch_that_does_not_answer_in_time_is_unavailable(switch: StandIn) -> None:
    switch.delay = 5.0
    with pytest.raises(LineUnavailable):
        await opened(switch, Heard(), time_limit=0.2)


async def test_no_switch_at_all() -> None:
    with pytest.raises(LineUnavailable, match="ari_url"):
        await Ari("http://127.0.0.1:9", "u", "p", "a").open(lambda _: None, lambda: None)


async def test_a_refusal_keeps_its_status_and_hides_the_arguments(switch: StandIn) -> None:
    ari = await opened(switch, Heard())
    with pytest.raises(AriError) as refused:
        await ari.create_channel("leg-7", "PJSIP/0123@t", {"CALLERID(num)": "99"})
    assert refused.value.status == 409
    assert not any(secret in str(refused.value) for secret in ("0123", "leg-7", "99"))
    await ari.close()
