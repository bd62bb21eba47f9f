"""Numbers as people say them: 三十八度五, 一百四五九十二, 一九五三, thirty-eight point five.

A small grammar of its own, because no package reads clinical speech. It yields *quantities*: where they
stand and what they are, a range where one is said (七八分). What a quantity means in a unit is for
``measures``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from services.triage.syllables import Break, Unit

_DIGITS = {
    **dict(zip("零〇一二三四五六七八九", (0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9), strict=True)),
    **dict(zip("幺两壹贰叁肆伍陆柒捌玖俩仨", (1, 2, 1, 2, 3, 4, 5, 6, 7, 8, 9, 2, 3), strict=True)),
}
_SCALES = {
    "十": 10,
    "拾": 10,
    "百": 100,
    "佰": 100,
    "千": 1000,
    "仟": 1000,
    "廿": 20,
    "卅": 30,
    "卌": 40,
}
_MYRIADS = {"万": 10_000, "亿": 100_000_000}
_SOUNDS = {
    "ling": "零", "yi": "一", "yao": "幺", "er": "二", "liang": "两", "san": "三", "si": "四",
    "wu": "五", "liu": "六", "qi": "七", "ba": "八", "jiu": "九", "shi": "十", "bai": "百",
    "qian": "千", "dian": "点", "du": "度", "ban": "半", "fen": "分", "nian": "年", "ge": "个",
}  # fmt: skip
_KOREAN = {
    "영": "零", "공": "零", "일": "一", "이": "二", "삼": "三", "사": "四", "오": "五", "육": "六",
    "륙": "六", "칠": "七", "팔": "八", "구": "九", "십": "十", "백": "百", "천": "千", "점": "点",
    "도": "度", "년": "年", "만": "万",
}  # fmt: skip
_ENGLISH = {
    word: value
    for value, words in enumerate(
        "zero/oh/nought one two three four five six seven eight nine ten eleven twelve thirteen "
        "fourteen fifteen sixteen seventeen eighteen nineteen".split()
    )
    for word in words.split("/")
}
_TENS = {
    word: 10 * value
    for value, word in enumerate(
        "twenty thirty forty fifty sixty seventy eighty ninety".split(), start=2
    )
}
_DEGREES = frozenset("度°℃读毒独渡")
"""度 and what recognisers write for it after a number."""
_NOT_COUNTED = frozenset("点些下直般样定共阵会")
"""一点, 一直 ...: no number, unless a digit follows."""
_LONGEST = 40
"""Units in the longest number that is read; what is longer is not a number."""


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number that was said."""

    low: float
    high: float
    """The same as ``low`` unless a range was said."""
    first: int
    """Index of its first unit."""
    last: int
    """Index after its last unit, 度 and 个 included."""
    digits: str = ""
    """The digits one by one, when they were said (or written) so: ``"1953"``, ``"14090"``."""
    degree: bool = False
    """度 or 点 was said with it."""


def symbols(units: Sequence[Unit], *, by_sound: bool = False) -> list[str]:
    """One symbol a unit: its character, with sounds and Korean numerals as Hanzi numerals.

    ``by_sound`` reads what sounds like a numeral as one: only where a number was asked for.
    """
    out = []
    for unit in units:
        symbol = _KOREAN.get(unit.key, unit.key)
        if unit.bare or (by_sound and symbol == unit.key and unit.key != "量"):
            symbol = next((_SOUNDS[sound] for sound in unit.sounds if sound in _SOUNDS), symbol)
        out.append(symbol)
    return out


def quantities(units: Sequence[Unit], *, by_sound: bool = False) -> tuple[Quantity, ...]:
    """Every number in the units, in order; cost grows in line with length."""
    reader = _Reader(units, symbols(units, by_sound=by_sound))
    found: list[Quantity] = []
    position = 0
    while position < len(units):
        quantity = reader.at(position)
        if quantity is None:
            position += 1
        else:
            found.append(quantity)
            position = quantity.last
    return tuple(found)


