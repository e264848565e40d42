"""What a device cannot hold, and what logic synthesis leaves of memories, against reports."""

from dataclasses import replace

import numpy as np
import pytest

from hwflow.core.board import load_board
from hwflow.estimate.capacity import as_reported, beyond_device, blocks_of, dsp_blocks_of
from hwflow.estimate.graph import estimate
from hwflow.estimate.memories import fifo_brams_left, rom_brams_left
from hwflow.fixed import FixedArray, FixedType
from hwflow.ir.cost import Basis, Cost, Estimate
from hwflow.ir.graph import Graph, Node, Port
from hwflow.ir.op import Target
from hwflow.ops.dense import Dense
from hwflow.ops.input import Input

ZYNQ = "xc7z020-clg400-1"
NOTHING = Estimate.exact(0)


def test_blocks_of_devices() -> None:
    assert blocks_of(ZYNQ) == {"dsp": 220, "bram_18k": 280}
    assert dsp_blocks_of(ZYNQ) == 220
    assert blocks_of("xc2s15") is dsp_blocks_of("xc2s15") is None
    assert blocks_of(load_board("ULX3S-85F").part) is None  # its blocks are others


# pominiq/DNNonSilicon:7d3cf35 (xc7z020): 664 multipliers after C synthesis, 220 in the device; the
# others took 33,000 of 47,682 look-up tables
def test_multipliers_beyond_the_device_are_look_up_tables() -> None:
    asked = Estimate(664, 600, 700)
    more = beyond_device(asked, ZYNQ)
    assert more.low <= 33_000 <= more.high
    assert beyond_device(Estimate(220, 200, 240), ZYNQ) == NOTHING
    assert beyond_device(asked, "a part of no board") == NOTHING
    total = as_reported(Cost(dsp=asked, dsp_synth=asked), ZYNQ)
    assert total.dsp_synth == Estimate(220, 220, 220, Basis.FITTED)  # as Vivado reported
    assert total.dsp == asked  # as C synthesis did
    assert total.notes == (
        "664 dsp are asked for and 220 are on the device: logic synthesis builds the rest of "
        "look-up tables",
    )


# pominiq/DNNonSilicon:a44b786 (xc7z020): 293 after C synthesis, 280 left
def test_logic_synthesis_reports_no_more_memories_than_there_are() -> None:
    asked = Estimate(293, 290, 300)
    total = as_reported(Cost(bram_18k=asked, bram_18k_synth=asked), ZYNQ)
    assert total.bram_18k_synth.value == 280
    assert total.bram_18k == asked


def test_what_fits_stays_as_it_is() -> None:
    cost = Cost(dsp_synth=Estimate(100, 90, 300), bram_18k_synth=Estimate(10, 5, 20))
    found = as_reported(cost, ZYNQ)
    assert found == replace(cost, dsp_synth=Estimate(100, 90, 220))
    assert as_reported(cost, "a part of no board") is cost


def test_a_board_is_compared_with_what_a_design_asks_for() -> None:
    weight = FixedArray(np.arange(601, 601 + 320 * 10).reshape(320, 10) | 1, FixedType(16, 6))
    op = Dense(
        weight=weight, bias=FixedArray(np.zeros(10, np.int64), FixedType(16, 6)),
        accum_t=FixedType(16, 6),
    )  # fmt: skip
    nodes = [Node("x", Input(shape=(320,), dtype=FixedType(16, 6))), Node("y", op, ("x",))]
    graph = Graph.build("net", nodes, [Port("x", "x", (1,))], [Port("y", "y", (1,))])
    board = load_board("PYNQ-Z2")
    found = estimate(graph, Target("Vivado", "io_parallel", ZYNQ, 10.0), board)
    uses = {use.resource: use for use in found.utilisation}
    assert found.total.dsp_synth.value == 220 < found.total.dsp.value
    assert uses["dsp"].used.value == found.total.dsp.value
    assert uses["dsp"].fits == "no"
    assert any("are asked for" in note for note in found.total.notes)


# positions, channels and bits of the values between layers, and the BRAM18 that logic synthesis
# left beside weights and tables: Berk-Bilgin, pominiq (Vivado); nycu-pcs-lab, seanlipps
LEFT = {
    33: ("Vivado", [(66, 1, 16), (64, 8, 28), (68, 8, 28), (64, 8, 28), (67, 8, 28), (32, 4, 28),
                    (35, 4, 28), (16, 4, 28)]),
    8: ("Vivado", [(676, 4, 16), (676, 4, 16), (36, 4, 16), (16, 8, 16), (16, 8, 16), (4, 8, 16)]),
    80: ("Vivado", [(900, 16, 16), (900, 16, 16), (225, 16, 16), (169, 16, 16), (169, 16, 16),
                    (36, 16, 16), (16, 24, 16)]),
    20: ("Vitis", [(130, 9, 16), (128, 16, 16), (128, 16, 16)]),
}  # fmt: skip


@pytest.mark.parametrize("blocks", LEFT)
def test_published_fifos_after_logic_synthesis(blocks: int) -> None:
    backend, values = LEFT[blocks]
    assert sum(fifo_brams_left(*value, backend) for value in values) == blocks


# depth of stored weights: pominiq and Berk-Bilgin, all gone or all left
@pytest.mark.parametrize(("depth", "left"), [(2, 0), (4, 0), (9, 0), (32, 5), (64, 5), (72, 5)])
def test_shallow_weights_are_look_up_tables_after_logic_synthesis(depth: int, left: int) -> None:
    assert rom_brams_left(5, depth) == left
