"""What the Asterisk line does when something breaks: nobody stays on the line, nothing is rung twice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from dialer.asterisk.ari import Ari
from dialer.asterisk.ari_connection import UnfitSwitch
from dialer.asterisk.instance import start, stop
from dialer.asterisk.leg import BRIDGE_SUFFIX, MEDIA_SUFFIX, TEMPORARY_FAILURE, AsteriskLeg
from dialer.asterisk.line import AsteriskLine
from dialer.line import Audio, DialRequest, LegAnswered, LegEnded, LineUnavailable, PlayStarted
from tests.integration.line_contract import Listener
from tests.support.asterisk_server import AsteriskServer, Phones
from tests.support.callee import Callee, ScriptedMedia, onsets, square_wave
from tests.support.sip_call import PhoneCall

APPLICATION = "huifang-recovery"


@pytest.fixture
async def line(asterisk: AsteriskServer) -> AsyncIterator[AsteriskLine]:
    async with AsteriskLine(asterisk.ari(APPLICATION), reconcile_seconds=0.5) as line:
        yield line


@pytest.fixture
async def watcher(asterisk: AsteriskServer) -> AsyncIterator[Ari]:
    """Another process's view of the switch."""
    ari = asterisk.ari("huifang-watcher")
    await ari.open(lambda _: None, lambda: None)
    yield ari
    await ari.close()


async def answered_call(
    line: AsteriskLine, phones: Phones, leg_id: str, media: ScriptedMedia | None = None
) -> tuple[Listener, PhoneCall]:
    number = phones.expect(Callee(media=media or ScriptedMedia()))
    call = Listener(await line.dial(DialRequest(leg_id=leg_id, number=number)))
    await call.until(LegAnswered)
    return call, await phones.phone.call_to(number)


async def gone(phone_call: PhoneCall) -> None:
    async with asyncio.timeout(10):
        await phone_call.ended.wait()


async def test_nothing_is_left_on_the_switch(
    line: AsteriskLine, phones: Phones, watcher: Ari
) -> None:
    call, _ = await answered_call(line, phones, "tidy", ScriptedMedia(hangs_up_after=0.2))
    await call.until(LegEnded)
    assert await watcher.channels() == ()
    assert not await watcher.destroy_bridge("tidy" + BRIDGE_SUFFIX)


async def test_a_leg_of_a_dead_process_is_reaped_by_another(
    line: AsteriskLine, asterisk: AsteriskServer, phones: Phones, watcher: Ari
) -> None:
    dead = asterisk.ari("huifang-dead")
    lost = AsteriskLine(dead)
    await lost.open()
    _, phone_call = await answered_call(lost, phones, "orphan")
    await dead.close()  # as a crash would: the leg stays up

    assert await line.legs() == ("orphan",)
    assert await line.reap("orphan")
    await gone(phone_call)
    assert "bye received" in phone_call.happened()
    assert await watcher.channels() == ()
    assert not await line.reap("orphan")
    await lost.close()


async def test_an_id_of_another_process_rings_nobody(
    line: AsteriskLine, asterisk: AsteriskServer, phones: Phones
) -> None:
    call, _ = await answered_call(line, phones, "once")
    number = phones.expect(Callee())
    async with AsteriskLine(asterisk.ari("huifang-second")) as second:
        with pytest.raises(Exception, match="exists already"):
            await second.dial(DialRequest(leg_id="once", number=number))
    assert phones.phone.calls_to(number) == []
    assert await line.legs() == ("once",), "the leg of the first is untouched"
    await call.leg.hang_up()


async def test_a_call_survives_the_loss_of_its_event_socket(
    line: AsteriskLine, asterisk: AsteriskServer, phones: Phones
) -> None:
    call, phone_call = await answered_call(line, phones, "deaf")
    taker = asterisk.ari(APPLICATION)
    await taker.open(lambda _: None, lambda: None)  # takes the application name over
    await call.until_heard(call.of(LegAnswered)[0].at + 0.5)
    with pytest.raises(LineUnavailable, match="application"):
        await line.dial(DialRequest(leg_id="more", number=phones.expect(Callee())))
    phone_call.hang_up()
    ended = await call.until(LegEnded)
    assert (ended.answered, ended.by_us, ended.cause) == (True, False, None)
    await taker.close()


