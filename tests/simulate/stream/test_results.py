"""Files of results: what numpy reads back is what was written, in any batches; or none."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwflow.core.errors import CompileError
from hwflow.simulate.stream.results import results

Array = npt.NDArray[Any]
A = np.random.default_rng(0).normal(size=(40, 3, 2))
B = np.random.default_rng(1).normal(size=40)


def write(path: Path, arrays: dict[str, Array], size: int, *, known: bool) -> None:
    with results(path, len(arrays), 40 if known else None) as file:
        for start in range(0, 40, size):
            file.write({name: a[start : start + size] for name, a in arrays.items()})


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 50), st.booleans(), st.booleans())
def test_what_was_written_is_read(size: int, known: bool, several: bool) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "out.npz"
        arrays = {"output/a": A, "output/../b": B, "layer/c": -A} if several else {"output/a": A}
        write(path, arrays, size, known=known)
        with np.load(path) as saved:
            assert saved.files == list(arrays)
            for name, values in arrays.items():
                np.testing.assert_array_equal(saved[name], values)
        write(path.with_suffix(".npy"), {"a": A}, size, known=known)
        np.testing.assert_array_equal(np.load(path.with_suffix(".npy"), mmap_mode="r"), A)
        assert sorted(p.name for p in Path(folder).iterdir()) == ["out.npy", "out.npz"]


def test_the_same_results_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write(tmp_path / f"{name}.npz", {"a": A, "b": B}, 7, known=True)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("suffix", [".npz", ".npy"])
@pytest.mark.parametrize("error", [KeyboardInterrupt, CompileError, RuntimeError])
def test_nothing_is_left_behind(
    known: bool, suffix: str, error: type[BaseException], tmp_path: Path
) -> None:
    path = tmp_path / f"out{suffix}"
    path.write_bytes(b"mine")
    arrays = {"a": A[:7], "b": B[:7]} if suffix == ".npz" else {"a": A[:7]}
    with pytest.raises(BaseException, match="stop"):  # noqa: PT012, SIM117
        with results(path, len(arrays), 40 if known else None) as file:
            file.write(arrays)
            raise RuntimeError("stop") if error is CompileError else error("stop")
    assert [p.name for p in tmp_path.iterdir()] == [path.name]
    assert path.read_bytes() == b"mine"


def test_forms_that_are_not_there(tmp_path: Path) -> None:
    for name, count in (("out.npy", 2), ("out.csv", 1), ("out", 1)):
        with pytest.raises(CompileError, match="HW568"), results(tmp_path / name, count, 1):
            pass
    with pytest.raises(CompileError, match="HW552"), results(tmp_path / "no" / "a.npz", 1, 1):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk(tmp_path: Path) -> None:
    for suffix in (".npz", ".npy"):
        out = tmp_path / f"out{suffix}"
        (tmp_path / f".out{suffix}.part").symlink_to("/dev/full")
        with pytest.raises(CompileError, match=r"HW552(.|\n)*No space left"):
            write(out, {"a": np.tile(A, (1, 500, 1))}, 7, known=True)
        assert list(tmp_path.iterdir()) == []
