"""Makes heads.json: the loss and every gradient of a small model with each head that has no test in cells.json.

    pip install torch==2.15.0
    python tests/golden/heads.py        # rewrites heads.json beside this file

Written from the papers, in float64. An embedding, one layer of tanh units, and the head; the objective is the cross-entropy of
all predictions, summed, divided by their number.

    tied      Press and Wolf 2017, arXiv 1608.05859: the matrix of the head is the embedding, of the same width as the layer
    mixture   Yang et al. 2018, arXiv 1711.03953, section 2.2: P(x|c) = sum over k of pi_k softmax(W h_k), with pi the softmax of
              the prior and h_k = tanh(W_k g), of three softmaxes; a probability is computed as it stands, and then its logarithm

Token 6, one beyond the symbols, is an input of zeros. Weights are [out, in], biases [1, out]; `data` is row-major.
"""

import json
from pathlib import Path

import torch

from cells import draw, plain

VOCABULARY, EMBEDDING, STEPS, ROWS, SOFTMAXES = 6, 4, 4, 2, 3
INPUTS = [[6, 2], [1, 4], [3, 0], [5, 1]]
TARGETS = [[1, 4], [3, 0], [5, 1], [2, 2]]


def probabilities(head, p, g):
    """[rows, vocabulary], of the outputs of the layer."""
    if head == "tied":
        return torch.softmax(g @ p["embedding"].T + p["head.by"], dim=1)
    prior = torch.softmax(g @ p["head.prior"].T, dim=1)
    total = 0
    for k, latent in enumerate(p["head.latent"].chunk(SOFTMAXES, dim=0)):
        h = torch.tanh(g @ latent.T)
        total = total + prior[:, k : k + 1] * torch.softmax(h @ p["head.wya"].T + p["head.by"], dim=1)
    return total


def shapes(head):
    hidden = {"tied": EMBEDDING, "mixture": 5}[head]
    own = {
        "tied": {},
        "mixture": {"head.prior": (SOFTMAXES, hidden), "head.latent": (SOFTMAXES * hidden, hidden), "head.wya": (VOCABULARY, hidden)},
    }[head]
    layer = {"wax": (hidden, EMBEDDING), "waa": (hidden, hidden), "b": (1, hidden)}
    layer = {f"layers.0.{name}": shape for name, shape in layer.items()}
    return {"embedding": (VOCABULARY, EMBEDDING)} | layer | own | {"head.by": (1, VOCABULARY)}


def run_case(head, seed):
    torch.manual_seed(seed)
    p = {name: draw(*shape) for name, shape in shapes(head).items()}
    table = torch.cat([p["embedding"], torch.zeros(1, EMBEDDING, dtype=torch.float64)])
    state = torch.zeros(ROWS, p["layers.0.b"].shape[1], dtype=torch.float64)
    nats = 0
    for inputs, targets in zip(INPUTS, TARGETS):
        state = torch.tanh(table[inputs] @ p["layers.0.wax"].T + state @ p["layers.0.waa"].T + p["layers.0.b"])
        nats = nats - probabilities(head, p, state)[range(ROWS), targets].log().sum()
    gradients = torch.autograd.grad(nats / (STEPS * ROWS), list(p.values()))
    assert all((gradient != 0).all() for gradient in gradients), f"{head}: a gradient of zero tests nothing"
    return {"head": head, "params": plain(p), "nats": nats.item(), "gradients": plain(dict(zip(p, gradients)))}


def main():
    cases = [run_case("tied", 31), run_case("mixture", 32)]
    golden = {"versions": {"torch": torch.__version__.split("+")[0]}, "inputs": INPUTS, "targets": TARGETS, "cases": cases}
    path = Path(__file__).with_suffix(".json")
    path.write_text(json.dumps(golden, separators=(",", ":")) + "\n")
    for case in cases:
        print(f"{case['head']}: {case['nats']} nats")


if __name__ == "__main__":
    main()
