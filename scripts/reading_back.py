"""The way through a warning sign: raise, read back, and return to what was being asked."""

from __future__ import annotations

from scripts.alerting import (
    dangerous,
    end_in_danger,
    raise_alert,
    read_back,
    resolve,
    restage,
    signs,
    value_sign,
)
from scripts.answers import AnswerStatus, Intent, Understanding
from scripts.asking import give_up, keep_pending, misheard, settling
from scripts.course import Step
from scripts.replies import LEAVING, reply
from scripts.turns import AlertStage, Disposition, OptOut, RaiseAlert


def warned(doing: Step, understood: Understanding, turns_left: bool) -> None:
    """Something dangerous was said: the alert goes out first, everything else waits for it."""
    number = raise_alert(doing, understood)
    opt_out(doing, understood)
    doing.change(pending=understood)
    if number and not turns_left:
        restage(doing, number, AlertStage.CONFIRMED)
        number = 0
    if end_in_danger(doing):
        return
    if number:
        read_back(doing, number)
        return
    doing.change(pending=None)
    take_up(doing, understood, turns_left)


def take_up(
    doing: Step, understood: Understanding, turns_left: bool, *, sorry: bool = True
) -> None:
    """Answer an utterance, or give the question up if it has used its turns."""
    settles = settling(doing.state.question, understood) is not None
    if (
        turns_left
        or understood.intent in LEAVING
        or (settles and understood.intent is Intent.ANSWER and not doing.state.waiting)
    ):
        reply(doing, understood, sorry=sorry)
    else:
        give_up(doing)


def opt_out(doing: Step, understood: Understanding) -> None:
    """Record at once, whatever else is going on, that somebody wants no more calls."""
    if understood.intent is Intent.OPT_OUT and not doing.state.opted_out:
        doing.change(opted_out=True)
        doing.do(OptOut())


def read_back_answered(doing: Step, understood: Understanding | None, turns_left: bool) -> None:
    """The person reacted to a read-back; None: by saying nothing."""
    number = doing.state.reading_back
    if understood is not None and turns_left and _not_an_answer(doing, understood):
        return
    other = resolve(doing, understood)
    if understood is not None:
        opt_out(doing, understood)
    doing.change(reading_back=0)
    if other and not turns_left:
        restage(doing, other, AlertStage.CONFIRMED)
        other = 0
    if end_in_danger(doing):
        return
    if other:
        read_back(doing, other)
        return
    alert = doing.state.alerts[number - 1]
    doing.say("amended" if alert.stage is AlertStage.AMENDED else "nurse_told")
    _resume(doing, alert, understood, turns_left)


def _not_an_answer(doing: Step, understood: Understanding) -> bool:
    """Deal with who did not hear the read-back, or wants a moment; True if that was it."""
    if dangerous(understood) or understood.answer.status is AnswerStatus.ANSWERED:
        return False
    match understood.intent:
        case Intent.REPEAT | Intent.SLOWER | Intent.GREETING:
            read_back(doing, doing.state.reading_back)
        case Intent.ARE_YOU_A_ROBOT:
            doing.say("robot")
            read_back(doing, doing.state.reading_back)
        case _:
            return False
    return True


def _resume(
    doing: Step, alert: RaiseAlert, understood: Understanding | None, turns_left: bool
) -> None:
    """After a read-back: back to what was said along with the warning sign."""
    pending = doing.state.pending
    if understood is not None and understood.intent in LEAVING:
        if alert.stage is AlertStage.AMENDED:
            doing.change(review=True)
        keep_pending(doing)
        reply(doing, understood)
        return
    doing.change(pending=None)
    if doing.state.opted_out:
        doing.end("opt_out", Disposition.REFUSED)
    elif pending is None:
        give_up(doing)
    elif alert.stage is AlertStage.AMENDED and _about_the_answer(doing, alert):
        misheard(doing, pending)
    else:
        take_up(doing, pending, turns_left, sorry=False)


def _about_the_answer(doing: Step, alert: RaiseAlert) -> bool:
    """Whether what was taken back is the answer to the open question itself."""
    asks_about = {*doing.state.question.asks_about, value_sign(alert)}
    return alert.question_id == doing.state.at and bool(signs(alert) & asks_about)
