"""The engine: durable workflows for calls and for alerts, on DBOS.

DBOS keeps what a workflow was given, what its steps returned and what they raised, in clear. So here
go in and come out ids, numbers and enums only, and nothing is ever raised.

What DBOS does that must be known, measured on 3.4:

* It keeps priorities within one partition of a queue only. The tick therefore hands over in order of
  urgency, and no more than lines are free.
* It recovers workflows of the same executor id and application version only; both are fixed here.
* It runs an interrupted step again, from its beginning. ``Placing.run`` finds its own attempt then.
* Launched while an event loop runs, it runs asynchronous workflows on that loop; and it makes its
  own threads the loop's default executor, which is given a fresh one when the engine stops.

Workflows last for minutes. What is planned for tomorrow is a row, and the tick starts from rows
whatever is missing: a person may move or cancel a call by changing a row, and nothing is lost if
DBOS' own tables are.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from dbos import DBOS, DBOSConfig, SetWorkflowID
from sqlalchemy import make_url

from services.alerts.raising import AlertDesk, Delivery
from services.calls.followups import FollowUps, Ticket
from services.calls.placing import Outcome, Placing, Trunk
from services.calls.reconciling import Reconciling
from services.calls.workers import BEAT_SECONDS, LOOK_SECONDS, Heartbeats

log = logging.getLogger(__name__)

APPLICATION_VERSION = "huifang-1"
"""Of the workflows' shape. Changes only when a running workflow could not be taken over by the new
code; recovery crosses updates of the product otherwise."""
OUTCOME_SECONDS = 5.0
"""For DBOS to write how the last workflows ended."""
CallWorkflow = Callable[[str, int], Coroutine[Any, Any, str]]
DeliveryWorkflow = Callable[[str, float], Coroutine[Any, Any, str]]
GOING_ON = frozenset({"ENQUEUED", "PENDING", "DELAYED"})


@dataclass(frozen=True, slots=True)
class Rhythm:
    """How often things happen, in seconds."""

    tick: float = 1.0
    """Due follow-ups become workflows."""
    look: float = LOOK_SECONDS
    """The others' heartbeats and what they left behind are looked at."""
    beat: float = BEAT_SECONDS
    hand_over: float = 5.0
    """Workflows of lost workers are handed to DBOS for recovery."""
    queue: float = 0.5
    """DBOS looks for queued workflows."""
    alert_repeat: float = 120.0
    """An alert that nobody acknowledged is told again."""


