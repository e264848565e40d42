import re
import tomllib
from pathlib import Path

import pytest
from pydantic import ValidationError

from hwflow.core.board import PRICES, RESOURCES, Board, list_boards, load_board
from hwflow.core.errors import CompileError

PROFILE = """
name = "My board"
part = "xc7z020clg400-1"
vendor = "amd"
family = "Zynq-7000"
clock_period_ns = 8.0
memory = "none"
"""


def profile(**counts: object) -> str:
    wanted = dict.fromkeys(RESOURCES, 10) | counts
    tables = [f'[resources.{k}]\ncount = {v}\nsource = "measured"' for k, v in wanted.items()]
    return "\n".join([PROFILE, *tables])


def codes(error: CompileError) -> list[str]:
    return [d.code for d in error.diagnostics]


BOARDS = list_boards()


def test_profiles_have_unique_names_and_a_source_for_every_figure() -> None:
    assert len(BOARDS) >= 45
    assert len({b.name.lower() for b in BOARDS}) == len(BOARDS)
    for board in BOARDS:
        figures = [getattr(board.resources, resource) for resource in RESOURCES]
        for figure in (*figures, board.price, board.idle_power, board.board_power):
            if figure is not None:
                assert figure.source[:3] in ("V: ", "S: ", "M: "), board.name
                assert figure.source[0] != "M" or "unconfirmed" in figure.source, board.name


@pytest.mark.parametrize(
    "family",
    [
        "Spartan-7", "Artix-7", "Kintex-7", "Virtex-7", "Zynq-7000", "Kintex UltraScale",
        "Kintex UltraScale+", "Virtex UltraScale+", "Zynq UltraScale+ MPSoC", "RFSoC", "Alveo",
        "Kria", "Versal", "Cyclone IV", "Cyclone V", "MAX 10", "Arria 10", "Stratix 10", "Agilex",
        "iCE40", "ECP5", "Nexus", "Gowin", "PolarFire",
    ],
)  # fmt: skip
def test_every_family_has_a_board(family: str) -> None:
    assert any(family in b.family or family.lower() == b.vendor for b in BOARDS)


