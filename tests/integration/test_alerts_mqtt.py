"""The publisher on a real Mosquitto and on the embedded broker."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import aiomqtt
import jsonschema
import pytest

from scripts.answers import Severity
from scripts.turns import AlertStage, RaiseAlert
from services.alerts.changes import Changes
from services.alerts.raising import AlertDesk
from services.database.session import Sessions
from services.messaging.broker import embedded_broker
from services.messaging.messages import Message, schema
from services.messaging.mqtt import Announcement, BrokerAddress, Publisher
from tests.support.mosquitto_server import Mosquitto
from tests.support.postgres_server import free_port
from tests.support.rows import add_attempt, add_follow_up, now


@asynccontextmanager
async def subscriber(url: str, topic: str) -> AsyncIterator[Callable[[], asyncio.Future[str]]]:
    """Subscribe; yields a function that waits for the next payload."""
    address = BrokerAddress.of(url)
    async with aiomqtt.Client(address.host, address.port) as client:
        await client.subscribe(topic, qos=1)

        def following() -> asyncio.Future[str]:
            async def one() -> str:
                message = await anext(aiter(client.messages))
                assert isinstance(message.payload, bytes)
                return message.payload.decode()

            return asyncio.ensure_future(asyncio.wait_for(one(), 20))

        yield following


@pytest.fixture(params=["mosquitto", "embedded"])
async def broker_url(request: pytest.FixtureRequest, mosquitto: Mosquitto) -> AsyncIterator[str]:
    if request.param == "mosquitto":
        yield mosquitto.url
    else:
        async with embedded_broker(free_port()) as url:
            yield url


async def test_messages_arrive_in_order(broker_url: str) -> None:
    async with (
        subscriber(broker_url, "t/#") as following,
        Publisher(BrokerAddress.of(broker_url), now) as publisher,
    ):
        for index in range(20):
            publisher.post(Message(f"t/{index}", str(index)))
        assert [await following() for _ in range(20)] == [str(index) for index in range(20)]


async def test_what_was_posted_before_the_broker_came_is_published(mosquitto: Mosquitto) -> None:
    await mosquitto.stop()
    async with Publisher(BrokerAddress.of(mosquitto.url), now) as publisher:
        done = publisher.post(Message("t", "kept", retain=True))
        await asyncio.sleep(0.5)
        assert not done.done()
        await mosquitto.start()
        await asyncio.wait_for(done, 20)
        async with subscriber(mosquitto.url, "t") as following:
            assert await following() == "kept"


async def test_a_broker_that_restarts_loses_nothing(mosquitto: Mosquitto) -> None:
    worker = Announcement("worker-1", 4)
    async with Publisher(BrokerAddress.of(mosquitto.url), now, worker) as publisher:
        await asyncio.wait_for(publisher.post(Message("t", "first")), 10)
        await mosquitto.stop()
        done = publisher.post(Message("t", "second", retain=True))
        await mosquitto.start()
        await asyncio.wait_for(done, 20)
        async with subscriber(mosquitto.url, "#") as following:
            retained = {await following(), await following()}
    # The fresh broker knew nothing: the worker announced itself again.
    assert "second" in retained
    assert any('"online"' in payload for payload in retained)


async def test_a_worker_says_farewell(mosquitto: Mosquitto) -> None:
    topic = "huifang/v1/workers/worker-1"
    address = BrokerAddress.of(mosquitto.url)
    async with subscriber(mosquitto.url, topic) as following:
        async with Publisher(address, now, Announcement("worker-1", 4)) as publisher:
            await asyncio.wait_for(publisher.wait_connected(), 10)
            assert json.loads(await following())["status"] == "online"
        assert json.loads(await following())["status"] == "stopped"


async def test_the_broker_tells_of_a_worker_that_was_lost(mosquitto: Mosquitto) -> None:
    topic = "huifang/v1/workers/worker-1"
    code = (
        "import asyncio, os\n"
        "from services.clock import utc_now\n"
        "from services.messaging.mqtt import Announcement, BrokerAddress, Publisher\n"
        "async def main():\n"
        f"    address = BrokerAddress.of('{mosquitto.url}')\n"
        "    async with Publisher(address, utc_now, Announcement('worker-1', 4)) as p:\n"
        "        await p.wait_connected()\n"
        "        os.kill(os.getpid(), 9)\n"
        "asyncio.run(main())\n"
    )
    async with subscriber(mosquitto.url, topic) as following:
        process = await asyncio.create_subprocess_exec(sys.executable, "-c", code)
        assert json.loads(await following())["status"] == "online"
        assert json.loads(await following())["status"] == "lost"
        await process.wait()


async def test_an_alert_raised_while_the_broker_is_away_arrives_when_it_is_back(
    mosquitto: Mosquitto, sessions: Sessions
) -> None:
    attempt = await add_attempt(sessions, await add_follow_up(sessions))
    raised = RaiseAlert(1, AlertStage.UNCONFIRMED, Severity.EMERGENCY, "q", (), ())
    await mosquitto.stop()
    async with Publisher(BrokerAddress.of(mosquitto.url), now) as publisher:
        desk = AlertDesk(sessions, publisher, Changes(sessions), now)
        alert_id = await desk.raise_(attempt.id, attempt.patient_id, raised)
        await mosquitto.start()
        async with subscriber(mosquitto.url, "huifang/v1/alerts/emergency") as following:
            # It may have gone out before the subscription: then the workflow's repeat is seen.
            while True:
                await desk.deliver(alert_id, repeat=True)
                try:
                    content = json.loads(await asyncio.wait_for(following(), 1))
                except TimeoutError:
                    continue
                break
    assert content["alert_id"] == alert_id
    assert content["kind"] in ("raised", "repeated")


async def test_an_alert_reaches_a_subscriber_at_once(
    mosquitto: Mosquitto, sessions: Sessions
) -> None:
    attempt = await add_attempt(sessions, await add_follow_up(sessions))
    async with (
        subscriber(mosquitto.url, "huifang/v1/alerts/#") as following,
        Publisher(BrokerAddress.of(mosquitto.url), now) as publisher,
    ):
        await publisher.wait_connected()
        desk = AlertDesk(sessions, publisher, Changes(sessions), now)
        began = time.perf_counter()
        raised = RaiseAlert(1, AlertStage.UNCONFIRMED, Severity.URGENT, "q", (), ())
        alert_id = await desk.raise_(attempt.id, attempt.patient_id, raised)
        content = json.loads(await following())
        print(f"alert to subscriber: {(time.perf_counter() - began) * 1000:.0f} ms")
    jsonschema.validate(content, schema("alert"))
    assert content["alert_id"] == alert_id
