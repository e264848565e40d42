""".npy and .npz files: headers that lie, and elements that are none."""

from __future__ import annotations

import io
import random
import struct

import numpy as np

from tests.fuzz_files.values import damaged, integer

DTYPES = (
    "'<f4'", "'<f8'", "'>f4'", "'<i8'", "'|u1'", "'|b1'", "'<c16'", "'<f2'", "'|O'", "'<U9'",
    "'|S0'", "'|V4'", "'<M8[ns]'", "[('a', '<f4'), ('b', '|O')]", "[('a', '<f4', (2**40,))]",
    "'<f4,<f4'", "'float'", "None", "1", "''", "'<f999'", "('<f4', (9**9,))",
    "'|V2147483647'", "'<U536870911'",
)  # fmt: skip
SHAPES = (
    "()", "(0,)", "(1,)", "(-1, 4)", "(4,)", "(3, 4)", "(2**62, 4)", "(2**31, 2**31)", "(1e9,)",
    "(0, 4)", "(5, 0)", "(10**30,)", "(True, 4)", "4", "('a',)", "None", "(3, 4, 1, 1)", "(5, 4,)",
    "(1,) * 64", "(" + "1," * 40 + ")", "(4294967296, 0)",
)  # fmt: skip


def npy(rng: random.Random) -> bytes:
    """Return an array's file with something wrong in it."""
    shape = rng.choice(((5, 4), (5, 4), (20, 4), (4,), (5, 2, 2), (0, 4)))
    array = np.random.default_rng(rng.randrange(2**32)).normal(size=shape)
    array = array.astype(rng.choice(("f4", "f8", "i8", "u1", "f2", ">f4", "c8", "?", "U3", "S2")))
    if rng.random() < 0.2 and array.dtype.kind == "f":
        array.flat[:1] = rng.choice((np.nan, np.inf, -1e300 if array.dtype.itemsize == 8 else 6e4))
    buffer = io.BytesIO()
    np.save(buffer, np.asfortranarray(array) if rng.random() < 0.2 else array)
    content = buffer.getvalue()
    return content if rng.random() < 0.1 else _changed(rng, content)


def _changed(rng: random.Random, content: bytes) -> bytes:
    length = struct.unpack_from("<H", content, 8)[0]
    header, body = content[10 : 10 + length].decode("latin1"), content[10 + length :]
    match rng.randint(0, 6):
        case 0:
            return damaged(rng, content)
        case 1:
            return (
                content[:6]
                + bytes((rng.choice((0, 1, 2, 3, 4, 255)), rng.choice((0, 1))))
                + content[8:]
            )
        case 2:
            return (
                content[:8] + struct.pack("<H", integer(rng, signed=False) % 2**16) + content[10:]
            )
        case 3:
            header = rng.choice((
                "{" * 3000, "{'descr': '<f4'}", "[]", "__import__('os').system('true')", "(" * 200,
                "{'descr': '<f4', 'fortran_order': 0, 'shape': (5, 4)}", "{'a': 1}" * 300,
                "-" * 9000, "{'descr': '<f4', 'fortran_order': 1, 'shape': (5,), 'shape': (9,)}",
            ))  # fmt: skip
        case 4:
            header = header.replace("False", rng.choice(("True", "None", "2")))
        case _:
            descr, shape = rng.choice(DTYPES), rng.choice(SHAPES)
            if rng.random() < 0.6:  # one of them is all right
                descr, shape = rng.choice((("'<f4'", shape), (descr, "(5, 4)")))
            header = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}}}"
    text = header.encode("latin1", "replace") + b"\n"
    return content[:8] + struct.pack("<H", len(text) % 2**16) + text + body


def npz_members(rng: random.Random) -> dict[str, bytes]:
    """Return the members of an .npz file by name."""
    names = rng.sample(
        ("x", "y", "input", "other", "x.npy", "", "a/b", "labels"), rng.randint(1, 3)
    )
    return {f"{name}.npy" if rng.random() < 0.95 else name: npy(rng) for name in names}
