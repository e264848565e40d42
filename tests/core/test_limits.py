"""Limits are exact decimals, and what is none is refused."""

from fractions import Fraction
from pathlib import Path

import pytest

from hwflow.core.config import load_config, make_config
from hwflow.core.errors import CompileError
from hwflow.core.limits import VerifySettings, parse_amount, parse_share


@pytest.mark.parametrize(
    ("text", "value"),
    [("0.97", (97, 100)), ("97%", (97, 100)), ("97.5 %", (39, 40)), (0.1, (1, 10)), (1, (1, 1)),
     ("0", (0, 1)), (1e-05, (1, 100_000))],
)  # fmt: skip
def test_shares_are_exact(text: str | float, value: tuple[int, int]) -> None:
    assert parse_share(text) == Fraction(*value)


@pytest.mark.parametrize(
    "text", ["97", "101%", "-1%", "1/2", "nan", "inf", "", "%", "0.9.7", "1e999", "9" * 40]
)
def test_what_is_no_share(text: str) -> None:
    with pytest.raises(ValueError, match="a share from 0 to 1"):
        parse_share(text)


def test_amounts_are_numbers_or_per_cent() -> None:
    assert parse_amount("12000").value == 12000
    assert not parse_amount(12000).percent
    amount = parse_amount("70%")
    assert (amount.value, amount.percent, amount.high) == (Fraction(7, 10), True, False)
    upper = parse_amount("70%:high")
    assert (upper.value, upper.percent, upper.high) == (Fraction(7, 10), True, True)
    with pytest.raises(ValueError, match="a share from 0 to 1"):
        parse_share("70%:high")


def test_options_override_settings(tmp_path: Path) -> None:
    file = tmp_path / "hwflow.toml"
    file.write_text('[verify]\nmin_accuracy = 0.9\nmax_lut = "70%"\nlossless = true\n')
    settings = load_config(file).verify
    assert settings.share("min_accuracy") == Fraction(9, 10)
    changed = settings.updated(min_accuracy="95%", max_dsp=None, lossless=False)
    assert changed.share("min_accuracy") == Fraction(19, 20)
    assert changed.lossless
    assert changed.amount("max_dsp") is None
    assert changed.share("max_drop") is None


@pytest.mark.parametrize(
    "settings",
    [{"min_accuracy": "97"}, {"max_lut": "many"}, {"max_ii": "50%"}, {"max_lut": True},
     {"max_latency_us": -1.0}],
)  # fmt: skip
def test_settings_that_are_no_limits(settings: dict[str, object]) -> None:
    with pytest.raises(CompileError) as caught:
        make_config({"verify": settings})
    assert {d.code for d in caught.value.diagnostics} == {"HW102"}
    assert "Value error" not in str(caught.value)


def test_options_that_are_no_limits_come_at_once() -> None:
    with pytest.raises(CompileError) as caught:
        VerifySettings().updated(min_accuracy="97", max_ii="1%")
    assert [d.where for d in caught.value.diagnostics] == ["--min-accuracy", "--max-ii"]
    assert [d.found for d in caught.value.diagnostics] == ["'97'", "'1%'"]