class _Reader:
    """Reads one number at a time out of symbols."""

    def __init__(self, units: Sequence[Unit], symbols: Sequence[str]) -> None:
        self._units, self._symbols = units, symbols

    def _symbol(self, position: int, first: int) -> str:
        """The symbol at a place, or nothing when the number that began at ``first`` is over."""
        if not 0 <= position < len(self._symbols) or position - first > _LONGEST:
            return ""
        if position > first and self._units[position].gap >= Break.COMMA:
            return ""
        return self._symbols[position]

    def at(self, first: int) -> Quantity | None:
        """The number that begins here, if one does."""
        symbol = self._symbols[first]
        if symbol[0].isdecimal() and symbol[0] not in _DIGITS:
            return self._written(first)
        if symbol in _ENGLISH or symbol in _TENS or symbol in ("a", "half"):
            return self._english(first)
        if symbol == "半":
            return Quantity(0.5, 0.5, first, first + 1)
        if symbol == "一" and self._symbol(first + 1, first) in _NOT_COUNTED:
            if self._symbol(first + 2, first) not in _DIGITS:
                return None
        if symbol in _DIGITS or symbol in _SCALES:
            return self._chinese(first)
        return None

    def _written(self, first: int) -> Quantity | None:
        text = self._symbols[first].replace(":", ".").replace(",", "")
        if text.count(".") > 1 or len(text) > 12:
            return None
        value = float(text)
        digits = text if "." not in text else ""
        return self._ended(value, value, first, first + 1, digits)

    def _chinese(self, first: int) -> Quantity | None:
        digits, position = self._digit_run(first)
        if len(digits) >= 2 and self._symbol(position, first) not in (*_SCALES, *_MYRIADS):
            low = high = float(digits) if len(digits) <= 12 else 0.0
            if len(digits) == 2 and int(digits[1]) == int(digits[0]) + 1 and digits[0] != "0":
                low, high = float(digits[0]), float(digits[1])
            return self._ended(low, high, first, position, digits)
        low, high, position = self._counted(first)
        if position == first:  # 五一百四: the first digit is a number of its own
            low = high = float(digits[:1] or _SCALES[self._symbols[first]])
            position = first + 1
        return self._ended(
            low, high, first, position, digits if len(digits) == 1 and position == first + 1 else ""
        )

    def _digit_run(self, first: int) -> tuple[str, int]:
        position, digits = first, ""
        while self._symbol(position, first) in _DIGITS:
            digits += str(_DIGITS[self._symbols[position]])
            position += 1
        return digits, position

    def _counted(self, first: int) -> tuple[float, float, int]:
        """三百二十, 一百四, 三四十, 一百四五: tens, hundreds and what is left out."""
        total = section = 0
        spread = 0
        position, last_scale = first, 0
        while True:
            symbol = self._symbol(position, first)
            if symbol in _MYRIADS and (section or total):
                total = (total + section) * _MYRIADS[symbol]
                section, last_scale, position = 0, _MYRIADS[symbol], position + 1
            elif symbol in _SCALES and (section == 0 or last_scale > 100 or position == first):
                scale = _SCALES[symbol]
                section += scale if section == 0 or last_scale > scale else 0
                last_scale, position = min(scale, 10) if scale < 100 else scale, position + 1
            elif symbol in _DIGITS:
                step = self._digit(position, first, last_scale)
                if step is None:
                    break
                value, wide, position, last_scale = step
                section, spread = section + value, wide or spread
            else:
                break
        low = float(total + section)
        return low, low + spread, position

    def _digit(
        self, position: int, first: int, last_scale: int
    ) -> tuple[int, int, int, int] | None:
        """A digit within a counted number: its value, the width of a range, where and at what scale.

        None: the digit begins another number (一百四 | 九十二).
        """
        value = _DIGITS[self._symbols[position]]
        after, second = self._symbol(position + 1, first), self._symbol(position + 2, first)
        if value == 0 and after in _DIGITS:
            return 0, 0, position + 1, last_scale
        if after in _SCALES:
            scale = _SCALES[after]
            if last_scale and scale >= last_scale:
                return None
            return value * scale, 0, position + 2, scale
        if after in _DIGITS and second in _SCALES and _SCALES[second] < (last_scale or 10**9):
            if _DIGITS[after] == value + 1:
                scale = _SCALES[second]
                return value * scale, scale, position + 3, scale
            return (value * 10, 0, position + 1, 1) if last_scale == 100 else None
        if after in _DIGITS and second in _SCALES and last_scale == 100:
            return value * 10, 0, position + 1, 1
        if last_scale == 1:
            return None
        if last_scale == 100 and self._symbols[position - 1] not in _DIGITS:
            if after in _DIGITS and second not in _DIGITS:
                return value * 10 + _DIGITS[after], 0, position + 2, 1
            if after in _DIGITS:
                third = self._symbol(position + 3, first)
                if third in _SCALES:
                    return value * 10 + _DIGITS[after], 0, position + 2, 1
            return value * 10, 0, position + 1, 1
        if last_scale >= 1000 and self._symbols[position - 1] not in _DIGITS:
            return value * last_scale // 10, 0, position + 1, 1
        if (
            after in _DIGITS
            and _DIGITS[after] == value + 1
            and second not in _DIGITS
            and last_scale
        ):
            return value, 1, position + 2, 1
        return value, 0, position + 1, 1

    def _ended(self, low: float, high: float, first: int, last: int, digits: str = "") -> Quantity:
        """What follows a whole number: 点五, 度五, 度八九, 度半, 个半, 个多."""
        symbol = self._symbol(last, first)
        if symbol in ("点", "點", "point"):
            decimals, position = self._decimals(last + 1, first)
            if decimals:
                value = float(f"{int(low)}.{decimals}")
                position += self._symbol(position, first) in ("度", "°", "℃")
                return Quantity(value, value, first, position, degree=True)
        if symbol in _DEGREES or symbol == "个":
            run, position = self._decimals(last + 1, first)
            if self._symbol(last + 1, first) == "半":
                return Quantity(low + 0.5, high + 0.5, first, last + 2, degree=symbol != "个")
            if symbol != "个" and len(run) == 1:
                value = low + int(run) / 10
                return Quantity(value, value, first, position, degree=True)
            if symbol != "个" and len(run) == 2 and int(run[1]) == int(run[0]) + 1:
                return Quantity(
                    low + int(run[0]) / 10, low + int(run[1]) / 10, first, position, degree=True
                )
            return Quantity(low, high, first, last + 1, digits, degree=symbol != "个")
        return Quantity(low, high, first, last, digits)

    def _decimals(self, position: int, first: int) -> tuple[str, int]:
        run, after = "", position
        while self._symbol(after, first):
            symbol = self._symbols[after]
            if symbol in _DIGITS:
                run += str(_DIGITS[symbol])
            elif symbol.isdecimal() and len(symbol) <= 3 and not run:
                run += symbol
            elif symbol in _ENGLISH and _ENGLISH[symbol] < 10:
                run += str(_ENGLISH[symbol])
            else:
                break
            after += 1
        if self._symbol(after, first) in _SCALES:
            return "", position
        return run, after

    def _english(self, first: int) -> Quantity | None:
        """Thirty eight point five, one forty, nineteen fifty three, a hundred and one."""
        parts: list[int] = []
        position = first
        while True:
            symbol = self._symbol(position, first)
            after = self._symbol(position + 1, first)
            if symbol in _TENS:
                ones = _ENGLISH.get(after, 0)
                joined = after in _ENGLISH and 0 < ones < 10
                parts.append(_TENS[symbol] + (ones if joined else 0))
                position += 1 + joined
            elif symbol in _ENGLISH:
                parts.append(_ENGLISH[symbol])
                position += 1
            elif symbol in ("hundred", "thousand") and (parts or position > first):
                parts.append((parts.pop() if parts else 1) * (100 if symbol == "hundred" else 1000))
                position += 1
            elif symbol == "a" and after in ("hundred", "thousand"):
                position += 1
            elif (
                symbol == "and"
                and parts
                and parts[-1] >= 100
                and (after in _ENGLISH or after in _TENS)
            ):
                position += 1
            else:
                break
        return self._english_value(parts, first, position)

    def _english_value(self, parts: list[int], first: int, position: int) -> Quantity | None:
        if not parts:
            return None
        if parts[0] >= 100:
            value = float(sum(parts))
        elif len(parts) == 1:
            value = float(parts[0])
        else:
            value = float("".join(str(part) for part in parts[:6]))
        whole = str(int(value)) if len(parts) > 1 else ""
        return self._ended(value, value, first, position, whole)
