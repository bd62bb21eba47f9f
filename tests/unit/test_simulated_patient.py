"""Simulated patients: they know a prompt when they hear it, and do as their persona says."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from dialer.simulated.circuit import Circuit
from dialer.simulated.line import BUSY
from dialer.simulated.patient import Persona, Reply, SimulatedPatient, Ward
from dialer.simulated.prompt_ear import PromptEar

FRAME = 320


def quiet(seconds: float) -> bytes:
    return bytes(2 * round(seconds * 8000))


def sentence(seed: int, seconds: float) -> bytes:
    """Something like speech: syllables of changing loudness and colour, with short pauses."""
    random = np.random.default_rng(seed)
    pieces = []
    length = 0
    while length < seconds * 8000:
        size = int(random.integers(700, 1900))
        tones = random.uniform(250, 3200, 4)
        wave = np.sin(2 * np.pi * np.outer(tones, np.arange(size)) / 8000).sum(axis=0)
        pieces.append(wave * np.hanning(size) * random.uniform(1500, 5000))
        pause = int(random.choice([0, 0, 300, 900]))
        pieces.append(np.zeros(pause))
        length += size + pause
    wave = np.concatenate(pieces)[: round(seconds * 8000)]
    wave[-400:] = 3000 * np.sin(np.arange(400))
    return wave.astype("<i2").tobytes()


ENDING = sentence(90, 1.4)
_DYING_AWAY = np.zeros(1600)
_DYING_AWAY[::200] = 900
PROMPTS = {
    "opening": sentence(1, 4.0),
    "chest_pain": sentence(2, 2.2),
    "fever": sentence(3, 1.6),
    "short": sentence(4, 0.7),
    "thanks_bye": sentence(5, 2.0) + ENDING,
    "sorry_bye": sentence(6, 2.6) + ENDING,
    # Ends for 0.2 s in single samples that nobody hears as speech.
    "dying_away": sentence(7, 1.8) + _DYING_AWAY.astype("<i2").tobytes(),
}


def frames(pcm: bytes) -> Iterator[bytes]:
    for at in range(0, len(pcm), FRAME):
        yield pcm[at : at + FRAME].ljust(FRAME, b"\0")


def recognised(pcm: bytes, noise: float = 20.0) -> list[tuple[str, float]]:
    """The prompts an ear tells, each with its end; a corrected one counts as corrected."""
    ear, circuit = PromptEar(PROMPTS), Circuit(noise, 7)
    told: list[tuple[str, float]] = []
    for frame in frames(pcm + quiet(0.5)):
        if found := ear.hear(circuit.carry(frame)):
            if told and found.ended - told[-1][1] < 0.3:
                told.pop()
            told.append((found.prompt_id, found.ended))
    return told


@pytest.mark.parametrize("noise", [0.0, 20.0, 100.0])
@pytest.mark.parametrize("prompt_id", sorted(PROMPTS.keys() - {"dying_away"}))
@pytest.mark.parametrize("offset", [0, 57, 133])
def test_every_prompt_is_known_through_mu_law_and_noise(
    prompt_id: str, noise: float, offset: int
) -> None:
    before = bytes(2 * (4000 + offset))
    ((heard, ended),) = recognised(before + PROMPTS[prompt_id], noise)
    assert heard == prompt_id
    assert ended == pytest.approx(len(before + PROMPTS[prompt_id]) / 16000, abs=0.05)


def test_the_end_of_a_prompt_is_where_it_is_heard_to_end() -> None:
    ((heard, ended),) = recognised(PROMPTS["dying_away"])
    assert heard == "dying_away"
    assert ended == pytest.approx(1.8, abs=0.05)


@pytest.mark.parametrize("name", [0.1, 0.4, 1.1])
def test_a_name_in_front_does_not_matter(name: float) -> None:
    heard = recognised(sentence(50, name) + PROMPTS["chest_pain"])
    assert [prompt_id for prompt_id, _ in heard] == ["chest_pain"]


def test_prompts_back_to_back_are_told_apart() -> None:
    heard = recognised(PROMPTS["opening"] + quiet(0.08) + PROMPTS["fever"])
    assert [prompt_id for prompt_id, _ in heard] == ["opening", "fever"]


def test_what_nobody_said_before_is_not_known() -> None:
    for seed in range(60, 70):
        assert recognised(sentence(seed, 3.0)) == []


# --- the patient --------------------------------------------------------------------------------

YES = sentence(70, 0.8)
NO = sentence(71, 0.9)
PERSONA = Persona(
    "somebody",
    replies={
        "chest_pain": (Reply(NO), Reply(YES)),
        "fever": (Reply(keys="2"),),
        "short": (Reply(YES, hang_up=True),),
        "opening": (Reply(NO, hang_up_after=0.4),),
    },
)


class Visit:
    """Talks to a patient and keeps what comes back."""

    def __init__(self, persona: Persona = PERSONA) -> None:
        self.patient = SimulatedPatient(persona, PROMPTS)
        self.circuit = Circuit(20.0, 3)

    def say(self, pcm: bytes, wait: float = 3.0) -> bytes:
        heard = [
            self.patient.step(self.circuit.carry(frame)) for frame in frames(pcm + quiet(wait))
        ]
        return b"".join(heard)


def test_replies_by_prompt_in_any_order_and_by_turn() -> None:
    visit = Visit()
    assert NO in visit.say(PROMPTS["chest_pain"])
    assert not any(visit.say(PROMPTS["fever"]))
    assert visit.patient.digits == ["2"]
    assert YES in visit.say(PROMPTS["chest_pain"])
    assert YES in visit.say(PROMPTS["chest_pain"]), "the last reply again and again"


def test_waits_until_we_have_finished() -> None:
    visit = Visit()
    said = visit.say(PROMPTS["chest_pain"])
    begins = next(i for i, frame in enumerate(frames(said)) if any(frame)) * 0.02
    assert begins == pytest.approx(len(PROMPTS["chest_pain"]) / 16000 + 0.8, abs=0.06)


def test_replies_to_the_last_of_two_prompts() -> None:
    visit = Visit()
    said = visit.say(PROMPTS["opening"] + quiet(0.1) + PROMPTS["chest_pain"])
    assert NO in said
    assert not visit.patient.hung_up


def test_hangs_up_after_or_within_a_sentence() -> None:
    polite = Visit()
    assert YES in polite.say(PROMPTS["short"])
    assert polite.patient.hung_up
    collapsed = Visit()
    said = collapsed.say(PROMPTS["opening"])
    assert collapsed.patient.hung_up
    assert 0.3 < sum(any(frame) for frame in frames(said)) * 0.02 <= 0.4


def test_says_nothing_to_what_has_no_reply_unless_there_is_a_default() -> None:
    assert not any(Visit().say(PROMPTS["sorry_bye"], wait=5.0))
    talker = Visit(Persona("talker", default=Reply(YES)))
    assert YES in talker.say(PROMPTS["sorry_bye"])
    assert YES in talker.say(sentence(61, 3.0), wait=5.0)


def test_greets_when_picking_up() -> None:
    visit = Visit(Persona("greeter", greeting=Reply(YES)))
    assert visit.say(b"", wait=2.0).index(YES) == 16000 * 0.3


def test_the_ledger_tells_what_was_heard_and_said_and_when() -> None:
    visit = Visit()
    visit.say(PROMPTS["chest_pain"])
    visit.say(PROMPTS["fever"])
    visit.say(PROMPTS["short"])
    told = [(entry.kind, entry.what) for entry in visit.patient.ledger]
    assert told == [
        ("heard", "chest_pain"),
        ("said", "chest_pain"),
        ("heard", "fever"),
        ("keys", "2"),
        ("heard", "short"),
        ("said", "short"),
        ("hung up", ""),
    ]
    assert visit.patient.ledger[0].at == pytest.approx(2.2, abs=0.05)


def test_a_ward_has_a_telephone_for_each_number_and_counts_the_rings() -> None:
    busy = Persona("busy", rejection=BUSY)
    ward = Ward({"0001": PERSONA, "0002": busy}, {"zh": PROMPTS})
    assert ward.far_end("0003") is None
    first, second, third = (ward.far_end(number) for number in ("0001", "0002", "0001"))
    assert first is not None
    assert second is not None
    assert third is not None
    assert first.media is not third.media
    assert second.rejection is BUSY
    assert [ring.number for ring in ward.rings] == ["0001", "0002", "0001"]
