"""Whether, when and whose: what the words around a finding do to it.

The rules, in the order in which they act, in the manner of NegEx and ConText (Chapman 2001, Harkema
2009) carried over to spoken Mandarin, where commas are often missing and a denial may stand before
(没有胸痛) or after (胸痛没有):

1. An utterance falls into *segments* at commas, pauses, sentence ends and words of contrast.
2. A denial reaches right to the finding when only *transparent* words stand between. A word that
   affirms (有点, 还, 就), a person or a degree word ends its reach.
3. 没有 reaches over a list; 不 denies the next word only. In a list without any connecting word the
   second item is *uncertain*, because 没有发烧胸口疼 may be two sentences.
4. 不怎么 and 没怎么 leave a doubt; 没有以前那么疼, 不是不疼 and 没有不疼的时候 affirm. 没有不疼 at the
   beginning is two answers, 没有 and 不疼: recognisers write no comma.
5. A denial at the end of a segment reaches left over the list it closes (发烧咳嗽都没有).
6. Time and person are the nearest such words to the left; doubt anywhere to the left counts.

The guiding asymmetry: whatever is not plainly denied, past or another's stays with the patient.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from scripts.answers import ClinicalContext, Experiencer, FindingStatus, FindingTime
from services.triage.matching import Mark
from services.triage.syllables import Break, Unit

LONGEST_SEGMENT = 60
"""Units after which a segment without any comma is cut, so that cost grows in line with length."""
REACH = 2
"""How many words that are not transparent a denial may pass."""
PAST_WITHOUT_DATE = 14
"""Days after which something is past when the day of discharge is not known."""
_FAR = 5
"""How far a person may stand from what happened to them, in words that are not transparent."""
_DEGREES = frozenset({"severe", "sudden", "persistent"})


@dataclass(frozen=True, slots=True)
class Candidate:
    """Something that sounds like a finding, before its scope is known."""

    code: str
    first: int
    last: int
    confidence: float
    attributes: tuple[str, ...] = ()
    absent: bool = False
    """The words themselves deny it (能平躺)."""
    head: int = -1
    """Where the sensation starts when a site stands before it: 胸口 | 疼."""

    @property
    def core(self) -> int:
        """The first unit of what may be denied."""
        return self.first if self.head < 0 else self.head


@dataclass(frozen=True, slots=True)
class Scope:
    """What the surroundings say of one candidate."""

    status: FindingStatus
    time: FindingTime
    experiencer: Experiencer
    attributes: tuple[str, ...]
    first: int
    """Start of the evidence: the words that decided the status are part of it."""
    last: int
    doubt: bool = False
    """Denied, but with a word of doubt."""


class Surroundings:
    """The marks of one utterance around its candidates."""

    def __init__(
        self,
        units: Sequence[Unit],
        marks: Sequence[Mark],
        candidates: Sequence[Candidate],
        asked: frozenset[str],
        sites: Mapping[str, str],
    ) -> None:
        self._units, self._asked, self._sites = units, asked, sites
        inside = {i for c in candidates for i in range(c.first, c.last)}
        self._marks = [mark for mark in marks if mark.kind not in _PARTS]
        self._clear = inside | {
            i for mark in marks if mark.kind in _CLEAR for i in range(mark.first, mark.last)
        }
        self._starts = self._segment_starts()
        self._segment = _numbered(self._starts, len(units))
        self._by_segment: dict[int, list[Mark]] = {}
        for mark in self._marks:
            self._by_segment.setdefault(self._segment[mark.first], []).append(mark)
        self._in_segment: dict[int, list[Candidate]] = {}
        for candidate in candidates:
            self._in_segment.setdefault(self._segment[candidate.core], []).append(candidate)
        self._first_other = next((m.first for m in self._marks if m.kind == "other"), None)
        self._opaque_before = _running_count(len(units), self._clear)

    def _segment_starts(self) -> list[int]:
        starts = {0}
        starts |= {i for i, unit in enumerate(self._units) if unit.gap >= Break.COMMA}
        starts |= {mark.first for mark in self._marks if mark.kind == "contrast"}
        bounded: list[int] = []
        for start in sorted(starts):
            while bounded and start - bounded[-1] > LONGEST_SEGMENT:
                bounded.append(bounded[-1] + LONGEST_SEGMENT)
            bounded.append(start)
        while bounded[-1] + LONGEST_SEGMENT < len(self._units):
            bounded.append(bounded[-1] + LONGEST_SEGMENT)
        return bounded

    def _opaque(self, first: int, last: int) -> int:
        """How many units in between are neither transparent nor part of anything known."""
        return self._opaque_before[last] - self._opaque_before[first] if last > first else 0

    def _left(self, candidate: Candidate) -> list[Mark]:
        """Marks of the candidate's segment that end before its core, nearest first."""
        found = self._by_segment.get(self._segment[candidate.core], [])
        return [mark for mark in reversed(found) if mark.last <= candidate.core]

    def _right(self, candidate: Candidate) -> list[Mark]:
        found = self._by_segment.get(self._segment[candidate.core], [])
        return [mark for mark in found if mark.first >= candidate.last]

    def of(self, candidate: Candidate, speaker: str, context: ClinicalContext) -> Scope:
        """The scope of one candidate."""
        left, right = self._left(candidate), self._right(candidate)
        status, denial = self._status(candidate, left, right)
        attributes = list(candidate.attributes)
        attributes += [name for name in self._attributes(candidate) if name not in attributes]
        if denial is not None and denial.kind == "compare":
            attributes.append("improving")
        if denial is not None and denial.code == "weak" and "mild" not in attributes:
            attributes.append("mild")
        doubt = any(mark.kind in ("uncertain", "unknown") for mark in left)
        if status is FindingStatus.PRESENT and doubt:
            status = FindingStatus.UNCERTAIN
        if status is FindingStatus.ABSENT and any(mark.kind == "unknown" for mark in left):
            status = FindingStatus.UNCERTAIN
        time, timed = self._time(candidate, left, right, context)
        beside = [m for m in left if m.kind == "attribute" and m.last == candidate.first]
        beside += [m for m in right if m.kind == "attribute" and m.first == candidate.last]
        deciding = [mark for mark in (denial, timed, *beside) if mark is not None]
        deciding += [m for m in left if timed and m.kind == "past" and m.last == timed.first]
        first = min([candidate.first, *(mark.first for mark in deciding)])
        last = max([candidate.last, *(mark.last for mark in deciding)])
        return Scope(
            status,
            time,
            self._experiencer(candidate, left, speaker),
            tuple(dict.fromkeys(attributes)),
            first,
            last,
            doubt,
        )

    # --- whether ------------------------------------------------------------------------------

    def _status(
        self, candidate: Candidate, left: list[Mark], right: list[Mark]
    ) -> tuple[FindingStatus, Mark | None]:
        status, denial = self._denied_before(candidate, left)
        if denial is None:
            status, denial = self._denied_after(candidate, right)
        if not candidate.absent:
            return status, denial
        if denial is not None and not self._flips(denial, candidate):
            return FindingStatus.ABSENT, None
        flipped = {
            FindingStatus.PRESENT: FindingStatus.ABSENT,
            FindingStatus.ABSENT: FindingStatus.PRESENT,
        }
        return flipped.get(status, status), denial

    def _flips(self, denial: Mark, candidate: Candidate) -> bool:
        """Whether a denial turns words of well-being round: 不 and not do, a no before them agrees."""
        word = self._word(denial)
        return (
            word.startswith("不")
            or (word not in _PLAIN_NO and denial.code == "wide" and word.isascii())
            or denial.kind == "double"
        )

    def _denied_before(
        self, candidate: Candidate, left: list[Mark]
    ) -> tuple[FindingStatus, Mark | None]:
        chain = self._chain(candidate)
        weak = False
        for mark in left:
            between = [c for c in chain if mark.last <= c.core]
            passed = self._opaque(mark.last, candidate.core)
            if mark.kind == "double" and self._no_and_then(mark, candidate):
                return FindingStatus.ABSENT, mark
            if mark.kind in ("double", "not_only"):
                return FindingStatus.PRESENT, mark
            if mark.kind == "compare":
                return FindingStatus.PRESENT, mark
            if mark.kind == "negation":
                if passed > REACH or (mark.code == "narrow" and (between or passed > 1)):
                    return FindingStatus.PRESENT, None
                if self._loose(candidate, between, mark):
                    return FindingStatus.UNCERTAIN, mark
                doubtful = weak or mark.code == "weak"
                return (FindingStatus.UNCERTAIN if doubtful else FindingStatus.ABSENT), mark
            if mark.kind == "attribute" and mark.code in _DEGREES:
                if not self._follows_denial(mark, left):
                    return FindingStatus.PRESENT, None
                weak = True
            elif mark.kind in _BARRIERS or (mark.kind == "attribute" and mark.code == "mild"):
                if not self._bridged(mark, left):
                    return FindingStatus.PRESENT, None
        return FindingStatus.PRESENT, None

    def _no_and_then(self, mark: Mark, candidate: Candidate) -> bool:
        """没有没有发过烧: a no, and the sentence that says it again; not 没有不疼的时候."""
        if mark.first not in self._starts or self._word(mark) not in (
            "没有不",
            "没有没",
            "没有没有",
        ):
            return False
        after = self._units[candidate.last].key if candidate.last < len(self._units) else ""
        return after != "的"

    def _chain(self, candidate: Candidate) -> list[Candidate]:
        """Other candidates of the segment before this one, nearest first."""
        same = self._in_segment.get(self._segment[candidate.core], [])
        return [c for c in reversed(same) if c.last <= candidate.first and c is not candidate]

    def _loose(self, candidate: Candidate, between: list[Candidate], denial: Mark) -> bool:
        """Whether the denial reaches this one only over a list without connecting words."""
        after = candidate
        for before in between:
            joined = any(
                mark.kind == "list" and before.last <= mark.first and mark.last <= after.first
                for mark in self._by_segment.get(self._segment[candidate.core], [])
            )
            listed = any(
                self._units[i].gap == Break.LIST for i in range(before.last, after.core + 1)
            )
            known = {before.code, after.code} <= self._asked
            site = self._sites.get(before.code)
            akin = site is not None and site == self._sites.get(after.code)
            if not (joined or listed or known or akin):
                return True
            after = before
        return False

    def _follows_denial(self, mark: Mark, left: list[Mark]) -> bool:
        return any(
            other.kind == "negation" and other.last == mark.first and other.code != "weak"
            for other in left
        )

    def _bridged(self, mark: Mark, left: list[Mark]) -> bool:
        """没有觉得…, don't have …: a verb right after a denial does not end its reach."""
        if mark.code != "affirm" or self._units[mark.first].key in _RESTARTS:
            return False
        return any(
            other.kind == "negation"
            and other.last <= mark.first
            and self._opaque(other.last, mark.first) == 0
            and not any(m.kind in _PEOPLE and other.last <= m.first < mark.first for m in left)
            for other in left
        )

    def _denied_after(
        self, candidate: Candidate, right: list[Mark]
    ) -> tuple[FindingStatus, Mark | None]:
        number = self._segment[candidate.core]
        denial = self._closing_denial(candidate.last, number, candidate)
        if denial is not None:
            return FindingStatus.ABSENT, denial
        following = number + 1
        if any(mark.kind == "past" for mark in self._left(candidate)):
            return FindingStatus.PRESENT, None
        if following < len(self._starts) and not self._stressed(candidate, right):
            start = self._starts[following]
            if self._units[start].gap <= Break.COMMA and not self._in_segment.get(following):
                denial = self._closing_denial(start, following, None)
                if denial is not None:
                    return FindingStatus.ABSENT, denial
        if following < len(self._starts) and self._list_denied_later(number, candidate, right):
            return FindingStatus.ABSENT, self._list_denied_later(number, candidate, right)
        return FindingStatus.PRESENT, None

    def _closing_denial(
        self, position: int, number: int, candidate: Candidate | None
    ) -> Mark | None:
        """A denial that closes a segment and denies what stands before it."""
        last_candidate = max((c.last for c in self._in_segment.get(number, [])), default=position)
        for mark in self._by_segment.get(number, []):
            if mark.first < max(position, last_candidate):
                continue
            if mark.kind == "negation" and mark.code == "wide":
                end = self._end_of(number)
                if (
                    self._opaque(mark.last, end) > 0
                    or self._opaque(last_candidate, mark.first) > REACH
                ):
                    return None
                return mark
            if mark.kind not in ("transparent", "list", "recent", "self"):
                return None
        return None

    def _stressed(self, candidate: Candidate, right: list[Mark]) -> bool:
        """Whether the segment affirms the finding with a word of its own."""
        around = [*self._left(candidate), *right]
        return any(
            mark.kind in ("affirm", "attribute", "contrast", "not_only", "double", "recent")
            for mark in around
        )

    def _list_denied_later(
        self, number: int, candidate: Candidate, right: list[Mark]
    ) -> Mark | None:
        """发烧，咳嗽，都没有: a list over commas that an all-denying word closes."""
        if self._stressed(candidate, right):
            return None
        for following in range(number + 1, min(number + 6, len(self._starts))):
            if self._units[self._starts[following]].gap > Break.COMMA:
                return None
            for mark in self._by_segment.get(following, []):
                if mark.kind == "negation":
                    before = self._units[mark.first - 1].key if mark.first else ""
                    every = before in ("都", "也", "全") or self._word(mark) in _PLAIN_NO
                    return (
                        mark
                        if every and self._closing_denial(mark.first, following, None)
                        else None
                    )
                if mark.kind in _BARRIERS or mark.kind == "attribute":
                    return None
        return None

    def _end_of(self, number: int) -> int:
        return self._starts[number + 1] if number + 1 < len(self._starts) else len(self._units)

    # --- when -----------------------------------------------------------------------------------

    def _time(
        self,
        candidate: Candidate,
        left: list[Mark],
        right: list[Mark],
        context: ClinicalContext,
    ) -> tuple[FindingTime, Mark | None]:
        """The time, and the word that puts it elsewhere than now."""
        if self._supposed(candidate, left, right):
            return FindingTime.HYPOTHETICAL, None
        same = self._in_segment[self._segment[candidate.core]]
        limit = min((c.first for c in same if c.first >= candidate.last), default=len(self._units))
        after = [mark for mark in right if mark.first < limit]
        for mark in [*left, *self._carried_time(candidate), *after]:
            if mark.kind == "past":
                lasting = any(m.code == "persistent" and m.first > mark.last for m in left)
                return (FindingTime.CURRENT, None) if lasting else (FindingTime.PAST, mark)
            if mark.kind == "recent":
                time = when(int(mark.code), context)
                return time, None if time is FindingTime.CURRENT else mark
        return FindingTime.CURRENT, None

    def _carried_time(self, candidate: Candidate) -> list[Mark]:
        """Time words of the segment before, when it holds nothing but them (住院那会儿，…)."""
        before = self._segment[candidate.core] - 1
        if before < 0 or self._in_segment.get(before):
            return []
        if self._units[self._starts[before + 1]].gap >= Break.STOP:
            return []
        if self._opaque(self._starts[before], self._starts[before + 1]) > 2:
            return []
        if any(mark.kind == "negation" for mark in self._by_segment.get(before, [])):
            return []
        return [
            m for m in reversed(self._by_segment.get(before, [])) if m.kind in ("past", "recent")
        ]

    def _supposed(self, candidate: Candidate, left: list[Mark], right: list[Mark]) -> bool:
        for mark in left:
            if mark.kind == "hypothetical":
                near = self._opaque(mark.last, candidate.core) <= 4
                habit = any(
                    m.kind == "habitual" or m.code in ("on_exertion", "at_rest", "persistent")
                    for m in left
                    if m.first >= mark.last
                )
                return near and not habit
        return any(
            mark.kind == "hypothetical"
            and "".join(u.key for u in self._units[mark.first : mark.last]) == "的话"
            for mark in right
        )

    # --- whose ----------------------------------------------------------------------------------

    def _experiencer(self, candidate: Candidate, left: list[Mark], speaker: str) -> Experiencer:
        for mark in left:
            if mark.kind in _PEOPLE:
                if self._opaque(mark.last, candidate.core) > _FAR:
                    return Experiencer.PATIENT
                return self._whose(mark, speaker)
        before = self._segment[candidate.core] - 1
        if before >= 0 and self._in_segment.get(before):
            for mark in reversed(self._by_segment.get(before, [])):
                if mark.kind in _PEOPLE:
                    return self._whose(mark, speaker)
        return Experiencer.PATIENT

    def _whose(self, mark: Mark, speaker: str) -> Experiencer:
        if speaker == "patient" and mark.kind == "third":
            named = self._first_other is not None and self._first_other < mark.first
            return Experiencer.OTHER if named else Experiencer.PATIENT
        return whose(mark, speaker, self._word(mark))

    def _word(self, mark: Mark) -> str:
        return "".join(unit.key for unit in self._units[mark.first : mark.last])

    # --- how ------------------------------------------------------------------------------------

    def _attributes(self, candidate: Candidate) -> list[str]:
        number = self._segment[candidate.core]
        found = [m.code for m in self._by_segment.get(number, []) if m.kind == "attribute"]
        following = number + 1
        while following < len(self._starts) and not self._in_segment.get(following):
            marks = self._by_segment.get(following, [])
            if any(mark.kind in (*_PEOPLE, "negation", "past") for mark in marks):
                break
            found += [mark.code for mark in marks if mark.kind == "attribute"]
            following += 1
            if following - number > 2:
                break
        return found


