"""One record of a comparison, one wording: the same words wherever a result is shown."""

from dataclasses import replace
from html import unescape

import pytest

from hwflow.cli.show.verification import _statement
from hwflow.report.gate import gate_markdown
from hwflow.report.html import to_html
from hwflow.report.markdown import to_markdown
from hwflow.report.markup import plain
from hwflow.testing.assertions import assert_exact, assert_faithful, assert_lossless
from hwflow.verify.agreement import Agreement
from hwflow.verify.checks import agreement_check
from hwflow.verify.comparison import full_simulation
from hwflow.verify.junit import to_junit
from hwflow.verify.verdict import Approximation, State, Verdict
from hwflow.verify.verification import Verification
from hwflow.verify.words.numbers import percent
from tests.report.samples import (
    agreement,
    budget,
    error,
    graph,
    lossless_agreement,
    report,
    simulation_input,
)

LINE = "first in fc2 (block.fc2) at [3, 1]: expected 0.25, found 0.5; rounding differs"
ELEMENT = "element [3, 1]: simulation 0.25, C++ 0.5, off by 2 steps of the type"
FLOAT32 = "differs from exact arithmetic at 2 of 160 values (first at block.fc1)"


def verification(**changes: Agreement | None) -> Verification:
    net = graph()
    made = Verification(
        faithful=agreement(net, {"fc2": 3}),
        lossless=lossless_agreement(net, {}),
        errors=(error(),),
        simulation=full_simulation(net, simulation_input()),
        data="images.npz",
        budget=budget(),
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def printed(found: Verification, capsys: pytest.CaptureFixture[str]) -> str:
    for said in found.statements:
        _statement(said)
    return capsys.readouterr().out


def test_the_first_difference_has_one_line_everywhere(capsys: pytest.CaptureFixture[str]) -> None:
    found = verification()
    check = agreement_check("faithful", found.faithful)
    assert check.detail == LINE
    assert LINE in printed(found, capsys)
    assert LINE in unescape(found._repr_html_())
    assert LINE in to_junit("tiny", [check], 0.0, {})
    assert plain(LINE) in gate_markdown("tiny", "tiny", [check], found)
    with pytest.raises(AssertionError, match="not faithful") as caught:
        assert_faithful(found)
    assert LINE in str(caught.value)


def test_both_pages_say_which_element_differs() -> None:
    made = report(faithful={"fc2": 3})
    assert ELEMENT in unescape(to_html(made))
    assert plain(ELEMENT) in to_markdown(made)


def test_counts_are_the_same_everywhere(capsys: pytest.CaptureFixture[str]) -> None:
    found, made = verification(), report(faithful={"fc2": 3})
    counted = "3 of 300"
    assert f"{counted} values differ, 4 layers" in printed(found, capsys)
    assert str(found.faithful) == f"no, {counted} values differ, first in fc2"
    assert agreement_check("faithful", found.faithful).value == f"{counted} differ"
    assert f"{counted} values (1.00 %) differ" in to_html(made)
    assert f"{counted} values (1.00 %) differ" in to_markdown(made)


def test_what_float32_rounds_is_the_same_everywhere(capsys: pytest.CaptureFixture[str]) -> None:
    found = verification()
    for text in (printed(found, capsys), found._repr_html_(), to_html(report())):
        assert FLOAT32 in text
    assert plain(FLOAT32) in to_markdown(report())


def test_a_verdict_is_the_same_everywhere(capsys: pytest.CaptureFixture[str]) -> None:
    tanh = Approximation(
        layer="act", origin="act", why="a table of tanh", differs=12, largest=0.25, bound=0.5
    )
    verdict = Verdict(state=State.APPROXIMATE, because=(tanh,), at_most=0.125, bound=0.5)
    lossless = replace(lossless_agreement(graph(), {}), verdict=verdict)
    found, made = verification(lossless=lossless), replace(report(), lossless=lossless)
    text = (
        "approximate (because of act; outputs differ by at most 0.125 on these samples, proven at "
        "most 0.5)"
    )
    assert str(verdict) == text
    screen = printed(found, capsys)
    assert "lossless  approximate  hardware == trained model: 0 of 300" in screen
    assert text in screen
    assert text in unescape(found._repr_html_())
    assert plain(text) in gate_markdown("tiny", "tiny", [], found)
    for page in (to_html(made), to_markdown(made)):
        assert "Approximate" in page
    assert f"{text[0].upper()}{text[1:]}." in unescape(to_html(made))
    with pytest.raises(AssertionError, match="not exact") as caught:
        assert_exact(found)
    assert text in str(caught.value)


def test_what_is_no_number_is_said_so(capsys: pytest.CaptureFixture[str]) -> None:
    broken = agreement(graph(), {"fc2": 3}, found=float("nan"))
    assert broken.first is not None
    assert (broken.first.found, broken.first.steps) == (None, None)
    found = verification(faithful=broken)
    line = LINE.replace("found 0.5", "found no finite number")
    assert line in printed(found, capsys)
    assert agreement_check("faithful", broken).detail == line


def test_an_assertion_means_what_the_terminal_says(capsys: pytest.CaptureFixture[str]) -> None:
    found = verification(lossless=agreement(graph(), {"fc1": 1}))
    with pytest.raises(AssertionError) as caught:
        assert_lossless(found)
    meaning = "hardware == trained model"
    assert str(caught.value).startswith(f"not lossless ({meaning}): 1 of 300 differ")
    assert meaning in printed(found, capsys)


@pytest.mark.parametrize(("share", "text"), [(0.0, "0.0 %"), (0.123, "12.3 %"), (1.0, "100.0 %")])
def test_a_share_is_in_per_cent(share: float, text: str) -> None:
    assert percent(share) == text
