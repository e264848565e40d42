"""Sources of streams: the same samples whatever they come from, in parts of any size."""

import zipfile
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import hwflow
from hwflow.core.data import Data
from hwflow.core.errors import CompileError
from hwflow.ir.graph import Graph
from hwflow.simulate.stream import files, forms, npy
from hwflow.simulate.stream.forms import Form
from hwflow.simulate.stream.sources import Source, open_source
from tests.cli.command import dense
from tests.cli.test_hostile_names import hostile_network

Array = npt.NDArray[Any]

X = np.random.default_rng(0).uniform(-4, 4, (103, 4)).astype(np.float32)
Y = np.random.default_rng(1).integers(0, 3, 103)


@cache
def graph() -> Graph:
    return hwflow.compile(dense()).graph


@cache
def image_graph() -> Graph:
    return hwflow.compile(Path(__file__).parents[3] / "examples" / "digits_cnn.onnx").graph


def everything(source: Source, count: int) -> tuple[Array, Array | None]:
    """Read a source to its end, ``count`` samples at a time."""
    parts: list[Data] = []
    while (part := source.read(count)) is not None:
        parts.append(part)
    source.close()
    name = graph().inputs[0].name
    assert all(len(part.inputs[name]) == count for part in parts[:-1])
    assert 0 < len(parts[-1].inputs[name]) <= count
    labels = [part.labels for part in parts if part.labels is not None]
    x = np.concatenate([part.inputs[name] for part in parts])
    return x, np.concatenate(labels) if labels else None


def in_folder(folder: Path) -> Path:
    """Write runs of samples whose natural order is not that of their letters."""
    folder.mkdir()
    for i, start in enumerate(range(0, 103, 10)):
        rows = slice(start, start + 10)
        np.savez(folder / f"part{i}.npz", x=X[rows], y=Y[rows])
    return folder


def pieces() -> Iterator[dict[str, Array]]:
    for start, stop in ((0, 1), (1, 50), (50, 51), (51, 103)):
        yield {"x": X[start:stop], "y": Y[start:stop]}


MAKERS: dict[str, Callable[[Path], Any]] = {
    "npy": lambda f: np.save(f / "d.npy", X) or f / "d.npy",
    "fortran npy": lambda f: np.save(f / "d.npy", np.asfortranarray(X)) or f / "d.npy",
    "npz": lambda f: np.savez(f / "d.npz", x=X, y=Y) or f / "d.npz",
    "compressed npz": lambda f: np.savez_compressed(f / "d.npz", x=X, y=Y) or str(f / "d.npz"),
    "fortran npz": lambda f: np.savez(f / "d.npz", x=np.asfortranarray(X), y=Y) or f / "d.npz",
    "npz with more": lambda f: np.savez(f / "d.npz", more=X[:3], x=X, labels=Y) or f / "d.npz",
    "folder": lambda f: in_folder(f / "folder"),
    "generator": lambda f: pieces(),
    "list": lambda f: [X[:40], X[40:41], X[41:]],
    "array": lambda f: X,
    "dict": lambda f: {"x": X, "y": np.eye(3)[Y]},
    "data": lambda f: Data({"x": X}, Y, "given"),
}
UNLABELLED = {"npy", "fortran npy", "list", "array"}


@pytest.mark.parametrize("kind", MAKERS)
@pytest.mark.parametrize("count", [1, 7, 64, 103, 1000])
def test_every_source_gives_the_same_samples(kind: str, count: int, tmp_path: Path) -> None:
    source = open_source(MAKERS[kind](tmp_path), graph())
    assert source.samples == (None if kind in ("generator", "list") else 103)
    x, y = everything(source, count)
    assert x.dtype == np.float32
    np.testing.assert_array_equal(x, X)
    assert source.labelled == (kind not in UNLABELLED)
    if y is None:
        assert kind in UNLABELLED
    else:
        np.testing.assert_array_equal(y, Y)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(1, 40), min_size=1, max_size=6), st.integers(1, 50))
def test_items_of_any_size_are_cut_anew(sizes: list[int], count: int) -> None:
    x = np.arange(sum(sizes) * 4, dtype=np.float32).reshape(-1, 4)
    ends = np.cumsum(sizes)
    items = [x[end - size : end] for size, end in zip(sizes, ends, strict=True)]
    np.testing.assert_array_equal(everything(open_source(items, graph()), count)[0], x)


def test_flat_and_shaped_parts_go_together() -> None:
    images = np.random.default_rng(0).uniform(0, 1, (9, 1, 8, 8)).astype(np.float32)
    source = open_source([images[:4].reshape(4, 64), images[4:]], image_graph())
    data = source.read(100)
    assert data is not None
    (found,) = data.inputs.values()
    np.testing.assert_array_equal(found, images)


