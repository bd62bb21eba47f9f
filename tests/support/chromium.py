"""A real Chromium, driven by Playwright."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser, async_playwright

from tests.support import debian

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--autoplay-policy=no-user-gesture-required",
)


@pytest.fixture
async def chromium() -> AsyncIterator[Browser]:
    """A running Chromium."""
    try:
        program, environment = await asyncio.to_thread(debian.chromium)
    except debian.ServerMissing as missing:
        debian.left_out(missing)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=program, env=dict(environment), args=list(FLAGS)
        )
        yield browser
        await browser.close()
