"""The way of a model through hwflow: ``PIPELINE``, read top to bottom."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import onnx_ir

from hwflow.core import environment
from hwflow.core.config import Config
from hwflow.core.errors import Diagnostic
from hwflow.fixed import FixedType
from hwflow.ir.graph import Graph
from hwflow.ir.op import Target
from hwflow.ir.qonnx.model import QonnxModel
from hwflow.ir.text import print_graph
from hwflow.passes.graph.absorb_transposes import absorb_transposes
from hwflow.passes.graph.apply_settings import apply_settings
from hwflow.passes.graph.choose_requantizers import choose_requantizers
from hwflow.passes.graph.choose_xnor import choose_xnor
from hwflow.passes.graph.drop_idle_casts import drop_idle_casts
from hwflow.passes.graph.fuse_bias import fuse_bias
from hwflow.passes.graph.fuse_casts import fuse_casts
from hwflow.passes.graph.fuse_relus import fuse_relus
from hwflow.passes.graph.hoist_casts import hoist_casts
from hwflow.passes.graph.legalize import legalize
from hwflow.passes.graph.narrow_biases import narrow_biases
from hwflow.passes.graph.narrow_scales import narrow_scales
from hwflow.passes.graph.narrow_types import narrow_types
from hwflow.passes.graph.settle_inputs import settle_inputs, types_from_data, with_types
from hwflow.passes.lowering.lower import lower
from hwflow.passes.lowering.memory import Memory
from hwflow.passes.lowering.port_types import DataTypes, no_data
from hwflow.passes.model.bias_into_batch_norm import bias_into_batch_norm
from hwflow.passes.model.clean_model import clean_model
from hwflow.passes.model.fold_constants import fold_constants
from hwflow.passes.model.fuse_affine import fuse_affine
from hwflow.passes.model.infer_shapes import infer_shapes
from hwflow.passes.model.quantize_ports import quantize_ports
from hwflow.passes.model.rewrites import rewrite


@dataclass(frozen=True, kw_only=True)
class Context:
    """What passes may need beside the model.

    Attributes:
        config: the user's settings.
        target: what the hardware is generated for.
        findings: what is wrong with the settings; passes go on without what they cannot take.
        unsettled: the graph before the passes that look at the target, once it is known.
        data: gives the types that data proposes for inputs.
        source: how messages call the model.
        taken: the types of inputs that were taken from data; ``types_from_data`` adds to them.
        declared: the types of results that are narrower now; ``narrow_types`` adds to them.
        memory: what the nodes of the very same model became before, with other constants.
    """

    config: Config
    target: Target
    findings: list[Diagnostic] = field(default_factory=list)
    unsettled: list[Graph] = field(default_factory=list)
    data: DataTypes = no_data
    source: str = "the model"
    taken: dict[str, FixedType] = field(default_factory=dict)
    declared: dict[str, FixedType] = field(default_factory=dict)
    memory: Memory | None = None


@dataclass(frozen=True)
class Pass:
    """A step of the pipeline.

    Attributes:
        name: the name in dumps and messages.
        run: takes a model or graph and the context, returns a model or graph.
        why: why it stands where it stands.
    """

    name: str
    run: Callable[[Any, Context], Any]
    why: str


def _lower(model: QonnxModel, context: Context) -> Graph:
    return lower(model, context.config, context.data, context.memory)


def _types_from_data(graph: Graph, context: Context) -> Graph:
    context.taken.update(types_from_data(graph, context.data, context.source))
    return with_types(graph, context.taken)


def _apply_settings(graph: Graph, context: Context) -> Graph:
    after, findings = apply_settings(graph, context.config, context.target)
    context.findings.extend(findings)
    return after


def _narrow_types(graph: Graph, context: Context) -> Graph:
    after, declared = narrow_types(graph, context.config)
    context.declared.update(declared)
    return after


def _choose_requantizers(graph: Graph, context: Context) -> Graph:
    context.unsettled[:] = [graph]
    return choose_requantizers(graph, context.target)


PIPELINE: Sequence[Pass] = (
    Pass("clean_model", lambda m, c: clean_model(m), "fewer forms for the passes below"),
    Pass("infer_shapes", lambda m, c: infer_shapes(m), "shape arithmetic becomes constant"),
    Pass("clean_model_2", lambda m, c: clean_model(m), "casts are idle once types are known"),
    Pass("fold_constants", lambda m, c: fold_constants(m), "weights become numbers"),
    Pass("rewrite", lambda m, c: rewrite(m), "constants tell padding, indices and matrices"),
    Pass("infer_shapes_2", lambda m, c: infer_shapes(m), "shapes that waited for the constants"),
    Pass("fuse_affine", lambda m, c: fuse_affine(m), "before each constant takes its own bits"),
    Pass("bias_into_batch_norm", lambda m, c: bias_into_batch_norm(m), "keeps sums narrow"),
    Pass("quantize_ports", lambda m, c: quantize_ports(m), "while quantisers are nodes"),
    Pass(
        "lower",
        lambda m, c: lower(m, c.config, c.data, c.memory),
        "from ONNX nodes to hardware operators",
    ),
    Pass("settle_inputs", lambda g, c: settle_inputs(g), "the ports get their types"),
    Pass("types_from_data", _types_from_data, "those that no quantiser gave one"),
    Pass("drop_idle_casts", lambda g, c: drop_idle_casts(g), "before they block a fusion"),
    Pass("fuse_bias", lambda g, c: fuse_bias(g), "before casts are fused into the sum"),
    Pass("fuse_casts", lambda g, c: fuse_casts(g), "quantisers become result types"),
    Pass("fuse_relus", lambda g, c: fuse_relus(g), "once relus have result types"),
    Pass("hoist_casts", lambda g, c: hoist_casts(g), "roundings move to where values arise"),
    Pass("apply_settings", _apply_settings, "layers have their names"),
    Pass("narrow_biases", lambda g, c: narrow_biases(g), "once the roundings are known"),
    Pass("narrow_scales", lambda g, c: narrow_scales(g), "likewise, by where results change"),
    Pass("narrow_types", _narrow_types, "once constants have their last grids"),
    Pass("absorb_transposes", lambda g, c: absorb_transposes(g), "once flatten meets dense"),
    Pass("choose_requantizers", _choose_requantizers, "all ranges known"),
    Pass("choose_xnor", lambda g, c: choose_xnor(g, c.target), "once every result is known"),
    Pass("legalize", lambda g, c: legalize(g, c.target, c.config), "the last word before C++"),
)


def run_pipeline(
    model: QonnxModel,
    context: Context,
    pipeline: Sequence[Pass] = PIPELINE,
    *,
    timed: Callable[[str, float], None] = lambda name, seconds: None,
) -> Graph:
    """Return the hardware graph of a model.

    Args:
        model: changed in place by the passes on the ONNX level.
        context: settings and target.
        pipeline: the passes.
        timed: called with the name and the seconds of each pass.

    Raises:
        CompileError: with every finding of the pass that found any; those about settings are in
            the context instead.
    """
    state: Any = model
    dump = _Dump(environment.dump_dir(), model)
    for number, step in enumerate(pipeline, 1):
        before = state
        started = time.perf_counter()
        try:
            state = step.run(state, context)
        except Exception as error:
            error.add_note(f"in pass {step.name}")
            raise
        timed(step.name, time.perf_counter() - started)
        if environment.level() >= 1:
            seconds = time.perf_counter() - started
            print(f"{step.name}: {seconds * 1e3:.1f} ms", file=sys.stderr)  # noqa: T201
        dump.write(number, step.name, state)
        if environment.level() >= 3 and isinstance(state, Graph) and state is not before:
            print(print_graph(state), file=sys.stderr)  # noqa: T201
    assert isinstance(state, Graph)
    return state


class _Dump:
    """The folder that gets the model or graph after each pass that changed it, if there is one."""

    def __init__(self, folder: Path | None, model: QonnxModel) -> None:
        self._folder = folder
        self._last = b"" if folder is None else _content(model)

    def write(self, number: int, name: str, state: QonnxModel | Graph) -> None:
        """Write what a pass gave, unless it is what stood there before."""
        if self._folder is None or (content := _content(state)) == self._last:
            return
        self._last = content
        self._folder.mkdir(parents=True, exist_ok=True)
        suffix = "txt" if isinstance(state, Graph) else "onnx"
        (self._folder / f"{number:02}-{name}.{suffix}").write_bytes(content)


def _content(state: QonnxModel | Graph) -> bytes:
    """Return a graph as text, or a model as an ONNX file."""
    if isinstance(state, Graph):
        return print_graph(state).encode("utf-8")
    return bytes(onnx_ir.to_proto(state.ir).SerializeToString(deterministic=True))
