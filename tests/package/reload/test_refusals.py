"""What cannot be written, and builds that do not fit a block: each help is applied."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from hwflow.core.errors import CompileError, Diagnostic
from hwflow.fixed import FixedType
from hwflow.package.block import make_block
from hwflow.package.reading import StoredBlock, read_block
from hwflow.package.reload.weights import matched, weight_image
from hwflow.package.untouched import open_untouched
from hwflow.package.wishes import Wishes
from tests.fixtures import model
from tests.networks import Builder
from tests.package.builds import EXAMPLES, build
from tests.package.reload.retrained import WIDE, built, dense, image


def slow(*values: Any) -> Any:
    return pytest.param(*values, marks=pytest.mark.slow)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("refusals")


@pytest.fixture(scope="module")
def project(place: Path) -> Path:
    return built(place / "net", dense(0))


def block(project: Path, folder: Path, *layers: str, **wishes: Any) -> StoredBlock:
    make_block(project, Wishes(reloadable=layers or ("all",), **wishes)).write(folder)
    return read_block(folder)


@pytest.fixture(scope="module")
def held(project: Path, place: Path) -> StoredBlock:
    return block(project, place / "ip")


def fits(held: StoredBlock, project: Path) -> bytes:
    """Return the image's words of a build that fits."""
    assert held.description.reload is not None
    writable, _ = matched(held, open_untouched(project, ()), held.description.reload)
    return writable.image


def refused(held: StoredBlock, project: Path) -> list[Diagnostic]:
    with pytest.raises(CompileError) as error:
        fits(held, project)
    return list(error.value.diagnostics)


def own_block_fits(project: Path, folder: Path) -> None:
    """Apply "package a block of this build"."""
    made = block(project, folder)
    assert (
        fits(made, project)
        == make_block(project, Wishes(reloadable=("all",))).files["vectors/weights.bin"][24:]
    )


def test_a_build_of_the_same_structure_fits(held: StoredBlock, place: Path) -> None:
    others = {fits(held, built(place / f"other{seed}", dense(seed))) for seed in (1, 2, 3)}
    assert len(others) == 3


def unlike(*names: str) -> onnx.ModelProto:
    """Return the network with other weights in some of its layers only."""
    first, second = dense(0), dense(7)
    for mine, other in zip(first.graph.initializer, second.graph.initializer, strict=True):
        users = {n.name for n in first.graph.node if mine.name in n.input}
        quantised = {o for n in first.graph.node if n.name in users for o in n.output}
        users |= {n.name for n in first.graph.node if quantised & set(n.input)}
        if users & set(names):
            mine.CopyFrom(other)
    return first


@pytest.mark.slow
def test_constants_must_be_the_same(project: Path, place: Path) -> None:
    held = block(project, place / "one", "fc1")
    assert fits(held, built(place / "same", unlike("fc1")))
    other = built(place / "both", unlike("fc1", "fc2"))
    (found,) = refused(held, other)
    assert (found.code, found.where) == ("HW583", "fc2")
    assert "constants in the block" in found.found
    names = found.help.partition("--reloadable ")[2].split(",")
    assert fits(block(project, place / "two", *names), other)


@pytest.mark.parametrize(
    ("source", "settings", "where", "what"),
    [
        slow(dense(1), {"fc2": {"reuse_factor": 5}}, "fc2", "reuse_factor: 5"),
        slow(dense(1, hidden=4), {}, "fc1", "shape: 4"),
        slow(dense(1), {"fc1": {"strategy": "resource"}}, "fc1", "strategy: resource"),
        slow(dense(1), {"io_type": "io_stream"}, "[target]", "io_type: io_stream"),
        slow(image(1), {}, "conv", "no such layer in the block"),
    ],
)
def test_another_structure_is_refused(
    source: Any, settings: Any, where: str, what: str, held: StoredBlock, tmp_path: Path
) -> None:
    other = built(tmp_path / "other", source, **settings)
    found = refused(held, other)
    assert {f.code for f in found} == {"HW583"}
    assert (where, what) in {(f.where, f.found) for f in found}
    if where == "[target]":
        assert found[0].help.endswith('io_type = "io_parallel"')
        assert fits(held, built(tmp_path / "helped", source))
    else:
        own_block_fits(other, tmp_path / "ip")


def test_a_weight_outside_of_its_type_is_named(held: StoredBlock, tmp_path: Path) -> None:
    other = built(tmp_path / "other", dense(1, bits=5))
    found = refused(held, other)
    assert [(f.code, f.where) for f in found] == [("HW584", "fc1"), ("HW584", "fc2")]
    place = re.match(r"weight\[(\d+), (\d+)\] = (\S+), and \d+ more", found[0].found)
    assert place is not None
    weights: Any = open_untouched(other, ()).design.graph.by_name["fc1"].op
    value = weights.weight.values[int(place[1]), int(place[2])]
    assert value == float(place[3])
    assert not -1 <= value <= 0.875
    assert found[0].supported == "fixed<4,1>: -1 to 0.875 in steps of 0.125"
    assert fits(held, built(tmp_path / "trained", dense(1, bits=5, most=0.5)))
    own_block_fits(other, tmp_path / "ip")


