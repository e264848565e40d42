"""Networks that end in an ArgMax give the classes of those that end before it."""

from pathlib import Path

import onnx
from onnx import TensorProto, helper

from hwflow.exploration.pick import choice_of, pick
from hwflow.exploration.run import Run, explore
from tests.exploration.spaces import request


def explored(folder: Path, *, label: bool) -> Run:
    folder.mkdir()
    asked = request(folder, "mlp", bits="w=2,4 a=3", samples=60)
    if label:
        proto = onnx.load(asked.model)
        (scores,) = proto.graph.output
        proto.graph.node.append(helper.make_node("ArgMax", [scores.name], ["label"], axis=1))
        proto.graph.output[0].CopyFrom(
            helper.make_tensor_value_info("label", TensorProto.INT64, [1, 1])
        )
        onnx.save(proto, asked.model)
    return explore(asked, folder / "run")


def test_classes_are_explored_like_scores(tmp_path: Path) -> None:
    classes, scores = (explored(tmp_path / name, label=name == "a") for name in "ab")
    found = {
        p["id"]: p["search"] for run in (classes, scores) for p in run.result["fronts"][0]["points"]
    }
    for run in (classes, scores):
        for point in run.result["fronts"][0]["points"]:
            assert point["search"] == found[point["id"]]
    best = [run.result["fronts"][0]["points"][0] for run in (classes, scores)]
    assert best[0]["search"] == best[1]["search"]
    assert best[0]["held_out"] == best[1]["held_out"]


def test_point_with_classes_is_built(tmp_path: Path) -> None:
    run = explored(tmp_path / "a", label=True)
    built = pick(run.folder, tmp_path / "out", choice_of(None, None, ()), cpp=False)
    assert built.folder == tmp_path / "out"