# published totals: AMD DS180, DS190, DS890, DS891, DS962; Quartus fitter reports; family tables of
# Lattice, Gowin and Microchip. BRAM36 counts twice, M10K and M9K as halves, 4 kbit as fifths.
@pytest.mark.parametrize(
    ("name", "counts"),
    [
        ("PYNQ-Z2", (53_200, 106_400, 220, 280, 0)),
        ("ZCU104", (230_400, 460_800, 1_728, 624, 96)),
        ("Alveo U250", (1_728_000, 3_456_000, 12_288, 5_376, 1_280)),
        ("KC705", (203_800, 407_600, 840, 890, 0)),
        ("VC707", (303_600, 607_200, 2_800, 2_060, 0)),
        ("Nexys Video", (134_600, 269_200, 740, 730, 0)),
        ("Arty S7-50", (32_600, 65_200, 120, 150, 0)),
        ("ZC706", (218_600, 437_200, 900, 1_090, 0)),
        ("KCU105", (242_400, 484_800, 1_920, 1_200, 0)),
        ("DE10-Nano", (41_910, 4 * 41_910, 112, 553 // 2, 0)),
        ("DE1-SoC", (32_070, 4 * 32_070, 87, 397 // 2, 0)),
        ("DE2-115", (114_480, 114_480, 266, 216, 0)),
        ("Stratix 10 GX kit", (933_120, 4 * 933_120, 5_760, 11_721, 0)),
        ("ULX3S-85F", (83_640, 83_640, 156, 208, 0)),
        ("iCEBreaker", (5_280, 5_280, 8, 30 // 5, 0)),
        ("Tang Primer 20K", (20_736, 15_552, 48, 46, 0)),
        ("PolarFire SoC Icicle", (254_000, 254_000, 784, 812, 0)),
    ],
)
def test_known_devices(name: str, counts: tuple[int, ...]) -> None:
    assert tuple(load_board(name).resources.count(r) for r in RESOURCES) == counts


# kilobits of block RAM in DS180, DS190, DS890: another column of the same tables
@pytest.mark.parametrize(
    ("name", "kilobits"),
    [
        ("Arty S7-25", 1_620), ("Arty S7-50", 2_700), ("Arty A7-35T", 1_800),
        ("Arty A7-100T", 4_860), ("Nexys Video", 13_140), ("KC705", 16_020), ("VC707", 37_080),
        ("VC709", 52_920), ("ZC706", 19_620), ("KCU105", 21_600), ("KCU1500", 77_760),
    ],
)  # fmt: skip
def test_block_ram_in_kilobits(name: str, kilobits: int) -> None:
    assert 18 * load_board(name).resources.count("bram_18k") == kilobits


def test_boards_of_one_device_have_the_same_counts() -> None:
    by_device: dict[str, set[tuple[int, ...]]] = {}
    for board in BOARDS:
        device = re.split(r"(?<=\d)(?=[a-z]+\d{3,4}-)|-", board.part)[0]
        if board.vendor == "amd":
            counts = tuple(board.resources.count(r) for r in RESOURCES)
            by_device.setdefault(device, set()).add(counts)
    assert len(by_device) > 20
    assert all(len(counts) == 1 for counts in by_device.values())


def test_the_speed_grade_stands_in_the_part() -> None:
    for board in BOARDS:
        grade = board.speed_grade
        if board.vendor == "amd":
            assert grade is not None
            assert re.search(rf"-{grade}(-|$)", board.part), board.name
        else:
            assert grade is None or grade in board.part, board.name


def test_what_is_not_known_is_absent_and_nothing_else_about_it_is_said() -> None:
    unpriced = [b for b in BOARDS if b.price is None]
    assert unpriced
    assert all(b.price_rank == len(PRICES) for b in unpriced)
    assert all(b.price_rank < len(PRICES) for b in BOARDS if b.price)
    text = profile() + '\n[price]\nusd = "cheap"\nsource = "S: a shop"'
    with pytest.raises(ValidationError):
        Board.model_validate(tomllib.loads(text))


def test_amd_devices_have_two_flip_flops_per_lut() -> None:
    amd = [b.resources for b in list_boards() if b.vendor == "amd"]
    assert all(r.ff.count == 2 * r.lut.count for r in amd)


@pytest.mark.parametrize("name", ["pynq-z2", "PYNQ_Z2", "pynqz2", "Pynq Z2"])
def test_names_ignore_case_and_separators(name: str) -> None:
    assert load_board(name).name == "PYNQ-Z2"


def test_every_board_is_found_by_its_own_name() -> None:
    assert all(load_board(b.name) == b for b in list_boards())


def test_unknown_board_lists_the_known_ones_and_guesses() -> None:
    with pytest.raises(CompileError) as caught:
        load_board("zcu1004")
    assert codes(caught.value) == ["HW501"]
    assert "did you mean 'ZCU104'?" in str(caught.value)
    assert "PYNQ-Z1" in caught.value.diagnostics[0].supported


def test_a_profile_by_path(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(profile(lut=123))
    assert load_board(path).resources.lut.count == 123
    assert load_board(str(path)).name == "My board"


def test_all_violations_at_once(tmp_path: Path) -> None:
    path = tmp_path / "bad.toml"
    text = profile(lut=-1, dsp='"many"').replace("clock_period_ns = 8.0", "colour = 3")
    path.write_text(re.sub('source = "measured"', "", text, count=1))
    with pytest.raises(CompileError) as caught:
        load_board(path)
    where = " ".join(d.where for d in caught.value.diagnostics)
    assert set(codes(caught.value)) == {"HW503"}
    for location in ("lut.count", "lut.source", "dsp.count", "clock_period_ns", "colour"):
        assert location in where


@pytest.mark.parametrize(
    "part",
    ['"; rm -rf /"', '"$(id)"', '"x y"', '"../x"', '""', f'"{"x" * 100}"'],
)
def test_hostile_parts_are_refused(tmp_path: Path, part: str) -> None:
    path = tmp_path / "bad.toml"
    path.write_text(profile().replace('"xc7z020clg400-1"', part))
    with pytest.raises(CompileError) as caught:
        load_board(path)
    assert codes(caught.value) == ["HW503"]


@pytest.mark.parametrize("content", [b"name = [", b"\xff\xfe\x00", b"# " + b"x" * 200_000])
def test_unreadable_files(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "bad.toml"
    path.write_bytes(content)
    with pytest.raises(CompileError) as caught:
        load_board(path)
    assert codes(caught.value) == ["HW502"]


def test_missing_file_and_folder(tmp_path: Path) -> None:
    (tmp_path / "folder.toml").mkdir()
    for name in ("absent.toml", "folder.toml"):
        with pytest.raises(CompileError) as caught:
            load_board(tmp_path / name)
        assert codes(caught.value) == ["HW502"]
