"""Models and data that code of the user gives, through the commands."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from hwflow.cli import app
from hwflow.core.errors import CompileError

torch = pytest.importorskip("torch")

pytestmark = pytest.mark.torch

CODE = """
import torch

def net():
    torch.manual_seed(0)
    layers = torch.nn.Linear(6, 8), torch.nn.ReLU(), torch.nn.Linear(8, 3)
    return torch.nn.Sequential(*layers)

def data():
    x = torch.randn(60, 6, generator=torch.Generator().manual_seed(1)).numpy()
    return {"features": x, "y": x[:, :3].argmax(axis=1)}
"""


def done(*words: str) -> str:
    result = CliRunner().invoke(app, [*words])
    assert result.exit_code == 0, result.output
    return result.output


def refused(*words: str) -> str:
    result = CliRunner().invoke(app, [*words])
    assert isinstance(result.exception, CompileError)
    return str(result.exception)


def test_code_is_explored_and_quantised(tmp_path: Path) -> None:
    code, run = tmp_path / "code.py", tmp_path / "run"
    code.write_text(CODE)
    net, data = f"{code}:net", f"{code}:data"
    done("explore", net, "--data", data, "--bits", "w=2,4 a=4", "--run", str(run))
    front = json.loads((run / "front.json").read_text())
    assert front["evaluated"] == front["configurations"] == 4
    done("explore", "--run", str(run))  # goes on
    assert json.loads((run / "front.json").read_text()) == front
    (point,) = [p for p in front["fronts"][0]["points"] if p["id"] == front["fronts"][0]["knee"]]
    bits = ",".join(f"{name}={bits}" for name, bits in point["bits"].items())
    out = tmp_path / "net.onnx"
    done(
        "quantize",
        net,
        "--data",
        data,
        "--bits",
        f"w=4,a=4,{bits}",
        "--independent",
        "-o",
        str(out),
    )
    assert out.is_file()


def test_code_that_is_another_now_is_noticed(tmp_path: Path) -> None:
    code, run = tmp_path / "code.py", tmp_path / "run"
    code.write_text(CODE)
    words = ["explore", f"{code}:net", "--data", f"{code}:data", "--bits", "w=2 a=4"]
    done(*words, "--run", str(run))
    code.write_text(CODE.replace("manual_seed(0)", "manual_seed(5)"))
    for again, said in ((["explore"], "HW337"), (words, "HW324")):
        assert said in refused(*again, "--run", str(run))
    code.unlink()
    assert "is not where it was" in refused("explore", "--run", str(run))
