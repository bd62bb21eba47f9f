"""The main job, whole, on real parts: from the command line to the nurse who takes the alert.

A real Asterisk dials a real SIP phone; the patient answers in Mandarin over RTP; the words are
recognised by the 3.3 M model; rows are in PostgreSQL, messages on Mosquitto, the desk in Chromium.
"""

from __future__ import annotations

import asyncio
import json

import numpy as np
import numpy.typing as npt
import pytest
from playwright.async_api import Browser, Page, expect
from sqlalchemy import select

from asr.models import find, open_engine
from asr.recogniser import Engine, Hints
from recordings.opus import decode
from recordings.reading import open_sealed
from recordings.store import FolderStore
from scripts.reading import load
from services.database.tables import (
    Alert,
    AnswerRow,
    Attempt,
    Audit,
    FollowUp,
    Recording,
    TurnRow,
)
from services.security.sealing import unseal
from tests.support.chromium import chromium as chromium
from tests.support.ears import hear, models_folder
from tests.support.first_call import SCRIPT, RealHospital
from tests.support.first_call import first_call as first_call
from tests.support.mosquitto_server import Mosquitto
from tests.support.product import Process
from tests.support.sip_call import PhoneCall
from tests.support.subscriber import subscriber

PASSWORD = "ein sehr langes Passwort"
SPEAKING = 500
"""Amplitude above which somebody speaks (16-bit)."""


@pytest.mark.timeout(600)
@pytest.mark.parametrize("first_call", [("emergency", "well")], indirect=True)
async def test_from_schedule_to_alert(
    first_call: RealHospital, mosquitto: Mosquitto, chromium: Browser
) -> None:
    hospital, lady = first_call, first_call.people["emergency"]
    await hospital.enrol()
    async with subscriber(mosquitto.port) as others, hospital.product.running("run") as process:
        page = await _take_duty(chromium, process)
        await process.printed("worker-1 places calls")
        calling = asyncio.create_task(_call(hospital, lady.number, lady.patient.mrn))
        well = asyncio.create_task(
            _call(hospital, hospital.people["well"].number, hospital.people["well"].patient.mrn)
        )

        # The danger reaches everybody who must know, before the call is over.
        raised = await others.first("huifang/v1/alerts/emergency", 240, kind="raised")
        assert raised.body["stage"] == "unconfirmed"
        call = hospital.phone.calls_to(lady.number)[0]
        assert raised.at - _end_of_reply(hospital, call, "chest_pain") < 2.0
        confirmed = await others.first("huifang/v1/alerts/emergency", 60, kind="confirmed")
        assert confirmed.body["alert_id"] == raised.body["alert_id"]

        # A person takes it at the desk; from then on nobody is told again.
        alert = page.get_by_role("article").filter(has_text="秀兰")
        await expect(alert.first).to_be_visible(timeout=10_000)
        await alert.first.get_by_role("button", name="我来处理").click()
        await others.first("huifang/v1/alerts/emergency", 10, kind="acknowledged")
        status, result = await calling
        assert (status, result["disposition"], result["severity"]) == (2, "partial", "emergency")
        status, result = await well
        assert (status, result["disposition"], result["severity"]) == (0, "completed", "none")
        kinds = [each.body["kind"] for each in others.of("huifang/v1/alerts")]
        assert kinds[-1] == "acknowledged"

        await _check_rows(hospital)
        await _check_recording(hospital, call, _ears())
        await _check_desk(page, hospital, call)
    assert len(hospital.phone.calls) == 2
    told = process.output + "".join(each.topic + each.payload for each in others.arrived)
    assert not [secret for secret in hospital.personal() if secret in told]


async def _call(hospital: RealHospital, number: str, mrn: str) -> tuple[int, dict[str, str]]:
    status, said = await hospital.product.call(
        "call", number, "--script", SCRIPT, "--patient", mrn, "--wait", "--json"
    )
    result: dict[str, str] = json.loads(said.splitlines()[-1])
    return status, result


async def _take_duty(chromium: Browser, process: Process) -> Page:
    """Make the first administrator with the printed link, and go on duty."""
    link = (await process.printed(r"http://\S+/setup\?token=\S+")).group()
    context = await chromium.new_context(locale="zh-CN", viewport={"width": 1280, "height": 900})
    page = await context.new_page()
    await page.goto(link)
    await page.get_by_label("姓名").fill("测试管理员")
    await page.get_by_label("登录名").fill("admin")
    await page.get_by_label("密码（至少十个字符）").fill(PASSWORD)
    await page.get_by_label("再输入一次密码").fill(PASSWORD)
    await page.get_by_role("button", name="设立并登录").click()
    await page.get_by_role("link", name="去值班").click()
    await page.get_by_role("button", name="开始值班").click()
    await page.get_by_role("link", name="警报").click()
    return page


