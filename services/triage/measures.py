"""Numbers in the units that clinics ask for, from the quantities that were said.

Each unit knows what is possible in a living patient; what lies outside is kept, but unsettled, so that
it is asked again. Of a range, or of several values, the one nearer to danger counts; after a
correction (三十八度五，不对，三十七度五) only what follows it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from scripts.answers import AnswerValue, ClinicalContext
from services.triage.numbers import Quantity


@dataclass(frozen=True, slots=True)
class Measured:
    """A value in a unit and where it was said."""

    value: AnswerValue
    first: int
    last: int
    plausible: bool = True


_CORRECTIONS = 8
"""How many words of correction are looked at, from the last."""
FAHRENHEIT = (86.0, 113.0)
PLAUSIBLE: Mapping[str, tuple[float, float]] = {
    "celsius": (30.0, 45.0),
    "mmol/L": (0.5, 50.0),
    "scale": (0.0, 10.0),
    "percent": (40.0, 100.0),
    "kg": (1.0, 400.0),
    "bpm": (20.0, 300.0),
}
SYSTOLIC = (50.0, 300.0)
DIASTOLIC = (20.0, 200.0)
_LOWER_IS_WORSE = frozenset({"percent"})


def _inside(value: float, bounds: tuple[float, float]) -> bool:
    return bounds[0] <= value <= bounds[1]


def corrected(quantities: Sequence[Quantity], corrections: Sequence[int]) -> Sequence[Quantity]:
    """The quantities that stand: those after the last word of correction, if any follow it."""
    for place in reversed(corrections[-_CORRECTIONS:]):
        after = [q for q in quantities if q.first >= place]
        if after and len(after) < len(quantities):
            return after
    return quantities


def measure(
    unit: str | None,
    quantities: Sequence[Quantity],
    context: ClinicalContext,
    word_at: Callable[[int], str],
) -> Measured | None:
    """The value in a unit; None when no number was said.

    Args:
        unit: ``celsius``, ``year``, ``mmHg``, ``mmol/L``, ``scale`` ..., or None for a plain number.
        quantities: What was said, corrections already applied.
        context: For the century of a two-digit year.
        word_at: The word at a unit's index; empty outside the utterance.
    """
    if not quantities:
        return None
    if unit == "celsius":
        return _temperature(quantities)
    if unit == "year":
        return _year(quantities, context, word_at)
    if unit == "mmHg":
        return _pressure(quantities, word_at)
    bounds = PLAUSIBLE.get(unit or "")
    if bounds is None:
        chosen = max(quantities[:1], key=lambda q: q.high)
        return Measured(chosen.high, chosen.first, chosen.last)
    inside = [q for q in quantities if _inside(q.high, bounds)]
    if not inside:
        return Measured(
            quantities[0].high, quantities[0].first, quantities[0].last, plausible=False
        )
    if unit == "scale" and len(inside) > 1 and word_at(inside[1].first - 1) in ("of", "分", "满"):
        inside = inside[:1]
    if unit == "mmol/L":
        chosen = max(inside, key=lambda q: _glucose_danger(q.high))
    elif unit in _LOWER_IS_WORSE:
        chosen = min(inside, key=lambda q: q.low)
        return Measured(chosen.low, chosen.first, chosen.last)
    else:
        chosen = max(inside, key=lambda q: q.high)
    return Measured(chosen.high, chosen.first, chosen.last)


def _glucose_danger(value: float) -> float:
    """How far outside 4 to 10 mmol/L: both ends are dangerous, the low one sooner."""
    return max((value - 10.0) / 10.0, (4.0 - value), 0.0)


def _temperature(quantities: Sequence[Quantity]) -> Measured:
    found: list[Measured] = []
    for position, quantity in enumerate(quantities):
        value, last = quantity.high, quantity.last
        following = quantities[position + 1] if position + 1 < len(quantities) else None
        if (
            following is not None
            and _inside(value, (34, 43))
            and value == int(value)
            and following.first == last
            and following.high < 10
            and following.high == int(following.high)
            and following.digits
        ):
            value, last = value + following.high / 10, following.last
        if len(quantity.digits) == 3 and _inside(value, (340, 430)):
            value /= 10
        if _inside(value, FAHRENHEIT) and not _inside(value, PLAUSIBLE["celsius"]):
            value = round((value - 32) * 5 / 9, 1)
        if _inside(value, PLAUSIBLE["celsius"]):
            found.append(Measured(round(value, 2), quantity.first, last))
    if found:
        return max(found, key=lambda m: m.value if isinstance(m.value, float) else 0.0)
    first = quantities[0]
    return Measured(first.high, first.first, first.last, plausible=False)


def _year(
    quantities: Sequence[Quantity], context: ClinicalContext, word_at: Callable[[int], str]
) -> Measured | None:
    this_year = context.now.year
    for quantity in quantities:
        if 1880 <= quantity.low <= this_year and quantity.low == int(quantity.low):
            return Measured(quantity.low, quantity.first, quantity.last)
    for quantity in quantities:
        two_digits = quantity.digits and len(quantity.digits) == 2
        said = float(quantity.digits) if two_digits else quantity.low
        if said != int(said) or not 0 <= said <= 99 or word_at(quantity.last) in ("岁", "years"):
            continue
        if two_digits or said >= 10 or word_at(quantity.last) == "年":
            year = _century(int(said), this_year, context.age)
            return Measured(float(year), quantity.first, quantity.last)
    return Measured(quantities[0].low, quantities[0].first, quantities[0].last, plausible=False)


def _century(year: int, this_year: int, age: int | None) -> int:
    """The century that fits the age, or the past one unless that would make a centenarian."""
    choices = [1900 + year, 2000 + year]
    choices = [choice for choice in choices if choice <= this_year]
    if age is not None:
        return min(choices, key=lambda choice: abs(this_year - choice - age))
    return choices[-1] if this_year - choices[0] > 105 else choices[0]


def _pressure(quantities: Sequence[Quantity], word_at: Callable[[int], str]) -> Measured:
    upper: float | None = None
    lower: float | None = None
    last = quantities[0].last
    for quantity in _split_pressures(quantities):
        label = word_at(quantity.first - 1) + word_at(quantity.first - 2)
        low_named = "压" in label and (
            "低" in word_at(quantity.first - 2) + word_at(quantity.first - 3)
        )
        value = quantity.high
        if not low_named and upper is None and _inside(value, SYSTOLIC):
            upper, last = value, quantity.last
        elif lower is None and _inside(value, DIASTOLIC) and (upper is None or value < upper):
            lower, last = value, quantity.last
    first = quantities[0]
    if upper is None and lower is None:
        return Measured(first.high, first.first, first.last, plausible=False)
    return Measured({"systolic": upper, "diastolic": lower}, first.first, last)


def _split_pressures(quantities: Sequence[Quantity]) -> list[Quantity]:
    """Two pressures said as one row of digits (一四零九零, 12080) become two."""
    found: list[Quantity] = []
    for quantity in quantities:
        cut = {4: 2, 5: 3, 6: 3}.get(len(quantity.digits))
        if cut is None:
            found.append(quantity)
            continue
        for part in (quantity.digits[:cut], quantity.digits[cut:]):
            found.append(Quantity(float(part), float(part), quantity.first, quantity.last))
    return found
