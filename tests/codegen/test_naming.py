"""Names in generated C++ say which layer they are about, and never meet."""

import keyword
import re
from types import SimpleNamespace as Thing
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import hwflow
from hwflow.codegen.hls.naming import MARK, call_after_layers
from hwflow.codegen.project import Project
from hwflow.ir.names import Namer, port_name
from tests.package.builds import EXAMPLES

WORDS = ("class", "int", "w3", "layer3", "fc", "FC", "fc_weight", "fc_out", "fc_2", "x_in",
         "a__b", "weight", "out", "é", "", "3", "loaded_weights", "loaded", "relu_config2",
         "a_my")  # fmt: skip
NAMES = st.one_of(st.sampled_from(WORDS), st.text(max_size=60))
KEYS = st.sets(st.sampled_from(["weight", "bias", "table", "my_weight", "weights", "weight_2"]))


def own_code(project: Project) -> dict[str, str]:
    """Return what is written for this network alone."""
    ends = (f"{project.name}.cpp", f"{project.name}.h", "defines.h", "parameters.h")
    return {p: project.text(p) for p in project.files if p.endswith(ends) or "/weights/" in p}


@pytest.mark.parametrize("io_type", ["io_parallel", "io_stream"])
def test_code_has_names_of_layers_and_no_numbers(io_type: str) -> None:
    project = hwflow.compile(EXAMPLES / "digits_cnn.onnx", io_type=io_type).project
    files = own_code(project)
    weights = {p.rsplit("/", 1)[1] for p in files if "/weights/" in p}
    arrays = [f"{layer}_{key}" for layer in ("conv1", "conv2", "fc") for key in ("weight", "bias")]
    assert weights == {f"{name}.{end}" for name in arrays for end in ("h", "txt")}
    for path, text in files.items():
        assert not re.search(r"\b(?:layer|[a-z]|input)\d+(?:_\w*)?\b", text), path
        assert "__" not in re.sub(r"__SYNTHESIS__|// .*__pad", "", text), path
    top = files["firmware/digits_cnn.cpp"]
    assert (
        'nnet::load_weights_from_txt<conv1_weight_t, 72>(conv1_weight, "conv1_weight.txt")' in top
    )
    arguments = files["firmware/digits_cnn.h"].split("(", 1)[1].split(")", 1)[0]
    ports = [re.findall(r"\b(?!hls|stream)[a-z]\w*", line) for line in arguments.split(",")]
    assert ports == [["x_in_t", "x_in"], ["fc_result_t", "logits_out"]]


def numbered(names: list[str], keys: list[set[str]], outputs: list[str]) -> tuple[Any, Any]:
    """Return a model as hls4ml has it, its first layer an input, and the graph of its outputs."""
    namer = Namer()
    layers = []
    for n, (name, weights) in enumerate(zip(names, keys, strict=True)):
        own = namer.unique(name, port=n == 0)
        inner = f"{own}{MARK}" if n else port_name(own)
        value = Thing(name=f"layer{n}_out" if n else inner, type=Thing(name=f"layer{n}_t"))
        arrays = {k: Thing(name=f"{k[0]}{n}", type=Thing(name=f"{k}{n}_t")) for k in weights}
        types = {"result_t": value.type, "accum_t": Thing(name=f"{inner}_accum_t")}
        types |= {f"{key}_t": array.type for key, array in arrays.items()}
        layers.append(
            Thing(name=inner, class_name="Dense" if n else "Input", weights=arrays,
                  variables={inner: value}, types=types)
        )  # fmt: skip
    values = [next(iter(layer.variables.values())) for layer in layers]
    model = Thing(
        get_layers=lambda: layers,
        get_input_variables=lambda: values[:1],
        get_output_variables=lambda: values[len(values) - len(outputs) :],
    )
    return model, Thing(name="fc_weight", outputs=[Thing(name=o) for o in outputs])


@given(st.data(), st.lists(st.tuples(NAMES, KEYS), min_size=3, max_size=9))
def test_names_are_legal_and_never_meet(data: st.DataObject, layers: list[Any]) -> None:
    outputs = data.draw(st.lists(NAMES, min_size=1, max_size=2))
    names, keys = [name for name, _ in layers], [weights for _, weights in layers]

    def made() -> tuple[list[str], list[str]]:
        model, graph = numbered(names, keys, outputs)
        call_after_layers(model, graph)
        found = model.get_layers()
        objects = [v.name for layer in found for v in layer.variables.values()]
        objects += [w.name for layer in found for w in layer.weights.values()]
        types = {id(t): t.name for layer in found for t in layer.types.values()}
        return objects, list(types.values())

    objects, types = made()
    assert (objects, types) == made()
    every = [name.lower() for name in (*objects, *types, "fc_weight", "loaded_weights")]
    assert len(set(every)) == len(every)
    for name in (*objects, *types):
        assert re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name)
        assert "__" not in name
        assert not keyword.iskeyword(name)
        assert re.search(r"_(in|out|t|weight|bias|table|weights)(_\d+)*$", name)  # no word of C++


def test_an_output_keeps_the_name_of_the_model() -> None:
    model, graph = numbered(["x", "scores", "fc"], [set(), {"weight"}, {"weight"}], ["scores"])
    call_after_layers(model, graph)
    _, scores, fc = model.get_layers()
    assert fc.variables[fc.name].name == "scores_out"
    assert scores.variables[scores.name].name == "scores_out_2"
    assert fc.weights["weight"].name == "fc_weight_2"  # the top function has the name
    assert fc.weights["weight"].type.name == "fc_weight_2_t"
