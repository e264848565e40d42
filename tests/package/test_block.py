"""Blocks: the description, how frames are laid out, and what is refused."""

import itertools
import json
import re
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path

import jsonschema
import numpy as np
import pytest

from hwflow.core.errors import CompileError
from hwflow.package import block, description
from hwflow.package.block import Block, make_block
from hwflow.package.description import Description, Port
from hwflow.package.wishes import Wishes
from tests.cli.command import dense
from tests.cli.command import hwflow as command
from tests.package.builds import EXAMPLES, build, two_ports, wide

ROOT = Path(__file__).parents[2]
SCHEMA_FILE = Path(description.__file__).with_name("schema.json")


def generated_schema() -> str:
    content = Description.model_json_schema(mode="serialization")
    content = {"$schema": "https://json-schema.org/draft/2020-12/schema", **content}
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def test_the_schema_file_describes_blocks(request: pytest.FixtureRequest) -> None:
    if request.config.getoption("--update-golden"):
        SCHEMA_FILE.write_text(generated_schema(), "utf-8")
    assert SCHEMA_FILE.read_text("utf-8") == generated_schema()


def test_the_page_names_every_field() -> None:
    text = (ROOT / "docs" / "package.md").read_text("utf-8")
    found = json.loads(SCHEMA_FILE.read_text("utf-8"))
    for part in (found, *found["$defs"].values()):
        for name in part["properties"]:
            assert f"`{name}`" in text, name


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("small") / "net", board="pynq-z2")


