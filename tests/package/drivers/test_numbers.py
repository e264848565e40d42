"""Numbers of the drivers in Python and C against hwflow's own arithmetic, at every boundary."""

import ctypes
from collections.abc import Callable
from fractions import Fraction
from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwflow.fixed import FixedType, Overflow, Rounding
from hwflow.fixed.doubles import quantize_values
from hwflow.ir.qonnx.quantizer import ROUNDING, Quantizer
from hwflow.ir.real.host import host_levels
from tests.package.drivers.boards import CPort, Packaged, c_driver, packaged

pytestmark = pytest.mark.cpp

ROUNDINGS = (
    "TRN", "TRN_ZERO", "RND", "RND_ZERO", "RND_INF", "RND_MIN_INF", "RND_CONV", "ROUND", "CEIL",
    "FLOOR", "UP", "DOWN", "HALF_UP", "HALF_DOWN", "SIGN",
)  # fmt: skip
OVERFLOWS = ("WRAP", "SAT", "SAT_ZERO", "SAT_SYM")
"""The enumerations of C in their order."""

F64 = npt.NDArray[np.float64]


@pytest.fixture(scope="module")
def block(tmp_path_factory: pytest.TempPathFactory) -> Packaged:
    return packaged(tmp_path_factory.mktemp("numbers"))


