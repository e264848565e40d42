"""HDF5 files: attributes and arrays of other types, shapes and places."""

from __future__ import annotations

import io
import random
from collections.abc import Callable
from typing import Any

import h5py
import numpy as np

from tests.fuzz_files.tree import json_mutated
from tests.fuzz_files.values import FLOATS, TEXTS, damaged, integer

VALUES: tuple[Callable[[random.Random], Any], ...] = (
    lambda rng: rng.choice([t for t in TEXTS if "\0" not in t]),
    integer64 := lambda rng: max(-(2**63), min(integer(rng), 2**63 - 1)),
    lambda rng: rng.choice(FLOATS),
    lambda rng: np.zeros((0,), "f4"),
    lambda rng: np.array([b"a", b"\xff"]),
    lambda rng: np.arange(6).reshape(2, 3),
    lambda rng: np.void(b"abc"),
    lambda rng: h5py.Empty("f4"),
    lambda rng: True,
)


def mutated(rng: random.Random, content: bytes) -> bytes:
    """Return a file with one to three of its parts changed."""
    buffer = io.BytesIO(content)
    with h5py.File(buffer, "r+") as file:
        for _ in range(rng.choice((1, 1, 2, 3))):
            _change(rng, file)
    found = buffer.getvalue()
    if rng.random() < 0.1:  # what stands in the first kilobytes is structure
        return damaged(rng, found[:4096]) + found[4096:]
    return found


MAX_BYTES = 2**24
"""Largest array that is changed; those of ``_huge`` are left as they are."""


def _objects(file: Any) -> list[Any]:
    found = [file]
    file.visititems(lambda name, item: found.append(item))
    return found


def _change(rng: random.Random, file: Any) -> None:
    objects = _objects(file)
    arrays = [
        item for item in objects if isinstance(item, h5py.Dataset) and item.nbytes <= MAX_BYTES
    ]
    owners = [item for item in objects if len(item.attrs)]
    if owners and rng.random() < 0.5:
        _change_attribute(rng, rng.choice(owners).attrs)
    elif arrays:
        _change_array(rng, file, rng.choice(arrays))


def _change_attribute(rng: random.Random, attrs: Any) -> None:
    name = rng.choice(sorted(attrs))
    old = attrs[name]
    if name in ("model_config", "training_config") and rng.random() < 0.8:
        text = old if isinstance(old, str) else bytes(old).decode()
        changed = json_mutated(rng, text.encode())
        del attrs[name]
        if len(changed) < 60_000:
            attrs[name] = np.bytes_(changed) if b"\0" not in changed else np.void(changed)
        return
    match rng.randint(0, 3):
        case 0:
            del attrs[name]
        case 1 if getattr(old, "ndim", 0):
            attrs[name] = old[: rng.randrange(len(old) + 1)]
        case _:
            attrs[name] = rng.choice(VALUES)(rng)


def _change_array(rng: random.Random, file: Any, array: Any) -> None:
    name, parent = array.name, array.parent
    values = np.asarray(array[()])
    other = rng.choice([item.name for item in _objects(file)])
    short = name.rsplit("/", 1)[-1]
    if rng.random() < 0.25 and values.size and values.dtype.kind == "f":
        values.flat[rng.randrange(values.size)] = rng.choice(FLOATS)
        array[...] = values
        return
    del file[name]
    rng.choice(REPLACED)(rng, parent, short, values, other)


def _elsewhere(rng: random.Random, parent: Any, name: str, values: Any, other: str) -> None:
    """Put something in the place of an array that leads out of it."""
    layout = h5py.VirtualLayout((4,), "f4")
    layout[:] = h5py.VirtualSource("/etc/passwd", "x", (4,))
    match rng.randint(0, 3):
        case 0:
            parent[name] = h5py.SoftLink(other)
        case 1:
            parent[name] = h5py.ExternalLink(rng.choice(("/etc/passwd", "other.h5")), "/x")
        case 2:
            parent.create_virtual_dataset(name, layout)
        case _:
            parent.create_dataset(name, (9,), "f4", external=[("/etc/passwd", 0, 36)])


def _huge(rng: random.Random, parent: Any, name: str, values: Any, other: str) -> None:
    """Put an array there that has more elements than bytes."""
    if rng.random() < 0.5:
        parent.create_dataset(name, (2**40, 2**10), "f4", chunks=(1, 1024))
    else:
        parent.create_dataset(name, (2**28,), "f8", chunks=(1024,), compression="gzip")


def _reshaped(rng: random.Random, parent: Any, name: str, values: Any, other: str) -> None:
    shapes = ((), (0,), (1,), (*values.shape, 1), values.shape[::-1], (3, 5))
    parent[name] = np.zeros(rng.choice(shapes), "f4")


def _retyped(rng: random.Random, parent: Any, name: str, values: Any, other: str) -> None:
    kind = rng.choice(("f8", "i1", "c8", "f2", "?", "S4"))
    parent[name] = np.array([b"text"] * 4) if kind == "S4" else values.astype(kind)


def _grouped(rng: random.Random, parent: Any, name: str, values: Any, other: str) -> None:
    if rng.random() < 0.5:  # else it is gone
        parent.create_group(name)


REPLACED = (_elsewhere, _elsewhere, _huge, _reshaped, _retyped, _grouped)
