"""Zip archives: members that are missing, doubled, damaged, huge, or not what the index says."""

from __future__ import annotations

import io
import itertools
import random
import struct
import warnings
import zipfile
import zlib
from collections.abc import Callable, Mapping
from functools import lru_cache

from tests.fuzz_files.values import damaged, integer

Change = Callable[[random.Random, bytes], bytes]


@lru_cache(maxsize=1)
def bomb() -> tuple[bytes, int, int]:
    """Return an array of 3 GB of zeros, deflated to some MB, with its size and checksum."""
    engine = zlib.compressobj(1, zlib.DEFLATED, -15)
    header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (188743680, 4)}"
    first = b"\x93NUMPY\1\0" + struct.pack("<H", 118) + header.ljust(117) + b"\n"
    chunks = (first, *itertools.repeat(bytes(2**24), 180))
    parts, checksum, size = [], 0, 0
    for chunk in chunks:
        parts.append(engine.compress(chunk))
        checksum, size = zlib.crc32(chunk, checksum), size + len(chunk)
    return b"".join([*parts, engine.flush()]), size, checksum


def written(members: Mapping[str, bytes], rng: random.Random) -> bytes:
    """Return an archive."""
    buffer = io.BytesIO()
    method = rng.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED))
    with warnings.catch_warnings(), zipfile.ZipFile(buffer, "w", method) as archive:
        warnings.simplefilter("ignore")
        for name, content in members.items():
            archive.writestr(name or "x", content)
            if rng.random() < 0.03:
                archive.writestr(name or "x", damaged(rng, content))
    return buffer.getvalue()


def mutated(
    rng: random.Random, members: Mapping[str, bytes], changes: Mapping[str, Change]
) -> bytes:
    """Return an archive with something wrong: in a member, or in how it is kept.

    Args:
        rng: of the changes.
        members: content by name.
        changes: what damages a member, by name; others are damaged whatever they mean.
    """
    kept = dict(members)
    name = rng.choice(sorted(kept))
    match rng.randint(0, 12):
        case 0:
            del kept[name]
        case 1:
            kept[rng.choice(("../x", "/x", "", "config.json", "x\0y", "é" * 99))] = kept.pop(name)
        case 2 | 3:
            return _lying(rng, written(kept, rng))
        case 4:
            return damaged(rng, written(kept, rng))
        case 5 if rng.random() < 0.3:
            return _with_bomb(rng, written(kept, rng), name)
        case 6:
            kept[name] = damaged(rng, kept[name])
        case _:
            name = rng.choice(sorted(changes) or [name])
            kept[name] = changes.get(name, damaged)(rng, kept[name])
    return written(kept, rng)


def _lying(rng: random.Random, content: bytes) -> bytes:
    """Return an archive whose index or local headers say something else."""
    found = bytearray(content)
    signature, fields = rng.choice((
        (b"PK\x01\x02", ((8, "H"), (10, "H"), (16, "I"), (20, "I"), (24, "I"), (28, "H"),
                          (42, "I"))),
        (b"PK\x03\x04", ((6, "H"), (8, "H"), (14, "I"), (18, "I"), (22, "I"), (26, "H"))),
        (b"PK\x05\x06", ((4, "H"), (8, "H"), (10, "H"), (12, "I"), (16, "I"), (20, "H"))),
    ))  # fmt: skip
    starts = [at for at in range(len(found)) if found[at : at + 4] == signature]
    for _ in range(rng.randint(1, 2)):
        at = rng.choice(starts)
        offset, code = rng.choice(fields)
        value = integer(rng, signed=False) % 2 ** (8 * struct.calcsize(code))
        struct.pack_into("<" + code, found, at + offset, value)
    return bytes(found)


def _with_bomb(rng: random.Random, content: bytes, name: str) -> bytes:
    """Return an archive in which a member is 3 GB of zeros, whatever size it announces."""
    data, size, checksum = bomb()
    announced = rng.choice((size, 1000, 2**31 - 1))
    encoded = name.encode()
    local = struct.pack("<4sHHHHHIIIHH", b"PK\x03\x04", 20, 0, 8, 0, 0, checksum, len(data),
                        announced, len(encoded), 0) + encoded + data  # fmt: skip
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        others = {n: archive.read(n) for n in archive.namelist() if n != name}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for other, text in others.items():
            archive.writestr(other, text)
    rest = buffer.getvalue()
    index = rest.rindex(b"PK\x05\x06")
    start = struct.unpack_from("<I", rest, index + 16)[0]
    sizes = (checksum, len(data), announced, len(encoded))
    entry = struct.pack(
        "<4sHHHHHHIIIHHHHHII", b"PK\x01\x02", 20, 20, 0, 8, 0, 0, *sizes, 0, 0, 0, 0, 0, start
    ) + encoded  # fmt: skip
    directory = rest[start:index] + entry
    end = bytearray(rest[index:])
    struct.pack_into("<HHII", end, 8, len(others) + 1, len(others) + 1, len(directory),
                     start + len(local))  # fmt: skip
    return rest[:start] + local + directory + bytes(end)
