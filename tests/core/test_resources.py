from pathlib import Path

import pytest

from hwflow.core import resources


@pytest.mark.parametrize("name", ["templates", "boards", "sim"])
def test_a_checkout_has_them_at_the_top(name: str) -> None:
    found = getattr(resources, f"{name}_dir")()
    assert found.name == name
    assert found.parent == Path(resources.__file__).resolve().parents[2]


@pytest.mark.parametrize("name", ["templates", "boards", "sim"])
def test_a_wheel_has_them_packed(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packed = tmp_path / "hwflow" / "_data" / name
    packed.mkdir(parents=True)
    (tmp_path / name).mkdir()
    monkeypatch.setattr(resources, "_PACKAGE", tmp_path / "hwflow")
    assert getattr(resources, f"{name}_dir")() == packed
