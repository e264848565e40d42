"""The host program of a Vitis kernel, compiled against XRT made of software."""

import shutil
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hwflow.package.wishes import Wishes
from tests.package.builds import two_ports
from tests.package.drivers.boards import Packaged, packaged, real, run

pytestmark = pytest.mark.cpp

KERNEL = Wishes(interface="memory", kernel=True)

PREDICT = """
#include "two_ports_ip_driver.h"
#include "hwflow_xrt.h"
#include <cstdio>
#include <iostream>
extern "C" void board_fault(unsigned kind);
template <class ACTION> void refused(ACTION action) {
    try { action(); std::cout << "done\\n"; }
    catch (const std::exception &error) { std::cout << error.what() << "\\n"; }
}
int main(int, char **argv) {
    const unsigned samples = unsigned(std::atoi(argv[3]));
    std::vector<std::vector<float>> values;
    for (unsigned p = 0; p < TWO_PORTS_IP_PORTS; p++)
        values.emplace_back(samples * two_ports_ip_block.ports[p].elements);
    FILE *file = std::fopen(argv[4], "rb");
    for (unsigned p = 0; p < TWO_PORTS_IP_INPUTS; p++)
        if (std::fread(values[p].data(), 4, values[p].size(), file) != values[p].size()) return 2;
    std::fclose(file);
    hwflow::Kernel kernel(two_ports_ip_block, argv[1], argv[2], 0, 3);
    const std::vector<const float *> inputs = {values[0].data(), values[1].data()};
    const std::vector<float *> outputs = {values[2].data(), values[3].data()};
    kernel.predict(inputs, outputs, samples);
    file = std::fopen(argv[5], "wb");
    for (unsigned p = TWO_PORTS_IP_INPUTS; p < TWO_PORTS_IP_PORTS; p++)
        std::fwrite(values[p].data(), 4, values[p].size(), file);
    std::fclose(file);
    const auto again = [&] { kernel.predict(inputs, outputs, samples); };
    board_fault(3);
    refused(again);
    refused(again);
    values[0][1] = 0.0f / 0.0f;
    refused(again);
    refused([&] { kernel.predict({values[0].data()}, {}, 1); });
    hwflow::Frames frames(4);
    refused([&] { kernel.exchange(frames); });
    frames[0].resize(two_ports_ip_block.ports[0].stride_bytes);
    refused([&] { kernel.exchange(frames); });
    refused([&] { hwflow::Kernel other(two_ports_ip_block, argv[1], argv[2], 1); });
    refused([&] { hwflow::Kernel other(two_ports_ip_block, "gone.xclbin", argv[2]); });
}
"""
"""Real numbers through `predict`, three at a time; then what goes wrong."""


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Packaged:
    """Return a kernel, with its host program compiled for a card made of software."""
    place = tmp_path_factory.mktemp("kernel")
    found = packaged(place, two_ports(), KERNEL, board="alveo-u250", io_type="io_stream")
    done = run(found.drivers, "make", "CXXFLAGS=-O0", "test")
    assert done.returncode == 0, done.stderr
    frames = found.description.vectors[0].frames
    assert f"PASS: {frames} frames through the card" in done.stdout
    return found


def host(found: Packaged, *words: str) -> Any:
    return run(found.drivers, "./host_software", *words)


def test_another_design_is_refused(kernel: Packaged, tmp_path: Path) -> None:
    text = (kernel.folder / "link" / "connectivity.cfg").read_text()
    unit = f"two_ports_ip_{kernel.description.design_id:08x}"
    assert f"nk=two_ports_ip:1:{unit}\n" in text
    other = tmp_path / "other.cfg"
    other.write_text(text.replace(unit, "two_ports_ip_00000000"))
    done = host(kernel, str(other))
    assert (
        done.returncode,
        f"No compute units matching 'two_ports_ip:{{{unit}}}'" in done.stderr,
    ) == (1, True)


def test_every_byte_counts(kernel: Packaged, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(kernel.folder / "vectors", tmp_path / "vectors"))
    (port, *_) = kernel.description.outputs
    file = copy / f"{port.name}.bin"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(bytes(content))
    done = host(kernel, "../link/connectivity.cfg", str(copy))
    assert (done.returncode, f"FAIL: {port.name}, byte {len(content) - 1}:" in done.stderr) == (
        1,
        True,
    )
    file.write_bytes(bytes(content[:-1]))
    done = host(kernel, "../link/connectivity.cfg", str(copy))
    assert (done.returncode, "bytes, not" in done.stderr) == (2, True)


def test_real_numbers_are_those_of_the_simulation(kernel: Packaged, tmp_path: Path) -> None:
    drivers, top = kernel.drivers, kernel.description.top
    source = tmp_path / "predict.cpp"
    source.write_text(PREDICT)
    addresses = ", ".join(f"{r.address:#x}" for r in kernel.description.registers)
    objects = [f"{top}_driver.o", "hwflow_ip.o", "hwflow_numbers.o", "./board.so"]
    flags = ["-std=c++17", "-Wall", "-Wextra", "-Werror", "-Ic", "-Ixrt", "-Isoftware"]
    program = tmp_path / "predict"
    done = run(
        drivers, "g++", *flags, f"-DHWFLOW_ARGUMENTS={addresses}", str(source), *objects, "-lm",
        "-o", str(program),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    inputs, outputs = (real(kernel, d) for d in ("input", "output"))
    samples = len(next(iter(inputs.values())))
    given = b"".join(v.astype("<f4").tobytes() for v in inputs.values())
    (tmp_path / "in.bin").write_bytes(given)
    unit = f"{top}:{{{top}_{kernel.description.design_id:08x}}}"
    done = run(
        drivers, str(program), "../link/connectivity.cfg", unit, str(samples),
        str(tmp_path / "in.bin"), str(tmp_path / "out.bin"),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    expected = b"".join(v.astype("<f4").tobytes() for v in outputs.values())
    came = (tmp_path / "out.bin").read_bytes()
    assert len(came) == struct.calcsize("f") * sum(v.size for v in outputs.values())
    assert np.array_equal(np.frombuffer(came, "<f4"), np.frombuffer(expected, "<f4"))
    assert done.stdout.splitlines() == [
        "no result in time",
        "done",
        "a number is NaN or infinite",
        "an array is wanted for every port",
        "frames are wanted for every port",
        "inputs differ in the number of frames",
        "No such device with index '1'",
        "failed to load xclbin 'gone.xclbin'",
    ]
