"""The table of ``make bench``: simulation, C++ and builds of three networks, as ratios.

``python -m tests.benchmarks.bench [--json FILE] [--only NAME ...] [--jets FILE.npz]``. Everything
is measured in one run on one machine, one thing at a time; what is compared takes turns.
"""

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

from tests.benchmarks import bench_build, bench_csim, bench_simulate
from tests.benchmarks.hls4ml_model import Hls4mlModel
from tests.benchmarks.networks import Network, networks
from tests.benchmarks.table import Row, as_json, machine, text


def measured(
    key: str, network: Network, folder: Path
) -> tuple[list[Row], dict[str, dict[str, float]]]:
    """Measure a network and return its rows, and the stages of its builds.

    Args:
        key: names the network.
        network: what is measured.
        folder: new; takes what is compiled, and data.
    """
    os.environ["HWFLOW_CACHE"] = str(folder / "cache")
    say(f"{network.name}: builds")
    built, stages = bench_build.rows(key, network, folder / "build_cache")
    say(f"{network.name}: C++ builds")
    design = bench_simulate.design_of(network)
    theirs = Hls4mlModel(network.proto, folder / "hls4ml", network.io_type)
    compiled = list(bench_csim.rows(network, design, theirs))
    say(f"{network.name}: simulations")
    simulated = list(bench_simulate.rows(key, network, design, theirs, folder))
    return [*simulated, *compiled, *built], stages


def say(stage: str) -> None:
    """Tell on standard error what goes on."""
    print(f"{time.strftime('%H:%M:%S')} {stage}", file=sys.stderr, flush=True)


def main() -> None:
    """Measure the networks and print the table."""
    available = networks()
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the table there, too")
    parser.add_argument("--only", choices=available, nargs="+", default=list(available))
    parser.add_argument(
        "--jets", type=Path, metavar="FILE.npz", help="jets to take, in x; random ones without it"
    )
    options = parser.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # hls4ml imports tensorflow
    chosen = networks(options.jets)
    found: list[Row] = []
    stages: dict[str, dict[str, float]] = {}
    for key in options.only:
        with tempfile.TemporaryDirectory(prefix="hwflow-bench-") as folder:
            rows, builds = measured(key, chosen[key], Path(folder))
        found, stages = [*found, *rows], stages | builds
    print(", ".join(f"{name} {value}" for name, value in machine().items()))
    print(f"\n{text(found)}\n\nhwflow build by stage, with C++ and verification\n")
    print(bench_build.stages_text(stages))
    if options.json is not None:
        options.json.write_text(as_json(found, stages) + "\n")


if __name__ == "__main__":
    main()
