"""The two stages that an estimate speaks of, and what their columns are called.

C synthesis comes first: its report is the first that a user of Vitis HLS sees. Logic synthesis
comes after it and leaves less. A figure of one stage never stands in a column of the other.
"""

from __future__ import annotations

CSYNTH = {
    "lut": "LUT", "ff": "FF", "dsp": "DSP", "bram_18k": "BRAM 18k",
    "latency_cycles": "cycles", "ii": "II",
}  # fmt: skip
"""Figures of C synthesis, by their names in a cost."""

POST_SYNTHESIS = {
    "lut_synth": "LUT", "ff_synth": "FF", "dsp_synth": "DSP", "bram_18k_synth": "BRAM 18k",
}  # fmt: skip
"""Figures of logic synthesis, the same way."""

COLUMNS = {
    **{figure: f"csynth {title}" for figure, title in CSYNTH.items()},
    **{figure: f"post-synthesis {title}" for figure, title in POST_SYNTHESIS.items()},
}
"""Columns of a table of costs, in order."""

ESTIMATED = "estimated; csynth: what C synthesis would report, post-synthesis: what is left of it"
"""What stands over such a table."""
