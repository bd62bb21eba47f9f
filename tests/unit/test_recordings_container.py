from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recordings.container import Cipher, Header, Sealer, seal_all
from recordings.errors import Damaged, NotInStore
from recordings.reading import SealedFile, open_sealed

KEY = b"k" * 32
CHUNK = 16
NAME = "2026/03/a.opus"


class Shelf:
    """A store in memory."""

    def __init__(self, content: bytes, name: str = NAME) -> None:
        self.objects = {name: content}

    async def put(self, object_key: str, content: AsyncIterator[bytes]) -> None:
        self.objects[object_key] = b"".join([piece async for piece in content])

    async def size(self, object_key: str) -> int:
        return len(self.objects[object_key])

    async def read(self, object_key: str, offset: int, length: int) -> bytes:
        if object_key not in self.objects:
            raise NotInStore(object_key)
        return self.objects[object_key][offset : offset + length]

    async def delete(self, object_key: str) -> None:
        self.objects.pop(object_key, None)

    async def names(self, prefix: str = "") -> AsyncIterator[str]:
        for name in self.objects:
            yield name


def opened(sealed: bytes, *, unfinished: bool = False, key: bytes = KEY) -> SealedFile:
    return asyncio.run(open_sealed(Shelf(sealed), NAME, key, unfinished=unfinished))


def content(file: SealedFile) -> bytes:
    return asyncio.run(file.read())


clear_files = st.binary(max_size=5 * CHUNK)


@given(pieces=st.lists(st.binary(max_size=3 * CHUNK), max_size=6))
def test_what_is_sealed_piece_by_piece_reads_as_one(pieces: list[bytes]) -> None:
    sealer = Sealer(KEY, "key-1", NAME, CHUNK)
    sealed = sealer.start() + b"".join(sealer.add(piece) for piece in pieces) + sealer.finish()
    file = opened(sealed)
    assert file.complete
    assert file.header.key_id == "key-1"
    assert file.size == len(b"".join(pieces))
    assert content(file) == b"".join(pieces)


@given(clear=clear_files, offset=st.integers(0, 90), length=st.integers(0, 90))
def test_any_range_reads_as_the_clear_file_would(clear: bytes, offset: int, length: int) -> None:
    file = opened(seal_all(KEY, "key-1", NAME, clear, CHUNK))
    assert asyncio.run(file.read(offset, length)) == clear[offset : offset + length]


@given(clear=clear_files, data=st.data())
def test_a_cut_file_reads_up_to_its_last_whole_chunk(clear: bytes, data: st.DataObject) -> None:
    sealed = seal_all(KEY, "key-1", NAME, clear, CHUNK)
    header = len(Header.decode(sealed).encode())
    cut = sealed[: data.draw(st.integers(header, len(sealed) - 1))]
    with pytest.raises(Damaged):
        opened(cut)
    file = opened(cut, unfinished=True)
    assert not file.complete
    assert content(file) == clear[: (len(cut) - header) // (CHUNK + 16) * CHUNK]


@given(clear=clear_files, data=st.data())
def test_any_flipped_bit_is_noticed(clear: bytes, data: st.DataObject) -> None:
    sealed = bytearray(seal_all(KEY, "key-1", NAME, clear, CHUNK))
    bit = data.draw(st.integers(0, 8 * len(sealed) - 1))
    sealed[bit // 8] ^= 1 << bit % 8
    with pytest.raises(Damaged):
        content(opened(bytes(sealed)))


@given(clear=st.binary(min_size=3 * CHUNK, max_size=5 * CHUNK), data=st.data())
def test_chunks_cannot_change_places(clear: bytes, data: st.DataObject) -> None:
    sealed = seal_all(KEY, "key-1", NAME, clear, CHUNK)
    start, stride = len(Header.decode(sealed).encode()), CHUNK + 16
    one, other = data.draw(st.permutations(range(3)))[:2]
    chunks = [sealed[start + n * stride : start + (n + 1) * stride] for n in range(3)]
    chunks[one], chunks[other] = chunks[other], chunks[one]
    with pytest.raises(Damaged):
        content(opened(sealed[:start] + b"".join(chunks) + sealed[start + 3 * stride :]))


def test_a_dropped_chunk_is_noticed() -> None:
    sealed = seal_all(KEY, "key-1", NAME, bytes(4 * CHUNK), CHUNK)
    start, stride = len(Header.decode(sealed).encode()), CHUNK + 16
    with pytest.raises(Damaged):
        content(opened(sealed[: start + stride] + sealed[start + 2 * stride :]))


def test_a_chunk_cannot_pass_for_the_final_one() -> None:
    cipher = Cipher(KEY, Header("key-1", CHUNK, bytes(16)), NAME)
    with pytest.raises(Damaged):
        cipher.open(0, cipher.seal(0, b"x", final=False), final=True)


def test_another_key_or_name_does_not_open() -> None:
    sealed = seal_all(KEY, "key-1", NAME, b"x" * 40, CHUNK)
    with pytest.raises(Damaged):
        opened(sealed, key=b"x" * 32)
    with pytest.raises(Damaged):
        asyncio.run(open_sealed(Shelf(sealed, "2026/03/b.opus"), "2026/03/b.opus", KEY))


def test_the_same_file_is_never_sealed_the_same_way_twice() -> None:
    assert seal_all(KEY, "k", NAME, b"x" * 40, CHUNK) != seal_all(KEY, "k", NAME, b"x" * 40, CHUNK)


@pytest.mark.parametrize("start", [b"", b"HUIF", b"RIFF" + bytes(40), b"HUIF\x02" + bytes(40)])
def test_what_is_no_container_is_refused(start: bytes) -> None:
    with pytest.raises(Damaged):
        opened(start, unfinished=True)