@pytest.fixture(scope="module")
def several(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("several") / "net"
    return build(folder, two_ports(), board="kv260", io_type="io_stream")


@pytest.fixture(scope="module")
def residual(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("residual") / "net"
    model, data = EXAMPLES / "digits_residual.onnx", EXAMPLES / "digits.npz"
    return build(folder, model, data, board="kv260", io_type="io_stream")


@pytest.mark.parametrize("interface", ["axis", "axi-lite", "memory"])
def test_a_description_keeps_to_the_schema_and_is_read_back(small: Path, interface: str) -> None:
    made = make_block(small, Wishes(interface=interface)).description
    content = json.loads(made.to_json())
    validator = jsonschema.Draft202012Validator(json.loads(SCHEMA_FILE.read_text("utf-8")))
    validator.validate(content)
    assert Description.model_validate_json(made.to_json()) == made
    assert not validator.is_valid({**content, "more": 1})


def registers_and_windows(made: Description) -> list[tuple[int, int]]:
    """Return begin and end of all that lies in the control window."""
    found = [(r.address, r.address + r.bits // 8 + 4) for r in made.registers]
    for port in made.ports:
        if port.address is not None:
            found.append((port.address, port.address + port.packing.stride_bytes))
    return sorted(found)


@pytest.mark.parametrize("interface", ["axis", "axi-lite", "memory"])
def test_nothing_in_the_control_window_overlaps(several: Path, interface: str) -> None:
    made = make_block(several, Wishes(interface=interface)).description
    places = [(0, 0x10), *registers_and_windows(made)]
    assert all(end <= begin for (_, end), (begin, _) in itertools.pairwise(places))
    names = [r.name for r in made.registers if r.name not in {p.name for p in made.ports}]
    assert len(set(names)) == len(names)


def samples(made: Block, port: Port) -> np.ndarray:
    """Return a port's vectors as a driver reads them, by the description alone."""
    (vectors,) = (v for v in made.description.vectors if v.port == port.name)
    kind = np.dtype(port.element.numpy).newbyteorder("<")
    rows = np.frombuffer(made.files[vectors.path], kind).reshape(vectors.frames, -1)
    assert rows.shape[1] * kind.itemsize == port.packing.stride_bytes
    assert not rows[:, port.elements :].any()
    return rows[:, : port.elements].reshape(-1, *port.shape)


def spread(values: tuple[float, ...], port: Port) -> np.ndarray:
    """Return a number for each element of a frame."""
    whole = np.array(values)
    return np.broadcast_to(
        whole if len(whole) != port.elements else whole.reshape(port.shape), port.shape
    )


@pytest.mark.parametrize("name", ["small", "several", "residual"])
@pytest.mark.parametrize("width", [32, 64, 128])
def test_a_driver_gets_the_real_numbers_of_the_build(
    name: str, width: int, request: pytest.FixtureRequest
) -> None:
    folder = request.getfixturevalue(name)
    made = make_block(folder, Wishes(data_width=width))
    for port in made.description.ports:
        mantissas = samples(made, port)
        real = spread(port.scale, port) * mantissas + spread(port.offset, port)
        back = np.argsort(port.axes)
        real = real.transpose(0, *(1 + i for i in back))
        assert real.shape[1:] == port.model_shape
        file = folder / "sim/vectors" / f"{port.direction}_{port.argument}.npy"
        np.testing.assert_allclose(real, np.load(file), rtol=1e-15, atol=0)


def test_a_driver_quantizes_as_the_description_says(residual: Path) -> None:
    made = make_block(residual, Wishes())
    (port,) = made.description.inputs
    q = port.quantize
    assert q is not None
    assert q.rounding == "ROUND"
    x = (
        np.load(EXAMPLES / "digits.npz")["x"][:1000]
        .astype(np.float32)
        .reshape(-1, *port.model_shape)
    )
    x = x.transpose(0, *port.axes).astype(np.float64)
    scaled = np.clip(x / spread(q.scale, port) + spread(q.zero_point, port), q.minimum, q.maximum)
    mantissas = np.rint(scaled) - spread(q.zero_point, port)
    known = {frame.tobytes() for frame in mantissas.astype(np.int64)}
    given = samples(made, port).astype(np.int64)
    assert any(frame.tobytes() in known for frame in given)  # others are made up


def test_auto_takes_a_width_that_does_not_slow_the_network(small: Path, several: Path) -> None:
    (narrow,) = {p.packing.data_width for p in make_block(small, Wishes()).description.ports}
    assert narrow == 32  # four bytes of input in one word
    made = make_block(several, Wishes()).description
    ii = made.figures.ii_cycles.value
    assert made.figures.bus_cycles <= max(1, ii) or made.ports[0].packing.data_width == 128


@pytest.mark.parametrize(
    ("name", "wishes"),
    [
        ("small", Wishes()),
        ("several", Wishes(data_width=32)),
        ("small", Wishes(interface="memory")),
        ("small", Wishes(interface="axi-lite")),
    ],
)
def test_the_code_is_as_it_was(
    name: str, wishes: Wishes, request: pytest.FixtureRequest, golden: Callable[[str, str], None]
) -> None:
    made = make_block(request.getfixturevalue(name), wishes)
    for end in ("h", "cpp"):
        text = made.files[f"hls/{made.description.top}.{end}"].decode()
        text = re.sub(r"(design = )\d+u", r"\1DIGESTu", text)  # of files that hls4ml writes
        text = re.sub(r"(verdict_ depth=)\d+", r"\1DEPTH", text)  # by the estimate
        golden(f"package/{name}_{wishes.interface}.{end}", text)


def test_the_same_project_gives_the_same_block(small: Path) -> None:
    once, again = (make_block(small, Wishes()) for _ in range(2))
    assert once.files == again.files
    others = [Wishes(data_width=64), Wishes(interface="memory"), Wishes(interface="axi-lite")]
    ids = {make_block(small, w).description.design_id for w in (Wishes(), *others)}
    assert len(ids) == 4


def codes(run: Callable[[], object]) -> list[tuple[str, str]]:
    with pytest.raises(CompileError) as caught:
        run()
    return [(d.code, d.found) for d in caught.value.diagnostics]


@pytest.mark.parametrize(
    "path",
    ["hls/firmware/weights/gemm19_weight.txt", "sim/vectors/output_v25_out.raw.npy", "report.md"],
)
def test_a_project_that_was_changed_is_not_packaged(small: Path, path: str, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(small, tmp_path / "net"))
    file = copy / path
    before = file.read_bytes()
    file.write_bytes(before[:-2] + b"9" + before[-1:])
    ((code, found),) = codes(lambda: make_block(copy, Wishes()))
    assert code == "HW574"
    assert path in found
    file.write_bytes(before)  # the help
    assert make_block(copy, Wishes()).files


def test_a_project_of_another_hwflow_is_refused_with_the_command_that_makes_it_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its files are as its digests say, but generated code has other names now."""
    monkeypatch.chdir(tmp_path)
    with monkeypatch.context() as before:
        before.setattr("hwflow.codegen.hls.naming.output_name", lambda name: "layer2_out")
        folder = build(tmp_path / "an old net")
    assert "layer2_out" in (folder / "hls/firmware/fixture.h").read_text("utf-8")
    with pytest.raises(CompileError) as caught:
        make_block(folder, Wishes())
    (found,) = caught.value.diagnostics
    assert found.code == "HW574"
    assert "every file has its recorded digest" in found.found
    program, *arguments = shlex.split(found.help.split(", with")[0])
    assert program == "hwflow"
    ran = command(capsys, *arguments)
    assert ran.status == 0, ran.err
    assert make_block(folder, Wishes()).files


def test_an_element_that_fits_no_word_is_refused_with_the_width(tmp_path: Path) -> None:
    folder = build(tmp_path / "net", wide())
    for wishes, helped in [
        (Wishes(data_width=32), Wishes(data_width=64)),
        (Wishes(interface="axi-lite"), Wishes(data_width=64)),
    ]:
        ((code, found),) = codes(lambda w=wishes: make_block(folder, w))
        assert code == "HW575"
        assert "words of 32" in found
        (port,) = make_block(folder, helped).description.outputs
        assert port.element.lane_bits == 64


def test_a_build_without_vectors_is_refused(tmp_path: Path) -> None:
    import hwflow

    folder = hwflow.compile(dense()).write(tmp_path / "net")
    ((code, found),) = codes(lambda: make_block(folder, Wishes()))
    assert (code, found) == ("HW576", "sim/vectors/input_x_in.raw.npy: gone")
    assert make_block(build(tmp_path / "other"), Wishes()).files


def test_frames_too_large_for_a_window_are_refused(
    small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(block, "MOST_AXI_LITE_BYTES", 100)
    ((code, _),) = codes(lambda: make_block(small, Wishes(interface="axi-lite")))
    assert code == "HW577"
    assert make_block(small, Wishes(interface="memory")).files
