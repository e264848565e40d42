"""The formats, and a damaged file of each."""

from __future__ import annotations

import importlib.util
import json
import random
import tomllib
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

import hwflow
from hwflow.codegen.project import MARKER
from tests.cli.command import dense
from tests.fuzz_files import archive, arrays, flat, hdf5, tree, wire
from tests.fuzz_files.values import TEXTS, damaged

ROOT = Path(__file__).parents[2]
MODELS = sorted([*(ROOT / "tests/models").glob("*.onnx"), ROOT / "examples/digits_residual.onnx"])
HGQ = ROOT / "examples/digits_hgq.keras"
QKERAS = ROOT / "examples/digits_qkeras.h5"
SETTINGS = {
    "target": {"board": "zcu104", "io_type": "io_stream", "clock_period_ns": 5.0,
               "strategy": "resource", "reuse_factor": 2, "backend": "Vitis"},
    "verify": {"max_lut": "70%", "min_accuracy": 0.9, "lossless": True},
    "input": {"x": {"type": "fixed<8,3,RND,SAT>"}},
    "layer": {"gemm19": {"reuse_factor": 4, "accum_t": "fixed<30,14>", "strategy": "resource"}},
    "plugins": {"paths": []},
}  # fmt: skip


@dataclass(frozen=True)
class Kind:
    """A format.

    Attributes:
        name: of the format, which says how a worker reads a file of it.
        share: of all files.
        write: writes a damaged file, or a folder, where the path says.
        end: of the file's name.
        needs: the package without which there are no such files.
    """

    name: str
    share: int
    write: Callable[[random.Random, Path], None]
    end: str
    needs: str = ""

    @property
    def possible(self) -> bool:
        """Whether the packages that it needs are there."""
        return not self.needs or importlib.util.find_spec(self.needs) is not None


def _onnx(rng: random.Random, path: Path) -> None:
    path.write_bytes(wire.mutated(rng, rng.choice(MODELS).read_bytes()))


@lru_cache(maxsize=1)
def _tflite_seeds() -> tuple[bytes, ...]:
    """Return small models of full integers."""
    from tests.frontends.tflite_models import Writer

    first = Writer()
    x, y, z = (
        first.tensor((1, 4), 0.1, 3),
        first.tensor((1, 2), 0.2, -5),
        first.tensor((1, 2), 0.2, -5),
    )
    weight = first.tensor((2, 4), [0.01, 0.02], 0, data=np.arange(8).astype(np.int8))
    bias = first.tensor((2,), [0.001, 0.002], 0, np.int32, np.array([5, -7]))
    first.add("FULLY_CONNECTED", [x, weight, bias], [y], "FullyConnectedOptions")
    first.add("RELU", [y], [z])
    first.inputs, first.outputs = [x], [z]
    second = Writer()
    x, y = second.tensor((1, 4, 4, 2), 0.1, 1), second.tensor((1, 4, 4, 3), 0.2, -5)
    kernel = second.tensor((3, 3, 3, 2), [0.01] * 3, 0, data=np.ones((3, 3, 3, 2), np.int8))
    bias = second.tensor((3,), [0.001] * 3, 0, np.int32, np.array([5, -7, 0]))
    pool, flat_ = second.tensor((1, 2, 2, 3), 0.2, -5), second.tensor((1, 12), 0.2, -5)
    second.add("CONV_2D", [x, kernel, bias], [y], "Conv2DOptions", strideH=1, strideW=1)
    second.add("MAX_POOL_2D", [y], [pool], "Pool2DOptions", strideH=2, strideW=2, filterHeight=2,
               filterWidth=2)  # fmt: skip
    second.add(
        "RESHAPE", [pool, second.constant([1, 12])], [flat_], "ReshapeOptions", newShape=[1, 12]
    )
    second.inputs, second.outputs = [x], [flat_]
    return first.bytes(), second.bytes()


def _tflite(rng: random.Random, path: Path) -> None:
    path.write_bytes(flat.mutated(rng, rng.choice(_tflite_seeds())))


def _h5(rng: random.Random, path: Path) -> None:
    path.write_bytes(hdf5.mutated(rng, QKERAS.read_bytes()))


@lru_cache(maxsize=1)
def _hgq_members() -> dict[str, bytes]:
    with zipfile.ZipFile(HGQ) as file:
        return {name: file.read(name) for name in file.namelist()}


