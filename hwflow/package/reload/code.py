"""The network's C++ with weights as arguments of its top function.

hls4ml writes weights as arrays beside the functions that read them, and fills them from text files
where g++ compiles them. Here the arrays of chosen layers move out: the block around the network
holds them, gives them to the network and writes them. The layers' own functions stay as they are.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from hwflow.fixed import RawArray
from hwflow.package.reload.form import WORD_BYTES, WeightArray

FIRMWARE = "firmware/"
RESOURCE_KERNEL = FIRMWARE + "nnet_utils/nnet_dense_resource.h"
MULTIPLY = "nnet::product::mult<"

ROM = re.compile(
    r"    if \(CONFIG_T::reuse_factor > 1\) \{\n"
    r"        #pragma HLS RESOURCE variable=weights core=ROM_nP_BRAM\n    \}\n"
)
"""What binds weights to a memory that nothing can write, in hls4ml 1.3.0."""


@dataclass(frozen=True)
class Variable:
    """An array of the generated C++.

    Attributes:
        name: its name.
        ctype: type of its elements.
        size: elements.
    """

    name: str
    ctype: str
    size: int

    @property
    def declaration(self) -> str:
        """What a function takes it as."""
        return f"{self.ctype} {self.name}[{self.size}]"

    @property
    def loading(self) -> str:
        """The statement that fills it where g++ compiles it."""
        loads = f"nnet::load_weights_from_txt<{self.ctype}, {self.size}>"
        return f'{loads}({self.name}, "{self.name}.txt");'


def variables_of(files: Mapping[str, bytes], network: str, layer: str) -> tuple[Variable, Variable]:
    """Return weights and biases of a layer that has both.

    Args:
        files: the files of a project.
        network: name of its top function.
        layer: name of the layer.
    """
    source = files[f"{FIRMWARE}{network}.cpp"].decode()
    loaded = {
        name: Variable(name, ctype, int(size))
        for ctype, size, name in re.findall(
            r"nnet::load_weights_from_txt<(\w+), (\d+)>\((\w+),", source
        )
    }
    call = re.search(rf"^ *nnet::.*\((.*)\); // {re.escape(layer)}$", source, re.M)
    assert call is not None, f"{layer} is no call of one function"
    weight, bias = (name.strip() for name in call[1].split(",")[-2:])
    return loaded[weight], loaded[bias]


def config_of(files: Mapping[str, bytes], layer: str) -> re.Match[str]:
    """Return the configurations of a layer in ``parameters.h``, as they stand there."""
    text = files[f"{FIRMWARE}parameters.h"].decode()
    found = re.search(rf"^// {re.escape(layer)}\n(?:(?!^// ).*\n?)*", text, re.M)
    assert found is not None, f"{layer} has no configuration"
    return found


def multiplies(files: Mapping[str, bytes], layer: str) -> bool:
    """Return whether a layer's products are products for every weight of its type."""
    products = re.findall(r"using product = ([\w:]+<)", config_of(files, layer)[0])
    return set(products) == {MULTIPLY}


def with_arguments(
    files: Mapping[str, bytes], network: str, arrays: Sequence[Variable], layers: Iterable[str]
) -> dict[str, bytes]:
    """Return a project's files with arrays as arguments of its top function.

    Zeros among the weights shorten nothing any more, and the memories can be written.

    Args:
        files: the files of the project.
        network: name of its top function.
        arrays: the weights and biases that become arguments, in their order.
        layers: the layers that they are of.
    """
    found = dict(files)
    for path in (f"{FIRMWARE}{network}.cpp", f"{FIRMWARE}{network}.h"):
        text = files[path].decode()
        declared = ",\n".join(f"    {array.declaration}" for array in arrays)
        text, count = re.subn(
            rf"(void {network}\((?:[^)]*?))\n\)", rf"\1,\n{declared}\n)", text, count=1
        )
        assert count == 1, f"{path} has no top function"
        for array in arrays:
            text = text.replace(f"        {array.loading}\n", "")
        found[path] = text.encode()
    path = f"{FIRMWARE}parameters.h"
    parameters = files[path].decode()
    for array in arrays:
        parameters = parameters.replace(f'#include "weights/{array.name}.h"\n', "")
    for layer in layers:
        parameters = parameters.replace(
            config := config_of(files, layer)[0], _without_zeros(config)
        )
    found[path] = parameters.encode()
    found[RESOURCE_KERNEL] = ROM.sub("", files[RESOURCE_KERNEL].decode()).encode()
    return found


def _without_zeros(config: str) -> str:
    """Return a configuration that counts on no weight being zero."""
    zeros = re.search(r"n_zeros = (\d+);", config)
    if zeros is None:
        return config
    config = config.replace(zeros[0], "n_zeros = 0;")
    return re.sub(r"(n_nonzeros = )(\d+)", lambda m: f"{m[1]}{int(m[2]) + int(zeros[1])}", config)


def mantissas_of(files: Mapping[str, bytes], array: WeightArray) -> RawArray:
    """Return the numbers of an array in the order of the C++."""
    text = files[f"{FIRMWARE}weights/{array.variable}.txt"].decode().split(",")
    if array.width > 53:
        step = Fraction(2) ** -array.fractional_bits
        whole = [Fraction(number) / step for number in text]
        assert all(n.denominator == 1 for n in whole), f"{array.variable} is not of its type"
        return np.array([int(n) for n in whole], np.int64)
    scaled = np.ldexp(np.array(text, np.float64), array.fractional_bits)
    raw = scaled.astype(np.int64)
    assert np.array_equal(raw, scaled), f"{array.variable} is not of its type"
    return raw


def image_words(files: Mapping[str, bytes], arrays: Sequence[WeightArray]) -> bytes:
    """Return the words of the image of a project's weights.

    Args:
        files: the files of the project.
        arrays: what the image holds, in its order.
    """
    parts = []
    for array in arrays:
        lanes = mantissas_of(files, array).astype(f"<i{array.lane_bits // 8}").tobytes()
        parts.append(lanes.ljust(array.words * WORD_BYTES, b"\0"))
    return b"".join(parts)
