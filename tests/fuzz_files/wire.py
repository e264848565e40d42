"""Protobuf messages as trees of fields, by the wire format alone.

https://protobuf.dev/programming-guides/encoding. Bytes that can be read as a message are taken for
one: strings and arrays sometimes are, which does no harm.
"""

from __future__ import annotations

import random
import struct

from tests.fuzz_files.values import damaged, four_bytes, integer

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
DEEPEST = 12
Field = list  # [number, wire type, value]; a value is int, bytes or a list of fields


def parse(data: bytes, depth: int = 0) -> list[Field] | None:
    """Return the fields of a message, or None where the bytes are none."""
    fields: list[Field] = []
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        if key is None or not 1 <= key >> 3 < 2**29:
            return None
        value, at = _value(data, at, key & 7, depth)
        if value is None:
            return None
        fields.append([key >> 3, key & 7, value])
    return fields


def _value(data: bytes, at: int, kind: int, depth: int) -> tuple[object, int]:
    if kind == VARINT:
        return _varint(data, at)
    size = {FIXED64: 8, FIXED32: 4}.get(kind)
    if kind == BYTES:
        size, at = _varint(data, at)
    if size is None or at + size > len(data):
        return None, at
    content = data[at : at + size]
    inner = parse(content, depth + 1) if kind == BYTES and size and depth < DEEPEST else None
    return (content if inner is None else inner), at + size


def _varint(data: bytes, at: int) -> tuple[int | None, int]:
    value = shift = 0
    while at < len(data) and shift < 70:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at
    return None, at


def encode(fields: list[Field]) -> bytes:
    """Return a message."""
    parts = []
    for number, kind, value in fields:
        parts.append(_encode_varint(number << 3 | kind))
        if kind == VARINT:
            parts.append(_encode_varint(value))
            continue
        content = encode(value) if isinstance(value, list) else value
        if kind == BYTES:
            parts.append(_encode_varint(len(content)))
        parts.append(content)
    return b"".join(parts)


def _encode_varint(value: int) -> bytes:
    value %= 2**64
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def mutated(rng: random.Random, data: bytes) -> bytes:
    """Return a message with one to three of its fields changed, at any depth."""
    tree = parse(data)
    if not tree:
        return damaged(rng, data)
    for _ in range(rng.choice((1, 1, 2, 3))):
        _change(rng, tree)
    content = encode(tree)
    return damaged(rng, content) if rng.random() < 0.03 else content


def _lists(fields: list[Field]) -> list[list[Field]]:
    """Return the message and all messages in it that have fields."""
    found = [fields] if fields else []
    for _, _, value in fields:
        if isinstance(value, list):
            found += _lists(value)
    return found


def _change(rng: random.Random, tree: list[Field]) -> None:
    places = _lists(tree)
    if not places:
        return
    fields = rng.choice(places)
    at = rng.randrange(len(fields))
    match rng.randint(0, 9):
        case 0:
            del fields[at]
        case 1:
            fields.insert(rng.randrange(len(fields) + 1), list(fields[at]))
        case 2:
            fields[at][0] = rng.choice(
                (fields[at][0] + 1, max(1, fields[at][0] - 1), rng.randint(1, 40))
            )
        case 3:
            other = rng.choice(rng.choice(places))
            fields[at][1:] = _copy(other)[1:]
        case 4:
            fields += [_copy(fields[at]) for _ in range(rng.choice((2, 50, 2000)))]
        case 5:
            field = _copy(fields[at])
            for _ in range(rng.choice((2, 30, 150))):
                field = [fields[at][0], BYTES, [field]]
            fields[at] = field
        case _:
            _change_value(rng, fields[at])


def _copy(field: Field) -> Field:
    number, kind, value = field
    return [number, kind, [_copy(f) for f in value] if isinstance(value, list) else value]


def _change_value(rng: random.Random, field: Field) -> None:
    """Give a field another value of its type, or another type."""
    number, kind, value = field
    if rng.random() < 0.1:
        field[:] = rng.choice(([number, VARINT, integer(rng)], [number, BYTES, b"x"],
                               [number, FIXED32, four_bytes(rng)]))  # fmt: skip
    elif kind == VARINT:
        field[2] = integer(rng)
    elif kind == FIXED32:
        field[2] = four_bytes(rng)
    elif kind == FIXED64:
        field[2] = struct.pack("<q", integer(rng) % 2**62)
    elif isinstance(value, list):
        rng.shuffle(value)
    elif len(value) % 4 == 0 and len(value) >= 4 and rng.random() < 0.5:
        at = 4 * rng.randrange(len(value) // 4)
        field[2] = value[:at] + four_bytes(rng) + value[at + 4 :]
    else:
        field[2] = rng.choice(
            (b"", b"\xff\xfe", value * 2, value + b"0", damaged(rng, value), b"x")
        )
