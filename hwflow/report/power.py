"""Power and energy in a report: as data, and in words."""

from __future__ import annotations

from hwflow.estimate.power import BOARD, Power
from hwflow.ir.cost import Estimate
from hwflow.report.parts import Interval, PowerData


def power_data(power: Power) -> PowerData:
    """Return power and energy as data of the report."""
    return PowerData(
        idle_w=_interval(power.idle_w),
        idle_of=power.idle_of,
        dynamic_w=_interval(power.dynamic_w),
        total_w=_interval(power.total_w),
        single_uj=_interval(power.single_uj),
        stream_uj=_interval(power.stream_uj),
        source=power.source,
    )


def _interval(figure: Estimate) -> Interval:
    value, low, high = (float(f"{e:.6g}") for e in (figure.value, figure.low, figure.high))
    return Interval(value, low, high, figure.basis.value)


def joules(microjoules: float) -> str:
    """Return an energy in the unit that suits its size."""
    for unit, factor in (("nJ", 1e-3), ("µJ", 1.0), ("mJ", 1e3)):
        if microjoules < 1000 * factor:
            return f"{microjoules / factor:.3g} {unit}"
    return f"{microjoules / 1e6:.3g} J"


def energy_words(power: PowerData | Power) -> str:
    """Return the terms of an energy, each with its range."""
    idle, dynamic, single = power.idle_w, power.dynamic_w, power.single_uj
    of = "of the board" if power.idle_of == BOARD else "static of the device alone"
    return (
        f"{joules(single.low)} to {joules(single.high)}; "
        f"{idle.low:.3g} to {idle.high:.3g} W {of}, and "
        f"{dynamic.value:.2g} W ({dynamic.low:.2g} to {dynamic.high:.2g}) of its logic"
    )
