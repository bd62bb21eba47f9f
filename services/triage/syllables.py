"""Text as the units that a listener hears: characters with their sound, words, or bare syllables.

Recognisers confuse what sounds alike (药 for 要, 闷 for 门), and some leave syllables that they could
not turn into characters ("xiong kou 疼"). So every unit carries, besides its character or word, the
toneless pinyin syllables it may be, folded so that sounds that telephone lines and dialects confuse
are one. Offsets into the original text are kept, for the evidence.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache

from pypinyin.constants import PINYIN_DICT

from scripts.answers import HeardWord

PAUSE_SECONDS = 0.45
"""A silence between two words that is as good as a comma."""


class Break(IntEnum):
    """What separates a unit from the one before it, weakest first."""

    NONE = 0
    LIST = 1
    """、 and the like: the list goes on."""
    COMMA = 2
    """A comma, or a pause in speaking."""
    STOP = 3
    """The end of a sentence."""


@dataclass(frozen=True, slots=True)
class Unit:
    """One character of Hanzi or Hangul, one word of Latin letters, or one run of digits."""

    key: str
    """Simplified, half-width, lower case; what characters are compared by."""
    start: int
    end: int
    sounds: tuple[str, ...] = ()
    """Toneless pinyin readings, most frequent first; empty for what has no Mandarin reading."""
    folded: tuple[str, ...] = ()
    """``sounds`` with confusable sounds made one."""
    bare: bool = False
    """A syllable that the recogniser left as pinyin: its character is not known."""
    gap: Break = Break.NONE


_TRADITIONAL = str.maketrans(
    "沒無有個們這麼還體點為過時後來頭暈腫脹氣喘嘔惡發燒熱開關藥檢錯誰聽說話請問對嗎訴讓機電單幾兩萬億負參陸貳壹伍柒玖捌"
    "叄肆拾佰仟悶壓緊處邊腳膚癢紅裂縫綫線術傷膿濕黃綠黑淺尿糞瀉瘀腦癱鬆臉嘴語識夢驚慌張憂鬱殺買賣親爺媽寶雙應該確實終難受嚴"
    "劇烈輕換繃復覺從當現離請擾騙謝歡護醫師鐘節號歲劃調醬飯嚥樓動臥躺氧糖濃鮮鐵餵歷覺擔憋呃噴鼻竇繼續斷陣獨給與並蠻挺靜運勞車轉"
    "連樣練戶剛纔週禮拜陽陰臺眾價質輸補凈淨癥狀卻幹乾於遠嚇",
    "没无有个们这么还体点为过时后来头晕肿胀气喘呕恶发烧热开关药检错谁听说话请问对吗诉让机电单几两万亿负叁陆贰壹伍柒玖捌"
    "叁肆拾佰仟闷压紧处边脚肤痒红裂缝线线术伤脓湿黄绿黑浅尿粪泻瘀脑瘫松脸嘴语识梦惊慌张忧郁杀买卖亲爷妈宝双应该确实终难受严"
    "剧烈轻换绷复觉从当现离请扰骗谢欢护医师钟节号岁划调酱饭咽楼动卧躺氧糖浓鲜铁喂历觉担憋呃喷鼻窦继续断阵独给与并蛮挺静运劳车转"
    "连样练户刚才周礼拜阳阴台众价质输补净净症状却干干于远吓",
)
_STOPS = frozenset("。！？!?；;\n\r…")
_COMMAS = frozenset(",，:：")
WORD = r"[a-z]+(?='(?:s|re|m|ve|ll|d)(?![a-z]))|'(?:s|re|m|ve|ll|d)(?![a-z])|[a-z]+(?:'[a-z]+)*"
"""A word of Latin letters; "wound's" is two, "can't" is one."""
_PIECE = re.compile(WORD + r"|\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:[.:]\d+)*|.", re.DOTALL)
_TONE = re.compile(r"([a-zü]+)[0-5]")
_FINAL_FOLDS = (("ing", "in"), ("eng", "en"), ("ang", "an"))


def fold(syllable: str) -> str:
    """Make one of the sounds that lines, dialects and recognisers confuse.

    zh/z, ch/c, sh/s, n/l, f/h, and the nasal finals in/ing, en/eng, an/ang.
    """
    for retroflex, flat in (("zh", "z"), ("ch", "c"), ("sh", "s")):
        if syllable.startswith(retroflex):
            syllable = flat + syllable[2:]
            break
    if syllable.startswith("n"):
        syllable = "l" + syllable[1:]
    elif syllable.startswith("f"):
        syllable = "hu" + syllable[1:].removeprefix("u")
    for back, front in _FINAL_FOLDS:
        if syllable.endswith(back):
            return syllable[: -len(back)] + front
    return syllable


_READINGS: dict[str, tuple[str, ...]] = {
    "血": ("xue", "xie"),
    "重": ("zhong", "chong"),
    "得": ("de", "dei"),
    "着": ("zhe", "zhao"),
    "便": ("bian", "pian"),
    "长": ("chang", "zhang"),
    "行": ("xing", "hang"),
    "都": ("dou", "du"),
    "还": ("hai",),
    "喘": ("chuan",),
    "了": ("le",),
    "的": ("de",),
    "说": ("shuo",),
    "大": ("da",),
}
"""Characters whose frequent readings are not the dictionary's first one alone."""


