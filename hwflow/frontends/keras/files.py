"""Keras files: a configuration, checked, and weights, which are data. No code of a file is run."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

from hwflow.core.errors import CompileError, Diagnostic
from hwflow.frontends.damage import BROKEN
from hwflow.frontends.keras.environment import legacy_keras, quiet
from hwflow.frontends.keras.model import convert_model
from hwflow.frontends.keras.objects import build_model
from hwflow.frontends.keras.safety import checked
from hwflow.frontends.keras.tfmot import refuse_config
from hwflow.frontends.keras.wiring import missing_operand
from hwflow.ir.qonnx.model import QonnxModel, printable

SUFFIXES = (".h5", ".hdf5", ".json", ".keras")
"""Suffixes of files that are read; a folder with ``saved_model.pb`` is a SavedModel."""

MAX_CONFIG_BYTES = 2**27
"""Longest configuration that is read: a thousand layers take less than a megabyte."""

_METADATA = "keras_metadata.pb"
_SAVED_MODEL = "saved_model.pb"


def is_keras_path(path: Path) -> bool:
    """Return whether a path is for this reader, by its suffix or, a folder, by what is in it."""
    return path.suffix.lower() in SUFFIXES or (path / _SAVED_MODEL).is_file()


def read_keras_file(path: Path, weights: Path | None = None, *, trust: bool = False) -> QonnxModel:
    """Read a Keras model.

    Args:
        path: ``.h5``, ``.keras``, a SavedModel's folder, or ``.json`` with the weights beside it.
        weights: the ``.h5`` with the weights of a ``.json``; ``MODEL_weights.h5``,
            ``MODEL.weights.h5`` or ``MODEL.h5`` if not given.
        trust: let Keras resolve every name in the configuration, and run the code it leads to.

    Raises:
        CompileError: HW001, a file is missing; HW035, HW036, TensorFlow is; HW037, names that may
            run code; HW038, the file is damaged or its weights do not fit; and all that
            ``convert_model`` finds.
    """
    source = printable(path.name)
    if not path.exists():
        raise _error("HW001", "the model does not exist", source, str(path))
    if path.is_dir() and not (path / _METADATA).is_file():
        raise _exported(source)
    keras = legacy_keras()
    try:
        config, data = _parts(path, weights, source)
        if str(config.get("keras_version", "2")).startswith("3"):
            raise keras_3(source)
        if not isinstance(config.get("class_name"), str):
            raise ValueError("no configuration of a Keras model")
    except BROKEN as error:
        raise _damaged(source, error) from error
    refuse_config(config, source)
    config = config if trust else checked(config, source)
    _refuse_endless(config, source)
    with quiet():
        model = _built(keras, config, data, source, trust)
    return convert_model(model, printable(path.stem), source)


def _parts(path: Path, weights: Path | None, source: str) -> tuple[Any, Path]:
    """Return the configuration of a model, and where its weights are."""
    if path.is_dir():
        return _saved_model(path), path / "variables" / "variables"
    match path.suffix.lower():
        case ".json":
            if path.stat().st_size > MAX_CONFIG_BYTES:
                raise ValueError("the file is too large")
            return _json(path.read_bytes()), weights or _weights_beside(path, source)
        case ".keras":
            return _zipped(path), path
    import h5py

    with h5py.File(path, "r") as file:
        if "model_config" not in file.attrs:
            raise _error(
                "HW038",
                "a file of weights without a model",
                source,
                help="give MODEL.json, and this file with --weights; or save with model.save()",
            )
        config = _json(file.attrs["model_config"])
        return {"keras_version": _text(file.attrs.get("keras_version", "2")), **config}, (
            weights or path
        )


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _zipped(path: Path) -> Any:
    """Return the configuration in a ``.keras`` file, with the version of Keras that wrote it."""
    with zipfile.ZipFile(path) as archive:
        names = ("config.json", "metadata.json")
        if max(archive.getinfo(name).file_size for name in names) > MAX_CONFIG_BYTES:
            raise ValueError("its configuration is too large")
        config, metadata = (_json(archive.read(name)) for name in names)
    return {**config, "keras_version": metadata.get("keras_version", "2")}


def keras_3(source: str) -> CompileError:
    """Return the error about a model of Keras 3."""
    return _error(
        "HW038",
        "the Keras model cannot be read",
        source,
        found="a model of Keras 3 in the format of Keras 2",
        help="save it with model.save('model.keras')",
    )


def _exported(source: str) -> CompileError:
    """Return the error about a SavedModel of which only the TensorFlow graph is left."""
    return _error(
        "HW038",
        "the Keras model cannot be read",
        source,
        found=f"a SavedModel without the model's configuration, {_METADATA}",
        help="save the model itself and not an export of it: model.save('model.keras'), of a "
        "functional model; or convert it to int8 TFLite",
    )


def _json(text: str | bytes) -> Any:
    if len(text) > MAX_CONFIG_BYTES:
        raise ValueError("the configuration is too large")
    config = json.loads(text)
    if not isinstance(config, dict):
        raise ValueError("no configuration of a Keras model")
    return config


def _saved_model(folder: Path) -> Any:
    """Return the configuration that Keras stores in a SavedModel beside the TensorFlow graph.

    The graph itself is a program; it is not read.
    """
    from tf_keras.protobuf import saved_metadata_pb2

    metadata = saved_metadata_pb2.SavedMetadata()
    metadata.ParseFromString((folder / _METADATA).read_bytes())
    root = json.loads(metadata.nodes[0].metadata)
    return _json(json.dumps(root.get("model_config")))


def _weights_beside(path: Path, source: str) -> Path:
    names = [f"{path.stem}{end}" for end in ("_weights.h5", ".weights.h5", ".h5")]
    for name in names:
        if path.with_name(name).is_file():
            return path.with_name(name)
    raise _error(
        "HW001",
        "the weights of the model do not exist",
        source,
        found=f"none of {', '.join(printable(n) for n in names)} beside it",
        help="give them with --weights",
    )


def _built(keras: Any, config: Any, weights: Path, source: str, trust: bool) -> Any:
    """Return the live model with its weights."""
    try:
        with keras.src.saving.serialization_lib.SafeModeScope(not trust):
            model = build_model(keras, config)
        loaded = model.load_weights(str(weights))
    except Exception as error:  # a stranger's configuration and weights may fail anywhere
        raise _damaged(source, error) from error
    if loaded is not None and hasattr(loaded, "expect_partial"):
        loaded.expect_partial()
    return model


def _refuse_endless(config: Any, source: str) -> None:
    """Refuse a configuration that Keras would never come to the end of.

    Raises:
        CompileError: HW038, with a layer that waits for a result that nothing computes.
    """
    found = missing_operand(config)
    if found is not None:
        layer, operand = (printable(name) for name in found)
        raise _error(
            "HW038",
            "the Keras model cannot be read",
            source,
            found=f"{layer} takes a result of {operand} that is never computed",
            help="save it again with model.save('model.h5'), with tf_keras 2",
        )


def _damaged(source: str, error: Exception) -> CompileError:
    if isinstance(error, CompileError):
        return error
    text = str(error).strip().splitlines() or [type(error).__name__]
    return _error(
        "HW038",
        "the Keras model cannot be read",
        source,
        found=text[0],
        help="save it with model.save('model.h5'), with tf_keras 2",
    )


def _error(code: str, title: str, where: str, found: str = "", help: str = "") -> CompileError:  # noqa: A002
    finding = Diagnostic(
        code=code, title=title, where=f"in {where}", found=printable(found), help=help
    )
    return CompileError([finding])
