"""Where models and data come from: code of the user, Keras files, a run of an exploration."""

from pathlib import Path

import numpy as np
import pytest

from hwflow.compression.api import distill, train
from hwflow.compression.starts import start_of
from hwflow.compression.teachers import outputs_of
from hwflow.core.errors import CompileError
from hwflow.exploration.request import Request as Wish
from hwflow.exploration.run import explore
from hwflow.frontends.code import arrays_in
from hwflow.frontends.quantization.preparation import prepare
from hwflow.frontends.sources import Sources
from tests.exploration.spaces import saved

torch = pytest.importorskip("torch")

pytestmark = pytest.mark.torch

CODE = """
import torch
from beside import WIDTH

class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.one, self.two = torch.nn.Linear(6, WIDTH), torch.nn.Linear(WIDTH, OUTPUTS)

    def forward(self, features):
        return self.two(torch.relu(self.one(features)))

def net():
    torch.manual_seed(0)
    return Net()

class Pairs(torch.utils.data.Dataset):
    def __init__(self):
        self.x = torch.randn(60, 6, generator=torch.Generator().manual_seed(1))

    def __len__(self):
        return len(self.x)

    def __getitem__(self, i):
        return self.x[i], LABEL

dataset = Pairs
loader = lambda: torch.utils.data.DataLoader(Pairs(), batch_size=16)
generator = lambda: (sample for sample in (Pairs()[i] for i in range(60)))
arrays = lambda: {"features": Pairs().x.numpy(), "y": [Pairs()[i][1] for i in range(60)]}
nothing = lambda: 3
broken = lambda: [][0]
"""

CLASSES = CODE.replace("OUTPUTS", "3").replace("LABEL", "int(self.x[i].argmax() % 3)")


@pytest.fixture
def code(tmp_path: Path) -> Path:
    (tmp_path / "beside.py").write_text("WIDTH = 8\n")
    path = tmp_path / "code.py"
    path.write_text(CLASSES)
    return path


@pytest.mark.parametrize("function", ["dataset", "loader", "generator", "arrays"])
def test_samples_that_code_gives_are_all_there(function: str, code: Path) -> None:
    found = Sources(f"{code}:{function}").arrays
    x = torch.randn(60, 6, generator=torch.Generator().manual_seed(1)).numpy()
    name = "features" if function == "arrays" else "x"
    assert np.array_equal(found[name], x)
    assert np.array_equal(found["y"], x.argmax(1) % 3)


def test_several_inputs_of_a_sample_stay_apart() -> None:
    samples = [((np.ones(2) * i, np.zeros((3, 1))), i) for i in range(4)]
    found = arrays_in(samples, "here")
    assert {n: a.shape for n, a in found.items()} == {"x0": (4, 2), "x1": (4, 3, 1), "y": (4,)}


def test_torch_module_is_read_as_it_computes(code: Path) -> None:
    sources = Sources(f"{code}:dataset")
    found = prepare(sources.model(f"{code}:net"))
    torch.manual_seed(0)
    one, two = torch.nn.Linear(6, 8), torch.nn.Linear(8, 3)
    x = sources.arrays["x"]
    (ours,) = outputs_of(found, {found.ir.graph.inputs[0].name or "": x}).values()
    with torch.no_grad():
        theirs = two(torch.relu(one(torch.from_numpy(x)))).numpy()
    assert ours == pytest.approx(theirs, abs=1e-5)
    assert len(sources.digests) == 2


@pytest.mark.parametrize(
    "task",
    [
        "classification",
        pytest.param("regression", marks=pytest.mark.slow),
        pytest.param("autoencoder", marks=pytest.mark.slow),
    ],
)
def test_code_is_trained_for_every_task(task: str, code: Path, tmp_path: Path) -> None:
    if task != "classification":
        outputs, label = ("6", "0") if task == "autoencoder" else ("2", "self.x[i][:2]")
        code.write_text(CODE.replace("OUTPUTS", outputs).replace("LABEL", label))
    model, data = f"{code}:net", f"{code}:dataset"
    student = distill(model, data, task=task, hard=1.0, epochs=30, batch=16, run=tmp_path / "d")
    kind = {"classification": "accuracy", "regression": "label_squared_error"}.get(
        task, "mean_squared_error"
    )
    before, after = student.result["before"][kind], student.result["chosen"][kind]
    assert after > before if kind == "accuracy" else after < before
    quantised = train(
        model, data, task=task, goal="ebops=1e6", epochs=2, batch=16, run=tmp_path / "q"
    )
    assert quantised.result["compared"] == 12
    assert (
        train(
            model, data, task=task, goal="ebops=1e6", epochs=2, batch=16, run=tmp_path / "q"
        ).result
        == quantised.result
    )


@pytest.mark.parametrize(
    ("function", "said"),
    [
        ("nothing", "it gives int"), ("broken", "IndexError: list index out of range"),
        ("missing", "no function 'missing'"),
    ],
)  # fmt: skip
def test_code_that_gives_nothing_is_refused(function: str, said: str, code: Path) -> None:
    with pytest.raises(CompileError) as refused:
        _ = Sources(f"{code}:{function}").arrays
    (finding,) = refused.value.diagnostics
    assert (finding.code, finding.found) == ("HW367", said)


def test_exploration_gives_model_data_and_the_bits_to_begin_with(tmp_path: Path) -> None:

    model, data = saved(tmp_path, "mlp")
    wish = Wish(model=str(model), data=str(data), boards=("pynq-z2",), bits="w=3,5 a=4,6")
    run = explore(wish, tmp_path / "explored")
    point = run.result["fronts"][0]["points"][0]
    start = start_of(None, None, tmp_path / "explored", point["id"])
    assert (start.model, start.data) == (str(model), str(data))
    found = train(
        goal="ebops=1e6", run=tmp_path / "run", from_run=tmp_path / "explored", point=point["id"],
        epochs=1, batch=120,
    )  # fmt: skip
    assert found.result["request"]["bits"] == dict(start.bits)
    plain = train(model, data, goal="ebops=1e6", run=tmp_path / "plain", epochs=1, batch=120)
    assert found.result["chosen"]["ebops"] < 0.8 * plain.result["chosen"]["ebops"]


@pytest.mark.parametrize("given", [(None, None, None), ("a.onnx", None, None), ("a", "b", "run")])
def test_unclear_beginnings_are_refused(given: tuple[str | None, ...], tmp_path: Path) -> None:
    model, data, run = given
    with pytest.raises(CompileError) as refused:
        train(model, data, from_run=run, goal="ebops=1e6", run=tmp_path / "run")
    assert [d.code for d in refused.value.diagnostics] == ["HW369"]
