"""Whether an answer says yes, no, or neither, to the question as it was asked.

Three witnesses are heard in this order: the findings that the question is about (有一点胸闷 is a yes to
a question about chest tightness, whatever else is said); the words of yes and no; and the question's
own verb come back (吃了 to 药吃了吗). When they leave it open, it stays open: a guess is never made.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from scripts.answers import AskedQuestion, Experiencer, Finding, FindingStatus, FindingTime
from services.triage.lexicon import Lexicon
from services.triage.matching import Mark
from services.triage.syllables import Break, Unit, units

HEARD = 150
"""Units in which a yes or no is looked for; the findings are read to the end."""
_SHORT = 4
"""Units up to which a single syllable may be taken for a yes or no by its sound."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Yes, no, or open, and the words that say so."""

    value: bool | None
    first: int = 0
    last: int = 0
    confidence: float = 0.0
    by_word: bool = False
    """Said with a word of yes or no, so it speaks for everything the question asks about."""


def judge(
    said: Sequence[Unit],
    question: AskedQuestion,
    findings: Sequence[Finding],
    lexicon: Lexicon,
) -> Verdict:
    """Say whether the answer is yes; the words of yes and no count in the first ``HEARD`` units."""
    said = said[:HEARD]
    marks = lexicon.answers.marks(said)
    good = asks_for_good(question, lexicon)
    word = _by_word(said, marks, question, good)
    shown = _by_findings(question, findings, said, word, good)
    if shown is not None:
        return shown
    if word is not None and word.value and _for_somebody_else(question, said):
        return Verdict(None)
    if word is not None and not _about_another(word, question, findings, said):
        return word
    return Verdict(None) if findings else _by_echo(said, question)


def asks_for_good(question: AskedQuestion, lexicon: Lexicon) -> bool:
    """Whether yes means that all is well (能平躺吗, 药按时吃了吗)."""
    return _good(question.text, question.asks_about, lexicon)


@lru_cache(maxsize=512)
def _good(text: str, asks_about: tuple[str, ...], lexicon: Lexicon) -> bool:
    asked = units(text, "en" if text.isascii() else "zh")
    marks = [mark for mark in lexicon.findings.marks(asked) if mark.kind == "finding"]
    denying = {mark.code for mark in marks if mark.term.absent}
    affirming = {mark.code for mark in marks if not mark.term.absent}
    codes = set(asks_about)
    if codes:
        return bool(denying & codes) and not affirming & codes
    return bool(denying) and not affirming


_SOMEBODY_ELSE = frozenset("他她家邻朋亲替帮媳妻夫") | {"his", "her", "him", "he", "she", "for"}


def _for_somebody_else(question: AskedQuestion, said: Sequence[Unit]) -> bool:
    """Whether a yes to "is this the patient" speaks of the patient as another (是他家，我是邻居)."""
    identity = "本人" in question.text or "speaking" in question.text.lower()
    words = [unit.key for unit in said]
    return (
        identity
        and bool(_SOMEBODY_ELSE & set(words))
        and words[:3] != ["this", "is", "he"]
        and words[:3] != ["this", "is", "she"]
    )


_PARTIAL = frozenset({"有", "偶", "a", "sometimes", "occasionally", "only", "just"})
"""How a yes begins that may belong to what follows: 有点…, a bit of …"""


def _about_another(
    word: Verdict, question: AskedQuestion, findings: Sequence[Finding], said: Sequence[Unit]
) -> bool:
    """Whether a yes goes on in the same breath to something else (有点气喘 to a question of fever)."""
    if not word.value or word.first >= len(said) or said[word.first].key not in _PARTIAL:
        return False
    end = word.last
    while end < len(said) and said[end].gap < Break.COMMA:
        end += 1
    if end == word.last:
        return False
    start, limit = said[word.last].start, said[end - 1].end
    others = [f for f in findings if f.end > start and f.start < limit]
    return bool(others) and all(f.finding not in question.asks_about for f in others)


def _by_findings(
    question: AskedQuestion,
    findings: Sequence[Finding],
    said: Sequence[Unit],
    word: Verdict | None,
    good: bool,
) -> Verdict | None:
    codes = set(question.asks_about) or (
        {"medication_missed", "medication_stopped", "medication_ran_out"} if good else set()
    )
    about = [
        f
        for f in findings
        if f.finding in codes
        and f.time is FindingTime.CURRENT
        and f.experiencer is Experiencer.PATIENT
    ]
    present = [f for f in about if f.status is FindingStatus.PRESENT]
    absent = [f for f in about if f.status is FindingStatus.ABSENT]
    hedged = [f for f in about if f.status is FindingStatus.UNCERTAIN]
    if present:
        return _shown(not good, present[0], said)
    if hedged:
        mild = [f for f in hedged if "mild" in f.attributes and _denial_in(f)]
        if mild and len(mild) == len(hedged):
            return _shown(good, mild[0], said)
        return Verdict(None)
    if absent:
        denied = {f.finding for f in absent}
        if denied >= codes or good or (word is not None and word.value is good):
            return _shown(good, absent[0], said)
        return _shown(good, absent[0], said) if len(codes) == 1 else Verdict(None)
    return None


def _denial_in(finding: Finding) -> bool:
    lowered = finding.evidence.lower()
    return any(word in lowered for word in ("不", "没", "沒", "not", "hardly", "barely", "n't"))


def _shown(value: bool, finding: Finding, said: Sequence[Unit]) -> Verdict:
    inside = [i for i, u in enumerate(said) if finding.start <= u.start < finding.end] or [0]
    return Verdict(value, inside[0], inside[-1] + 1, finding.confidence)


