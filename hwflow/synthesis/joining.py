"""Which modules of a report are which layers of a design.

HLS tools name functions after their template arguments. In hwflow's C++ one of those is the
configuration of the layer, ``config3_fc1``, whose number stays when a long name is cut.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from hwflow.codegen.hls.layers import PADDING_SUFFIX
from hwflow.codegen.project import Project
from hwflow.synthesis.records import AREAS, CSynth, Figures, Module

_CALL = re.compile(r"\bnnet::(\w+)<[^;\n]*?\b[a-z_]*config(\d+)\w*>\s*\([^;\n]*;[^\n]*// (\S+)")
_CONFIG = re.compile(r"config(\d+)(?!\d)")


@dataclass(frozen=True)
class Call:
    """A call in the top function.

    Attributes:
        function: the function of hls4ml or hwflow that is called.
        layer: the layer that it computes.
    """

    function: str
    layer: str


@dataclass(frozen=True, kw_only=True)
class Joined:
    """Figures of a report by layer.

    Attributes:
        layers: figures of the layers that modules were found for, by name.
        rest: what the whole design has beside them: FIFOs, registers, control, other modules.
        others: modules of the top function that are of no layer.
    """

    layers: Mapping[str, Figures]
    rest: Figures
    others: tuple[str, ...]

    @classmethod
    def nothing(cls) -> Joined:
        """Return what there is without a report."""
        return cls(layers={}, rest=Figures(), others=())


def calls_of(project: Project) -> dict[int, Call]:
    """Return the calls in the top function of a project, by the number of the configuration."""
    code = project.files.get(f"firmware/{project.name}.cpp", b"").decode("utf-8", "replace")
    found = _CALL.findall(code)
    return {
        int(n): Call(function, name.removesuffix(PADDING_SUFFIX)) for function, n, name in found
    }


def join(report: CSynth, calls: Mapping[int, Call]) -> Joined:
    """Return the figures of a report by layer.

    Args:
        report: the report of C synthesis.
        calls: the calls in the top function.
    """
    by_call: defaultdict[int, list[Module]] = defaultdict(list)
    nameless: list[Module] = []
    for module in report.modules:
        found = _CONFIG.search(module.name)
        if found is not None and int(found[1]) in calls:
            by_call[int(found[1])].append(module)
        elif module.parents is None or report.top in module.parents:
            nameless.append(module)
    chosen = {index: _outermost(modules) for index, modules in by_call.items()}
    for index, module in _by_elimination(nameless, calls, chosen).items():
        chosen[index] = [module]
        nameless.remove(module)
    layers: defaultdict[str, list[Module]] = defaultdict(list)
    for index, modules in chosen.items():
        layers[calls[index].layer].extend(modules)
    figures = {name: _sum(m.figures for m in modules) for name, modules in layers.items()}
    return Joined(
        layers=figures,
        rest=_difference(report.figures, _sum(figures.values())),
        others=tuple(module.name for module in nameless),
    )


def _outermost(modules: Sequence[Module]) -> list[Module]:
    """Return the modules that none of the others holds: figures include what is held.

    Where the report does not say which module holds which, it is the largest.
    """
    names = {module.name for module in modules}
    known = [module for module in modules if module.parents is not None]
    if len(known) == len(modules):
        outer = [m for m in modules if not names & ((m.parents or frozenset()) - {m.name})]
        return outer or list(modules[:1])
    return [max(modules, key=lambda m: (m.figures.lut or 0.0) + (m.figures.ff or 0.0))]


def _by_elimination(
    nameless: Sequence[Module], calls: Mapping[int, Call], chosen: Mapping[int, list[Module]]
) -> dict[int, Module]:
    """Return the modules without a configuration that can be of one layer only.

    A name that is too long loses its end. A layer left over is that module's if it is the only
    one of its function, and the module the only one that begins with the function's name.
    """
    found = {}
    left = {index: call for index, call in calls.items() if index not in chosen}
    for function in {call.function for call in left.values()}:
        indices = [index for index, call in left.items() if call.function == function]
        modules = [module for module in nameless if module.name.startswith(f"{function}_")]
        if len(indices) == len(modules) == 1:
            found[indices[0]] = modules[0]
    return found


def _sum(parts: Iterable[Figures]) -> Figures:
    """Return areas added up, with the longest latency and interval."""
    every = list(parts)

    def known(name: str) -> list[float]:
        return [value for each in every if (value := getattr(each, name)) is not None]

    areas = {name: sum(values) for name in AREAS if (values := known(name))}
    times = {n: max(values) for n in ("latency_cycles", "ii") if (values := known(n))}
    return Figures(**areas, **times)


def _difference(whole: Figures, parts: Figures) -> Figures:
    """Return the areas of a design that are in none of the parts."""
    found = {}
    for name in AREAS:
        value, inner = getattr(whole, name), getattr(parts, name)
        if value is not None:
            found[name] = max(0.0, value - (inner or 0.0))
    return Figures(**found)
