"""What stands below the tables of the report."""

from hwflow.report.notes import latency_note, stage_rows
from hwflow.report.parts import Stage, TargetData
from hwflow.report.svg import histogram


def test_passes_are_one_row() -> None:
    stages = [Stage("import", 0.31), *(Stage(f"pass p{i}", 0.004) for i in range(21))]
    stages += [Stage("simulate", 5.65)]
    assert stage_rows(stages) == [
        ("import", "310 ms"),
        ("21 passes", "84 ms"),
        ("simulate", "5.65 s"),
    ]
    assert stage_rows([]) == []


def test_why_latencies_are_no_sum() -> None:
    parallel = latency_note(TargetData("Vitis", "io_parallel", "xc7z020", 10.0))
    stream = latency_note(TargetData("Vivado", "io_stream", "xc7z020", 10.0))
    assert "not the sum of the column" in parallel
    assert "2 cycles for each layer" in parallel
    assert "0.5 cycles for each layer" in stream
    assert "overlap" in stream


def test_labels_of_a_histogram_are_inside() -> None:
    """Digits are 7 pixels wide at most; labels are anchored at their end or their middle."""
    import re

    drawn = str(histogram([12_345_678, 3], [0.0, 1.25e-12, 2.4691e-12], "errors"))
    width = float(re.search(r'viewBox="0 0 (\d+) ', drawn)[1])  # type: ignore[index]
    found = re.findall(r'<text x="([\d.]+)" y="[\d.]+" class="tick (end|middle)">([^<]*)<', drawn)
    assert len(found) > 5
    for x, anchor, label in found:
        half = 7 * len(label) / (1 if anchor == "end" else 2)
        assert float(x) - half >= 0, label
        assert anchor == "end" or label.startswith("absolute") or float(x) + half <= width, label
