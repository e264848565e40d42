"""The settings of a design in the form of hls4ml's ``hls4ml_config.yml``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hwflow.codegen.hls.layers import NamedLayer, layers_of
from hwflow.codegen.hls.model import ap_type
from hwflow.ir.graph import Graph
from hwflow.ir.op import Target

STRATEGIES = {"latency": "Latency", "resource": "Resource"}
"""Strategies that hls4ml writes with a capital; the others are as hwflow calls them."""


def hls4ml_settings(graph: Graph, target: Target) -> dict[str, Any]:
    """Return what hls4ml's users would have written for a design, layer by layer.

    Names of layers are those of the hardware graph; layers that hls4ml has no kernel for have their
    types, too.

    Args:
        graph: the hardware graph.
        target: what the project is for.
    """
    layers = [n for node in graph.nodes for n in layers_of(graph, node, target)]
    return {
        "Backend": target.backend,
        "ProjectName": graph.name,
        "Part": target.part,
        "ClockPeriod": target.clock_period_ns,
        "IOType": target.io_type,
        "HLSConfig": {
            "Model": {"Precision": "ap_fixed<16,6>", "ReuseFactor": 1, "Strategy": "Latency"},
            "LayerName": {named.name: _layer(named) for named in layers},
        },
    }


def _layer(named: NamedLayer) -> Mapping[str, Any]:
    layer = named.layer
    types = {"result": named.result_t, **layer.types}
    types |= {name: array.dtype for name, array in layer.weights.items()}
    return {
        "Precision": {name: ap_type(dtype) for name, dtype in types.items()},
        "ReuseFactor": layer.reuse_factor,
        "Strategy": STRATEGIES.get(layer.strategy, layer.strategy),
    }
