"""A result of two boards that pictures are made of, with names of any kind."""

from typing import Any

from hwflow.exploration.front import wilson

HOSTILE = "</script><script>alert(1)</script>$x_1$ \"'&\u202e\u2028"


def result(*, labelled: bool = True, certified: bool = True, name: str = "fc1") -> dict[str, Any]:
    """Return what ``front.json`` holds: six points on a small board, five on a large one."""
    variables = [
        {"name": f"{name}.w", "options": [2, 4, 6], "of": [f"{name}.w", "tied.w"]},
        {"name": "fc2.w", "options": [2, 4], "of": ["fc2.w"]},
        {"name": "x.a", "options": [8], "of": ["x.a"]},
    ]
    found: dict[str, Any] = {
        "format": "hwflow exploration 1",
        "model": "nets/digits mlp.onnx",
        "reference": "float",
        "digests": {"model": "0" * 64, "arithmetic": "1"},
        "certified": certified,
        "configurations": 6 if certified else 6000,
        "evaluated": 6,
        "variables": variables,
        "search_samples": 200,
        "held_out_samples": 100,
        "float_accuracy": 0.98 if labelled else None,
        "sensitivity": {
            "loss": "nats",
            "losses": {f"{name}.w": [0.5, 0.02, 0.001], "fc2.w": [0.03, 0.001], "x.a": [0.001]},
        },
        "fronts": [
            _front("pynq-z2", variables, range(6), 53200.0, labelled),
            _front("boards/my board.toml", variables, range(5), 230400.0, labelled),
        ],
    }
    return found


def _front(
    board: str, variables: list[dict[str, Any]], ranks: range, luts: float, labelled: bool
) -> dict[str, Any]:
    points = [_point(variables, rank, luts, labelled) for rank in ranks]
    for point, like in zip(points, (2, None, 4, None, None, None), strict=False):
        point["like"] = like
    first = variables[0]["name"]
    return {
        "board": board, "part": "xc7z020clg400-1", "clock_period_ns": 10.0,
        "io_type": "io_parallel", "cost": ["share"],
        "available": {"lut": luts, "lut_synth": luts, "dsp": 220.0},
        "stability": {"draws": 1000}, "points": points, "knee": 2,
        "next_bits": [
            {"variable": "fc2.w", "from": 2, "to": 4, "gain": 0.02, "lut": 100.0},
            {"variable": first, "from": 4, "to": 6, "gain": -0.001, "lut": 900.0},
        ],
    }  # fmt: skip


def _point(
    variables: list[dict[str, Any]], rank: int, luts: float, labelled: bool
) -> dict[str, Any]:
    lut = 60000.0 * 0.7**rank
    right = {"search": 196 - rank * rank, "held_out": 97 - rank * (rank - 1)}
    samples = {"search": 200, "held_out": 100}
    judged: dict[str, Any] = {}
    for part, total in samples.items():
        agree = right[part] - 1
        judged[part] = {"samples": total, "agreement": agree / total, "agree": agree}
        if part == "held_out":
            judged[part]["agreement_interval"] = list(wilson(agree, total))
        if labelled:
            judged[part] |= {"right": right[part], "accuracy": right[part] / total}
            if part == "held_out":
                judged[part]["accuracy_interval"] = list(wilson(right[part], total))
    choices = (2, 1, 1, 0, 0, 0)[rank], (1, 1, 0, 1, 0, 0)[rank], 0
    bits = {v["name"]: v["options"][c] for v, c in zip(variables, choices, strict=True)}
    cycles = [float(40 - rank), float(30 - rank), float(60 - rank)]
    cost = {
        "lut": [2 * lut, lut, 5 * lut], "lut_synth": [lut, 0.4 * lut, 3 * lut],
        "ff": [lut / 2, lut / 4, lut], "dsp": [0.0, 0.0, 0.0],
        "bram_18k": [float(rank % 2), 0.0, 2.0], "latency_cycles": cycles,
        "latency_ns": [10 * c for c in cycles], "ii": [1.0, 1.0, 1.0],
    }  # fmt: skip
    fits = "no" if lut > luts else "borderline" if 3 * lut > luts else "yes"
    share = [end / luts for end in cost["lut_synth"]]
    use = {"lut": {"share": share}, "dsp": {"share": [0.0, 0.0, 0.0]}, "uram": {"share": None}}
    return {
        "id": rank, "bits": bits, **judged, "cost": cost, "board": use, "share": share[0],
        "fits": fits, "stable": (1.0, 0.63, None)[rank % 3],
    }  # fmt: skip