def _end_of_reply(hospital: RealHospital, call: PhoneCall, prompt_id: str) -> float:
    """When the last sound of a reply left the phone (``time.monotonic``)."""
    patient = next(ring.patient for ring in hospital.ward.rings if ring.number == call.number)
    begun = next(e.at for e in patient.ledger if e.kind == "said" and e.what == prompt_id)
    speech = patient.persona.replies[prompt_id][0].speech
    first = round(begun / 0.02)
    spoken = call.said.frames[first : first + len(speech) // 320 + 2]
    loud = [at for at, pcm in spoken if np.abs(np.frombuffer(pcm, "<i2")).max() > SPEAKING]
    return loud[-1] + 0.02


async def _check_rows(hospital: RealHospital) -> None:
    answers = await _answers(hospital, "well")
    assert answers["general_condition"] == "better"
    # A yes to "do you take all your medicines" is good; to the dangers it is no.
    assert answers["medicines"] is True
    dangers = ("chest_pain", "dyspnea", "fever", "wound", "bleeding", "faint", "fall")
    assert {question: answers[question] for question in dangers} == dict.fromkeys(dangers, False)
    assert answers["pain"] == 0
    assert (await _answers(hospital, "emergency"))["chest_pain"] is True
    async with hospital.sessions() as session:
        alerts = (await session.scalars(select(Alert))).all()
        assert all(alert.acknowledged_by is not None for alert in alerts)
        assert {"chest_pain", "dyspnea"} <= {code for alert in alerts for code in alert.findings}
        states = set(await session.scalars(select(FollowUp.state)))
        assert states == {"done", "given_up"}


async def _answers(hospital: RealHospital, resident: str) -> dict[str, object]:
    patient_id = await hospital.patients.find_by_mrn(hospital.people[resident].patient.mrn)
    assert patient_id is not None
    _, key = await hospital.patients.data_key(patient_id)
    async with hospital.sessions() as session:
        rows = await session.scalars(
            select(AnswerRow)
            .join(Attempt, Attempt.id == AnswerRow.attempt_id)
            .where(Attempt.patient_id == patient_id)
        )
        return {
            row.question_id: json.loads(
                unseal(key, "answers.value_sealed", row.id, row.value_sealed)
            )
            for row in rows
            if row.value_sealed is not None
        }


def _ears() -> Engine:
    found = find("zh", "sherpa", models_folder())
    assert found is not None, "the 3.3 M model is missing: ../shared/models"
    return open_engine(found)


async def _check_recording(hospital: RealHospital, call: PhoneCall, ears: Engine) -> None:
    """Two channels, by content: the patient's words left, ours right; at the phone's times."""
    patient_id = await hospital.patients.find_by_mrn(hospital.people["emergency"].patient.mrn)
    assert patient_id is not None
    _, key = await hospital.patients.data_key(patient_id)
    async with hospital.sessions() as session:
        recording = (
            await session.scalars(
                select(Recording)
                .join(Attempt, Attempt.id == Recording.attempt_id)
                .where(Attempt.patient_id == patient_id)
            )
        ).one()
    stored = FolderStore(hospital.folder / "recordings")
    sealed = await open_sealed(stored, recording.object_key, key)
    left, right = decode(await sealed.read())
    assert recording.seconds == pytest.approx(len(left) / 8000, abs=0.1)
    said, heard = _at_the_phone(call)
    _same_place(left, said)
    _same_place(right, heard)
    hints = Hints(load(SCRIPT).expected_anywhere("zh"))
    words = [hear(ears.decoder(hints), _pcm(side))[1].text for side in (left, right)]
    assert "胸口疼" in words[0]
    assert "胸口疼" in words[1]  # the question, and the read-back
    assert "厉害" in words[0]
    assert "厉害" not in words[1]
    # Nothing personal lies on the disk in clear.
    raw = b"".join(path.read_bytes() for path in hospital.folder.rglob("*") if path.is_file())
    assert b"OpusHead" not in raw
    assert not [s for s in hospital.personal() if s.encode() in raw]


def _at_the_phone(call: PhoneCall) -> tuple[npt.NDArray[np.int16], npt.NDArray[np.int16]]:
    """What the phone itself recorded: said and heard, on one clock."""
    start = min(call.said.frames[0][0], call.heard.frames[0][0])
    said, heard = (np.frombuffer(take.since(start), "<i2") for take in (call.said, call.heard))
    return said, heard


def _same_place(ours: npt.NDArray[np.int16], phones: npt.NDArray[np.int16]) -> None:
    """Every stretch of speech lies in ours where it lay at the phone, within 40 ms.

    The two recordings began at different moments: the shift between them as wholes is that. A
    stretch is found by its first 0.8 seconds, not by a threshold, which a codec moves about.
    """
    starts = _onsets(phones)
    assert len(starts) >= 5
    shift = _shift(ours, phones)
    there, here = _envelope(phones, 8), _envelope(ours, 8)
    off = []
    for start in starts:
        at = round(start * 1000)
        wanted = there[max(0, at - 50) : at + 800]
        first = max(0, at - 50 + round(shift * 1000) - 150)
        around = here[first : first + len(wanted) + 300]
        lag = int(np.argmax(np.correlate(around, wanted - wanted.mean(), "valid")))
        off.append((first + lag) / 1000 - (max(0, at - 50) / 1000 + shift))
    assert max(map(abs, off)) < 0.040, off


def _envelope(samples: npt.NDArray[np.int16], size: int) -> npt.NDArray[np.float64]:
    """Mean amplitude of every ``size`` samples."""
    whole = samples[: len(samples) // size * size].astype(np.float64).reshape(-1, size)
    found: npt.NDArray[np.float64] = np.abs(whole).mean(axis=1)
    return found


def _onsets(samples: npt.NDArray[np.int16], quiet: float = 0.4) -> list[float]:
    """Seconds at which speech begins after ``quiet`` seconds of none."""
    frames = np.abs(samples[: len(samples) // 40 * 40].astype(np.int32)).reshape(-1, 40).max(axis=1)
    loud = np.flatnonzero(frames > SPEAKING) * 0.005
    gaps = np.flatnonzero(np.diff(loud) > quiet)
    return [float(loud[0]), *(float(loud[gap + 1]) for gap in gaps)]


def _shift(ours: npt.NDArray[np.int16], phones: npt.NDArray[np.int16]) -> float:
    """Seconds by which ours lags the phone's, by correlation of the envelopes (5 ms)."""
    size = max(len(ours), len(phones)) // 40 + 1

    def padded(samples: npt.NDArray[np.int16]) -> npt.NDArray[np.float64]:
        sound = _envelope(samples, 40)
        return np.pad(sound, (0, 2 * size - len(sound)))

    spectrum = np.fft.rfft(padded(ours)) * np.conj(np.fft.rfft(padded(phones)))
    lag = int(np.argmax(np.fft.irfft(spectrum)))
    return (lag if lag < size else lag - 2 * size) * 0.005


def _pcm(side: npt.NDArray[np.int16]) -> bytes:
    return side.astype("<i2").tobytes()


async def _check_desk(page: Page, hospital: RealHospital, call: PhoneCall) -> None:
    """Chromium plays the recording, shows the words, and every reading is in the audit."""
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    await page.get_by_role("link", name="看这次通话").first.click()
    await expect(page.get_by_text("胸口疼得厉害").first).to_be_visible()
    await expect(page.get_by_text("您胸口疼过吗").first).to_be_visible()
    first_question = page.locator("table.answers th[scope=row]").first
    await expect(first_question).to_contain_text("跟出院那天比")
    await page.evaluate("document.getElementById('player').play()")
    await _played(page, 1.0)
    await page.evaluate("document.getElementById('player').currentTime = 60")
    await _played(page, 61.0)
    await page.screenshot(path=hospital.folder / "call.png", full_page=True)
    assert complaints == []
    async with hospital.sessions() as session:
        actions = set(await session.scalars(select(Audit.action)))
        spoken = await session.scalars(select(TurnRow.speaker))
    assert {"read_call", "hear_recording", "acknowledge_alert"} <= actions
    assert set(spoken) == {"patient", "system"}


async def _played(page: Page, until: float) -> None:
    async with asyncio.timeout(20):
        while await page.evaluate("document.getElementById('player').currentTime") < until:
            await page.wait_for_timeout(100)


def test_the_shift_between_two_recordings_is_found() -> None:
    rng = np.random.default_rng(1)
    pieces: list[npt.NDArray[np.int16]] = []
    for _ in range(12):
        pieces.append((rng.standard_normal(rng.integers(3000, 9000)) * 3000).astype(np.int16))
        pieces.append(np.zeros(rng.integers(4000, 9000), np.int16))
    sound = np.concatenate(pieces)
    later = np.concatenate([np.zeros(2400, np.int16), sound])
    assert _shift(later, sound) == pytest.approx(0.3, abs=0.005)
    _same_place(later, sound)
    slipped = np.concatenate([later[:60_000], np.zeros(400, np.int16), later[60_000:]])
    with pytest.raises(AssertionError):
        _same_place(slipped, sound)
