"""The report's data is right, complete, deterministic, and its JSON keeps to the schema."""

import json
import math
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema

from hwflow.core.distance import output_error
from hwflow.fixed import FixedArray
from hwflow.report import schema
from hwflow.report.html import to_html
from hwflow.report.json import SCHEMA, to_json
from hwflow.report.losses import OutputDistance
from hwflow.report.markdown import to_markdown
from hwflow.report.parts import Range
from hwflow.report.schema import LayerData, ReportData
from hwflow.verify.agreement import Float32Match
from hwflow.verify.comparison import full_simulation
from hwflow.verify.words.statements import judge
from tests.report.samples import SAMPLES, agreement, graph, report, simulation_input

ROOT = Path(__file__).parents[2]
SCHEMA_FILE = Path(schema.__file__).with_name("schema.json")


NAMES = {
    "Approximation": "ApproximationData",
    "Divergence": "DivergenceData",
    "Float32Match": "Float32Data",
}
"""What the schema calls records whose form in JSON is they themselves."""


class Titled(GenerateJsonSchema):
    """A reference to a form has no title beside it, whatever the form is made from."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return "serialization" not in schema and super().field_title_should_be_set(schema)


def generated_schema() -> str:
    """Return the JSON Schema of ``ReportData``, every object closed."""
    found = TypeAdapter(ReportData).json_schema(mode="serialization", schema_generator=Titled)
    found["properties"] = {"schema": {"const": SCHEMA}, **found["properties"]}
    found["required"] = ["schema", *found["required"]]
    for part in (found, *found["$defs"].values()):
        part["additionalProperties"] = False
    content = {"$schema": "https://json-schema.org/draft/2020-12/schema", **found}
    text = json.dumps(content, indent=2, ensure_ascii=False) + "\n"
    for record, name in NAMES.items():
        text = re.sub(rf'("|/){record}"', rf'\1{name}"', text)
    return text


def layers() -> dict[str, LayerData]:
    return {layer.name: layer for layer in report().layers}


def test_the_schema_file_describes_the_data(request: pytest.FixtureRequest) -> None:
    if request.config.getoption("--update-golden"):
        SCHEMA_FILE.write_text(generated_schema(), "utf-8")
    assert SCHEMA_FILE.read_text("utf-8") == generated_schema()


@pytest.mark.parametrize(
    "made",
    [
        report(),
        report(faithful={"fc2": 3}, lossless={"head": 1}, fits="no"),
        report(golden={"head": 2}),
        report(data=False),
    ],
    ids=["good", "bad", "golden", "no data"],
)
def test_the_json_keeps_to_the_schema(made: ReportData) -> None:
    content = json.loads(to_json(made))
    jsonschema.Draft202012Validator(json.loads(SCHEMA_FILE.read_text("utf-8"))).validate(content)
    assert content["schema"] == SCHEMA


def test_the_schema_refuses_what_is_not_a_report() -> None:
    validator = jsonschema.Draft202012Validator(json.loads(SCHEMA_FILE.read_text("utf-8")))
    content = json.loads(to_json(report()))
    assert not validator.is_valid({**content, "more": 1})
    assert not validator.is_valid({**content, "schema": "hwflow-report/2"})
    assert not validator.is_valid({k: v for k, v in content.items() if k != "faithful"})
    content["layers"][0]["extra"] = 1
    assert not validator.is_valid(content)


def test_the_documentation_names_every_field() -> None:
    text = (ROOT / "docs" / "report.md").read_text("utf-8")
    found = json.loads(SCHEMA_FILE.read_text("utf-8"))
    for part in (found, *found["$defs"].values()):
        for name in part["properties"]:
            assert f"`{name}`" in text, f"docs/report.md does not describe {name!r}"


def test_equal_inputs_give_equal_reports() -> None:
    assert to_json(report()) == to_json(report())


def test_ranges_are_those_of_the_simulated_values() -> None:
    net = graph()
    simulation = full_simulation(net, simulation_input())
    for name, layer in layers().items():
        values = simulation.layers[name].values
        assert layer.counters is not None
        assert layer.counters.observed == Range(values.min(), values.max())
        assert layer.counters.elements == values.size
        assert layer.type_range.low <= layer.proven_range.low <= values.min()
        assert layer.type_range.high >= layer.proven_range.high >= values.max()


def test_type_range_is_what_the_type_holds() -> None:
    assert layers()["fc1"].type_range == Range(-2.0, 1.875)  # fixed<5,2>: -16/8 to 15/8


def test_constants_and_settings_are_those_of_the_layer() -> None:
    fc2, add = layers()["fc2"], layers()["add"]
    op = graph().by_name["fc2"].op
    weight = op.weight  # type: ignore[attr-defined]
    assert isinstance(weight, FixedArray)
    found = {constant.name: constant for constant in fc2.constants}["weight"]
    assert found.range == Range(weight.values.min(), weight.values.max())
    assert (found.zeros, found.elements) == (int(np.sum(weight.raw == 0)), weight.raw.size)
    assert (fc2.strategy, fc2.reuse_factor, fc2.accum_t is None) == ("resource", 4, False)
    assert (add.strategy, add.reuse_factor, add.constants) == (None, 1, ())
    assert add.input_shapes == ((4,), (4,))


def test_statements_are_separate_and_counted() -> None:
    made = report(faithful={"fc2": 3}, lossless={})
    assert made.faithful is not None
    assert made.lossless is not None
    assert (made.faithful.holds, made.lossless.holds) == (False, True)
    assert (made.faithful.mismatches, made.faithful.samples) == (3, SAMPLES)
    assert made.faithful.elements == SAMPLES * (4 + 4 + 4 + 3)
    assert made.faithful.first is not None
    assert made.faithful.first.steps == 0.25 / 2**-3
    by_name = {layer.name: layer for layer in made.layers}
    assert by_name["fc2"].faithful is not None
    assert by_name["fc2"].lossless is not None
    assert (by_name["fc2"].faithful.mismatches, by_name["fc2"].lossless.mismatches) == (3, 0)


def test_without_data_nothing_is_claimed() -> None:
    made = report(data=False)
    assert (made.faithful, made.lossless, made.errors, made.board) == (None, None, (), None)
    assert made.data == ""
    assert made.estimate.fits is None
    assert all(layer.counters is layer.faithful is layer.lossless is None for layer in made.layers)


def test_numbers_that_json_cannot_say_become_null() -> None:
    same = np.ones((4, 3))
    error = output_error("logits", same, same, None)
    assert error.sqnr_db == math.inf
    broken = agreement(graph(), {"fc1": 1}, found=math.nan)
    made = replace(report(), errors=(OutputDistance(error, 1.0),), faithful=broken)
    content = json.loads(to_json(made))
    assert (content["errors"][0]["sqnr_db"], content["errors"][0]["max_abs"]) == (None, 0.0)
    assert (content["faithful"]["first"]["found"], content["faithful"]["first"]["steps"]) == (
        None,
        None,
    )
    assert "C++ no finite number. Probable cause" in to_markdown(made)


def test_throughput_follows_from_ii_and_clock() -> None:
    assert report().estimate.inferences_per_s.value == 1e9 / (4 * 5.0)


def test_what_float32_execution_rounds_is_counted_and_said() -> None:
    made = report()
    assert made.lossless is not None
    assert made.lossless.float32 == Float32Match(160, 2, "block.fc1", 60, 7)
    by_name = layers()
    assert by_name["fc1"].lossless is not None
    assert by_name["fc1"].lossless.float32_differs == 2
    assert by_name["fc1"].faithful is not None
    assert by_name["fc1"].faithful.float32_differs is None
    said = judge(made.lossless)
    assert "differs from exact arithmetic at 2 of 160 values (first at block.fc1)" in said
    assert "7 of 60 float32 values are not the nearest ones" in said
    for text in (to_markdown(made), to_html(made)):
        assert "at 2 of 160 values" in text


def test_a_model_judged_by_float32_says_so() -> None:
    made = report()
    assert made.lossless is not None
    statement = replace(made.lossless, float32=None, float32_only="fc1: LSTM has no evaluation")
    assert judge(statement) == (
        "Compared against float32 execution only: fc1: LSTM has no evaluation."
    )
    assert "against float32 execution only" in to_html(replace(made, lossless=statement))
