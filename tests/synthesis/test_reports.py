"""Reports of vendor tools, in the form that the tools write them."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from hwflow.synthesis.csynth_text import read_csynth_text
from hwflow.synthesis.csynth_xml import read_csynth_xml, tool_of
from hwflow.synthesis.numbers import number
from hwflow.synthesis.records import Figures, UnreadableReportError
from hwflow.synthesis.vivado import read_timing, read_utilization
from hwflow.synthesis.xml_tree import read_xml
from tests.synthesis.report_texts import (
    Row,
    hls_text,
    row,
    timing_text,
    utilization_text,
    vitis_xml,
    vivado_hls_xml,
)

FILE = Path("csynth.xml")
FOUND = row(lut=7025, ff=3892, dsp=17, bram=3, latency=25, ii=12)
FIGURES = Figures(lut=7025, ff=3892, dsp=17, bram_18k=3, uram=0, latency_cycles=25, ii=12)


def test_vivado_hls_writes_xml_without_modules() -> None:
    report = read_csynth_xml(vivado_hls_xml("top", FOUND, clock=25.0).encode(), FILE)
    assert (report.tool, report.top, report.part) == ("vivado 2020.1", "top", "xc7z020-clg400-1")
    assert (report.clock_period_ns, report.estimated_clock_ns) == (25.0, 8.731)
    assert report.figures == FIGURES
    assert report.modules == ()


def test_vitis_hls_writes_modules_and_what_holds_them() -> None:
    inner, outer = row(lut=50, ff=20), row(lut=80, ff=30, latency=9, ii=4)
    modules = {"conv_config3_s": ("top", outer), "mult_config3_mult_s": ("conv_config3_s", inner)}
    report = read_csynth_xml(vitis_xml("top", FOUND, modules).encode(), FILE)
    assert report.tool == "vitis 2024.2"
    assert report.figures == FIGURES
    conv, mult = report.modules
    assert (conv.name, conv.parents) == ("conv_config3_s", {"top"})
    assert conv.figures == Figures(lut=80, ff=30, dsp=0, bram_18k=0, uram=0, latency_cycles=9, ii=4)
    assert mult.parents == {"conv_config3_s"}


@pytest.mark.parametrize("tool", ["Vivado", "Vitis"])
def test_the_text_says_what_the_xml_says(tool: str) -> None:
    modules = {"dense_config2_s": row(lut=30, latency=4, ii=2), "relu_config3_s": row(lut=9)}
    text = hls_text(
        "top", FOUND, modules, tool=tool, version="2024.2" if tool == "Vitis" else "2020.1"
    )
    report = read_csynth_text(text, Path("top_csynth.rpt"))
    assert report.figures == FIGURES
    assert report.tool == {"Vivado": "vivado 2020.1", "Vitis": "vitis 2024.2"}[tool]
    assert (report.top, report.part) == ("top", "xc7z020-clg400-1")
    assert (report.clock_period_ns, report.estimated_clock_ns) == (10.0, 8.731)
    dense, relu = report.modules
    assert (dense.name, dense.figures.lut, dense.figures.latency_cycles, dense.figures.ii) == (
        "dense_config2_s", 30, 4, 2,
    )  # fmt: skip
    assert relu.parents == {"top"}


@pytest.mark.parametrize("cell", ["Slice", "CLB"])
def test_utilization_is_read_on_every_family(cell: str) -> None:
    found = row(lut=3299, ff=3614, dsp=17, bram=3)
    report = read_utilization(utilization_text("top", found, cell=cell), FILE)
    assert (report.design, report.state, report.tool) == ("top", "synthesized", "vivado 2020.1")
    assert report.device == "7z020clg400-1"
    assert report.figures == Figures(lut=3299, ff=3614, dsp=17, bram_18k=3)
    placed = utilization_text("top", found, state="Physopt postRoute")
    assert read_utilization(placed, FILE).state == "implemented"


def test_the_worst_slack_is_read() -> None:
    timing = read_timing(timing_text("top", -0.213))
    assert (timing.design, timing.state, timing.slack_ns) == ("top", "implemented", -0.213)


@pytest.mark.parametrize(
    ("text", "value"),
    [("12", 12), ("0.5", 0.5), ("2 ~ 53", 53), ("~0", 0), ("3299*", 3299), ("25.00 ns", 25)]
    + [(text, None) for text in ("-", "?", "undef", "", None, "4294967295", "9" * 20, "x", "-3")],
)  # fmt: skip
def test_numbers(text: str | None, value: float | None) -> None:
    assert number(text) == value


def test_versions_tell_the_tool() -> None:
    assert [tool_of(v) for v in ("2019.2", "2020.1", "2020.2", "2024.1", "future")] == [
        "vivado 2019.2", "vivado 2020.1", "vitis 2020.2", "vitis 2024.1", "vitis future",
    ]  # fmt: skip


ENTITY = '<!DOCTYPE p [<!ENTITY x SYSTEM "file:///etc/hostname">]><profile>&x;</profile>'
LAUGHS = (
    '<!DOCTYPE p [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">'
    '<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">]><profile>&c;</profile>'
)


@pytest.mark.parametrize("text", [ENTITY, LAUGHS, '<!DOCTYPE p SYSTEM "http://a/b.dtd"><p/>'])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_document_types_are_refused_before_an_entity_is_read(text: str, encoding: str) -> None:
    with pytest.raises(UnreadableReportError, match="document type"):
        read_xml(text.encode(encoding))


@pytest.mark.parametrize(
    "text", ["", "<profile>", "<a></b>", "<profile/>", "&x;", "\0", "<p>&y;</p>"]
)
def test_damaged_reports_are_told_so(text: str) -> None:
    with pytest.raises(UnreadableReportError):
        read_csynth_xml(text.encode(), FILE)
    with pytest.raises(UnreadableReportError):
        read_csynth_text(text, FILE)


@st.composite
def damaged(draw: DrawFn) -> tuple[str, Row]:
    """Draw a report with a piece cut out or put in another place."""
    kind = draw(st.integers(0, 4))
    modules = {"a_config2_s": ("top", row()), "b_config3_s": ("a_config2_s", row())}
    text = [
        vivado_hls_xml("top", FOUND),
        vitis_xml("top", FOUND, modules),
        hls_text("top", FOUND, {"a_config2_s": row()}),
        utilization_text("top", FOUND),
        timing_text("top", 0.1),
    ][kind]
    start = draw(st.integers(0, len(text)))
    end = draw(st.integers(start, len(text)))
    piece = text[start:end]
    left = text[:start] + text[end:]
    at = draw(st.integers(0, len(left)))
    return (left[:at] + piece + left[at:] if draw(st.booleans()) else left), FOUND


@given(damaged())
@settings(max_examples=150, deadline=None)
def test_damage_is_read_as_far_as_it_goes_or_refused(found: tuple[str, Row]) -> None:
    """No report, whatever is missing from it, raises anything else or gives a negative figure."""
    text, _ = found
    readers = (
        lambda: read_csynth_xml(text.encode(), FILE).figures,
        lambda: read_csynth_text(text, FILE).figures,
        lambda: read_utilization(text, FILE).figures,
    )
    for read in readers:
        try:
            figures = read()
        except UnreadableReportError:
            continue
        assert all(value is None or value >= 0 for value in figures.to_dict().values())
    try:
        read_timing(text)
    except UnreadableReportError:
        return
