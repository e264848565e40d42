"""Numbers and texts that programs trip over."""

from __future__ import annotations

import random
import struct

INTEGERS = (
    0, 1, 2, 3, 4, 7, 8, 16, 31, 32, 63, 64, 100, 127, 128, 255, 256, 1000, 65535, 65536,
    2**24, 2**28, 2**31 - 1, 2**31, 2**32 - 1, 2**40, 2**53, 2**62, 2**63 - 1,
)  # fmt: skip
FLOATS = (
    0.0, -0.0, 1.0, -1.0, 0.5, 1e-45, 1e-38, 1e-3, 3.4e38, 1e300, 5e-324,
    float("inf"), float("-inf"), float("nan"), 0.1, 255.0, 127.5,
)  # fmt: skip
TEXTS = (
    "", " ", "a", "x", "y", "\0", "é", "🙂", "\u202e", "a" * 5000, "../../etc/passwd", "/dev/zero",
    "%s%n", "{}", "[]", "null", "Relu", "Conv", "__import__('os')", "1e999", "-", "N", "batch",
    "quantized_bits(4,0,1)", "quantized_bits(-1)", "quantized_relu(99)", "channels_first", "same",
)  # fmt: skip


def integer(rng: random.Random, *, signed: bool = True) -> int:
    """Return a whole number, mostly a special one."""
    value = rng.choice(INTEGERS) + rng.choice((0, 0, 0, 1, -1))
    return -value if signed and rng.random() < 0.3 else abs(value)


def four_bytes(rng: random.Random) -> bytes:
    """Return a 32-bit number, whole or not."""
    if rng.random() < 0.5:
        return struct.pack("<I", integer(rng, signed=False) % 2**32)
    value = rng.choice([f for f in FLOATS if abs(f) < 3.5e38 or abs(f) == float("inf") or f != f])
    return struct.pack("<f", value)


def damaged(rng: random.Random, content: bytes) -> bytes:
    """Return bytes with some of them changed, lost or repeated, whatever they mean."""
    found = bytearray(content)
    if not found:
        return bytes(rng.randbytes(rng.randint(1, 9)))
    match rng.randint(0, 4):
        case 0:
            return bytes(found[: rng.randrange(len(found))])
        case 1:
            at = rng.randrange(len(found))
            found[at:at] = found[: rng.randrange(1, 64)]
        case 2:
            at = rng.randrange(len(found))
            del found[at : at + rng.randrange(1, 64)]
        case _:
            for _ in range(rng.randint(1, 8)):
                found[rng.randrange(len(found))] = rng.choice((0, 1, 0x7F, 0x80, 0xFF))
    return bytes(found)
