"""What differs between two builds: every field of their manifests, layers matched to each other."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from hwflow.core.errors import CompileError, Diagnostic
from hwflow.report.manifest.reader import StoredBuild, read_build
from hwflow.report.manifest.schema import Layer, Manifest

ABSENT = "absent"
"""Value that stands for what one of the builds does not have."""

BITS = "observed.sha256"
"""Field of a layer that stands for all values that it gave."""

UNCOMPARED = ("form", "hls4ml")
"""Fields that are not compared: the second one says again what others say."""

_KEYS: tuple[Callable[[Layer], object], ...] = (
    lambda layer: (layer.origin, layer.operator),
    lambda layer: layer.tensor or None,
)
"""What a layer is known by when its name changed, the first that serves."""


@dataclass(frozen=True)
class Change:
    """A difference between two builds.

    Attributes:
        section: field of the manifest; ``edited`` for files that changed after the build.
        name: the layer, port, output, operator or file; empty where there is only one such.
        what: field in it, with dots between nested ones, e.g. ``cost.lut``.
        before: its value in the first build, or ``absent``.
        after: its value in the second build, or ``absent``.
    """

    section: str
    name: str
    what: str
    before: Any
    after: Any

    @property
    def percent(self) -> float | None:
        """How much a figure grew, in per cent; None for what is no figure, and where it was 0."""
        ends = (self.before, self.after)
        if any(isinstance(v, bool) or not isinstance(v, (int, float)) for v in ends):
            return None
        return 100.0 * (self.after - self.before) / abs(self.before) if self.before else None

    def to_dict(self) -> dict[str, Any]:
        """Return the parts and the growth as plain data."""
        return {**asdict(self), "percent": self.percent}


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """What differs between two builds.

    Attributes:
        before: path of the first.
        after: path of the second.
        changes: what differs, in the order of the manifest and, for layers, of computation.
        layers: how many the second build has.
        same_data: both were tried on the same data, so that bits can be compared.
        data: where that data comes from and how much it is, or why bits are not compared.
        other_bits: layers that both builds have, whose values differ on the same data, in order of
            computation.
    """

    before: str
    after: str
    changes: tuple[Change, ...]
    layers: int
    same_data: bool
    data: str
    other_bits: tuple[str, ...]

    @property
    def identical(self) -> bool:
        """Whether nothing differs."""
        return not self.changes

    @property
    def changed_layers(self) -> tuple[str, ...]:
        """Layers that were added, removed or changed, in order."""
        return tuple(dict.fromkeys(c.name for c in self.changes if c.section == "layers"))

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain data."""
        return {
            "before": self.before,
            "after": self.after,
            "identical": self.identical,
            "same_data": self.same_data,
            "layers_with_other_bits": list(self.other_bits),
            "changed_layers": list(self.changed_layers),
            "changes": [change.to_dict() for change in self.changes],
        }


def compare_paths(before: Path, after: Path) -> Comparison:
    """Return what differs between two builds.

    Args:
        before: a folder that hwflow wrote, or its manifest alone.
        after: another; in percentages it is held against the first.

    Raises:
        CompileError: one of them cannot be read; see ``read_build``.
    """
    builds: list[StoredBuild] = []
    findings: list[Diagnostic] = []
    for path in (before, after):
        try:
            builds.append(read_build(path))
        except CompileError as error:
            findings += error.diagnostics
    if findings:
        raise CompileError(dict.fromkeys(findings))
    return compare(*builds)


def compare(before: StoredBuild, after: StoredBuild) -> Comparison:
    """Return what differs between two builds."""
    old, new = before.manifest, after.manifest
    same_data = old.data is not None and old.data == new.data
    pairs = _matched(old.layers, new.layers)
    changes = [*_manifest_changes(old, new, pairs, same_data=same_data)]
    whole = [m.model_dump(exclude=set(UNCOMPARED)) for m in (old, new)]
    if not changes and whole[0] != whole[1]:
        changes.append(Change("manifest", "", "order", "one", "another"))
    changes += _edited(before.edited, after.edited)
    other = tuple(c.name for c in changes if c.section == "layers" and c.what == BITS)
    return Comparison(
        before=before.source,
        after=after.source,
        changes=tuple(changes),
        layers=len(new.layers),
        same_data=same_data,
        data=_data(old, new),
        other_bits=other,
    )


def _data(old: Manifest, new: Manifest) -> str:
    """Return what both builds were tried on, or why their bits are not compared."""
    if old.data is None or new.data is None:
        return "not both builds were tried on data"
    if old.data != new.data:
        return "they were tried on different data"
    return f"{new.data.source}, {new.data.samples:,} samples"


