from __future__ import annotations

import stat
from pathlib import Path

import pytest

from services.security.errors import KeyDestroyed, KeyFileError, Unreadable
from services.security.keys import KeyRing


def test_the_key_file_is_made_once_with_mode_600(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "master.key"
    first = KeyRing.open(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(path.parent.iterdir()) == [path]
    key, stored = first.new_data_key("k1")
    again = KeyRing.open(path)
    assert again.unwrap("k1", stored.master_version, stored.wrapped) == key
    assert again.search_key == first.search_key


def test_a_key_file_others_may_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "master.key"
    KeyRing.open(path)
    path.chmod(0o640)
    with pytest.raises(KeyFileError, match="chmod 600"):
        KeyRing.open(path)


@pytest.mark.parametrize(
    "content", ["", "{}", '{"masters": {}}', "[]", '{"masters": {"1": "AA=="}}']
)
def test_a_damaged_key_file_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "master.key"
    KeyRing.open(path)
    path.write_text(content)
    with pytest.raises(KeyFileError):
        KeyRing.open(path)


def test_after_a_rotation_old_keys_open_and_new_ones_use_the_new_master(tmp_path: Path) -> None:
    path = tmp_path / "master.key"
    ring = KeyRing.open(path)
    old_key, old = ring.new_data_key("old")
    ring.rotated().save(path)
    ring_after = KeyRing.open(path)
    new_key, new = ring_after.new_data_key("new")
    assert (old.master_version, new.master_version) == (1, 2)
    assert ring_after.unwrap("old", 1, old.wrapped) == old_key
    assert ring_after.unwrap("new", 2, new.wrapped) == new_key
    assert ring_after.search_key == ring.search_key
    with pytest.raises(KeyFileError, match="version 2"):
        ring.unwrap("new", 2, new.wrapped)


def test_a_wrapped_key_opens_only_under_its_own_id_and_unaltered() -> None:
    ring = KeyRing({1: b"m" * 32})
    _, stored = ring.new_data_key("k1")
    with pytest.raises(Unreadable):
        ring.unwrap("k2", 1, stored.wrapped)
    with pytest.raises(Unreadable):
        ring.unwrap("k1", 1, stored.wrapped[:-1] + bytes([stored.wrapped[-1] ^ 1]))


def test_a_destroyed_key_says_so() -> None:
    with pytest.raises(KeyDestroyed, match="k1"):
        KeyRing({1: b"m" * 32}).unwrap("k1", 1, None)