def _by_word(
    said: Sequence[Unit], marks: Sequence[Mark], question: AskedQuestion, good: bool
) -> Verdict | None:
    """The first decisive word of yes or no; None when there is none, an open verdict when unsure."""
    fillers = {i for m in marks if m.kind == "filler" for i in range(m.first, m.last)}
    content = [i for i in range(len(said)) if i not in fillers]
    unclear = next((m for m in marks if m.kind == "unclear" and not m.guess), None)
    decisive: list[tuple[Mark, bool]] = []
    for mark in marks:
        value = {"affirming": True, "denying": False}.get(mark.kind)
        if mark.kind == "fine":
            value = _fine_means(mark, said, question, good)
        if value is None or not _counts(mark, said, fillers, content):
            continue
        decisive.append((mark, value))
    closed = any(_own_clause(mark, said) and _stops(mark, said) for mark, _ in decisive)
    if unclear is not None and not closed and (not decisive or _only_noise(decisive, said)):
        return Verdict(None, unclear.first, unclear.last)
    if not decisive:
        return None
    mark, value = _weightiest(decisive, said)
    return Verdict(value, mark.first, mark.last, 0.95 * mark.confidence, by_word=True)


def _weightiest(decisive: list[tuple[Mark, bool]], said: Sequence[Unit]) -> tuple[Mark, bool]:
    """A bare 嗯 or 好 before a real answer is only a nod: 嗯，没有 is a no."""
    solid = [pair for pair in decisive if not _nod(pair[0], said)]
    if solid and not solid[0][1]:
        return solid[0]
    return (solid or decisive)[0]


_NODS = frozenset("嗯恩啊哎唉噢哦好得喂") | {
    "oh",
    "well",
    "ok",
    "okay",
    "right",
    "huh",
    "uh",
    "mhm",
}


def _nod(mark: Mark, said: Sequence[Unit]) -> bool:
    return all(
        said[i].key in _NODS or said[i].key in "的了呀啊吧" for i in range(mark.first, mark.last)
    )


def _only_noise(decisive: list[tuple[Mark, bool]], said: Sequence[Unit]) -> bool:
    """Whether every yes or no here is a nod, or a plain no before a word of doubt (不，不知道)."""
    return all(
        _nod(mark, said) or mark.kind == "fine" or mark.last - mark.first == 1
        for mark, _ in decisive
    )


_AGREES = frozenset({"fine", "ok", "okay", "good", "great", "alright", "all right", "没问题"})


def _fine_means(
    mark: Mark, said: Sequence[Unit], question: AskedQuestion, good: bool
) -> bool | None:
    """What "fine" says: no to a question about trouble, yes to one about something good."""
    if good:
        return True
    if question.asks_about:
        return False
    words = [unit.key for unit in said[mark.first : mark.last]]
    return True if "".join(words) in _AGREES or " ".join(words) in _AGREES else None


def _counts(mark: Mark, said: Sequence[Unit], fillers: set[int], content: list[int]) -> bool:
    if mark.guess or (mark.last - mark.first == 1 and mark.confidence < 1):
        if len(content) > _SHORT or (mark.guess and len(content) > 2):
            return False
    if mark.code == "anywhere":
        return True
    if _nod(mark, said):
        return all(unit.key in _NODS or unit.key in "的了呀啊吧" for unit in said)
    inside = set(range(mark.first, mark.last))
    if mark.code == "whole":
        around = [i for i in content if i not in inside]
        alone = not around or _own_clause(mark, said)
        return alone or (mark.kind == "denying" and mark.last - mark.first > 1 and mark.first == 0)
    before = [i for i in range(mark.first) if i not in fillers]
    return not before or _starts_clause(mark, said, fillers)


def _starts_clause(mark: Mark, said: Sequence[Unit], fillers: set[int]) -> bool:
    position = mark.first
    while position > 0 and said[position].gap < Break.COMMA and position - 1 in fillers:
        position -= 1
    return position == 0 or said[position].gap >= Break.COMMA


def _stops(mark: Mark, said: Sequence[Unit]) -> bool:
    """Whether a sentence ends right after the mark and another follows (No. I don't know ...)."""
    return mark.last < len(said) and said[mark.last].gap >= Break.STOP


def _own_clause(mark: Mark, said: Sequence[Unit]) -> bool:
    """Whether commas or sentence ends close the mark off on both sides."""
    starts = mark.first == 0 or said[mark.first].gap >= Break.COMMA
    ends = mark.last >= len(said) or said[mark.last].gap >= Break.COMMA
    return starts and ends


def _by_echo(said: Sequence[Unit], question: AskedQuestion) -> Verdict:
    """The question's own verb come back: 吃了 is a yes to 药吃了吗, 没吃 is a no."""
    asked = {c for c in question.text if "\u4e00" <= c <= "\u9fff"} - _NOT_ECHOED
    for position, unit in enumerate(said[:12]):
        following = said[position + 1].key if position + 1 < len(said) else ""
        if unit.key in ("不", "没") and following in asked:
            return Verdict(False, position, position + 2, 0.8, by_word=True)
        if unit.key in asked and position <= 2 and len(said) <= 8:
            return Verdict(True, position, position + 1, 0.75, by_word=True)
    return Verdict(None)


_NOT_ECHOED = frozenset(
    "您你我他她它们的了吗呢吧啊是不有没无在出院以后现天这那一二三个过和或者请问说上下里身大小电话按"
)
