"""What is being played over a chan_websocket media socket: bookkeeping without I/O.

Asterisk keeps a queue of 20 ms frames and takes one from it at each tick of its own 20 ms timer.
It obeys commands that travel in order with the sound:

* ``MARK_MEDIA`` puts a mark into the queue. It comes back as ``MEDIA_MARK_PROCESSED`` at the tick
  that takes the frame behind it, so a mark behind frame *n* comes back one frame after *n* began,
  also when nothing follows.
* ``GET_STATUS`` is answered at once with the number of frames still in the queue.
* ``FLUSH_MEDIA`` empties the queue, marks included.
* ``MEDIA_XOFF`` and ``MEDIA_XON`` tell that the queue is nearly full (900 of 1000 frames, then it
  drops what comes) and has room again (800).

Every frame that was ever sent has a number, its *place*. A mark is named after the number of frames
before it. So each mark that comes back says when every frame so far began, and a flush tells which
were never heard. No more than ten seconds are sent ahead, so the queue never overflows however late
a ``MEDIA_XOFF`` arrives.

Source: Asterisk's ``channels/chan_websocket.c`` and measurements on 22.10.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from dialer.line import FRAME_BYTES, FRAME_SECONDS, SAMPLE_RATE, PlayFinished, PlayStarted

PlayEvent = PlayStarted | PlayFinished

AHEAD = 500
"""Frames sent but not yet known to be played, at most."""
CHUNK = 50
"""Frames between two marks."""


@dataclass(slots=True)
class _Clip:
    name: str
    pcm: bytes
    """Padded to whole frames."""
    seconds: float
    first: int
    """Place of its first frame."""
    frames: int
    started: float | None = None

    @property
    def end(self) -> int:
        return self.first + self.frames


@dataclass(slots=True)
class _Cut:
    """A flush that Asterisk has not answered yet."""

    sent: int
    clips: tuple[_Clip, ...]


@dataclass(slots=True)
class Playout:
    """The clips of one leg, from ``play`` to their end."""

    _clips: deque[_Clip] = field(default_factory=deque)
    _cuts: deque[_Cut] = field(default_factory=deque)
    _sent: int = 0
    """Frames sent; the place of the next one."""
    _queued: int = 0
    """Frames handed over by ``play``; those from ``_sent`` on still wait here."""
    _played: int = 0
    """Frames known to be played or dropped."""
    _paused: bool = False

    def play(self, clip: str, pcm: bytes) -> None:
        """Queue a clip behind the others. Sound of no length is one silent frame."""
        frames = max(1, -(-len(pcm) // FRAME_BYTES))
        padded = pcm.ljust(frames * FRAME_BYTES, b"\0")
        seconds = len(pcm) / (2 * SAMPLE_RATE)
        self._clips.append(_Clip(clip, padded, seconds, self._queued, frames))
        self._queued += frames

    def messages(self) -> Iterator[bytes | str]:
        """What to send now, in order: sound and commands."""
        for clip in tuple(self._clips):
            while clip.first <= self._sent < clip.end and self._may_send():
                start = self._sent - clip.first
                # The first mark sits behind the first frame: before it, a tick between the mark
                # and the sound would return the mark too early.
                frames = 1 if start == 0 else min(CHUNK, clip.frames - start)
                self._sent += frames
                yield clip.pcm[start * FRAME_BYTES : (start + frames) * FRAME_BYTES]
                yield command("MARK_MEDIA", correlation_id=str(self._sent))

    def flush(self) -> tuple[str, ...]:
        """Drop everything; what to send. The answer to GET_STATUS goes to ``status``."""
        if not self._clips:
            return ()
        self._cuts.append(_Cut(self._sent, tuple(self._clips)))
        self._clips.clear()
        self._queued = self._played = self._sent
        self._paused = False
        return command("GET_STATUS"), command("FLUSH_MEDIA")

    def mark(self, name: str, at: float) -> list[PlayEvent]:
        """A mark came back."""
        if not name.isdigit():
            return []
        place = int(name)
        self._played = max(self._played, place)
        events: list[PlayEvent] = []
        for clip in (*(c for cut in self._cuts for c in cut.clips), *self._clips):
            events += self._reached(clip, place, at)
        self._forget_finished(place)
        return events

    def status(self, queue_length: int, at: float) -> list[PlayEvent]:
        """Asterisk told how many frames a flush found in its queue."""
        if not self._cuts:
            return []
        cut = self._cuts.popleft()
        return self._stopped(cut.clips, cut.sent - queue_length, at)

    def pause(self, paused: bool) -> None:
        """Asterisk asked to stop sending, or to go on."""
        self._paused = paused

    def ended(self, at: float) -> list[PlayEvent]:
        """The leg is over: what was heard of the clips that were still playing."""
        events: list[PlayEvent] = []
        for clip in (*(c for cut in self._cuts for c in cut.clips), *self._clips):
            if clip.started is None:
                heard = 0
            else:
                heard = min(clip.frames, max(0, round((at - clip.started) / FRAME_SECONDS)))
            events += self._stopped((clip,), clip.first + heard, at)
        self._clips.clear()
        self._cuts.clear()
        return events

    def _may_send(self) -> bool:
        return not self._paused and self._sent - self._played < AHEAD

    def _reached(self, clip: _Clip, place: int, at: float) -> Iterator[PlayEvent]:
        """What a mark at ``place`` says about one clip."""
        if clip.started is None and place > clip.first:
            clip.started = at - (place - clip.first) * FRAME_SECONDS
            yield PlayStarted(clip.name, clip.started)
        if place >= clip.end:
            finished = at - (place - clip.end) * FRAME_SECONDS
            yield PlayFinished(clip.name, finished, clip.seconds)

    def _forget_finished(self, place: int) -> None:
        self._clips = deque(clip for clip in self._clips if clip.end > place)
        for cut in self._cuts:
            cut.clips = tuple(clip for clip in cut.clips if clip.end > place)

    def _stopped(self, clips: tuple[_Clip, ...], place: int, at: float) -> list[PlayEvent]:
        """Clips that were cut off when ``place`` frames had gone out."""
        events: list[PlayEvent] = []
        for clip in clips:
            heard = min(clip.frames, max(0, place - clip.first))
            if clip.started is None and heard:
                events.append(PlayStarted(clip.name, at - heard * FRAME_SECONDS))
            seconds = min(clip.seconds, heard * FRAME_SECONDS)
            events.append(PlayFinished(clip.name, at, seconds))
        return events


def command(name: str, **fields: str) -> str:
    """A control message. Asterisk takes at most 128 bytes of text."""
    return json.dumps({"command": name, **fields}, separators=(",", ":"))
