"""Writes an hls4ml model as the files of a project, with the headers that all projects share.

hls4ml 1.3.0 copies 90 headers for each project. They are the same in all projects of a backend, so
that they are read once; its own writer writes the rest.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from copy import copy
from pathlib import Path
from typing import Any

LEFT_OUT = ("hls4ml_config.yml", "build_lib.sh", "_bridge.cpp")
"""Ends of file names of hls4ml's writer that hold absolute paths, or serve its Python library only;
hwflow's own bench takes their place."""

GENERATED = "firmware/nnet_utils/nnet_code_gen.h"
"""The header that gets the code of a project's own layers."""

CORRECTIONS = {
    # Both headers of depthwise latency kernels have one include guard, so that only one is seen.
    "firmware/nnet_utils/nnet_sepconv1d_latency.h": (
        b"NNET_SEPARABLE_CONV2D_LATENCY_H_",
        b"NNET_SEPARABLE_CONV1D_LATENCY_H_",
    ),
    # A rounding that drops more bits than there are reads a bit that it then does not use.
    "firmware/ap_types/ap_fixed_base.h": (
        b"bool qbit = _AP_ROOT_op_get_bit(op.V, F2 - _AP_F - 1);",
        b"bool qbit = F2 - _AP_F <= _AP_W2 && (bool)_AP_ROOT_op_get_bit(op.V, F2 - _AP_F - 1);",
    ),
}
"""What is put right in the headers that hls4ml 1.3.0 copies: found and replaced text, by path."""

_HEADERS: dict[tuple[object, ...], dict[str, bytes]] = {}
"""Headers of all projects, by the class of the writer and by registered sources."""


def written(model_graph: Any) -> dict[str, bytes]:
    """Return the files of a project by path, in the order of their paths.

    Args:
        model_graph: hls4ml's model, whose templates are filled in.
    """
    backend = model_graph.config.backend
    writer = copy(backend.writer)
    headers = _headers(writer, model_graph)

    def only_generated(model: Any) -> None:
        path = Path(model.config.get_output_dir()) / GENERATED
        path.parent.mkdir()
        path.write_bytes(headers[GENERATED])

    writer.write_nnet_utils = only_generated
    writer.write_nnet_utils_overrides = lambda model: None
    own = _files(model_graph, writer.write_hls)
    return dict(sorted((headers | own).items(), key=lambda item: Path(item[0])))


def _headers(writer: Any, model_graph: Any) -> dict[str, bytes]:
    sources = model_graph.config.backend.get_custom_source()
    key = type(writer), *sorted((str(k), str(v)) for k, v in sources.items())
    if key not in _HEADERS:
        files = _files(model_graph, lambda model: _copy_headers(writer, model))
        for path, (found, replacement) in CORRECTIONS.items():
            assert found in files[path], f"{path} is not hls4ml 1.3.0's"
            files[path] = files[path].replace(found, replacement)
        _HEADERS[key] = files
    return _HEADERS[key]


def _copy_headers(writer: Any, model: Any) -> None:
    writer.write_project_dir(model)
    writer.write_nnet_utils(model)
    if hasattr(writer, "write_nnet_utils_overrides"):  # Vitis' take the place of Vivado's
        writer.write_nnet_utils_overrides(model)


def _files(model_graph: Any, write: Callable[[Any], None]) -> dict[str, bytes]:
    """Return what a function of hls4ml's writer writes, by path."""
    config = model_graph.config.config
    with tempfile.TemporaryDirectory(prefix="hwflow-") as folder:
        out = Path(folder) / "project"
        config["OutputDir"], config["Stamp"] = str(out), "0"
        write(model_graph)
        return {
            str(p.relative_to(out)): p.read_bytes()
            for p in out.rglob("*")
            if p.is_file() and not p.name.endswith(LEFT_OUT)
        }