def _keras(rng: random.Random, path: Path) -> None:
    changes = {
        "config.json": tree.json_mutated,
        "metadata.json": tree.json_mutated,
        "model.weights.h5": hdf5.mutated,
    }
    path.write_bytes(archive.mutated(rng, _hgq_members(), changes))


def _npy(rng: random.Random, path: Path) -> None:
    path.write_bytes(arrays.npy(rng))


def _npz(rng: random.Random, path: Path) -> None:
    members = arrays.npz_members(rng)
    if rng.random() < 0.4:
        path.write_bytes(archive.written(members, rng))
    else:
        path.write_bytes(archive.mutated(rng, members, {}))


def _settings(rng: random.Random, path: Path) -> None:
    path.write_bytes(tree.toml_mutated(rng, SETTINGS))


def _board(rng: random.Random, path: Path) -> None:
    profile = tomllib.loads((ROOT / "boards/pynq_z2.toml").read_text())
    path.write_bytes(tree.toml_mutated(rng, json.loads(json.dumps(profile, default=str))))


@lru_cache(maxsize=1)
def _project_files() -> dict[str, bytes]:
    """Return the files of a small project, without most of hls4ml's headers."""
    import tempfile

    design = hwflow.compile(dense())
    data = {"x": np.random.default_rng(0).uniform(-4, 4, (20, 4))}
    with tempfile.TemporaryDirectory() as name:
        folder = design.write(Path(name) / "net", design.verify(data, cpp=False))
        paths = [p for p in folder.rglob("*") if p.is_file()]
        found = {p.relative_to(folder).as_posix(): p.read_bytes() for p in paths}
    return {p: c for p, c in found.items() if "ap_types" not in p and "nnet_utils" not in p}


def _manifest(rng: random.Random, path: Path) -> None:
    path.write_bytes(tree.json_mutated(rng, _project_files()["manifest.json"]))


def _project(rng: random.Random, path: Path) -> None:
    for name, content in _project_files().items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(content)
    for _ in range(rng.choice((1, 1, 2))):
        name = rng.choice((MARKER, MARKER, "hwflow.toml", "hwflow.toml", "model.qonnx.onnx",
                           "model.hw.onnx", *sorted(_project_files())))  # fmt: skip
        _damage(rng, path / name)


def _damage(rng: random.Random, file: Path) -> None:
    """Do something to a file of a project."""
    if file.is_symlink() or not file.is_file():
        return
    content = file.read_bytes()
    match rng.randint(0, 9):
        case 0:
            file.unlink()
        case 1:
            file.unlink()
            file.symlink_to(
                rng.choice(("/dev/zero", "/etc/passwd", "nowhere", "..", "hwflow.toml"))
            )
        case 2:
            file.unlink()
            file.mkdir()
        case 3 if file.name == MARKER:
            lines = [f"{'0' * 64}  {rng.choice(TEXTS)}" for _ in range(rng.choice((1, 50)))]
            file.write_bytes(content + "\n".join(lines).encode())
        case 4 if file.suffix == ".toml":
            file.write_bytes(tree.toml_mutated(rng, tomllib.loads(content.decode())))
        case _:
            change = {".onnx": wire.mutated, ".json": tree.json_mutated}.get(file.suffix, damaged)
            file.write_bytes(change(rng, content))


KINDS = (
    Kind("onnx", 36, _onnx, ".onnx"),
    Kind("tflite", 17, _tflite, ".tflite", "tensorflow"),
    Kind("keras", 14, _keras, ".keras"),
    Kind("h5", 3, _h5, ".h5", "tf_keras"),
    Kind("npy", 6, _npy, ".npy"),
    Kind("npz", 9, _npz, ".npz"),
    Kind("settings", 5, _settings, ".toml"),
    Kind("board", 3, _board, ".toml"),
    Kind("manifest", 3, _manifest, ".json"),
    Kind("project", 4, _project, ""),
)


def kind_of(rng: random.Random, names: tuple[str, ...] = ()) -> Kind:
    """Return the format of the next file."""
    kinds = [kind for kind in KINDS if kind.possible and (not names or kind.name in names)]
    return rng.choices(kinds, [kind.share for kind in kinds])[0]
