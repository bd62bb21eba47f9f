"""Measured values that come in passing, in the answer to any question (血压一百九, 烧到三十九度)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set

from scripts.answers import ClinicalContext
from services.triage.lexicon import Lexicon
from services.triage.measures import measure
from services.triage.numbers import Quantity, quantities
from services.triage.syllables import Break, Unit

_NAMED: Mapping[str, tuple[str, ...]] = {
    "mmHg": (
        "血压",
        "高压",
        "低压",
        "收缩压",
        "舒张压",
        "bloodpressure",
        "pressureis",
        "pressurewas",
    ),
    "mmol/L": ("血糖", "bloodsugar", "glucose", "sugaris", "sugarwas"),
    "percent": ("血氧", "氧饱和", "oxygen", "saturation"),
    "celsius": ("体温", "烧到", "温度", "temperature", "fever"),
}
_NEAR = 12
"""Units before a number in which its name is looked for."""
_CLAUSE = 60
"""Units back to which a clause is searched for other times and people."""
_ELSEWHERE = frozenset({"past", "hypothetical", "other"})


def mentioned(
    units: Sequence[Unit], lexicon: Lexicon, context: ClinicalContext
) -> dict[str, float]:
    """Values by what was measured (``celsius``, ``systolic``, ``glucose`` ...); the patient's own, now."""
    spoken = quantities(units)
    if not spoken:
        return {}
    away = {mark.first for mark in lexicon.findings.marks(units) if mark.kind in _ELSEWHERE}
    groups: dict[str, list[Quantity]] = {}
    for quantity in spoken:
        unit = _unit_of(units, quantity)
        if unit is not None and not _elsewhere(units, away, quantity):
            groups.setdefault(unit, []).append(quantity)
    found: dict[str, float] = {}
    for unit, group in groups.items():
        measured = measure(
            unit, group, context, lambda i: units[i].key if 0 <= i < len(units) else ""
        )
        if measured is None or not measured.plausible:
            continue
        if isinstance(measured.value, Mapping):
            found |= {name: v for name, v in measured.value.items() if v is not None}
        elif isinstance(measured.value, float):
            found[_RULE_NAMES[unit]] = measured.value
    return found


_RULE_NAMES = {"celsius": "celsius", "mmol/L": "glucose", "percent": "spo2"}


def _unit_of(units: Sequence[Unit], quantity: Quantity) -> str | None:
    """The unit that the words before a number name, the nearest name first."""
    start = max(quantity.first - _NEAR, 0)
    before = "".join(unit.key for unit in units[start : quantity.first])
    places = {unit: max(before.rfind(name) for name in names) for unit, names in _NAMED.items()}
    unit, place = max(places.items(), key=lambda pair: pair[1])
    if place >= 0:
        return unit
    return "celsius" if quantity.degree and 34 <= quantity.high <= 43 else None


def _elsewhere(units: Sequence[Unit], away: Set[int], quantity: Quantity) -> bool:
    """Whether the number's own clause is about the past, a supposition, or somebody else."""
    start = quantity.first
    while start > max(quantity.first - _CLAUSE, 0) and units[start].gap < Break.COMMA:
        start -= 1
    return any(place in away for place in range(start, quantity.first))
