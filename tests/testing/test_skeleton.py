"""A new operator: its files, and the names that none can have."""

from pathlib import Path

import pytest

from hwflow.core.errors import CompileError
from hwflow.testing.operators.skeleton import file_stem, write_skeleton


def test_files_are_named_after_the_operator(tmp_path: Path) -> None:
    files = write_skeleton("FFTSize2", tmp_path / "new" / "folder")
    assert [f.name for f in files] == ["fft_size2.py", "fft_size2.h.j2", "test_fft_size2.py"]
    texts = [f.read_text() for f in files]
    assert all("FFTSize2" in text or "fft_size2" in text for text in texts)
    assert not any("{{ stem" in text or "{{ name }}" in text.split("block")[0] for text in texts)


def test_stems() -> None:
    names = {"HalfWave": "half_wave", "IQ": "iq", "LayerNorm2D": "layer_norm2_d"}
    assert {name: file_stem(name) for name in names} == names


@pytest.mark.parametrize(
    "name", ["", "half", "Half Wave", "A/B", "../A", "A;rm", "Ä", "A_b", "A" * 41, "None", "True"]
)
def test_names_that_no_operator_can_have(name: str, tmp_path: Path) -> None:
    with pytest.raises(CompileError, match="HW249"):
        write_skeleton(name, tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("name", "code"), [("Dense", "HW253"), ("Broadcast", "HW255")])
def test_names_that_are_taken(name: str, code: str, tmp_path: Path) -> None:
    with pytest.raises(CompileError, match=code):
        write_skeleton(name, tmp_path)


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "half_wave.h.j2").write_text("mine")
    with pytest.raises(CompileError, match="HW551"):
        write_skeleton("HalfWave", tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["half_wave.h.j2"]
    assert (tmp_path / "half_wave.h.j2").read_text() == "mine"


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CompileError, match="HW552"):
        write_skeleton("HalfWave", tmp_path / "file" / "folder")
