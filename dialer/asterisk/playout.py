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

Marks are also late when this process is: it may sleep for a while under load. But frames that follow
each other without a pause began exactly 20 ms apart, and the first of them began within a tick of
being sent. So the beginning of such a *run* is estimated from all its marks, and times are read off it.

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


_TICK_SLACK = 0.01
"""Seconds that the switch's own tick may be late for the first frame of a run."""
_STALL = 0.03
"""Seconds by which every one of the last marks must be late before the run is set anew."""


@dataclass(slots=True)
class _Run:
    """Frames that are played without a pause."""

    sent_at: float
    first: int
    """Place of the first frame."""
    began: float = field(init=False)
    """Best knowledge of when the first frame began."""
    _latest: deque[float] = field(default_factory=lambda: deque(maxlen=3))

    def __post_init__(self) -> None:
        self.began = self.sent_at + FRAME_SECONDS + _TICK_SLACK

    def mark(self, place: int, at: float) -> None:
        """A mark came back at ``at``, when the frame at ``place`` was due."""
        began = at - (place - self.first) * FRAME_SECONDS
        self._latest.append(began)
        self.began = max(self.sent_at, min(self.began, began))
        if len(self._latest) == 3 and min(self._latest) - self.began > _STALL:
            self.began = min(self._latest)  # the switch itself stood still

    def due(self, place: int) -> float:
        """When the frame at ``place`` begins."""
        return self.began + (place - self.first) * FRAME_SECONDS


@dataclass(slots=True)
class _Clip:
    name: str
    pcm: bytes
    """Padded to whole frames."""
    seconds: float
    first: int
    """Place of its first frame."""
    frames: int
    run: _Run | None = None
    """Known once its first frame is sent."""
    started: bool = False

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
    _run: _Run | None = None
    """What is being played, or was last."""

    def play(self, clip: str, pcm: bytes) -> None:
        """Queue a clip behind the others. Sound of no length is one silent frame."""
        frames = max(1, -(-len(pcm) // FRAME_BYTES))
        padded = pcm.ljust(frames * FRAME_BYTES, b"\0")
        seconds = len(pcm) / (2 * SAMPLE_RATE)
        self._clips.append(_Clip(clip, padded, seconds, self._queued, frames))
        self._queued += frames

    def messages(self, now: float) -> Iterator[bytes | str]:
        """What to send at ``now``, in order: sound and commands."""
        for clip in tuple(self._clips):
            while clip.first <= self._sent < clip.end and self._may_send():
                start = self._sent - clip.first
                # The first mark sits behind the first frame: before it, a tick between the mark
                # and the sound would return the mark too early.
                frames = 1 if start == 0 else min(CHUNK, clip.frames - start)
                if start == 0:
                    if self._run is None or now > self._run.due(self._sent):
                        self._run = _Run(now, self._sent)
                    clip.run = self._run
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
        self._run = None
        return command("GET_STATUS"), command("FLUSH_MEDIA")

    def mark(self, name: str, at: float) -> list[PlayEvent]:
        """A mark came back."""
        if not name.isdigit():
            return []
        place = int(name)
        self._played = max(self._played, place)
        events: list[PlayEvent] = []
        marked = next((clip for clip in self._open() if clip.first < place <= clip.end), None)
        if marked is not None and marked.run is not None:
            marked.run.mark(place, at)
        for clip in self._open():
            events += self._reached(clip, place)
        self._forget_finished(place)
        return events

    def status(self, queue_length: int, at: float) -> list[PlayEvent]:
        """Asterisk told how many frames a flush found in its queue."""
        if not self._cuts:
            return []
        cut = self._cuts.popleft()
        events: list[PlayEvent] = []
        for clip in cut.clips:
            events += self._stopped(clip, cut.sent - queue_length - clip.first, at)
        return events

    def pause(self, paused: bool) -> None:
        """Asterisk asked to stop sending, or to go on."""
        self._paused = paused

    def ended(self, at: float) -> list[PlayEvent]:
        """The leg is over: what was heard of the clips that were still playing."""
        events: list[PlayEvent] = []
        for clip in self._open():
            heard = 0
            if clip.started and clip.run is not None:
                heard = round((at - clip.run.due(clip.first)) / FRAME_SECONDS)
            events += self._stopped(clip, heard, at)
        self._clips.clear()
        self._cuts.clear()
        return events

    def _open(self) -> tuple[_Clip, ...]:
        """Every clip that is not finished, in order."""
        return (*(clip for cut in self._cuts for clip in cut.clips), *self._clips)

    def _may_send(self) -> bool:
        return not self._paused and self._sent - self._played < AHEAD

    def _reached(self, clip: _Clip, place: int) -> Iterator[PlayEvent]:
        """What a mark at ``place`` says about one clip."""
        if clip.run is None:
            return
        if not clip.started and place > clip.first:
            clip.started = True
            yield PlayStarted(clip.name, clip.run.due(clip.first))
        if place >= clip.end:
            yield PlayFinished(clip.name, clip.run.due(clip.end), clip.seconds)

    def _forget_finished(self, place: int) -> None:
        self._clips = deque(clip for clip in self._clips if clip.end > place)
        for cut in self._cuts:
            cut.clips = tuple(clip for clip in cut.clips if clip.end > place)

    def _stopped(self, clip: _Clip, frames: int, at: float) -> Iterator[PlayEvent]:
        """A clip that was cut off when this many of its frames had gone out."""
        heard = min(clip.frames, max(0, frames))
        if heard and clip.run is not None:
            if not clip.started:
                yield PlayStarted(clip.name, clip.run.due(clip.first))
            at = clip.run.due(clip.first + heard)
        yield PlayFinished(clip.name, at, min(clip.seconds, heard * FRAME_SECONDS))


def command(name: str, **fields: str) -> str:
    """A control message. Asterisk takes at most 128 bytes of text."""
    return json.dumps({"command": name, **fields}, separators=(",", ":"))
