"""What follows an attempt: a decision out of data, with no I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib import resources
from typing import Any

import yaml

from scripts.turns import Disposition


class RetryPolicyError(ValueError):
    """The policy's file is of no use; the text says where. A retry does not help."""


@dataclass(frozen=True, slots=True)
class Done:
    """The follow-up is finished."""


@dataclass(frozen=True, slots=True)
class Person:
    """No further call: a person sees to it."""


@dataclass(frozen=True, slots=True)
class Again:
    """Called again, not before ``at``."""

    at: datetime


Decision = Done | Person | Again


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """The rules of ``retry.yaml``."""

    most_attempts: int
    after: Mapping[Disposition, Done | Person | tuple[timedelta, ...]]

    def decide(self, ended: Sequence[Disposition], now: datetime, expires_at: datetime) -> Decision:
        """Say what follows.

        Args:
            ended: how every attempt of the follow-up ended, the last one last.
            now: when the last one ended.
            expires_at: the follow-up is not dialled from then on.
        """
        last = ended[-1]
        rule = self.after[last]
        if not isinstance(rule, tuple):
            return rule
        alike = sum(disposition is last for disposition in ended)
        if alike > len(rule) or len(ended) >= self.most_attempts:
            return Person()
        at = now + rule[alike - 1]
        return Again(at) if at < expires_at else Person()


def load_policy(source: str | None = None) -> RetryPolicy:
    """Read a policy; None: the one that is shipped.

    Raises:
        RetryPolicyError: a disposition is missing, unknown or has no sensible rule.
    """
    if source is None:
        source = (resources.files("services.calls") / "retry.yaml").read_text("utf-8")
    try:
        content = yaml.safe_load(source)
    except yaml.YAMLError:
        raise RetryPolicyError("the retry policy is not YAML") from None
    if not isinstance(content, dict) or content.get("version") != 1:
        raise RetryPolicyError("the retry policy must say 'version: 1'")
    most = content.get("most_attempts")
    if not isinstance(most, int) or most < 1:
        raise RetryPolicyError("most_attempts must be a number from 1")
    rules = content.get("after")
    names = {disposition.value for disposition in Disposition}
    if not isinstance(rules, dict) or set(rules) != names:
        raise RetryPolicyError(f"'after' must have exactly these keys: {', '.join(sorted(names))}")
    return RetryPolicy(most, {Disposition(name): _rule(name, rules[name]) for name in rules})


def _rule(name: str, rule: Any) -> Done | Person | tuple[timedelta, ...]:
    if rule == "done":
        return Done()
    if rule == "person":
        return Person()
    if isinstance(rule, list) and rule and all(isinstance(m, int) and m >= 1 for m in rule):
        return tuple(timedelta(minutes=minutes) for minutes in rule)
    raise RetryPolicyError(f"{name}: 'done', 'person' or a list of whole minutes from 1")