async def test_a_restarted_switch_ends_its_legs_and_carries_new_ones(
    line: AsteriskLine, asterisk: AsteriskServer, phones: Phones
) -> None:
    call, _ = await answered_call(line, phones, "before")
    await asyncio.to_thread(asterisk.restart)
    ended = await call.until(LegEnded)
    assert ended.answered
    async with asyncio.timeout(20):
        while True:
            try:
                after, _ = await answered_call(line, phones, "after")
                break
            except LineUnavailable:
                await asyncio.sleep(0.2)
    await after.leg.hang_up()
    await after.until(LegEnded)


async def test_a_lost_media_path_ends_the_call(
    line: AsteriskLine, phones: Phones, watcher: Ari
) -> None:
    call, phone_call = await answered_call(line, phones, "mute")
    await watcher.hang_up("mute" + MEDIA_SUFFIX)
    ended = await call.until(LegEnded)
    assert (ended.cause, ended.by_us, ended.answered) == (TEMPORARY_FAILURE, False, True)
    await gone(phone_call)


async def test_closing_the_line_leaves_nobody_hanging(
    asterisk: AsteriskServer, phones: Phones
) -> None:
    async with AsteriskLine(asterisk.ari("huifang-closing")) as line:
        call, phone_call = await answered_call(line, phones, "shutdown")
    assert (await call.until(LegEnded)).by_us
    await gone(phone_call)


async def test_an_unknown_trunk_is_an_outage_that_rings_nobody(asterisk: AsteriskServer) -> None:
    line = AsteriskLine(asterisk.ari("huifang-lost"), trunk="PJSIP/{number}@nowhere")
    async with line:
        for _ in range(2):  # the id is not used up
            with pytest.raises(LineUnavailable, match="trunk"):
                await line.dial(DialRequest(leg_id="nowhere", number="0123"))


async def test_the_phone_shows_the_caller_id(asterisk: AsteriskServer, phones: Phones) -> None:
    line = AsteriskLine(asterisk.ari("huifang-shown"), caller_id="02012345")
    async with line:
        _, phone_call = await answered_call(line, phones, "shown")
        assert phone_call.shown_number == "02012345"


async def test_a_dead_trunk_does_not_ring(line: AsteriskLine, phones: Phones) -> None:
    number = phones.expect(Callee(dead=True))
    request = DialRequest(leg_id="silent", number=number, ring_timeout=1.0)
    ended = await Listener(await line.dial(request)).until(LegEnded)
    assert (ended.rang, ended.answered, ended.by_us) == (False, False, False)
    assert (ended.cause, ended.sip_code) == (19, 480)


async def test_onsets_are_where_the_phone_recorded_them(line: AsteriskLine, phones: Phones) -> None:
    """Within 40 ms, both voices; the phone runs on the same clock as the line."""
    beep = square_wave(0.2)
    media = ScriptedMedia(says={0.4 + i: beep for i in range(3)})
    call, phone_call = await answered_call(line, phones, "aligned", media)
    leg = call.leg
    assert isinstance(leg, AsteriskLeg)
    answered = call.of(LegAnswered)[0].at
    for turn in range(3):
        await call.until_heard(answered + 0.9 + turn)
        await leg.play(f"beep {turn}", beep)
    await call.until_heard(answered + 3.5)
    await leg.hang_up()
    await call.until(LegEnded)

    heard_by_phone = onsets(phone_call.heard.since(leg.clock_zero))
    said_by_phone = onsets(phone_call.said.since(leg.clock_zero))
    played = [event.at for event in call.of(PlayStarted)]
    assert played == pytest.approx(heard_by_phone, abs=0.04)
    assert onsets(call.heard(0.0)) == pytest.approx(said_by_phone, abs=0.04)
    assert len(played) == len(said_by_phone) == 3
    assert call.of(Audio)


async def test_an_instance_is_started_once_and_needs_its_password(
    asterisk: AsteriskServer,
) -> None:
    again = await asyncio.to_thread(start, asterisk.settings, asterisk.prefix)
    assert again.pid == int((asterisk.settings.run / "pid").read_text())
    stranger = Ari(asterisk.instance.url, asterisk.instance.user, "guess", "huifang-x")
    with pytest.raises(UnfitSwitch):
        await stranger.open(lambda _: None, lambda: None)
    assert not stop(asterisk.settings.run / "elsewhere")
