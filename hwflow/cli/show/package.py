"""What ``hwflow package`` and ``hwflow weights`` print."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from hwflow.cli.terminal import console, print_json
from hwflow.cli.terminal.text import escape

if TYPE_CHECKING:
    from hwflow.package.description import Port
    from hwflow.package.packaging import Packaged
    from hwflow.package.reload.form import Reload
    from hwflow.package.reload.weights import WeightImage


def print_package(found: Packaged, *, json: bool) -> None:
    """Print a block's ports, and what its benches found."""
    from hwflow.package.cards import link_names

    description, outcome = found.block.description, found.outcome
    if json:
        print_json(
            {
                "folder": str(found.folder) if outcome.passed else None,
                "passed": outcome.passed,
                "benches": list(outcome.lines),
                "ip": description.model_dump(mode="json"),
            }
        )
        return
    for port in description.ports:
        console.print(escape(f"{port.direction:<9} {_port(port)}"), soft_wrap=True)
    if description.reload is not None:
        console.print(escape(_reload(description.reload)), soft_wrap=True)
    for line in outcome.lines:
        console.print(escape(f"bench     {line}"), soft_wrap=True)
    if not outcome.passed:
        console.print("the block does not do what its network does; nothing was written")
        return
    folder = shlex.quote(str(found.folder))
    last = "ip"
    if description.target.kind == "vitis-kernel":  # linked, where its card's platform is known
        last = "xclbin" if link_names(description)["platform"] else "xo"
    lines = (
        f"block     {found.folder}, described by ip.json and README.md in it",
        f"next      make -C {folder} test    # the benches again, with g++ alone",
        f"          make -C {folder} {last:<7} # with vendor tools; then see README.md",
    )
    for line in lines:
        console.print(escape(line), soft_wrap=True)


def _port(port: Port) -> str:
    packing, element = port.packing, port.element
    return (
        f"{port.name}: {port.elements:,} x {element.numpy} ({element.type}), "
        f"{packing.lanes} in a word of {packing.data_width} bits, {packing.words:,} words a frame"
    )


def _reload(reload: Reload) -> str:
    extra = reload.extra
    return (
        f"weights   of {', '.join(reload.layers)} can be written: {reload.image_words:,} words; "
        f"estimated {extra.register_bits:,} flip-flops for them, {extra.multipliers:,} multipliers "
        f"({extra.lut:,} LUT) in the place of constant ones, {extra.bram_18k} BRAM18"
    )


def print_weights(found: WeightImage, *, json: bool) -> None:
    """Print what a weight image holds, and what the block's bench found."""
    outcome, reload = found.outcome, found.description.reload
    assert reload is not None, "a block without weights has no image"
    if json:
        print_json(
            {
                "image": str(found.path) if outcome.passed else None,
                "passed": outcome.passed,
                "benches": list(outcome.lines),
                "design_id": found.description.design_id,
                "digest": found.digest,
                "bytes": len(found.content),
                "layers": list(reload.layers),
            }
        )
        return
    for line in outcome.lines:
        console.print(escape(f"bench     {line}"), soft_wrap=True)
    if not outcome.passed:
        console.print("the block does not compute this build; nothing was written")
        return
    image = f"{found.path}, {len(found.content):,} bytes, digest {found.digest:#010x}"
    console.print(escape(f"image     {image}"), soft_wrap=True)
