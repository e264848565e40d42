import re
from pathlib import Path

import pytest

from hwflow.core.board import RESOURCES, list_boards, load_board
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


def test_at_least_24_boards_with_unique_names_and_a_source_for_every_figure() -> None:
    boards = list_boards()
    assert len(boards) >= 24
    assert len({b.name.lower() for b in boards}) == len(boards)
    for board in boards:
        for resource in RESOURCES:
            source = getattr(board.resources, resource).source
            assert source[:3] in ("V: ", "S: ", "M: ")
            assert source[0] != "M" or "unconfirmed" in source


# AMD data sheets DS190 (xc7z020), DS891 (xczu7ev), DS962 (xcu250); BRAM in halves
@pytest.mark.parametrize(
    ("name", "counts"),
    [
        ("PYNQ-Z2", (53_200, 106_400, 220, 280, 0)),
        ("ZCU104", (230_400, 460_800, 1_728, 624, 96)),
        ("Alveo U250", (1_728_000, 3_456_000, 12_288, 5_376, 1_280)),
    ],
)
def test_known_devices(name: str, counts: tuple[int, ...]) -> None:
    assert tuple(load_board(name).resources.count(r) for r in RESOURCES) == counts


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
        load_board("zcu140")
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
