"""Reads QONNX: files and models in memory, checked and normalised.

Whatever is wrong is found before tensors are copied: see ``checks`` for what must hold of the
graph, ``external_data`` for files beside the model, ``normalize`` for what is brought to one form.
"""

from __future__ import annotations

from pathlib import Path

import onnx
import onnx_ir as ir
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

from hwflow.core.errors import CompileError, Diagnostic
from hwflow.frontends.onnx.checks import check
from hwflow.frontends.onnx.external_data import load_external_data
from hwflow.frontends.onnx.normalization import normalize
from hwflow.frontends.onnx.older import brought_over, is_older
from hwflow.frontends.onnx.qonnx_forms import with_standard_forms
from hwflow.ir.qonnx.model import QonnxModel, printable

MAX_FILE_BYTES = 2**31
"""Protobuf's own limit for one message (protobuf documentation, "Total size of the message")."""

_OTHER_FORMATS = {
    ".pt": "a torch file holds no graph: build the module, load its state and pass the module",
    ".pth": "a torch file holds no graph: build the module, load its state and pass the module",
    ".pb": "convert the model to QONNX first",
}


def read_file(path: Path) -> QonnxModel:
    """Read an ONNX file.

    Args:
        path: the file; external data is read from its folder only.

    Raises:
        CompileError: with codes HW001 to HW029 and HW386, all findings at once.
    """
    source = printable(path.name)
    proto = _parse(file_bytes(path, source), source)
    proto = _checked(proto, path.parent, source)
    return _build(proto, printable(path.stem), source)


def read_proto(proto: onnx.ModelProto, name: str = "", source: str = "") -> QonnxModel:
    """Read a model in memory, which is left as it is.

    Args:
        proto: the model.
        name: its name; the graph's own if empty.
        source: how diagnostics call it; its name if empty.

    Raises:
        CompileError: with codes HW004 to HW029 and HW386, all findings at once.
    """
    name = printable(name or proto.graph.name or "model")
    source = source or name
    proto = _checked(proto, None, source)
    return _build(proto, name, source)


def _checked(proto: onnx.ModelProto, folder: Path | None, source: str) -> onnx.ModelProto:
    """Return a model that nothing is wrong with, in an opset that is read."""
    if is_older(proto):
        findings = check(proto, source, operators=False)
        findings += load_external_data(proto, folder, source)
        if not findings:
            proto, findings = brought_over(proto, source)
    else:
        findings = []
    if not findings:
        proto, findings = with_standard_forms(proto, source)
    if not findings:
        findings = [*check(proto, source), *load_external_data(proto, folder, source)]
    if findings:
        raise CompileError(findings)
    return proto


def file_bytes(path: Path, source: str) -> bytes:
    """Return the content of a file that is there, is a file and is not too large."""
    if path.suffix.lower() in _OTHER_FORMATS:
        raise CompileError(
            [
                Diagnostic(
                    code="HW016",
                    title="this kind of file is not read",
                    found=source,
                    supported=".onnx",
                    help=_OTHER_FORMATS[path.suffix.lower()],
                )
            ]
        )
    try:
        if not path.is_file():
            reason = "is not a file" if path.exists() else "does not exist"
            raise CompileError(
                [Diagnostic(code="HW001", title=f"the model {reason}", found=str(path))]
            )
        size = path.stat().st_size
        if size > MAX_FILE_BYTES:
            found = f"{size} bytes"
            title = "the model file is too large"
            supported = f"up to {MAX_FILE_BYTES} bytes"
            raise CompileError(
                [
                    Diagnostic(
                        code="HW003",
                        title=title,
                        where=source,
                        found=found,
                        supported=supported,
                    )
                ]
            )
        return path.read_bytes()
    except (OSError, ValueError) as error:  # ValueError: a null byte in the path
        title = "the model cannot be read"
        raise CompileError([Diagnostic(code="HW001", title=title, found=str(error))]) from error


def _parse(data: bytes, source: str) -> onnx.ModelProto:
    """Return the protobuf in ``data``."""
    proto = onnx.ModelProto()
    try:
        proto.ParseFromString(data)
    except DecodeError as error:
        raise _damaged(source, str(error)) from error
    if not proto.HasField("graph"):
        raise _damaged(source, "no graph in it")
    return proto


def _damaged(source: str, found: str) -> CompileError:
    return CompileError(
        [
            Diagnostic(
                code="HW002",
                title="not an ONNX model, or a damaged one",
                where=f"in {source}",
                found=printable(found),
                help="export or copy the file again; a partial download gives this, too",
            )
        ]
    )


def _build(proto: onnx.ModelProto, name: str, source: str) -> QonnxModel:
    """Return the checked model at the QONNX level."""
    try:
        model = ir.from_proto(proto)
    except Exception as error:  # a stranger's bytes may fail anywhere in the deserialiser
        raise _damaged(source, str(error)) from error
    return normalize(QonnxModel(model, name, source))
