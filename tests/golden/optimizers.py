"""Makes optimizers.json: ten steps of each optimizer on one matrix, for the tests of the training loop.

    pip install torch==2.15.0
    python tests/golden/optimizers.py   # rewrites optimizers.json beside this file

The committed numbers come from `torch.optim` of PyTorch 2.15.0 in float64 on a CPU (Python 3.11). All optimizers start from the
same [3, 2] matrix and are given the same ten gradients, which do not depend on the matrix: a wrong step stays visible and does
not steer the next one. The settings of each case are the keyword arguments of PyTorch's class; what is not named is its default
(no dampening, no Nesterov momentum, no weight decay except where given, RMSprop neither centred nor with momentum).
"""

import json
from pathlib import Path

import torch

SHAPE, STEPS = (3, 2), 10
CASES = {
    "sgd": (torch.optim.SGD, {"lr": 0.1}),
    "sgd_momentum": (torch.optim.SGD, {"lr": 0.1, "momentum": 0.9}),
    "adagrad": (torch.optim.Adagrad, {"lr": 0.1, "eps": 1e-10}),
    "rmsprop": (torch.optim.RMSprop, {"lr": 0.01, "alpha": 0.99, "eps": 1e-8}),
    "adam": (torch.optim.Adam, {"lr": 0.01, "betas": [0.9, 0.999], "eps": 1e-8}),
    "adamw": (torch.optim.AdamW, {"lr": 0.01, "betas": [0.9, 0.999], "eps": 1e-8, "weight_decay": 0.01}),
}


def main():
    torch.manual_seed(1)
    start = torch.empty(SHAPE, dtype=torch.float64).uniform_(-0.8, 0.8)
    gradients = [torch.empty(SHAPE, dtype=torch.float64).uniform_(-0.8, 0.8) for _ in range(STEPS)]

    def trajectory(kind, settings):
        parameter = torch.nn.Parameter(start.clone())
        optimizer = kind([parameter], **settings)
        after = []
        for gradient in gradients:
            parameter.grad = gradient.clone()
            optimizer.step()
            after.append(parameter.detach().flatten().tolist())
        return after

    golden = {
        "versions": {"torch": torch.__version__.split("+")[0]},
        "shape": list(SHAPE),
        "start": start.flatten().tolist(),
        "gradients": [gradient.flatten().tolist() for gradient in gradients],
        "cases": [
            {"name": name, "settings": settings, "after": trajectory(kind, settings)} for name, (kind, settings) in CASES.items()
        ],
    }
    Path(__file__).with_suffix(".json").write_text(json.dumps(golden, separators=(",", ":")) + "\n")
    for case in golden["cases"]:
        print(case["name"], case["after"][-1])


if __name__ == "__main__":
    main()
