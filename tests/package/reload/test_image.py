"""Images hold the weights of the graph, in the order of hls4ml's kernels."""

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hwflow.package.block import make_block
from hwflow.package.reload.form import Reload
from hwflow.package.untouched import open_untouched
from hwflow.package.wishes import Wishes
from tests.package.builds import build, wide
from tests.package.reload.retrained import built, dense, image


def held(folder: Path) -> tuple[Reload, dict[tuple[str, str], np.ndarray[Any, Any]]]:
    """Return what a block says, and the numbers in its own image as a reader finds them."""
    made = make_block(folder, Wishes(reloadable=("all",)))
    reload = made.description.reload
    assert reload is not None
    words = made.files["vectors/weights.bin"][24:]
    assert len(words) == 4 * reload.image_words
    found = {}
    for array in reload.arrays:
        lanes = np.frombuffer(words, f"<i{array.lane_bits // 8}", offset=4 * array.first_word)
        found[array.layer, array.role] = lanes[: array.elements] * 2.0**-array.fractional_bits
    return reload, found


@pytest.mark.parametrize("strategy", [pytest.param("latency", marks=pytest.mark.slow), "resource"])
def test_dense_weights_are_in_order(strategy: str, tmp_path: Path) -> None:
    folder = built(tmp_path / "net", dense(3), fc1={"strategy": strategy})
    _, found = held(folder)
    for name in ("fc1", "fc2"):
        op: Any = open_untouched(folder, ()).design.graph.by_name[name].op
        turned = name == "fc1" and strategy == "resource"  # outputs first, then inputs
        values = op.weight.values.T if turned else op.weight.values
        assert np.array_equal(found[name, "weight"], values.ravel())
        assert np.array_equal(found[name, "bias"], op.bias.values)


@pytest.mark.slow
def test_kernels_of_convolutions_are_in_order(tmp_path: Path) -> None:
    settings = {"conv": {"strategy": "resource", "reuse_factor": 6}}
    folder = built(tmp_path / "net", image(3), io_type="io_stream", **settings)
    reload, found = held(folder)
    op: Any = open_untouched(folder, ()).design.graph.by_name["conv"].op
    assert np.array_equal(found["conv", "weight"], np.moveaxis(op.weight.values, 3, 0).ravel())
    storage = {(a.layer, a.role): a.storage for a in reload.arrays}
    assert storage.pop(("conv", "weight")) == "block_ram"
    assert set(storage.values()) == {"registers"}


def test_wide_biases_take_two_words(tmp_path: Path) -> None:
    folder = build(tmp_path / "net", wide(), board="pynq-z2")
    reload, found = held(folder)
    bias = reload.arrays[1]
    assert (bias.lane_bits, bias.words) == (64, 2 * bias.elements)
    op: Any = open_untouched(folder, ()).design.graph.by_name[bias.layer].op
    assert np.array_equal(found[bias.layer, "bias"], op.bias.values)


@pytest.mark.slow
def test_nothing_in_the_window_overlaps(tmp_path: Path) -> None:
    folder = built(tmp_path / "net", dense(0))
    for interface in ("axis", "axi-lite", "memory"):
        wishes = Wishes(reloadable=("all",), interface=interface)  # type: ignore[arg-type]
        made = make_block(folder, wishes).description
        assert made.reload is not None
        places = [(r.address, r.address + r.bits // 8 + 4) for r in made.registers]
        size = 4 * made.reload.window_words
        places.append((made.reload.window_address, made.reload.window_address + size))
        for port in made.ports:
            if port.address is not None:
                places.append((port.address, port.address + port.packing.stride_bytes))
        places.sort()
        assert all(end <= begin for (_, end), (begin, _) in itertools.pairwise(places))
        assert made.reload.window_address % size == 0
