"""The recorder on a real disk with real Opus."""

from __future__ import annotations

import asyncio
import hashlib
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from recordings import opus
from recordings.errors import Damaged, NotInStore, RecordingError
from recordings.reading import open_sealed
from recordings.recorder import CallRecorder, recover
from recordings.store import FolderStore

KEY = b"k" * 32
NAME = "2026/03/attempt.opus"
Samples = npt.NDArray[np.int16]


def tone(hertz: float, seconds: float) -> Samples:
    time = np.arange(int(seconds * 8000)) / 8000
    return (9000 * np.sin(2 * np.pi * hertz * time)).astype("<i2")


def level(lane: Samples, hertz: float) -> float:
    """Amplitude of one frequency, dB relative to full scale."""
    time = np.arange(len(lane)) / 8000
    part = abs(np.mean(lane * np.exp(-2j * np.pi * hertz * time))) * 2 / 32768
    return float(20 * np.log10(max(part, 1e-9)))


def recorder(folder: Path) -> CallRecorder:
    return CallRecorder(
        FolderStore(folder / "store"),
        folder / "spool",
        object_key=NAME,
        data_key=KEY,
        key_id="key-1",
    )


def talk(recording: CallRecorder, start: float, seconds: float) -> None:
    """A patient of 440 Hz and a clip of 1 kHz in the middle of it, both at once."""
    frames = tone(440, seconds).reshape(-1, 160)
    for number, frame in enumerate(frames):
        recording.patient(frame.tobytes(), start + number * 0.02)
    recording.system(tone(1000, seconds / 2).tobytes(), start + seconds / 4)


def files(folder: Path) -> list[str]:
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


async def clear(folder: Path) -> bytes:
    return await (await open_sealed(FolderStore(folder / "store"), NAME, KEY)).read()


async def test_a_call_becomes_one_encrypted_opus_file(tmp_path: Path) -> None:
    recording = recorder(tmp_path)
    talk(recording, 1.0, 4.0)
    assert files(tmp_path) == []
    recording.keep()
    talk(recording, 8.0, 4.0)
    stored = await recording.finish()
    assert stored is not None
    assert files(tmp_path) == ["store/" + NAME]
    file = await clear(tmp_path)
    assert (stored.size, stored.sha256) == (len(file), hashlib.sha256(file).hexdigest())
    assert stored.seconds == 12.0
    assert b"OggS" not in (tmp_path / "store" / NAME).read_bytes()
    peaks = stored.peaks
    assert (len(peaks["patient"]), len(peaks["system"])) == (240, 240)
    assert max(peaks["patient"][:20]) == 0 < min(peaks["patient"][20:100])
    assert max(peaks["system"][:40]) == 0 < min(peaks["system"][41:79])


async def test_the_two_sides_do_not_leak_into_each_other(tmp_path: Path) -> None:
    recording = recorder(tmp_path)
    recording.keep()
    talk(recording, 0.0, 8.0)
    await recording.finish()
    patient, system = opus.decode(await clear(tmp_path))[:, 20000:44000]
    assert level(patient, 440) > -15
    assert level(system, 1000) > -15
    assert level(system, 440) < -60
    assert level(patient, 1000) < -60


async def test_onsets_survive_compression_within_5_ms(tmp_path: Path) -> None:
    recording = recorder(tmp_path)
    recording.keep()
    recording.patient(tone(440, 1.0).tobytes(), 2.0)
    recording.system(tone(1000, 1.0).tobytes(), 3.5)
    await recording.finish()
    patient, system = opus.decode(await clear(tmp_path))
    for lane, onset in ((patient, 16000), (system, 28000)):
        assert abs(int(np.flatnonzero(np.abs(lane) > 2000)[0]) - onset) <= 40


async def test_nothing_is_written_without_consent(tmp_path: Path) -> None:
    recording = recorder(tmp_path)
    talk(recording, 0.0, 4.0)
    assert await recording.finish() is None
    assert files(tmp_path) == []


async def test_a_refusal_forgets_what_was_held_and_what_was_kept(tmp_path: Path) -> None:
    recording = recorder(tmp_path)
    recording.keep()
    talk(recording, 0.0, 4.0)
    await asyncio.sleep(0)
    recording.drop()
    talk(recording, 4.0, 4.0)
    recording.keep()
    assert not recording.kept
    assert await recording.finish() is None
    assert files(tmp_path) == []


async def test_a_refusal_wipes_the_memory(tmp_path: Path) -> None:
    recording = recorder(tmp_path)
    talk(recording, 0.0, 4.0)
    # Nothing public can show this: whoever still has the buffer must find nothing in it.
    held = recording._held
    assert len(held) > 64_000
    recording.drop()
    assert bytes(held) == b""


