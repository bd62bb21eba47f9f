"""How well and how fast the recognisers hear telephone speech.

python -m tests.benchmarks.ears sherpa whisper --every 3

Reads the recordings beside the repository, sends them through mu-law at 8 kHz, feeds them in frames
of 20 ms and measures errors, the time of ``finish`` after the last frame, and the processor time.
"""

from __future__ import annotations

import argparse
import json
import re
import resource
import time
from collections.abc import Sequence

import numpy as np

from asr.models import FoundModel, find, open_engine
from asr.recogniser import FRAME_BYTES, Engine, Hints, Transcript
from asr.syllables import pinyin_of, toneless
from asr.voice_activity import SileroVoiceActivity
from tests.support.ears import SHARED, models_folder, telephone

_NOT_HANZI = re.compile(r"[^\u3400-\u9fff]+")


def main() -> None:
    """Measure the engines named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("engines", nargs="+", choices=["vosk", "sherpa", "whisper"])
    parser.add_argument("--every", type=int, default=1, help="take every n-th sentence")
    arguments = parser.parse_args()
    sets = {"words": words(), "sentences": sentences()[:: arguments.every]}
    measure_voice_activity([sound for sound, _ in sets["words"]])
    for name in arguments.engines:
        found = find("zh", name, models_folder())
        if found is None:
            print(f"{name}: no model on this machine")
            continue
        engine = load(found)
        for kind, recordings in sets.items():
            measure(engine, kind, recordings)


def words() -> list[tuple[bytes, str]]:
    """Isolated words: sound and text."""
    files = sorted((SHARED / "audio" / "words").glob("*.flac"))
    return [(telephone(file), file.stem) for file in files]


def sentences() -> list[tuple[bytes, str]]:
    """Read sentences: sound and text."""
    listed = (SHARED / "audio" / "aishell.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in listed]
    return [(telephone(SHARED / "audio" / row["audio"]), row["text"]) for row in rows]


def load(found: FoundModel) -> Engine:
    """Open a model and tell what that costs."""
    before, started = memory(), time.perf_counter()
    engine = open_engine(found)
    seconds = time.perf_counter() - started
    print(f"{found.engine} {found.model}: load {seconds:.1f} s, {memory() - before:.0f} MB")
    return engine


def measure(engine: Engine, kind: str, recordings: Sequence[tuple[bytes, str]]) -> None:
    """Print errors and times of one engine on one set."""
    errors = {"toneless": 0, "tonal": 0, "characters": 0}
    syllables = right = 0
    spoken = worked = 0.0
    waits: list[float] = []
    for sound, text in recordings:
        decoder, cpu = engine.decoder(Hints()), time.process_time()
        for at in range(0, len(sound), FRAME_BYTES):
            decoder.accept(sound[at : at + FRAME_BYTES])
        ended = time.perf_counter()
        final = decoder.finish()
        waits.append(time.perf_counter() - ended)
        worked += time.process_time() - cpu
        spoken += len(sound) / 16000
        said = pinyin_of(text)
        heard = heard_syllables(final)
        wrong = distance([toneless(s) for s in said], [toneless(s) for s in heard])
        errors["toneless"] += wrong
        errors["tonal"] += distance(said, heard)
        errors["characters"] += distance(text, _NOT_HANZI.sub("", final.text))
        syllables += len(said)
        right += wrong == 0
    rates = ", ".join(f"{name} {100 * count / syllables:.1f} %" for name, count in errors.items())
    p50, p95 = np.percentile(waits, [50, 95])
    print(
        f"  {kind}: n {len(recordings)}, errors {rates}, all right {right}; "
        f"finish p50 {p50 * 1e3:.0f} ms, p95 {p95 * 1e3:.0f} ms; "
        f"processor seconds a second of speech {worked / spoken:.3f}"
    )


def heard_syllables(final: Transcript) -> tuple[str, ...]:
    """Toned pinyin of a transcript: as heard where the engine tells, else read from the Hanzi."""
    if final.words and all(word.pinyin is not None for word in final.words):
        return tuple(s for word in final.words for s in (word.pinyin or "").split())
    return pinyin_of(_NOT_HANZI.sub("", final.text))


def measure_voice_activity(sounds: Sequence[bytes]) -> None:
    """Print the processor time of one 20 ms frame."""
    activity, frames = SileroVoiceActivity(), 0
    started = time.process_time()
    for sound in sounds:
        for at in range(0, len(sound), FRAME_BYTES):
            activity.probability(sound[at : at + FRAME_BYTES])
            frames += 1
    cost = (time.process_time() - started) / frames * 1e3
    print(f"voice activity: {cost:.2f} ms of processor a 20 ms frame")


def distance(one: Sequence[str], two: Sequence[str]) -> int:
    """Insertions, deletions and substitutions between two sequences."""
    row = list(range(len(two) + 1))
    for i, left in enumerate(one, 1):
        diagonal, row[0] = row[0], i
        for j, right in enumerate(two, 1):
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, diagonal + (left != right))
    return row[-1]


def memory() -> float:
    """Most memory this process has used so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
