"""Turns the hardware graph into an hls4ml project, through hls4ml's own model of a network.

hls4ml's ``ModelGraph.from_layer_list`` gets every layer with every type explicit. Of hls4ml's
passes only those run that prepare a layer for the C++ templates; the ones that infer or change
arithmetic (precision inference, batch norm fusion, activation merging) stay out, so that the
numbers are those of the hardware graph.
"""

from __future__ import annotations

import contextlib
import io
import sys
import warnings
from collections.abc import Iterator, Mapping, Set
from typing import Any

from hwflow.codegen.bench import bench_source
from hwflow.codegen.hls import kernels
from hwflow.codegen.hls.layers import NamedLayer, layers_of
from hwflow.codegen.hls.naming import (
    MARK,
    call_after_layers,
    layer_numbers,
    unmarked,
    with_layer_names,
)
from hwflow.codegen.hls.streams import Streams, streams_of
from hwflow.codegen.hls.writing import GENERATED, written
from hwflow.codegen.hls.xnor import use_xnor_kernels
from hwflow.codegen.packages import require_packages
from hwflow.codegen.project import Project
from hwflow.core.errors import ToolError
from hwflow.fixed import FixedType
from hwflow.ir.graph import Graph
from hwflow.ir.names import port_name
from hwflow.ir.op import HlsLayer, Target

# Names of hls4ml 1.3.0 optimizer passes, in the order of its own vivado:ip flow.
STREAMING = (
    "vivado:inplace_stream_flatten",
    "vivado:clone_output",
)
OPTIMIZE = (
    "vivado:optimize_pointwise_conv",
    "vivado:inplace_parallel_reshape",
    "vivado:distributed_arithmetic_codegen",
)
SPECIFIC_TYPES = (
    "vivado:transform_types",
    "vivado:register_bram_weights",
    "vivado:generate_conv_streaming_instructions",
    "vivado:apply_resource_strategy",
    "vivado:generate_conv_im2col",
    "vivado:generate_unrolled_dense_resource",
    "vivado:set_pipeline_style",
)
FILLED_IN_BEFORE = (
    "vivado:d_a_latency_dense_template",
    "vivado:d_a_latency_conv_template",
    "vivado:d_a_combinational_template",
)

TEMPLATES = "hwflow_templates"
"""hwflow's own flow that fills in the C++ templates, which needs the final names."""

CLOCK_UNCERTAINTY = {"Vivado": "12.5%", "Vitis": "27%"}
"""Each tool's own default, as hls4ml 1.3.0 has it (``create_initial_config`` of its backends)."""

NUMBERED = ("firmware/parameters.h", GENERATED)
"""Files, beside the top function's, whose names have numbers of layers."""


def generate(graph: Graph, target: Target, streams: Streams | None = None) -> Project:
    """Return the hls4ml project of a hardware graph, in memory.

    Args:
        graph: the hardware graph.
        target: what the project is for.
        streams: the streams of the same graph in io_stream, where they are known already.

    Raises:
        ToolError: hls4ml, or da4ml for distributed arithmetic, is missing.
    """
    require_packages(graph)
    with _tensorflow_kept_out(), _quiet():
        model_graph = _model_graph(graph, target)
        call_after_layers(model_graph, graph)
        model_graph.apply_flow(TEMPLATES)
        xnor_header = use_xnor_kernels(model_graph)
        if target.streams:
            _set_depths(model_graph, (streams or streams_of(graph, target)).depths)
        files = written(model_graph)
    files = {path: content.replace(MARK.encode(), b"") for path, content in files.items()}
    names = layer_numbers(model_graph.get_layers())
    for path in (f"firmware/{graph.name}.cpp", *NUMBERED):
        files[path] = with_layer_names(files[path], names)
    files |= kernels.headers(
        named for node in graph.nodes for named in layers_of(graph, node, target)
    )
    files[f"{graph.name}_test.cpp"] = bench_source(graph, target, files)
    return Project(graph.name, files | xnor_header)


def _set_depths(model_graph: Any, depths: Mapping[str, int]) -> None:
    """Make every FIFO of hls4ml's model as deep as it is to be."""
    for layer in model_graph.get_layers():
        for output, variable in layer.variables.items():
            name = unmarked(output)
            if name in depths:
                variable.pragma = ("stream", depths[name])