async def test_consent_without_a_sound_stores_nothing(tmp_path: Path) -> None:
    recording = recorder(tmp_path)
    recording.keep()
    assert await recording.finish() is None
    assert files(tmp_path) == []


CRASHING = """
import asyncio, sys, time
from pathlib import Path
from tests.integration.test_recordings_recorder import recorder, talk

async def main():
    recording = recorder(Path(sys.argv[1]))
    recording.keep()
    for second in range(0, 12, 4):
        talk(recording, float(second), 4.0)
        await asyncio.sleep(0)
        while recording._writing is not None:
            await asyncio.sleep(0.01)
    print("written", flush=True)
    await asyncio.sleep(600)

asyncio.run(main())
"""


async def test_after_kill_9_everything_but_the_last_second_is_recovered(tmp_path: Path) -> None:
    command = [sys.executable, "-c", CRASHING, str(tmp_path)]
    root = Path(__file__).parents[2]
    process = await asyncio.to_thread(subprocess.Popen, command, stdout=subprocess.PIPE, cwd=root)
    assert process.stdout is not None
    assert await asyncio.to_thread(process.stdout.readline) == b"written\n"
    os.kill(process.pid, signal.SIGKILL)
    await asyncio.to_thread(process.wait)
    process.stdout.close()
    assert files(tmp_path) == [f"spool/{NAME}.pcm"]
    store = FolderStore(tmp_path / "store")
    stored = await recover(store, tmp_path / "spool", NAME, KEY, "key-1")
    assert stored is not None
    assert stored.seconds >= 11.0
    patient = opus.decode(await clear(tmp_path))[0]
    assert level(patient[:80000], 440) > -15
    assert files(tmp_path) == ["store/" + NAME]
    again = await recover(store, tmp_path / "spool", NAME, KEY, "key-1")
    assert again is not None
    assert (again.sha256, again.size) == (stored.sha256, stored.size)
    assert again.seconds == pytest.approx(stored.seconds, abs=0.01)


async def test_recovering_nothing_is_nothing(tmp_path: Path) -> None:
    assert await recover(FolderStore(tmp_path), tmp_path / "spool", NAME, KEY, "key-1") is None


async def test_a_disk_that_refuses_for_a_while_loses_nothing(tmp_path: Path) -> None:
    recording = recorder(tmp_path)
    (tmp_path / "spool").write_text("a file where the folder should be")
    recording.keep()
    talk(recording, 0.0, 4.0)
    await asyncio.sleep(0.2)
    with pytest.raises(RecordingError) as refused:
        await recording.finish()
    assert refused.value.retryable
    (tmp_path / "spool").unlink()
    stored = await recording.finish()
    assert stored is not None
    assert stored.seconds == 4.0


async def test_an_altered_log_is_not_passed_off_as_a_recording(tmp_path: Path) -> None:
    recording = recorder(tmp_path)
    recording.keep()
    talk(recording, 0.0, 4.0)
    await asyncio.sleep(0.2)
    path = tmp_path / "spool" / (NAME + ".pcm")
    raw = bytearray(path.read_bytes())
    raw[200] ^= 1
    path.write_bytes(raw)
    with pytest.raises(Damaged):
        await recording.finish()


async def test_the_folder_store_reads_ranges_lists_and_deletes(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    await store.put("a/one", _stream(b"abc", b"def"))
    await store.put("a/one", _stream(b"replaced"))
    await store.put("b/two", _stream())
    assert [name async for name in store.names()] == ["a/one", "b/two"]
    assert [name async for name in store.names("a/")] == ["a/one"]
    assert (await store.size("a/one"), await store.read("a/one", 2, 3)) == (8, b"pla")
    assert (tmp_path / "a" / "one").stat().st_mode & 0o077 == 0
    await store.delete("a/one")
    await store.delete("a/one")
    with pytest.raises(NotInStore):
        await store.read("a/one", 0, 1)
    with pytest.raises(NotInStore):
        await store.size("a/one")


async def test_a_stream_that_breaks_off_leaves_no_object(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    with pytest.raises(ZeroDivisionError):
        await store.put("a", _broken())
    assert files(tmp_path) == []


@pytest.mark.parametrize("name", ["../a", "/a", "a//b", ".hidden", "", "a/../../b", "a\\b"])
async def test_names_cannot_leave_the_folder(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="cannot name"):
        await FolderStore(tmp_path).read(name, 0, 1)


async def _stream(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


async def _broken() -> AsyncIterator[bytes]:
    yield b"half"
    raise ZeroDivisionError
