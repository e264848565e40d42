"""Power and energy of a design: what its board takes anyway, and what its logic adds.

Energy is power times time. On small boards the first term decides: five networks on one board took
1.58 to 1.76 W at its input, whatever they were (MLPerf Tiny v0.7 and v1.0, PYNQ-Z2), and energy
followed from the time within 1.2 %. So the second term is never given alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hwflow.estimate.device import is_7_series
from hwflow.ir.cost import Basis, Cost, Estimate

if TYPE_CHECKING:
    from hwflow.core.board import Board

WATTS = {"ff_synth": 2.2e-6, "bram_18k_synth": 2.3e-3 / 2, "dsp_synth": 2.0e-3}
"""Dynamic power for each flip-flop (with the look-up tables, clocks and wires that go with it),
18 kbit block RAM and DSP block at 100 MHz. Fitted on Vivado's reports of routed designs on xc7z020
at 100 MHz, mean error 31 %."""

AT_NS = 10.0
"""Clock period of those reports; dynamic power grows with the frequency."""

WITHIN, WITHIN_ELSEWHERE = 2.0, 4.0
"""How many times more or less the dynamic power may be, on the 7 series and on other devices: half
of designs switch less than Vivado assumes, and a newer process takes less for each switch."""

BOARD = "board, at its input"
DEVICE = "device alone, static; without processor, memory and regulators"
"""What the idle term is of."""


@dataclass(frozen=True, kw_only=True)
class Power:
    """Power while a design works, and energy of one inference.

    Attributes:
        idle_w: what is taken anyway.
        idle_of: what that is of: the board, or the device alone.
        dynamic_w: what the programmable logic adds when it works all the time.
        total_w: both together.
        single_uj: energy from the first input to the last output of one inference alone.
        stream_uj: energy of one of many inferences that are started every II cycles.
        source: where the idle term was read.
    """

    idle_w: Estimate
    idle_of: str
    dynamic_w: Estimate
    total_w: Estimate
    single_uj: Estimate
    stream_uj: Estimate
    source: str

    def to_dict(self) -> dict[str, Any]:
        """Return power and energy as plain data, for JSON."""
        figures = ("idle_w", "dynamic_w", "total_w", "single_uj", "stream_uj")
        content: dict[str, Any] = {name: _ends(getattr(self, name)) for name in figures}
        return {**content, "idle_of": self.idle_of, "source": self.source}


def power_of(total: Cost, board: Board, clock_period_ns: float) -> Power | None:
    """Return power and energy of a design; None where nobody knows what its board takes anyway.

    Args:
        total: cost of the whole design.
        board: the board.
        clock_period_ns: clock period.
    """
    idle, measured = idle_power(board), board.board_power or board.idle_power
    if idle is None or measured is None:
        return None
    dynamic = dynamic_power(total, board.part, clock_period_ns)
    everything = idle + dynamic
    return Power(
        idle_w=idle,
        idle_of=DEVICE if board.board_power is None else BOARD,
        dynamic_w=dynamic,
        total_w=everything,
        single_uj=energy(everything, total.latency_cycles.scaled(clock_period_ns)),
        stream_uj=energy(everything, total.ii.scaled(clock_period_ns)),
        source=measured.source,
    )


def idle_power(board: Board) -> Estimate | None:
    """Return what a board takes anyway, in W, or what its device does; None where nobody knows."""
    if board.board_power is not None:
        # measured with networks at work: the least of them has the least of theirs in it
        low, high = board.board_power.low, board.board_power.high
        return Estimate(low, low, high)
    if board.idle_power is not None:
        watts = board.idle_power.watts
        return Estimate(watts, watts / 1.5, watts * 1.5)
    return None


def dynamic_power(total: Cost, part: str, clock_period_ns: float) -> Estimate:
    """Return the power that programmable logic adds when it works all the time, in W."""
    known = is_7_series(part)
    within = WITHIN if known else WITHIN_ELSEWHERE
    figures = sum((getattr(total, name).scaled(w) for name, w in WATTS.items()), Estimate.exact(0))
    watts = figures.value * AT_NS / clock_period_ns
    basis = Basis.FITTED if known else Basis.EXTRAPOLATED
    return Estimate(watts, watts / within, watts * within, basis)


def energy(power_w: Estimate, time_ns: Estimate) -> Estimate:
    """Return power times time in microjoules; the ends are those of both together."""
    value, low, high = (
        getattr(power_w, end) * getattr(time_ns, end) * 1e-3 for end in ("value", "low", "high")
    )
    return Estimate(value, low, high, Basis.worst((power_w.basis, time_ns.basis)))


def _ends(figure: Estimate) -> dict[str, Any]:
    """Return a figure with six digits: energies are small numbers of microjoules."""
    ends = {end: float(f"{getattr(figure, end):.6g}") for end in ("value", "low", "high")}
    return {**ends, "basis": figure.basis.value}