def test_several_inputs_are_found_by_name(tmp_path: Path) -> None:
    net = hwflow.compile(hostile_network(("y", "x"), "net")).graph
    np.savez(tmp_path / "d.npz", y=X[:, 2:], x=X[:, :2])
    data = open_source(tmp_path / "d.npz", net).read(5)
    assert data is not None
    assert data.labels is None
    np.testing.assert_array_equal(data.inputs["y"], X[:5, 2:])


def test_no_more_items_are_taken_than_needed() -> None:
    taken = []

    def items() -> Iterator[Array]:
        for i in range(10):
            taken.append(i)
            yield X[:10]

    source = open_source(items(), graph())
    source.read(15)
    assert taken == [0, 1]
    source.close()


def raw_npy(shape: object, body: bytes, descr: str = "<f4", fortran: bool = False) -> bytes:
    """Return a .npy file whose header says whatever it is told."""
    text = f"{{'descr': '{descr}', 'fortran_order': {fortran}, 'shape': {shape}, }}".encode()
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + body


def zipped(members: dict[str, bytes], **options: Any) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        with zipfile.ZipFile(path, "w", **options) as archive:
            for name, content in members.items():
                archive.writestr(name, content)

    return write


def lying_directory(path: Path) -> None:
    """Write an archive whose directory says that its member is longer than it is."""
    zipped({"x.npy": raw_npy((1000, 4), X.tobytes())})(path)
    content = bytearray(path.read_bytes())
    at = content.rindex(b"PK\x01\x02")
    content[at + 20 : at + 28] = (100_000).to_bytes(4, "little") * 2
    path.write_bytes(content)


def damaged(path: Path) -> None:
    np.savez_compressed(path, x=X)
    content = bytearray(path.read_bytes())
    content[400:420] = bytes(20)
    path.write_bytes(content)


GOOD = X.tobytes()
BAD: dict[str, tuple[str, Callable[[Path], Any]]] = {
    "pickle": ("HW400.*", lambda p: p.write_bytes(b"\x80\x04N.")),
    "nothing": ("HW400", lambda p: p.write_bytes(b"")),
    "no file": ("HW400(.|\n)*no such file", lambda p: None),
    "objects": ("HW400(.|\n)*Python", lambda p: np.savez(p, x=np.array([{}] * 5, object))),
    "longer": ("HW400(.|\n)*shape", lambda p: p.write_bytes(raw_npy((10**12, 4), GOOD))),
    "longer member": ("HW400(.|\n)*shape", zipped({"x.npy": raw_npy((104, 4), GOOD)})),
    "negative": ("HW400(.|\n)*shape", lambda p: p.write_bytes(raw_npy((-5, 4), GOOD))),
    "huge": ("HW400(.|\n)*shape", lambda p: p.write_bytes(raw_npy((0, 2**70), b""))),
    "huge product": ("HW400(.|\n)*shape", zipped({"x.npy": raw_npy((0, 2**40, 2**40), b"")})),
    "no shape": ("HW400", lambda p: p.write_bytes(raw_npy("eval('1')", GOOD))),
    "header": ("HW400(.|\n)*header", lambda p: p.write_bytes(b"\x93NUMPY\x02\x00" + b"\xff" * 9)),
    "brackets": ("HW400", lambda p: p.write_bytes(raw_npy("(" * 999, GOOD))),
    "type": ("HW400", zipped({"x.npy": raw_npy((103, 4), GOOD, ",f4")})),
    "version": ("HW400(.|\n)*version", lambda p: p.write_bytes(b"\x93NUMPY\x03\x00" + GOOD)),
    "bzip2": ("HW400(.|\n)*deflated", zipped({"x.npy": b"a"}, compression=zipfile.ZIP_BZIP2)),
    "no array": ("HW400", zipped({"x.npy": b"hello"})),
    "no members": ("HW401", zipped({"readme.txt": b"hello"})),
    "directory": ("HW400(.|\n)*", lying_directory),
    "damaged": ("HW400(.|\n)*array 'x'", damaged),
    "text": ("HW402", lambda p: np.savez(p, x=np.full((5, 4), "a"))),
    "long text": ("HW40[03]", zipped({"x.npy": raw_npy((), b"", "<U536870911")})),
    "complex": ("HW402", lambda p: np.savez(p, x=X + 1j)),
    "shape": ("HW403(.|\n)*103, 3", lambda p: np.savez(p, x=X[:, :3])),
    "empty": ("HW403", lambda p: np.savez(p, x=X[:0])),
    "scalar": ("HW403", lambda p: np.savez(p, x=np.float32(1))),
    "labels": ("HW406(.|\n)*102 labels for 103", lambda p: np.savez(p, x=X, y=Y[1:])),
    "text labels": ("HW406", lambda p: np.savez(p, x=X, y=np.full(103, "cat"))),
    "wide labels": (
        "HW406",
        zipped({"x.npy": raw_npy((103, 4), GOOD), "y.npy": raw_npy((0, 10**9), b"")}),
    ),
}


