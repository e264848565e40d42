"""What a part is made of, as far as HLS tools know: family, speed grade, delays, DSP ports.

Delays are those with which HLS tools schedule. Two of them were read from reports: the nominal
delays of a 16-bit adder and multiplier in Vivado HLS on a 7-series part of speed grade -1 (2.1 and
6.4 ns). The rest follows from the pipeline depths of 60 unrolled layers of ten repositories;
``docs/estimates.md`` says how well.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from hwflow.ir.op import Target

USABLE_PERIOD = {"Vivado": 0.875, "Vitis": 0.73}
"""Share of the clock period left after the uncertainty that hls4ml asks for: 12.5 % with its
Vivado back end and 27 % with its Vitis one (hls4ml 1.3, vivado_backend.py and vitis_backend.py)."""

SEVEN_SERIES = "7 series"
ULTRASCALE = "UltraScale"

FAMILIES = (SEVEN_SERIES, ULTRASCALE)
"""Families of which there are reports; UltraScale stands for UltraScale+, too."""

DSP_PORTS = {SEVEN_SERIES: (25, 18), ULTRASCALE: (27, 18)}
"""Bits of the signed multiplier's ports: DSP48E1 (UG479) and DSP48E2 (UG579)."""

ADDER_NS = {
    ("Vivado", SEVEN_SERIES): 2.0,
    ("Vitis", SEVEN_SERIES): 2.2,
    ("Vivado", ULTRASCALE): 0.75,
    ("Vitis", ULTRASCALE): 0.85,
}
"""Delay of one adder of 16 bits, speed grade -1 (7 series) and -2 (UltraScale)."""

MULTIPLIER_NS = {
    ("Vivado", SEVEN_SERIES): 6.4,
    ("Vitis", SEVEN_SERIES): 6.4,
    ("Vivado", ULTRASCALE): 2.1,
    ("Vitis", ULTRASCALE): 1.55,
}
"""Delay of one DSP block as a multiplier without registers, at the same grades."""

FIFO_NS = {SEVEN_SERIES: 3.6, ULTRASCALE: 1.3}
"""Delay of reading or writing a FIFO, at the same grades (Vivado HLS schedules 3.63 ns at -1)."""

TABLE_NS = {SEVEN_SERIES: 3.2, ULTRASCALE: 1.2}
"""Delay of a block RAM behind its address register, at the same grades."""

MULTIPLIER_STAGES = 3
"""Stages of a DSP block that is too slow for one cycle: its input, product and output registers."""

FASTER = 0.66
"""Delay at 7-series speed grade -3 as a part of that at -1 (DS181, DS183: DSP48E1 and CLB)."""


@dataclass(frozen=True, kw_only=True)
class Fabric:
    """Delays of a part under a tool.

    Attributes:
        family: ``"7 series"`` or ``"UltraScale"`` (which stands for UltraScale+ and Versal, too).
        usable_ns: what the clock period leaves after the tool's uncertainty.
        adder_ns: delay of one adder.
        multiplier_ns: delay of a DSP block that multiplies without registers.
        fifo_ns: delay of reading or writing a FIFO.
        table_ns: delay of a block RAM behind its address register.
        ports: bits of the multiplier's two signed ports, the wider first.
    """

    family: str
    usable_ns: float
    adder_ns: float
    multiplier_ns: float
    fifo_ns: float
    table_ns: float
    ports: tuple[int, int]


def is_7_series(part: str) -> bool:
    """Return whether the part is of AMD's 7 series (28 nm), which is about three times slower."""
    return part.lower().startswith(("xc7", "xa7", "xq7"))


def family_of(part: str) -> str | None:
    """Return the family of a part of which there are reports; None for all others."""
    if is_7_series(part):
        return SEVEN_SERIES
    return ULTRASCALE if re.match(r"x[aqc](ku|vu|zu|u\d|k\d)", part.lower()) else None


DEVICE = re.compile(
    r"x[aqc](7z\d+s?|7s\d+|7[ak]\d+t|7vx?\d+t|u\d+[a-z]?|zu\d+[a-z]{2}|[vk]u\d+p?|k\d+|v[a-z]\d+)"
)
"""The device in a part's name: family and size, without package and speed grade."""


def device_of(part: str) -> str:
    """Return the device in a part's name, ``xc7z020`` in ``xc7z020clg400-1``."""
    found = DEVICE.match(part.lower())
    return found.group() if found else part.lower()


def speed_grade(part: str) -> int:
    """Return the digit of the speed grade in a part's name; the slowest where there is none.

    Both spellings serve: ``xc7vx690t-ffg1930-3`` and ``xc7vx690t-3ffg1930``.
    """
    found = re.search(r"-([1-3])(?:[a-z]*)(?:-[a-z])?$", part.lower()) or re.search(
        r"-([1-3])(?![0-9])", part.lower()
    )
    return int(found.group(1)) if found else 1


@lru_cache(maxsize=64)
def fabric_of(target: Target) -> Fabric:
    """Return the delays of a target's part under its tool."""
    family = SEVEN_SERIES if is_7_series(target.part) else ULTRASCALE
    faster = 1.0
    if family == SEVEN_SERIES:
        faster = 1.0 - (1.0 - FASTER) * (speed_grade(target.part) - 1) / 2
    key = target.backend, family
    return Fabric(
        family=family,
        usable_ns=target.clock_period_ns * USABLE_PERIOD[target.backend],
        adder_ns=ADDER_NS[key] * faster,
        multiplier_ns=MULTIPLIER_NS[key] * faster,
        fifo_ns=FIFO_NS[family] * faster,
        table_ns=TABLE_NS[family] * faster,
        ports=DSP_PORTS[family],
    )
