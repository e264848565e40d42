"""JSON and TOML: trees of values, in which some change their type, place or name."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from typing import Any

from hwflow.core.toml_text import toml_text
from tests.fuzz_files.values import FLOATS, TEXTS, damaged, integer


def mutated(rng: random.Random, tree: Any) -> Any:
    """Return a copy of a tree of lists and dictionaries with one to three changes."""
    found = json.loads(json.dumps(tree))
    for _ in range(rng.choice((1, 1, 2, 3))):
        places = list(_places(found))
        if places:
            _change(rng, places)
    return found


def json_mutated(rng: random.Random, content: bytes) -> bytes:
    """Return JSON with some changes, now and then in its text."""
    text = json.dumps(mutated(rng, json.loads(content)))
    match rng.randint(0, 30):
        case 0:
            return damaged(rng, text.encode())
        case 1:
            return ("[" * 100_000).encode()
        case 2:
            return text.replace(
                "1", rng.choice(("1e999", "-0", "1" * 5000, "NaN", "01")), 1
            ).encode()
        case 3:
            return text.encode("utf-16")
    return text.encode()


def toml_mutated(rng: random.Random, tree: dict[str, Any]) -> bytes:
    """Return TOML with some changes, now and then in its text."""
    try:
        text = toml_text(mutated(rng, tree))
    except (TypeError, AttributeError):  # what TOML has no form for
        text = toml_text(tree)
    extra = (
        "a = " + "[" * 5000, "a = " + "[" * 300 + "]" * 300, "a = {b = " * 200, "x = 2026-01-01",
        "[target]", 'target = "x"', "[[layer]]", "[layer.x]\nreuse_factor = 1e400",
        "[input.x]\ntype = 'fixed<99,1>'", f"[layer.x]\nreuse_factor = {'9' * 5000}",
        "[layer.gemm19]\nresult_t = 'fixed<62,-10>'", "\ufeff[target]", "[layer.'\\u0000']",
    )  # fmt: skip
    match rng.randint(0, 5):
        case 0:
            return damaged(rng, text.encode())
        case 1:
            return f"{text}\n{rng.choice(extra)}\n".encode()
        case 2:
            return f"{rng.choice(extra)}\n".encode()
    return text.encode()


def _places(tree: Any) -> Iterator[tuple[Any, Any]]:
    """Yield every container with each of its keys."""
    items = tree.items() if isinstance(tree, dict) else enumerate(tree)
    for key, value in list(items):
        yield tree, key
        if isinstance(value, (dict, list)):
            yield from _places(value)


def _change(rng: random.Random, places: list[tuple[Any, Any]]) -> None:
    inside, key = rng.choice(places)
    other, name = rng.choice(places)
    match rng.randint(0, 8):
        case 0:
            del inside[key]
        case 1:
            inside[key] = json.loads(json.dumps(other[name]))
        case 2 if isinstance(inside, dict):
            inside[rng.choice((name if isinstance(name, str) else "x", *TEXTS[:8]))] = inside.pop(
                key
            )
        case 3 if isinstance(inside, list):
            inside += inside[: rng.choice((1, 10))] * rng.choice((1, 3))
        case 4:
            value: Any = inside[key]
            for _ in range(rng.choice((1, 2, 80, 400))):
                value = [value] if rng.random() < 0.5 else {"config": value}
            inside[key] = value
        case _:
            inside[key] = _value(rng, inside[key])


def _value(rng: random.Random, old: Any) -> Any:
    """Return another value, of the same type or of another."""
    same: list[Any] = [rng.choice(TEXTS)] if isinstance(old, str) else [integer(rng)]
    if isinstance(old, float):
        same = [rng.choice(FLOATS)]
    if isinstance(old, list) and old:
        same = [old[:-1], old[::-1], [*old, old[0]]]
    others = [None, True, False, [], {}, "", [None], integer(rng), rng.choice(FLOATS), -1, [[]]]
    others += [{"class_name": "__numpy__", "config": []}, str(old)[:100], rng.choice(TEXTS)]
    return rng.choice(same if rng.random() < 0.5 else others)
