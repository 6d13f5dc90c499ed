"""Makes clippers.json: gradient clipping by global norm and by value, for the tests of the clippers plugin.

    pip install torch==2.15.0
    python tests/golden/clippers.py     # rewrites clippers.json beside this file

The committed numbers come from PyTorch 2.15.0 in float64 on a CPU (Python 3.11): `clip_grad_norm_` over three matrices at once
with a limit below and one above their common norm, and `clip_grad_value_`. PyTorch multiplies by
min(1, limit / (norm + 0.000001)): the small term keeps a clipped norm just below the limit.
"""

import json
from pathlib import Path

import torch

SHAPES = {"a": (4, 3), "b": (4, 4), "c": (1, 4)}


def main():
    torch.manual_seed(1)
    gradients = {name: torch.empty(shape, dtype=torch.float64).uniform_(-0.8, 0.8) for name, shape in SHAPES.items()}
    norm = torch.cat([gradient.flatten() for gradient in gradients.values()]).norm().item()

    def clipped(kind, limit):
        parameters = {name: torch.nn.Parameter(torch.zeros_like(gradient)) for name, gradient in gradients.items()}
        for name, parameter in parameters.items():
            parameter.grad = gradients[name].clone()
        case = {"type": kind, "limit": limit}
        if kind == "norm":
            case["norm"] = torch.nn.utils.clip_grad_norm_(parameters.values(), limit).item()
        else:
            torch.nn.utils.clip_grad_value_(parameters.values(), limit)
        return case | {"output": {name: plain(parameter.grad) for name, parameter in parameters.items()}}

    assert 1.0 < norm < 10.0
    golden = {
        "versions": {"torch": torch.__version__.split("+")[0]},
        "norm": norm,
        "gradients": {name: plain(gradient) for name, gradient in gradients.items()},
        "cases": [clipped("norm", 1.0), clipped("norm", 10.0), clipped("value", 0.5)],
    }
    Path(__file__).with_suffix(".json").write_text(json.dumps(golden, separators=(",", ":")) + "\n")
    print(f"norm {norm}")


def plain(tensor):
    return {"shape": list(tensor.shape), "data": tensor.flatten().tolist()}


if __name__ == "__main__":
    main()