def test_sums_that_an_accumulator_does_not_hold_are_refused(tmp_path: Path) -> None:
    first = dense(0, most=0.4, ends=True)
    project = built(tmp_path / "net", first, accum={})
    held = block(project, tmp_path / "ip")
    other = built(tmp_path / "other", dense(1), accum={})
    found = refused(held, other)
    assert {f.code for f in found} == {"HW588"}
    wider = dict(WIDE)
    for finding in found:
        accum = re.search(r'accum_t = "(\S+)" in \[layer\.(\w+)\]', finding.help)
        assert accum is not None
        assert accum[2] == finding.where
        wider[accum[2]] = accum[1]
        before = next(
            a for a in held.description.reload.arrays if a.layer == accum[2] and a.role == "bias"
        )
        assert FixedType.parse(accum[1]).width > before.width
    helped = block(built(tmp_path / "helped", first, accum=wider), tmp_path / "helped-ip")
    assert fits(helped, other)
    own_block_fits(other, tmp_path / "other-ip")


@pytest.mark.slow
def test_another_scale_is_refused(held: StoredBlock, tmp_path: Path) -> None:
    other = built(tmp_path / "other", dense(1, step=1 / 3))
    found = refused(held, other)
    assert "HW583" in {f.code for f in found} or "HW589" in {f.code for f in found}
    own_block_fits(other, tmp_path / "ip")


@pytest.mark.slow
def test_other_thresholds_are_refused(tmp_path: Path) -> None:
    first = build(tmp_path / "net", dense(0, scale=0.11), board="pynq-z2")
    held = block(first, tmp_path / "ip")
    assert fits(held, first)
    other = build(tmp_path / "other", dense(1, scale=0.11), board="pynq-z2")
    found = refused(held, other)
    assert {f.code for f in found} <= {"HW583", "HW588", "HW589"}
    own_block_fits(other, tmp_path / "other-ip")


def asked(project: Path, *layers: str, **wishes: Any) -> list[Diagnostic]:
    with pytest.raises(CompileError) as error:
        make_block(project, Wishes(reloadable=layers, **wishes))
    return list(error.value.diagnostics)


def helped(finding: Diagnostic) -> tuple[str, ...]:
    assert finding.code == "HW581"
    return tuple(finding.help.partition("--reloadable ")[2].split(","))


def test_layers_without_weights_are_refused(project: Path) -> None:
    first, second = asked(project, "fc3", "x")
    assert "there is no layer of this name; did you mean 'fc" in first.found
    assert "a layer Input" in second.found
    for finding in (first, second):
        assert make_block(project, Wishes(reloadable=helped(finding))).description.reload


@pytest.mark.slow
def test_adders_made_of_weights_are_refused(tmp_path: Path) -> None:
    pytest.importorskip("da4ml")
    folder = built(tmp_path / "net", dense(0), accum={}, fc1={"strategy": "distributed_arithmetic"})
    (found,) = asked(folder, "all")
    assert found.where.startswith("fc1")
    assert helped(found) == ("fc2",)
    made = make_block(folder, Wishes(reloadable=helped(found)))
    assert made.description.reload is not None
    assert made.description.reload.layers == ("fc2",)


@pytest.mark.slow
def test_kernels_that_tell_weights_apart_are_refused(tmp_path: Path) -> None:
    folder = built(tmp_path / "net", dense(0, bits=2, scale=1.0), accum={})
    made = open_untouched(folder, ()).design
    text = made.project.text("firmware/parameters.h")
    other = set(re.findall(r"using product = nnet::product::(\w+)", text)) - {"mult"}
    if not other:  # hwflow gives hls4ml's general product to weights of two bits
        assert make_block(folder, Wishes(reloadable=("all",))).description.reload
        return
    assert {f.code for f in asked(folder, "all")} == {"HW581"}


@pytest.mark.slow
def test_a_network_without_weights_is_refused(tmp_path: Path) -> None:
    b = Builder(np.random.default_rng(0))
    x = b.quant("x", 5, 1 / 4, signed=True)
    folder = build(tmp_path / "net", model(b, b.node("Relu", [x]), (1, 4), (1, 4)))
    (found,) = asked(folder, "all")
    assert (found.code, found.help) == ("HW581", "package without --reloadable")
    assert make_block(folder, Wishes()).description.reload is None


def test_kernels_of_vitis_are_refused(project: Path) -> None:
    (found,) = asked(project, "all", kernel=True, interface="memory")
    assert found.code == "HW582"
    assert found.help.startswith("--target ip")
    assert make_block(project, Wishes(reloadable=("all",), interface="memory"))


def test_a_block_of_constants_takes_no_image(project: Path, tmp_path: Path) -> None:
    make_block(project, Wishes()).write(tmp_path / "ip")
    with pytest.raises(CompileError) as error:
        weight_image(tmp_path / "ip", project, tmp_path / "weights.bin")
    (found,) = error.value.diagnostics
    assert found.code == "HW598"
    assert "--reloadable all" in found.help
    assert fits(block(project, tmp_path / "again", "all"), project)
    assert not (tmp_path / "weights.bin").exists()


@pytest.mark.slow
def test_a_block_that_was_changed_is_refused(project: Path, tmp_path: Path) -> None:
    held = block(project, tmp_path / "ip")
    file = tmp_path / "ip" / "ip.json"
    digest = held.description.files["hls/firmware/parameters.h"]
    file.write_text(file.read_text().replace(digest, "0" * 64))
    (found,) = refused(read_block(tmp_path / "ip"), project)
    assert found.code == "HW586"
    assert fits(block(project, tmp_path / "again"), project)


@pytest.mark.slow
def test_examples_with_scales_of_their_own(tmp_path: Path) -> None:
    folder = build(tmp_path / "net", EXAMPLES / "digits_residual.onnx", board="kv260")
    held = block(folder, tmp_path / "ip")
    assert fits(held, folder)