def _model_graph(graph: Graph, target: Target) -> Any:
    try:
        from hls4ml.model.graph import ModelGraph
    except ImportError as error:
        wanted = "pip install hls4ml==1.3.0"
        raise ToolError("hls4ml", str(error), code="HW607", help=wanted) from error
    kernels.register()
    layers, configs, in_turns = [], {}, False
    ports = {p.value for p in graph.inputs}
    for node in graph.nodes:
        for named in layers_of(graph, node, target):
            layers.append(_layer_entry(named, ports))
            # as with hls4ml's resource strategy: a pipeline around it would unroll the turns
            in_turns |= bool(named.layer.kernel) and named.layer.reuse_factor > 1
            traced = named.name in graph.types
            config = _layer_config(named.layer, named.result_t, traced=traced)
            configs[str(layers[-1]["name"])] = config
    config = {
        "Backend": target.backend,
        "ProjectName": graph.name,
        "OutputDir": "project",
        "Part": target.part,
        "ClockPeriod": target.clock_period_ns,
        "ClockUncertainty": CLOCK_UNCERTAINTY[target.backend],
        "IOType": target.io_type,
        "TraceOutput": True,
        "WriterConfig": {
            "Namespace": None,
            "WriteWeightsTxt": True,
            "WriteTar": False,
            "TBOutputStream": "both",
            "WriteEmulationConstants": False,
        },
        "HLSConfig": {
            "Model": {
                "Precision": {"default": "ap_fixed<16,6>"},
                "ReuseFactor": 1,
                "PipelineStyle": "dataflow" if in_turns else "auto",
            },
            "LayerName": configs,
            "Flows": [name for name in _flows() if name != TEMPLATES],
        },
    }
    inputs = [port_name(p.value) for p in graph.inputs]
    outputs = [_inner_name(p.value, ports) for p in graph.outputs]
    return ModelGraph.from_layer_list(config, layers, inputs, outputs)


def _flows() -> tuple[str, ...]:
    """Return hwflow's own flows over hls4ml's passes, registered once."""
    from hls4ml.model.flow import get_flow, register_flow
    from hls4ml.model.flow.flow import flow_map

    steps = {
        "hwflow_init": tuple(get_flow("vivado:init_layers").optimizers),
        "hwflow_streaming": STREAMING,
        "hwflow_optimize": OPTIMIZE,
        "hwflow_types": SPECIFIC_TYPES,
        TEMPLATES: FILLED_IN_BEFORE + tuple(get_flow("vivado:apply_templates").optimizers),
    }
    for name, passes in steps.items():
        if name not in flow_map:
            register_flow(name, list(passes))
    return tuple(steps)


def _layer_entry(named: NamedLayer, ports: Set[str]) -> dict[str, Any]:
    layer = named.layer
    name = _inner_name(named.name, ports)
    entry: dict[str, Any] = {"class_name": layer.class_name, "name": name, "outputs": [name]}
    if named.inputs:
        entry["inputs"] = [_inner_name(name, ports) for name in named.inputs]
    entry |= layer.attributes
    for name, array in layer.weights.items():
        entry[f"{name}_data"] = array.values
    if layer.kernel:
        entry |= {"kernel": layer.kernel, "templates": named.templates}
        entry["turns"] = layer.reuse_factor
    return entry


def _inner_name(name: str, ports: Set[str]) -> str:
    """Return what hls4ml calls a layer and its result, up to the generated text.

    hls4ml keeps the result among the layer's attributes, so that it must be the name of none. No
    attribute has two underscores in a row.
    """
    return port_name(name) if name in ports else f"{name}{MARK}"


def _layer_config(layer: HlsLayer, result_t: FixedType, *, traced: bool) -> dict[str, Any]:
    types = {"result": result_t, **layer.types}
    types |= {name: array.dtype for name, array in layer.weights.items()}
    return {
        "Precision": {name: ap_type(t) for name, t in types.items()},
        **{f"{name}_t": ap_type(t) for name, t in layer.types.items()},  # types of tables
        "ReuseFactor": layer.reuse_factor,
        "Strategy": layer.strategy,
        "Trace": traced,
        # hls4ml reads it from the attributes of some layers, from the configuration of others
        "ParallelizationFactor": layer.attributes.get("parallelization_factor", 1),
    }


def ap_type(dtype: FixedType) -> str:
    """Return the C++ spelling of a type, e.g. ``ap_ufixed<6,0,AP_RND_CONV,AP_SAT,0>``."""
    prefix = "ap_fixed" if dtype.signed else "ap_ufixed"
    return f"{prefix}<{dtype.width},{dtype.integer},AP_{dtype.rounding},AP_{dtype.overflow},0>"


@contextlib.contextmanager
def _tensorflow_kept_out() -> Iterator[None]:
    """Keep hls4ml from importing tensorflow and torch, which writing a project does not need."""
    blocked = [m for m in ("tensorflow", "keras", "qkeras", "torch") if m not in sys.modules]
    for name in blocked:
        sys.modules[name] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        for name in blocked:
            if sys.modules.get(name) is None:
                sys.modules.pop(name, None)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep hls4ml's prints off the terminal; what they warn about is checked beforehand."""
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        yield
