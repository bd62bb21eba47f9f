"""How many answers a second are understood on one core.

Run with ``python -m tests.benchmarks.understanding``.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from typing import Any

from scripts.answers import AskedQuestion, Utterance
from services.triage.understanding import load
from tests.unit.test_triage_rules import context_of, question_of
from tests.unit.test_triage_suite import ITEMS

ROUNDS = 3


def main() -> int:
    """Understand the clinical suite a few times and print the rate of the fastest round."""
    began = time.perf_counter()
    understand = load.__wrapped__()
    loaded = time.perf_counter() - began
    context = context_of({})
    prepared: list[tuple[Utterance, AskedQuestion]] = [_prepared(item) for item in ITEMS]
    fastest = 0.0
    for _ in range(ROUNDS):
        began = time.process_time()
        for utterance, question in prepared:
            understand(utterance, question, context)
        fastest = max(fastest, len(prepared) / (time.process_time() - began))
    sys.stdout.write(
        f"loaded in {loaded:.1f} s; {fastest:.0f} answers a second of processor time\n"
    )
    return 0


def _prepared(
    item: tuple[str, Mapping[str, Any], Mapping[str, Any]],
) -> tuple[Utterance, AskedQuestion]:
    language, question, answer = item
    return Utterance(str(answer["say"]), language), question_of(question)


if __name__ == "__main__":
    sys.exit(main())
