"""FlatBuffers: tables, vtables, vectors and offsets are found without a schema, and changed.

https://flatbuffers.dev/internals.
"""

from __future__ import annotations

import random
import struct
from dataclasses import dataclass, field

from tests.fuzz_files.values import damaged, four_bytes, integer


@dataclass
class Places:
    """Where what stands in a file.

    Attributes:
        vtables: positions of the entries of vtables, 16 bits each.
        slots: positions of fields.
        offsets: positions of offsets, with what they point to.
        lengths: positions of the lengths of vectors.
    """

    vtables: set[int] = field(default_factory=set)
    slots: set[int] = field(default_factory=set)
    offsets: dict[int, int] = field(default_factory=dict)
    lengths: set[int] = field(default_factory=set)
    seen: set[int] = field(default_factory=set)


def places(data: bytes) -> Places:
    """Return the places of a whole file."""
    found = Places()
    _follow(data, 0, found)
    return found


def _number(data: bytes, at: int, code: str) -> int:
    return int(struct.unpack_from("<" + code, data, at)[0])


def _follow(data: bytes, at: int, found: Places) -> None:
    """Look at what an offset leads to, if it can be one."""
    if at + 4 > len(data):
        return
    target = at + _number(data, at, "I")
    if target == at or target % 4 or target + 4 > len(data):
        return
    found.offsets[at] = target
    if target in found.seen:
        return
    found.seen.add(target)
    vtable = target - _number(data, target, "i")
    if 0 <= vtable < len(data) - 4 and 4 <= _number(data, vtable, "H") <= 120:
        _table(data, target, vtable, found)
        return
    count = _number(data, target, "I")
    found.lengths.add(target)
    if target + 4 + 4 * count <= len(data):
        for n in range(min(count, 200)):
            _follow(data, target + 4 + 4 * n, found)


def _table(data: bytes, at: int, vtable: int, found: Places) -> None:
    for entry in range(vtable + 4, min(vtable + _number(data, vtable, "H"), len(data) - 1), 2):
        found.vtables.add(entry)
        distance = _number(data, entry, "H")
        if distance and at + distance + 4 <= len(data):
            found.slots.add(at + distance)
            _follow(data, at + distance, found)


def mutated(rng: random.Random, data: bytes) -> bytes:
    """Return a file with one to three of its parts changed."""
    found = places(data)
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 3))):
        _change(rng, changed, found)
    return damaged(rng, bytes(changed)) if rng.random() < 0.03 else bytes(changed)


def _change(rng: random.Random, data: bytearray, found: Places) -> None:
    offsets, slots = sorted(found.offsets), sorted(found.slots)
    match rng.randint(0, 6):
        case 0:  # a field is left out, or another one in its place
            at = rng.choice(sorted(found.vtables))
            value = rng.choice((0, _number(data, rng.choice(sorted(found.vtables)), "H"), 4, 65535))
            struct.pack_into("<H", data, at, value)
        case 1:  # an offset leads to what another one leads to
            at, target = rng.choice(offsets), found.offsets[rng.choice(offsets)]
            struct.pack_into("<I", data, at, (target - at) % 2**32)
        case 2:
            at = rng.choice(sorted(found.lengths))
            old = _number(data, at, "I")
            value = rng.choice((0, 1, old + 1, max(old - 1, 0), 2 * old, 2**31, 2**32 - 1))
            struct.pack_into("<I", data, at, value % 2**32)
        case 3:
            struct.pack_into("<I", data, rng.choice(offsets), integer(rng) % 2**32)
        case _:
            at = rng.choice(sorted(found.slots - found.offsets.keys()) or slots)
            size = rng.choice((1, 1, 2, 4))
            data[at : at + size] = four_bytes(rng)[:size]
