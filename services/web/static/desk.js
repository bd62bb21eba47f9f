// The desk works without this file; with it, lists are live and the words follow the sound.
"use strict";

// --- ages ("3 minutes ago") ------------------------------------------------------------------
const speaks = new Intl.RelativeTimeFormat(document.documentElement.lang, { numeric: "auto" });

function showAges() {
  for (const time of document.querySelectorAll("time.age")) {
    const seconds = (Date.now() - Date.parse(time.dateTime)) / 1000;
    const [value, unit] =
      seconds < 60 ? [seconds, "second"] : seconds < 3600 ? [seconds / 60, "minute"] : [seconds / 3600, "hour"];
    time.textContent = speaks.format(-Math.floor(value), unit);
  }
}
showAges();
setInterval(showAges, 10_000);

// --- live lists ------------------------------------------------------------------------------
const REFRESHED = ["[data-live]", "#duty", "title"];
let looking = false;
let lookAgain = false;

async function refresh() {
  if (looking) {
    lookAgain = true;
    return;
  }
  looking = true;
  try {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
    if (answer.redirected || !answer.ok) {
      location.reload();
      return;
    }
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    const focused = document.activeElement?.id;
    for (const part of REFRESHED) {
      const here = document.querySelector(part);
      const there = fresh.querySelector(part);
      if (part === "[data-live]" && here && !there) {
        // The call ended: the page has a player now.
        location.reload();
        return;
      }
      // Only what changed is replaced: a screen reader would read the same alerts again.
      if (here && there && here.innerHTML !== there.innerHTML) here.replaceChildren(...there.childNodes);
    }
    if (focused) document.getElementById(focused)?.focus();
    showAges();
    said(false);
  } catch {
    said(true);
  } finally {
    looking = false;
    if (lookAgain) {
      lookAgain = false;
      refresh();
    }
  }
}

function said(lost) {
  const banner = document.getElementById("lost");
  if (banner) banner.hidden = !lost;
}

function listen() {
  const source = new EventSource("/live");
  source.addEventListener("changed", refresh);
  source.addEventListener("error", () => {
    said(true);
    // A refusal (the session ended) closes the stream for good: try anew, by then the page says why.
    if (source.readyState === EventSource.CLOSED) setTimeout(() => { refresh(); listen(); }, 5000);
  });
  addEventListener("pagehide", () => source.close());
}
if (document.querySelector("[data-live]")) listen();

// --- the player ------------------------------------------------------------------------------
const player = document.getElementById("player");
const drawing = document.querySelector(".waveform");

function seek(seconds) {
  if (!player) return;
  player.currentTime = Math.max(0, seconds);
  player.play().catch(() => {});
}

document.addEventListener("click", (event) => {
  const from = event.target.closest("[data-at], .word");
  if (from) seek(Number(from.dataset.at ?? from.dataset.start));
});

document.querySelector(".wave")?.addEventListener("click", (event) => {
  const box = drawing.getBoundingClientRect();
  seek(((event.clientX - box.left) / box.width) * Number(drawing.dataset.seconds));
});

const timed = [...document.querySelectorAll(".turn, .word")].map((element) => ({
  element,
  start: Number(element.dataset.start),
  end: Number(element.dataset.end),
}));

function follow() {
  const now = player.currentTime;
  for (const { element, start, end } of timed) element.classList.toggle("speaking", start <= now && now < end);
  const head = drawing?.querySelector(".playhead");
  if (head) {
    const x = String((1000 * now) / Number(drawing.dataset.seconds));
    head.setAttribute("x1", x);
    head.setAttribute("x2", x);
  }
  if (!player.paused) requestAnimationFrame(follow);
}

if (player) {
  player.addEventListener("play", follow);
  player.addEventListener("timeupdate", follow);
  player.addEventListener("seeked", follow);
}
