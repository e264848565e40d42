"""Time by stage and peak memory of a build, without its C++ compilation.

``make bench``; each model runs in a process of its own, so that the peak is its own. With
``--shared FOLDER`` the jets MLP in ``FOLDER/models`` is measured too.
"""

import argparse
import json
import resource
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
STAGES = ("import", "passes", "estimate", "generate", "write")


def measure(source: str) -> dict[str, float]:
    """Return seconds by stage and peak memory in MB for one model, in this process."""
    import tempfile

    sys.path.insert(0, str(ROOT))
    import hwflow
    from tests.fixtures import deep_cnn

    model = deep_cnn(int(source)) if source.isdigit() else source
    if source.isdigit():
        hwflow.load(deep_cnn(1))  # libraries are loaded; what is timed grows with the model
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    started = time.perf_counter()
    design = hwflow.compile(model, board="zcu104", io_type="io_stream")
    compiled = time.perf_counter()
    design.estimate()
    estimated = time.perf_counter()
    assert design.project.files
    generated = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        design.write(Path(folder) / "out")
    written = time.perf_counter()
    return {
        "import": design.seconds["import"],
        "passes": sum(v for k, v in design.seconds.items() if k.startswith("pass ")),
        "estimate": estimated - compiled,
        "generate": generated - estimated,
        "write": written - generated,
        "total": written - started,
        "start_mb": before,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def main() -> None:
    """Measure all models, each in its own process, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--one", help="measure one model in this process and print JSON")
    parser.add_argument("--shared", type=Path, help="folder with models/qkeras_jettagging.onnx")
    options = parser.parse_args()
    if options.one:
        print(json.dumps(measure(options.one)))
        return
    models = {
        "digits MLP": str(ROOT / "examples/digits_mlp.onnx"),
        "digits CNN": str(ROOT / "examples/digits_cnn.onnx"),
    }
    if options.shared:
        models["jets MLP"] = str(options.shared / "models/qkeras_jettagging.onnx")
    models |= {f"CNN of {n} layers": str(n) for n in (10, 25, 50)}
    columns = (*STAGES, "total", "peak_mb")
    print(f"{'model':<18}" + "".join(f"{c:>10}" for c in columns))
    for name, source in models.items():
        command = [sys.executable, __file__, "--one", source]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        found = json.loads(done.stdout)
        print(f"{name:<18}" + "".join(f"{found[c]:>10.3f}" for c in columns))


if __name__ == "__main__":
    main()
