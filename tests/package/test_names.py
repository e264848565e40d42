"""Names of strangers: ports of blocks are safe in C++ and Tcl, and stay text on the page."""

from pathlib import Path

import onnx
import pytest

from hwflow.package.block import make_block
from hwflow.package.wishes import Wishes
from tests.package.builds import build, two_ports

HOSTILE = (
    "evil\\",
    '"; exec rm -rf / #',
    "*/ int main() {",
    "[exec id]",
    "class",
    "batch",
    "frames",
)


def renamed(name: str) -> onnx.ModelProto:
    """Return the network of two ports with another name for one input and one output."""
    model = two_ports()
    graph = model.graph
    old = (graph.input[0].name, graph.output[0].name)
    new = (name, f"{name} out")
    for node in graph.node:
        for ends in (node.input, node.output):
            for n, end in enumerate(ends):
                if end in old:
                    ends[n] = new[old.index(end)]
    graph.input[0].name, graph.output[0].name = new
    return model


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("interface", ["axis", "memory", "axi-lite"])
def test_names_of_ports_are_safe(name: str, interface: str, tmp_path: Path) -> None:
    made = make_block(build(tmp_path / "net", renamed(name)), Wishes(interface=interface))
    names = [p.name for p in made.description.ports]
    names += [r.name for r in made.description.registers if r.name not in names]
    assert len({n.lower() for n in names}) == len(names)
    assert all(n.isidentifier() and n.isascii() for n in names)
    assert made.description.ports[0].model_name == name
    if name.isidentifier():
        return
    written = {p for p, content in made.files.items() if name.encode() in content}
    assert all(p.endswith((".json", ".md", "_driver.h")) for p in written)  # the last in a comment
    assert "*/ int" not in "".join(made.files[p].decode() for p in written if p.endswith(".h"))
