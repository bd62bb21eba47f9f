from __future__ import annotations

from argon2 import PasswordHasher

from services.security.passwords import Passwords
from services.security.tokens import new_token, token_hash

FAST = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


def test_only_the_right_password_fits() -> None:
    passwords = Passwords(FAST)
    stored = passwords.hash("correct horse")
    assert stored.startswith("$argon2id$")
    assert passwords.check(stored, "correct horse")
    assert not passwords.check(stored, "wrong horse")
    assert not passwords.check("not a hash", "correct horse")


def test_a_user_who_does_not_exist_never_fits() -> None:
    assert not Passwords(FAST).check(None, "nobody has this password")


def test_raised_costs_ask_for_a_new_hash() -> None:
    stored = Passwords(FAST).hash("correct horse")
    assert not Passwords(FAST).is_outdated(stored)
    assert Passwords().is_outdated(stored)


def test_tokens_are_long_fresh_and_stored_as_hashes() -> None:
    one, other = new_token(), new_token()
    assert one != other
    assert len(one) >= 43
    assert token_hash(one) == token_hash(one) != token_hash(other)
    assert one not in token_hash(one)