class Engine:
    """Runs the calls of one worker; ``async with`` while it works.

    Args:
        database_url: of the rows. DBOS keeps its own in the same PostgreSQL database, or in an
            SQLite file beside ours.
        calls_per_second: the trunk's limit, over all workers.
    """

    def __init__(
        self,
        database_url: str,
        trunk: Trunk,
        calls_per_second: float,
        *,
        follow_ups: FollowUps,
        placing: Placing,
        reconciling: Reconciling,
        heartbeats: Heartbeats,
        alerts: AlertDesk,
        rhythm: Rhythm | None = None,
        stop_grace: float = 20.0,
    ) -> None:
        self._database_url = database_url
        self._trunk = trunk
        self._calls_per_second = calls_per_second
        self._follow_ups = follow_ups
        self._placing = placing
        self._reconciling = reconciling
        self._heartbeats = heartbeats
        self._alerts = alerts
        self._rhythm = rhythm or Rhythm()
        self._stop_grace = stop_grace
        self._queue = f"calls-{trunk.line.name}"
        self._delivering: set[str] = set()
        self._loops: list[asyncio.Task[None]] = []
        self._calling: set[asyncio.Task[Any]] = set()
        self._telling: set[asyncio.Task[Any]] = set()

    async def __aenter__(self) -> Self:
        """Reconcile what this worker left behind when it last died, then begin to work.

        Raises:
            WorkerTaken: another process runs under this worker's id.
        """
        await self._heartbeats.register()
        await self._reconciling.look()
        self._launch()
        await self._register_queue()
        rhythm = self._rhythm
        self._loops = [
            self._every(rhythm.beat, self._heartbeats.beat),
            self._every(rhythm.look, self.look),
            self._every(rhythm.hand_over, self.hand_over),
            self._every(rhythm.tick, self.tick),
        ]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Begin no more calls, let those that go on end, sign off."""
        await self._placing.stop(self._stop_grace)
        for loop in self._loops:
            loop.cancel()
        # A workflow that is cancelled stays pending in DBOS: the next process goes on with it.
        for telling in self._telling:
            telling.cancel()
        await asyncio.gather(*self._loops, *self._telling, return_exceptions=True)
        if self._calling:
            await asyncio.wait(self._calling, timeout=OUTCOME_SECONDS)
        await asyncio.to_thread(DBOS.destroy, destroy_registry=True)
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor())
        await self._heartbeats.sign_off()

    async def tick(self) -> None:
        """Turn rows into workflows: due follow-ups, and open alerts that nothing delivers."""
        await self._follow_ups.give_up_expired()
        if self._heartbeats.seen_alive():
            await self._follow_ups.claim_due(self._trunk.lines)
        await self._start_calls()
        await self._start_deliveries()

    async def look(self) -> None:
        """See who is lost, and clean up after them."""
        await self._heartbeats.look()
        await self._reconciling.look()

    async def hand_over(self) -> None:
        """Let DBOS recover the workflows of lost workers; harmless when there are none."""
        lost = sorted(self._heartbeats.lost)
        if lost:
            await asyncio.to_thread(DBOS._recover_pending_workflows, lost)

    def _launch(self) -> None:
        config: DBOSConfig = {
            "name": "huifang",
            "system_database_url": engine_url(self._database_url),
            "executor_id": self._heartbeats.worker_id,
            "application_version": APPLICATION_VERSION,
            # Its warnings are of workflows that stop with us and go on elsewhere: meant so.
            "log_level": "ERROR",
            "enable_otlp": False,
        }
        DBOS(config=config)
        self._call, self._deliver_alert = self._workflows()
        DBOS.listen_queues([self._queue])
        DBOS.launch()

    async def _register_queue(self) -> None:
        a_second = max(1, int(self._calls_per_second))
        await DBOS.register_queue_async(
            self._queue,
            global_concurrency=self._trunk.lines,
            limiter={"limit": a_second, "period": a_second / self._calls_per_second},
            polling_interval_sec=self._rhythm.queue,
            on_conflict="always_update",
        )

    async def _start_calls(self) -> None:
        tickets = await self._follow_ups.queued()
        if not tickets:
            return
        workflows = await DBOS.list_workflows_async(
            workflow_ids=[ticket.workflow_id for ticket in tickets],
            load_input=False,
            load_output=False,
        )
        states = {workflow.workflow_id: workflow.status for workflow in workflows}
        for ticket in tickets:
            state = states.get(ticket.workflow_id)
            if state is None:
                with SetWorkflowID(ticket.workflow_id):
                    await DBOS.enqueue_workflow_async(
                        self._queue, self._call, ticket.follow_up_id, ticket.number
                    )
            elif state not in GOING_ON:
                await self._follow_ups.release(ticket)

    async def _start_deliveries(self) -> None:
        still_open = await self._alerts.open_alerts()
        self._delivering &= set(still_open)
        for alert_id in still_open:
            if alert_id in self._delivering:
                continue
            # An alert that has its workflow already keeps that one.
            with SetWorkflowID(f"alert-{alert_id}"):
                await DBOS.start_workflow_async(
                    self._deliver_alert, alert_id, self._rhythm.alert_repeat
                )
            self._delivering.add(alert_id)

    def _workflows(self) -> tuple[CallWorkflow, DeliveryWorkflow]:
        """Register both; DBOS takes plain functions only, and knows them by their names."""

        @DBOS.workflow(name="call", max_recovery_attempts=None)
        async def call(follow_up_id: str, number: int) -> str:
            _note_task(self._calling)
            return await DBOS.run_step_async({"name": "place"}, self._place, follow_up_id, number)

        @DBOS.workflow(name="deliver_alert", max_recovery_attempts=None)
        async def deliver_alert(alert_id: str, repeat_seconds: float) -> str:
            _note_task(self._telling)
            repeat = False
            while True:
                told = await DBOS.run_step_async({"name": "tell"}, self._tell, alert_id, repeat)
                if told == Delivery.CLOSED.value:
                    return told
                await DBOS.sleep_async(repeat_seconds)
                repeat = True

        return call, deliver_alert

    async def _place(self, follow_up_id: str, number: int) -> str:
        try:
            outcome = await self._placing.run(Ticket(follow_up_id, number))
        except Exception as error:
            log.error("call %s-%d failed: %s", follow_up_id, number, type(error).__name__)
            outcome = Outcome.FAILED
        return outcome.value

    async def _tell(self, alert_id: str, repeat: bool) -> str:
        try:
            return (await self._alerts.deliver(alert_id, repeat)).value
        except Exception as error:
            log.error("alert %s cannot be told now: %s", alert_id, type(error).__name__)
            return Delivery.OPEN.value

    def _every(self, seconds: float, do: Callable[[], Awaitable[None]]) -> asyncio.Task[None]:
        async def loop() -> None:
            while True:
                try:
                    await do()
                except Exception as error:
                    # The database or the switch is away: the next round may find it back.
                    log.error("%s failed: %s", do.__name__, type(error).__name__)
                await asyncio.sleep(seconds)

        return asyncio.create_task(loop())


def _note_task(tasks: set[asyncio.Task[Any]]) -> None:
    """Keep the running task among ``tasks`` for as long as it lasts."""
    task = asyncio.current_task()
    if task is not None:
        tasks.add(task)
        task.add_done_callback(tasks.discard)


def engine_url(database_url: str) -> str:
    """Return where DBOS keeps its tables: beside ours (SQLite), or with them (PostgreSQL)."""
    url = make_url(database_url)
    if url.drivername.startswith("sqlite"):
        stem = (url.database or "huifang.db").removesuffix(".db")
        return f"sqlite:///{stem}.engine.db"
    return url.render_as_string(hide_password=False)
