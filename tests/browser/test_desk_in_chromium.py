"""The desk as a person uses it: in a real browser, on a desk and on a telephone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, expect

from services.clock import utc_now
from services.security.first_administrator import offer_setup
from tests.support.chromium import chromium as chromium
from tests.support.desk_rows import DANGER_AT, PASSWORD, TALK, add_call, add_desk_user
from tests.support.desk_server import CHEAP, RunningDesk, running_desk

DESK = {"width": 1280, "height": 800}
TELEPHONE = {"width": 390, "height": 844}


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[RunningDesk]:
    async with running_desk(tmp_path, utc_now) as running:
        yield running


async def open_page(chromium: Browser, size: dict[str, int], complaints: list[str]) -> Page:
    """Open a page that reports errors of scripts and of the content security policy."""
    context = await chromium.new_context(
        viewport={"width": size["width"], "height": size["height"]}, locale="zh-CN"
    )
    page = await context.new_page()
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    return page


async def sign_in(page: Page, desk: RunningDesk, login: str = "nurse") -> None:
    await page.goto(desk.url + "/sign-in")
    await page.get_by_label("登录名").fill(login)
    await page.get_by_label("密码").fill(PASSWORD)
    await page.keyboard.press("Enter")
    await page.wait_for_url(desk.url + "/")


async def until(page: Page, condition: str) -> None:
    """Wait for a condition. Playwright's own way needs eval, which the desk's policy forbids."""
    async with asyncio.timeout(20):
        while not await page.evaluate(condition):
            await page.wait_for_timeout(20)


async def test_from_the_first_administrator_to_an_alert_taken(
    desk: RunningDesk, chromium: Browser
) -> None:
    complaints: list[str] = []
    page = await open_page(chromium, DESK, complaints)
    await page.goto(f"{desk.url}/setup?token={await offer_setup(desk.sessions, utc_now)}")
    await page.get_by_label("姓名").fill("测试管理员")
    await page.get_by_label("登录名").fill("admin")
    await page.get_by_label("密码（至少十个字符）").fill(PASSWORD)
    await page.get_by_label("再输入一次密码").fill(PASSWORD)
    await page.get_by_role("button", name="设立并登录").click()
    await expect(page.get_by_role("alert").filter(has_text="没有人值班")).to_be_visible()
    await page.get_by_role("link", name="去值班").click()
    await page.get_by_role("button", name="开始值班").click()
    await expect(page.get_by_text("正在值班")).to_be_visible()
    await expect(page.get_by_role("alert").filter(has_text="没有人值班")).to_have_count(0)
    await page.get_by_role("link", name="警报").click()
    await expect(page.get_by_text("没有等待处理的警报")).to_be_visible()
    # Raised while somebody looks: it appears without a reload, and the title says so.
    call = await add_call(desk.sessions, utc_now(), recordings=desk.recordings)
    alert = page.get_by_role("article", name="紧急：钱小满")
    await expect(alert).to_be_visible()
    await expect(page).to_have_title("(1) 警报 · 回访台")
    await alert.get_by_role("button", name="我来处理").click()
    await expect(page.get_by_text("测试管理员 已接手")).to_be_visible()
    assert desk.posted.kinds("huifang/v1/alerts") == ["acknowledged"]
    await page.get_by_role("link", name="看这次通话").click()
    await page.wait_for_url(f"{desk.url}/calls/{call.attempt_id}")
    assert complaints == []


async def test_the_recording_plays_and_the_words_follow(
    desk: RunningDesk, chromium: Browser
) -> None:
    await add_desk_user(desk.sessions, CHEAP, utc_now())
    call = await add_call(desk.sessions, utc_now(), recordings=desk.recordings)
    complaints: list[str] = []
    page = await open_page(chromium, DESK, complaints)
    await sign_in(page, desk)
    await page.goto(f"{desk.url}/calls/{call.attempt_id}")
    await until(page, "player.readyState >= HTMLMediaElement.HAVE_METADATA")
    seconds = await page.evaluate("player.duration")
    assert seconds == pytest.approx(TALK[-1].ended, abs=0.05)
    await page.locator(".danger").get_by_role("button", name="从 0:11 听").click()
    await until(page, f"!player.paused && player.currentTime > {DANGER_AT + 0.05}")
    await page.evaluate("player.pause()")
    now = await page.evaluate("player.currentTime")
    assert DANGER_AT <= now < DANGER_AT + 5
    for moment, word in ((11.95, "胸"), (12.2, "口"), (14.05, "冷")):
        await page.evaluate(f"player.currentTime = {moment}")
        await expect(page.locator(".word.speaking")).to_have_text([word])
    await expect(page.locator(".turn.speaking")).to_contain_text("昨天晚上胸口疼")
    await page.locator(".word", has_text="是").first.click()
    await until(page, "player.currentTime < 8")
    box = await page.locator(".wave").bounding_box()
    assert box is not None
    await page.mouse.click(box["x"] + box["width"] / 2, box["y"] + 20)
    await until(page, f"Math.abs(player.currentTime - {seconds / 2}) < 1")
    assert complaints == []


async def test_chromium_hears_the_two_sides_apart(desk: RunningDesk, chromium: Browser) -> None:
    await add_desk_user(desk.sessions, CHEAP, utc_now())
    call = await add_call(desk.sessions, utc_now(), recordings=desk.recordings)
    page = await open_page(chromium, DESK, [])
    await sign_in(page, desk)
    loudness = await page.evaluate(
        """async (path) => {
          const file = await (await fetch(path)).arrayBuffer();
          const sound = await new OfflineAudioContext(2, 48000, 48000).decodeAudioData(file);
          const loud = (channel, from, to) => Math.sqrt(sound.getChannelData(channel)
            .slice(from * 48000, to * 48000).reduce((sum, x) => sum + x * x, 0) / ((to - from) * 48000));
          return { patient: [loud(0, 11.2, 14.2), loud(1, 11.2, 14.2)],
                   system: [loud(0, 1.2, 4.8), loud(1, 1.2, 4.8)] };
        }""",
        f"/calls/{call.attempt_id}/recording",
    )
    left, right = loudness["patient"]
    assert left > 0.05
    assert right < left / 1000
    left, right = loudness["system"]
    assert right > 0.05
    assert left < right / 1000


@pytest.mark.parametrize("size", [DESK, TELEPHONE], ids=["desk", "telephone"])
async def test_no_page_is_wider_than_the_screen_and_every_field_has_a_label(
    desk: RunningDesk, chromium: Browser, size: dict[str, int]
) -> None:
    await add_desk_user(desk.sessions, CHEAP, utc_now(), "admin", "administrator")
    call = await add_call(desk.sessions, utc_now(), recordings=desk.recordings)
    await add_call(desk.sessions, utc_now() - timedelta(days=1), index=2, severity="urgent")
    complaints: list[str] = []
    page = await open_page(chromium, size, complaints)
    await page.goto(desk.url + "/sign-in")
    await check_layout(page)
    await sign_in(page, desk, "admin")
    for path in ("/", "/calls", f"/calls/{call.attempt_id}", "/duty", "/users"):
        await page.goto(desk.url + path)
        await check_layout(page)
    assert complaints == []


async def check_layout(page: Page) -> None:
    wide = await page.evaluate("document.documentElement.scrollWidth - innerWidth")
    assert wide <= 0, page.url
    unlabelled = await page.evaluate(
        """[...document.querySelectorAll("input:not([type=hidden]), select")]
             .filter((field) => !field.labels.length).length"""
    )
    assert unlabelled == 0, page.url
    assert await page.locator("h1").count() == 1, page.url


async def test_a_lost_connection_is_said(desk: RunningDesk, chromium: Browser) -> None:
    await add_desk_user(desk.sessions, CHEAP, utc_now())
    page = await open_page(chromium, DESK, [])
    await sign_in(page, desk)
    await page.context.set_offline(True)
    await page.route("**/*", lambda route: route.abort())
    await page.evaluate("refresh()")
    await expect(page.get_by_role("alert").filter(has_text="连接断了")).to_be_visible()
    await page.unroute("**/*")
    await page.context.set_offline(False)
    await page.evaluate("refresh()")
    await expect(page.get_by_role("alert").filter(has_text="连接断了")).to_be_hidden()