_PLAIN_NO = frozenset({"no", "none", "nothing", "never", "nor", "neither", "without"})
_PARTS = frozenset({"finding", "site", "sensation", "mask"})
_CLEAR = frozenset(
    {"transparent", "site", "list", "negation", "recent", "attribute", "affirm", "self", "mask"}
)
_PEOPLE = ("self", "other", "third")
_BARRIERS = frozenset({"affirm", "self", "other", "third", "contrast", "recent", "habitual"})
_RESTARTS = frozenset("有还又就会")


def when(days: int, context: ClinicalContext) -> FindingTime:
    """Whether something so many days ago is current: it is when it happened after ``since``."""
    limit = PAST_WITHOUT_DATE
    if context.since is not None:
        limit = max(_day(context.now, context.since), 0)
    return FindingTime.CURRENT if days <= max(limit, 1) else FindingTime.PAST


def _day(now: datetime, since: date) -> int:
    return (now.date() - since).days


def whose(mark: Mark, speaker: str, word: str) -> Experiencer:
    """Whom a person word means, given who speaks."""
    if speaker == "patient":
        return Experiencer.PATIENT if mark.kind in ("self", "third") else Experiencer.OTHER
    if speaker == "proxy":
        return Experiencer.OTHER if mark.kind == "self" else Experiencer.PATIENT
    neighbour = word.startswith(
        ("邻居", "隔壁", "病友", "朋友", "同事", "别人", "neighb", "friend")
    )
    return Experiencer.OTHER if neighbour else Experiencer.PATIENT


def _numbered(starts: Sequence[int], size: int) -> list[int]:
    numbers, current = [], -1
    boundaries = set(starts)
    for position in range(size):
        current += position in boundaries
        numbers.append(current)
    return numbers


def _running_count(size: int, clear: set[int]) -> list[int]:
    counts = [0]
    for position in range(size):
        counts.append(counts[-1] + (position not in clear))
    return counts