@lru_cache(maxsize=20_000)
def readings(character: str) -> tuple[str, ...]:
    """Toneless pinyin of one Hanzi, both readings of common polyphones; empty for anything else."""
    if character in _READINGS:
        return _READINGS[character]
    marked = PINYIN_DICT.get(ord(character), "")
    return toneless(marked.split(",")[0])


def toneless(written: str) -> tuple[str, ...]:
    """Split written pinyin ("xiong1 kou3", "xiōng kǒu") into toneless syllables."""
    plain = "".join(
        letter
        for letter in unicodedata.normalize("NFD", written.lower())
        if not unicodedata.combining(letter) or letter == "\u0308"
    )
    plain = unicodedata.normalize("NFC", plain).replace("ü", "v").replace("u:", "v")
    return tuple(re.findall(r"[a-z]+", plain))


@lru_cache(maxsize=1)
def _syllabary() -> frozenset[str]:
    """Every toneless syllable of Mandarin, as the frequent characters read."""
    return frozenset(s for code in range(0x4E00, 0x9FA6) for s in readings(chr(code)))


def is_syllable(word: str) -> bool:
    """Whether a word of Latin letters is a Mandarin syllable."""
    return word in _syllabary()


def _normalise(text: str) -> str:
    """Fold width, case and script character by character, so that offsets stay true."""
    if text.isascii():
        return text.lower()
    out = []
    for letter in text:
        folded = (
            unicodedata.normalize("NFKC", letter).lower() if letter >= "\u0080" else letter.lower()
        )
        if letter in "’‘`´":
            folded = "'"
        out.append(folded if len(folded) == 1 else letter)
    return "".join(out).translate(_TRADITIONAL)


def _heard_sounds(text: str, words: Sequence[HeardWord]) -> tuple[dict[int, str], set[int]]:
    """Say where in ``text`` the recogniser gave a syllable, and before which offsets it paused."""
    sounds: dict[int, str] = {}
    pauses: set[int] = set()
    at, last_end = 0, None
    for word in words:
        found = text.find(word.text, at) if word.text else -1
        if found < 0:
            continue
        if last_end is not None and word.start - last_end >= PAUSE_SECONDS:
            pauses.add(found)
        at, last_end = found + len(word.text), word.end
        syllables = toneless(_TONE.sub(r"\1 ", word.pinyin)) if word.pinyin else ()
        if len(syllables) == len(word.text):
            sounds.update(zip(range(found, at), syllables, strict=True))
    return sounds, pauses


def units(text: str, language: str, words: Sequence[HeardWord] = ()) -> tuple[Unit, ...]:
    """Cut a text into units. Never raises; cost grows in line with length.

    Args:
        text: Any Unicode.
        language: ``zh`` makes Latin words that are Mandarin syllables count by their sound.
        words: The recogniser's words; their pinyin adds readings, their pauses become commas.
    """
    plain = _normalise(text)
    heard, pauses = _heard_sounds(text, words)
    made: list[Unit] = []
    gap = Break.NONE
    for piece in _PIECE.finditer(plain):
        key, start, end = piece.group(), piece.start(), piece.end()
        if not (key[-1].isalnum() or key in "%°℃"):
            gap = max(gap, _break_of(key))
            continue
        if start in pauses:
            gap = max(gap, Break.COMMA)
        made.append(_unit(key, start, end, language, heard.get(start), gap if made else Break.NONE))
        gap = Break.NONE
    return tuple(_without_tones(made))


def _break_of(mark: str) -> Break:
    if mark in _STOPS:
        return Break.STOP
    if mark in _COMMAS:
        return Break.COMMA
    return Break.LIST if mark == "、" else Break.NONE


def _unit(key: str, start: int, end: int, language: str, heard: str | None, gap: Break) -> Unit:
    sounds: tuple[str, ...] = ()
    bare = False
    if len(key) == 1 and key > "\u2e80":
        sounds = readings(key)
        if heard and heard not in sounds:
            sounds = (heard, *sounds)
    elif language == "zh" and key.isascii() and key.isalpha() and is_syllable(key):
        sounds, bare = (key,), True
    return Unit(key, start, end, sounds, tuple(dict.fromkeys(map(fold, sounds))), bare, gap)


def _without_tones(made: list[Unit]) -> list[Unit]:
    """Drop the tone digit that some recognisers write right after a syllable (``xiong1``)."""
    return [
        unit
        for position, unit in enumerate(made)
        if not (
            unit.key in "12345"
            and position
            and made[position - 1].bare
            and made[position - 1].end == unit.start
        )
    ]