@pytest.fixture(scope="module")
def c(block: Packaged, tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    return c_driver(block, tmp_path_factory.mktemp("library"))


@pytest.fixture(scope="module")
def numbers(block: Packaged) -> Any:
    block.python()
    import hwflow_ip.numbers

    return hwflow_ip.numbers


class CQuantizer(ctypes.Structure):
    """``hwflow_quantizer`` of C."""

    _fields_ = (
        ("minimum", ctypes.c_int64),
        ("maximum", ctypes.c_int64),
        ("count", ctypes.c_uint32),
        ("scale", ctypes.POINTER(ctypes.c_double)),
        ("zero_point", ctypes.POINTER(ctypes.c_int64)),
    )


def array(kind: Any, values: Any) -> Any:
    return (kind * len(values))(*values)


def c_port(said: dict[str, Any], elements: int) -> tuple[CPort, list[Any]]:
    """Return a port for C, of one axis and 8 bytes a lane, and what it refers to."""
    element, quantize = said["element"], said["quantize"]
    scale, offset = ([Fraction(t) for t in said[f"exact_{k}"]] for k in ("scale", "offset"))
    kept: list[Any] = [array(ctypes.c_uint32, [elements]), array(ctypes.c_uint32, [1])]
    for exact in (scale, offset):
        kept.append(array(ctypes.c_double, [float(x) for x in exact]))
        kept.append(array(ctypes.c_double, [float(x - Fraction(float(x))) for x in exact]))
    pointer = None
    if quantize:
        kept.append(array(ctypes.c_double, quantize["scale"]))
        kept.append(array(ctypes.c_int64, quantize["zero_point"]))
        ends = quantize["minimum"], quantize["maximum"], len(quantize["scale"])
        kept.append(CQuantizer(*ends, kept[-2], kept[-1]))
        pointer = ctypes.cast(ctypes.pointer(kept[-1]), ctypes.c_void_p)
    rounding = quantize["rounding"] if quantize else said["rounding"]
    port = CPort(
        True, element["signed"], False, element["width"], element["fractional_bits"], 8, elements,
        8 * elements, 1, kept[0], kept[1], ROUNDINGS.index(rounding),
        OVERFLOWS.index(said["overflow"]), pointer, len(scale), kept[2], kept[3], len(offset),
        kept[4], kept[5],
    )  # fmt: skip
    return port, kept


def said_of(dtype: FixedType, quantize: dict[str, Any] | None = None) -> dict[str, Any]:
    return {
        "element": {
            "width": dtype.width, "signed": dtype.signed, "fractional_bits": dtype.fractional,
            "numpy": "int64" if dtype.signed else "uint64",
        },
        "rounding": str(dtype.rounding),
        "overflow": str(dtype.overflow),
        "quantize": quantize,
        "exact_scale": ["1"],
        "exact_offset": ["0"],
    }  # fmt: skip


def by_c(c: ctypes.CDLL, said: dict[str, Any], values: npt.NDArray[np.float32]) -> Any:
    """Return the mantissas that the C driver writes for numbers."""
    port, kept = c_port(said, len(values))
    frame = (ctypes.c_uint8 * (8 * len(values)))()
    given_ = array(ctypes.c_float, values.tolist())
    assert c.hwflow_put(ctypes.byref(port), given_, frame) == 0
    assert kept
    return np.frombuffer(frame, np.int64)


types = st.builds(
    lambda width, integer, signed, rounding, overflow: FixedType(
        width, integer, signed, rounding, overflow
    ),
    st.integers(1, 62), st.integers(-20, 40), st.booleans(), st.sampled_from(Rounding),
    st.sampled_from(Overflow),
)  # fmt: skip


def near(levels: Any, step: float) -> npt.NDArray[np.float32]:
    """Return float32 numbers at levels and halves between them, and their neighbours."""
    grid = (np.asarray(levels, np.float64)[:, None] + [0.0, 0.25, 0.5]).ravel() * step
    with np.errstate(over="ignore"):
        at = grid.astype(np.float32)
    up, down = (np.nextafter(at, np.float32(end)) for end in (np.inf, -np.inf))
    found = np.concatenate([at, up, down, [np.float32(-0.0)]])
    return np.asarray(found[np.isfinite(found)], np.float32)


@given(dtype=types, seed=st.integers(0, 2**32 - 1))
@settings(max_examples=150, deadline=None)
def test_numbers_are_assigned_as_ap_fixed_does(
    numbers: Any, c: ctypes.CDLL, dtype: FixedType, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    ends = [dtype.raw_min, dtype.raw_max, -1, 0, 1, 2 * dtype.raw_max, -3 * dtype.raw_max]
    spread = rng.integers(-(2**20), 2**20, 20)
    values = near([*ends, *spread.tolist()], dtype.step)
    expected = quantize_values(values.astype(np.float64), dtype)
    said = said_of(dtype)
    assert np.array_equal(numbers._assigned(values.astype(np.float64)[None], said)[0], expected)
    assert np.array_equal(by_c(c, said, values), expected)


quantizers = st.builds(
    lambda scale, zero, bits, signed, narrow, rounding: Quantizer(
        kind="Quant", scale=np.array(np.float32(scale), np.float64), zero_point=np.array(zero),
        bit_width=bits, signed=signed, narrow=narrow, rounding=rounding,
    ),
    st.floats(2.0**-30, 2.0**10, width=32), st.integers(-300, 300).map(float), st.integers(2, 32),
    st.booleans(), st.booleans(), st.sampled_from(sorted(ROUNDING)),
)  # fmt: skip


@given(quantizer=quantizers, seed=st.integers(0, 2**32 - 1))
@settings(max_examples=150, deadline=None)
def test_numbers_are_quantised_as_the_golden_model_wants(
    numbers: Any, c: ctypes.CDLL, quantizer: Quantizer, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    scale, zero = float(quantizer.scale), int(quantizer.zero_point)
    levels = [quantizer.raw_min - 1, quantizer.raw_min, quantizer.raw_max, quantizer.raw_max + 1]
    levels += rng.integers(quantizer.raw_min, quantizer.raw_max + 1, 20).tolist()
    values = near(np.array(levels) - zero, scale)
    expected = host_levels(quantizer, values.astype(np.float64)).astype(np.int64)
    quantize = {
        "rounding": "SIGN" if quantizer.bipolar else quantizer.rounding,
        "minimum": quantizer.raw_min, "maximum": quantizer.raw_max,
        "scale": [scale], "zero_point": [zero],
    }  # fmt: skip
    said = said_of(FixedType(40, 40), quantize)
    found = numbers._levels(values.astype(np.float64)[None], quantize)[0].astype(np.int64)
    assert np.array_equal(found, expected)
    assert np.array_equal(by_c(c, said, values), expected)


def test_signs_are_those_of_the_quantiser(numbers: Any, c: ctypes.CDLL) -> None:
    quantize = {"rounding": "SIGN", "minimum": -1, "maximum": 1, "scale": [0.3], "zero_point": [0]}
    values = np.array([-1, -1e-30, -0.0, 0.0, 1e-30, 1], np.float32)
    expected = [-1, -1, 1, 1, 1, 1]
    assert numbers._levels(values.astype(np.float64)[None], quantize)[0].tolist() == expected
    assert by_c(c, said_of(FixedType(2, 2), quantize), values).tolist() == expected


fractions = st.fractions(-4, 4, max_denominator=10**9)
floats = st.floats(-8, 8, width=32).map(Fraction)


@given(
    scale=st.one_of(fractions, floats).filter(bool), offset=st.one_of(st.just(Fraction(0)), floats),
    raws=st.lists(st.integers(-(2**61), 2**61 - 1), min_size=1, max_size=20),
    narrow=st.booleans(),
)  # fmt: skip
@settings(max_examples=300, deadline=None)
def test_results_are_rounded_once(
    numbers: Any, c: ctypes.CDLL, scale: Fraction, offset: Fraction, raws: list[int], narrow: bool
) -> None:
    raws = [raw >> 40 for raw in raws] if narrow else raws
    expected = [float(scale * raw + offset) for raw in raws]
    said = said_of(FixedType(62, 62)) | {"exact_scale": [str(scale)], "exact_offset": [str(offset)]}
    lanes = np.array(raws, np.int64)
    assert numbers._real(lanes[None], said)[0].tolist() == expected
    port, kept = c_port(said, len(raws))
    frame = (ctypes.c_uint8 * (8 * len(raws))).from_buffer_copy(lanes.tobytes())
    found = [c.hwflow_value(ctypes.byref(port), frame, i) for i in range(len(raws))]
    assert found == expected, kept
    single = (ctypes.c_float * len(raws))()
    c.hwflow_get(ctypes.byref(port), frame, single)
    assert list(single) == np.array(expected).astype(np.float32).tolist()


def test_what_no_hardware_has_is_refused(c: ctypes.CDLL, block: Packaged) -> None:
    port, kept = c_port(said_of(FixedType(8, 4)), 2)
    frame = (ctypes.c_uint8 * 16)()
    for wrong in (float("nan"), float("inf")):
        values = array(ctypes.c_float, [1.0, wrong])
        assert c.hwflow_text(c.hwflow_put(ctypes.byref(port), values, frame)) == (
            b"a number is NaN or infinite"
        )
    assert kept
    ip = block.python()
    said = ip.Description.read(block.folder).inputs[0]
    from hwflow_ip.numbers import frames_of

    elements = said.elements
    with pytest.raises(ValueError, match="NaN or infinity"):
        frames_of(np.full((1, elements), np.nan), said)
    with pytest.raises(ValueError, match="has shape"):
        frames_of(np.zeros((1, elements + 1)), said)


def test_frames_are_those_of_numpy(numbers: Any) -> None:
    """A port of three axes, channels first in the model, in lanes of 16 bits."""
    rng = np.random.default_rng(1)
    raw: Callable[..., Any] = rng.integers
    values = raw(-900, 900, (4, 3, 2, 5)).astype(np.float64)
    said = said_of(FixedType(12, 12)) | {
        "axes": [2, 3, 1], "shape": [2, 5, 3], "model_shape": [3, 2, 5],
        "packing": {"frame_bytes": 60, "stride_bytes": 64},
    }  # fmt: skip
    said["element"]["numpy"] = "int16"
    port = SimpleNamespace(said=said, elements=30, model_name="x")
    frames = numbers.frames_of(values, port)
    assert frames.shape == (4, 64)
    assert not frames[:, 60:].any()
    held = frames[:, :60].copy().view("<i2").reshape(4, 2, 5, 3)
    assert np.array_equal(held, values.transpose(0, 2, 3, 1))
    assert np.array_equal(numbers.values_of(frames, port), values)
