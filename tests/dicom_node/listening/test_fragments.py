"""A P-DATA-TF is taken apart as it was put together, or not at all."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicom_node.listening.fragments import ITEM, Malformed, fragments

items = st.lists(st.tuples(st.integers(0, 255), st.integers(0, 255), st.binary()))


def encoded(parts: list[tuple[int, int, bytes]]) -> bytearray:
    return bytearray().join(
        struct.pack(">IBB", 2 + len(content), context_id, header) + content
        for context_id, header, content in parts
    )


@given(items)
def test_what_was_put_in_comes_out(parts: list[tuple[int, int, bytes]]) -> None:
    found = list(fragments(encoded(parts)))

    assert [(it.context_id, it.header, bytes(it.content)) for it in found] == parts


@pytest.mark.parametrize(
    "body",
    [
        bytes(5),
        struct.pack(">IBB", 0, 1, 3),
        struct.pack(">IBB", 1, 1, 3),
        struct.pack(">IBB", 3, 1, 3),
        struct.pack(">IBB", 2, 1, 3) + b"\0",
        struct.pack(">IBB", 0xFFFFFFFF, 1, 3) + bytes(100),
    ],
    ids=["too short", "length 0", "length 1", "too long", "a byte more", "4 GiB"],
)
def test_lengths_that_contradict_one_another_are_refused(body: bytes) -> None:
    with pytest.raises(Malformed):
        list(fragments(bytearray(body)))


@given(st.binary(max_size=200))
def test_whatever_comes_every_byte_is_accounted_for(body: bytes) -> None:
    try:
        found = list(fragments(bytearray(body)))
    except Malformed:
        return
    assert sum(ITEM.size + len(it.content) for it in found) == len(body)