@pytest.mark.parametrize("kind", BAD)
def test_bad_files_are_findings(kind: str, tmp_path: Path) -> None:
    code, write = BAD[kind]
    path = tmp_path / "d.npz"
    write(path)
    with pytest.raises(CompileError, match=code):
        everything(open_source(path, graph()), 10)


def test_labels_of_too_many_classes_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forms, "MAX_CLASSES", 2)
    np.savez(tmp_path / "d.npz", x=X, y=np.eye(3)[Y])
    with pytest.raises(CompileError, match=r"HW406(.|\n)*103, 3"):
        open_source(tmp_path / "d.npz", graph())


def test_inputs_of_different_lengths(tmp_path: Path) -> None:
    net = hwflow.compile(hostile_network(("a", "b"), "net")).graph
    np.savez(tmp_path / "d.npz", a=X[:, :2], b=X[:50, 2:])
    with pytest.raises(CompileError, match=r"HW404(.|\n)*a: 103, b: 50"):
        open_source(tmp_path / "d.npz", net)


def test_large_members_in_fortran_order_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(npy, "MAX_BYTES", 1000)
    np.savez(tmp_path / "d.npz", x=np.asfortranarray(X))
    with pytest.raises(CompileError, match=r"HW400(.|\n)*Fortran"):
        open_source(tmp_path / "d.npz", graph()).read(5)


def test_a_file_that_shrinks_while_it_is_read(tmp_path: Path) -> None:
    np.save(tmp_path / "d.npy", np.tile(X, (100, 1)))
    source = open_source(tmp_path / "d.npy", graph())
    with (tmp_path / "d.npy").open("rb+") as file:
        file.truncate(128 + 9000 * 16 + 3)
    with pytest.raises(CompileError, match=r"HW400(.|\n)*ends in row 9000 of 10300"):
        everything(source, 1000)


def test_what_is_wrong_in_a_folder_is_located(tmp_path: Path) -> None:
    with pytest.raises(CompileError, match=r"HW400(.|\n)*a folder with 0"):
        open_source(tmp_path, graph())
    np.savez(tmp_path / "a.npz", x=X, y=Y)
    np.save(tmp_path / "b.npy", X)
    with pytest.raises(CompileError, match=r"HW406(.|\n)*labels in a.npz, none in b.npy"):
        open_source(tmp_path, graph())
    np.savez(tmp_path / "b.npy", x=X[:, :3])
    (tmp_path / "b.npy.npz").rename(tmp_path / "b.npz")
    (tmp_path / "b.npy").unlink()
    with pytest.raises(CompileError, match=r"HW403(.|\n)*b.npz"):
        open_source(tmp_path, graph())


def test_folders_of_too_many_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "MOST_FILES", 3)
    with pytest.raises(CompileError, match=r"HW400(.|\n)*11 .npy"):
        open_source(in_folder(tmp_path / "folder"), graph())


def test_samples_are_located(tmp_path: Path) -> None:
    source = open_source(in_folder(tmp_path / "folder"), graph())
    assert source.locate(0) == "folder/part0.npz, sample 0"
    assert source.locate(102) == "folder/part10.npz, sample 2"


@pytest.mark.parametrize(
    ("items", "code"),
    [
        ([X, "text"], "HW402(.|\n)*item 1(.|\n)*str"),
        ([X, X[0]], "HW403(.|\n)*item 1"),
        ([X, X[:0]], "HW403(.|\n)*item 1"),
        ([{"x": X, "y": Y}, X], "HW406(.|\n)*item 1"),
        ([X, {"x": X, "y": Y}], "HW406(.|\n)*item 1"),
        ([{"a": X, "b": X}], "HW401(.|\n)*item 0"),
        ([np.array([{}] * 5)], "HW402"),
        (5, "HW402(.|\n)*int"),
    ],
)
def test_items_that_do_not_fit(items: Any, code: str) -> None:
    with pytest.raises(CompileError, match=code):
        everything(open_source(items, graph()), 1000)


@pytest.mark.parametrize("kind", ["<U536870911", "|V2147483647", "|S2147483647"])
def test_types_of_long_elements_take_no_memory(kind: str) -> None:
    assert Form((5, 4), np.dtype(kind)).stand_in.itemsize <= 4