def _manifest_changes(
    old: Manifest, new: Manifest, pairs: Mapping[str, Layer], *, same_data: bool
) -> Iterator[Change]:
    """Yield every difference, section by section.

    Args:
        old: the first manifest.
        new: the second manifest.
        pairs: layers of the first by the names of those of the second that they became.
        same_data: what the data did to layers can be compared.
    """
    contents = [m.model_dump(exclude={"layers", *UNCOMPARED}) for m in (old, new)]
    for section in [f for f in Manifest.model_fields if f not in UNCOMPARED]:
        if section == "layers":
            yield from _layer_changes(old.layers, new.layers, pairs, same_data=same_data)
            continue
        before, after = (_by_name(content[section], section) for content in contents)
        for name in dict.fromkeys((*before, *after)):
            yield from _changes(section, name, before.get(name, {}), after.get(name, {}))


def _by_name(content: Any, section: str) -> dict[str, dict[str, Any]]:
    """Return the flat fields of a section's parts by the name of each part."""
    if section == "files":
        return {path: {"sha256": digest} for path, digest in content.items()}
    if isinstance(content, tuple):
        return _listed(content)
    if section != "results" or content is None:
        return {"": _flat(content, section)}
    outputs = _listed(content.pop("outputs"))
    return {"": _flat(content), **outputs}


def _listed(parts: Iterable[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return the flat fields of parts by name, numbered where several share one."""
    found: dict[str, dict[str, Any]] = {}
    for part in parts:
        name = part.get("name") or part.get("operator") or ""
        taken = sum(key == name or key.startswith(f"{name} #") for key in found)
        found[f"{name} #{taken + 1}" if taken else name] = _flat(part)
    return found


def _flat(content: Any, name: str = "") -> dict[str, Any]:
    """Return nested fields under names with dots; lists as text."""
    if isinstance(content, dict):
        prefix = f"{name}." if name else ""
        parts = [_flat(value, f"{prefix}{key}") for key, value in content.items()]
        return {key: value for part in parts for key, value in part.items()}
    if isinstance(content, tuple):
        return {name: ", ".join(map(str, content))}
    return {name: content}


def _changes(
    section: str, name: str, before: Mapping[str, Any], after: Mapping[str, Any]
) -> Iterator[Change]:
    """Yield the flat fields that differ."""
    for what in dict.fromkeys((*before, *after)):
        ends = before.get(what, ABSENT), after.get(what, ABSENT)
        if ends[0] != ends[1] or type(ends[0]) is not type(ends[1]):
            shown = what.removeprefix(f"{section}.") if section != what else what
            yield Change(section, name, shown, *ends)


def _matched(old: Sequence[Layer], new: Sequence[Layer]) -> dict[str, Layer]:
    """Return layers of the first build by the names of those of the second that they became."""
    known = {layer.name: layer for layer in old}
    pairs = {layer.name: known[layer.name] for layer in new if layer.name in known}
    for key in _KEYS:
        taken = {layer.name for layer in pairs.values()}
        left = _unique(key, (layer for layer in old if layer.name not in taken))
        right = _unique(key, (layer for layer in new if layer.name not in pairs))
        pairs |= {layer.name: left[k] for k, layer in right.items() if k in left}
    return pairs


def _unique(key: Callable[[Layer], object], layers: Iterable[Layer]) -> dict[object, Layer]:
    """Return the layers that no other shares its key with."""
    found: dict[object, list[Layer]] = {}
    for layer in layers:
        found.setdefault(key(layer), []).append(layer)
    return {k: group[0] for k, group in found.items() if k is not None and len(group) == 1}


def _layer_changes(
    old: Sequence[Layer], new: Sequence[Layer], pairs: Mapping[str, Layer], *, same_data: bool
) -> Iterator[Change]:
    """Yield layers removed and added, and what changed in the others."""
    renamed = {layer.name: name for name, layer in pairs.items()}
    for layer in old:
        if layer.name not in renamed:
            yield Change("layers", layer.name, "layer", _summary(layer), ABSENT)
    for layer in new:
        if layer.name not in pairs:
            yield Change("layers", layer.name, "layer", ABSENT, _summary(layer))
            continue
        before = _fields(pairs[layer.name], renamed, same_data=same_data)
        yield from _changes("layers", layer.name, before, _fields(layer, {}, same_data=same_data))


def _fields(layer: Layer, renamed: Mapping[str, str], *, same_data: bool) -> dict[str, Any]:
    """Return a layer's flat fields, its inputs under the names that they have in the other build.

    Values on different data are left out: that the data differs says it all.
    """
    content = layer.model_dump(exclude=None if same_data else {"observed"})
    content["inputs"] = tuple(renamed.get(name, name) for name in layer.inputs)
    return _flat(content)


def _summary(layer: Layer) -> str:
    return f"{layer.operator} {'x'.join(map(str, layer.shape))} {layer.result_t}".replace("  ", " ")


def _edited(before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[Change]:
    """Yield files that changed after their build; even where both did, nobody knows how."""
    for path in sorted({*before, *after}):
        states = (state.get(path, "as built") for state in (before, after))
        yield Change("edited", path, "file", *states)
