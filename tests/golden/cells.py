"""Makes cells.json: forward values and every gradient of seven recurrent cells, for the tests of the cells plugin.

    pip install torch==2.15.0
    python tests/golden/cells.py        # rewrites cells.json beside this file

The committed numbers come from PyTorch 2.15.0 in float64 on a CPU (Python 3.11). Each case has its own seed, so adding one
leaves the others as they are. Two stacked layers, batch 2, 5 steps, initial states that are not zero. All numbers are drawn
uniformly from [-0.8, 0.8], except the inputs of `lstm_hard_sigmoid`: from [-4, 4], so that some gates reach the flat parts.

    vanilla_tanh, vanilla_relu   torch.nn.RNN
    lstm                         torch.nn.LSTM
    gru_after                    torch.nn.GRU: the reset gate multiplies the recurrent product, which has a bias of its own
    gru_before                   the equations below: the reset gate multiplies the state (Cho et al. 2014, arXiv 1406.1078)
    lstm_hard_sigmoid            the equations below: gates clip(0.2 x + 0.5, 0, 1), as in Keras 2
    lstm_peephole                the equations below: gates also see the cell (Gers et al. 2002), diagonal weights

For the cells that PyTorch has, its module is the source and the equations below are checked against it.

The objective is sum(output * R) + sum over layers and states of sum(final * S): every output and every final state counts,
each with another weight, so a gradient that is lost or swapped shows.

Layout: weights are [out, in], biases [1, out], states [batch, hidden], sequences [steps, batch, width]; `data` is row-major.
The rows of lstm matrices are the gates i, f, g, o; those of gru matrices r, z, n.
"""

import json
from pathlib import Path

import torch
from torch.nn import functional as F

INPUTS, HIDDEN, BATCH, STEPS, LAYERS = 3, 4, 2, 5, 2


def draw(*shape, bound=0.8):
    """A float64 tensor with uniform entries, whose gradient is wanted."""
    return torch.empty(*shape, dtype=torch.float64).uniform_(-bound, bound).requires_grad_()


# What each cell declares: its matrices' shapes for an input width, and the names of its states.

def vanilla_params(inputs):
    return {"wax": (HIDDEN, inputs), "waa": (HIDDEN, HIDDEN), "b": (1, HIDDEN)}


def gate_params(gates, biases):
    def params(inputs):
        shapes = {"wx": (gates * HIDDEN, inputs), "wh": (gates * HIDDEN, HIDDEN)}
        return shapes | {bias: (1, gates * HIDDEN) for bias in biases}

    return params


def peephole_params(inputs):
    return gate_params(4, ["b"])(inputs) | {name: (1, HIDDEN) for name in ("pi", "pf", "po")}


# The equations of one time step. `note` is printed every value that is about to enter a function with a corner.

def vanilla(activation):
    def step(p, x, state, note):
        before = x @ p["wax"].T + state["h"] @ p["waa"].T + p["b"]
        note(before)
        h = activation(before)
        return h, {"h": h}

    return step


def lstm(gate, peepholes=False):
    def step(p, x, state, note):
        h, c = state["h"], state["c"]
        i, f, g, o = (x @ p["wx"].T + h @ p["wh"].T + p["b"]).chunk(4, dim=1)
        if peepholes:
            i, f = i + p["pi"] * c, f + p["pf"] * c
        c = gate(f) * c + gate(i) * torch.tanh(g)
        if peepholes:
            o = o + p["po"] * c
        for before in (i, f, o):
            note(before)
        h = gate(o) * torch.tanh(c)
        return h, {"h": h, "c": c}

    return step


def gru_after(p, x, state, note):
    h = state["h"]
    xr, xz, xn = (x @ p["wx"].T + p["bx"]).chunk(3, dim=1)
    hr, hz, hn = (h @ p["wh"].T + p["bh"]).chunk(3, dim=1)
    r, z = torch.sigmoid(xr + hr), torch.sigmoid(xz + hz)
    n = torch.tanh(xn + r * hn)
    h = (1 - z) * n + z * h
    return h, {"h": h}


def gru_before(p, x, state, note):
    h = state["h"]
    xr, xz, xn = (x @ p["wx"].T + p["b"]).chunk(3, dim=1)
    ur, uz, un = p["wh"].chunk(3, dim=0)
    r, z = torch.sigmoid(xr + h @ ur.T), torch.sigmoid(xz + h @ uz.T)
    n = torch.tanh(xn + (r * h) @ un.T)
    h = (1 - z) * n + z * h
    return h, {"h": h}


def hard_sigmoid(x):
    return torch.clamp(0.2 * x + 0.5, 0, 1)


# name: (seed, step, params, states, bound of the inputs, PyTorch's own module or None)
CASES = {
    "vanilla_tanh": (1, vanilla(torch.tanh), vanilla_params, ["h"], 0.8, lambda: torch.nn.RNN(INPUTS, HIDDEN, LAYERS, "tanh")),
    "vanilla_relu": (14, vanilla(F.relu), vanilla_params, ["h"], 0.8, lambda: torch.nn.RNN(INPUTS, HIDDEN, LAYERS, "relu")),
    "lstm": (3, lstm(torch.sigmoid), gate_params(4, ["b"]), ["h", "c"], 0.8, lambda: torch.nn.LSTM(INPUTS, HIDDEN, LAYERS)),
    "gru_after": (4, gru_after, gate_params(3, ["bx", "bh"]), ["h"], 0.8, lambda: torch.nn.GRU(INPUTS, HIDDEN, LAYERS)),
    "gru_before": (5, gru_before, gate_params(3, ["b"]), ["h"], 0.8, None),
    "lstm_hard_sigmoid": (6, lstm(hard_sigmoid), gate_params(4, ["b"]), ["h", "c"], 4.0, None),
    "lstm_peephole": (7, lstm(torch.sigmoid, peepholes=True), peephole_params, ["h", "c"], 0.8, None),
}


def unroll(step, params, inputs, initial, note):
    """The whole sequence through all layers by the equations above: outputs of the last layer, final states."""
    sequence, final = list(inputs), []
    for p, state in zip(params, initial):
        outputs = []
        for x in sequence:
            output, state = step(p, x, state, note)
            outputs.append(output)
        sequence = outputs
        final.append(state)
    return torch.stack(sequence), final  # [steps, batch, hidden]


def through_module(module, params, inputs, initial):
    """The same through PyTorch's module. One bias is split into PyTorch's two halves, which is exact."""
    weights = {}
    for layer, p in enumerate(params):
        names = list(p)
        weights[f"weight_ih_l{layer}"], weights[f"weight_hh_l{layer}"] = p[names[0]], p[names[1]]
        halves = (p["bx"], p["bh"]) if "bx" in p else (p["b"] / 2, p["b"] / 2)
        weights[f"bias_ih_l{layer}"], weights[f"bias_hh_l{layer}"] = (half.squeeze(0) for half in halves)
    names = list(initial[0])
    stacked = tuple(torch.stack([state[name] for state in initial]) for name in names)  # [layers, batch, hidden] each
    state = stacked if len(names) > 1 else stacked[0]
    output, state = torch.func.functional_call(module, weights, (inputs, state))
    state = state if len(names) > 1 else (state,)
    return output, [{name: part[layer] for name, part in zip(names, state)} for layer in range(LAYERS)]


def plain(value):
    """Tensors as {shape, data}; what holds tensors, as what holds those."""
    if isinstance(value, dict):
        return {name: plain(part) for name, part in value.items()}
    if isinstance(value, list):
        return [plain(part) for part in value]
    return {"shape": list(value.shape), "data": value.detach().flatten().tolist()}


def leaves(value):
    if isinstance(value, torch.Tensor):
        return [value]
    return [leaf for part in (value.values() if isinstance(value, dict) else value) for leaf in leaves(part)]


def rebuilt(value, parts):
    """`value` with its tensors replaced, in order, by those of the iterator `parts`."""
    if isinstance(value, dict):
        return {name: rebuilt(part, parts) for name, part in value.items()}
    if isinstance(value, list):
        return [rebuilt(part, parts) for part in value]
    return next(parts)


def run_case(name):
    seed, step, declare, states, bound, module = CASES[name]
    torch.manual_seed(seed)
    params = [{key: draw(*shape) for key, shape in declare(INPUTS if layer == 0 else HIDDEN).items()} for layer in range(LAYERS)]
    inputs = draw(STEPS, BATCH, INPUTS, bound=bound)
    initial = [{state: draw(BATCH, HIDDEN) for state in states} for _ in range(LAYERS)]
    r = draw(STEPS, BATCH, HIDDEN).detach()
    s = [{state: draw(BATCH, HIDDEN).detach() for state in states} for _ in range(LAYERS)]
    wanted = {"params": params, "inputs": inputs, "initial": initial}

    def evaluate(forward):
        output, final = forward()
        loss = (output * r).sum() + sum((a * b).sum() for a, b in zip(leaves(final), leaves(s)))
        return output, final, loss, torch.autograd.grad(loss, leaves(wanted))

    corners = []
    result = by_equations = evaluate(lambda: unroll(step, params, inputs, initial, corners.append))
    if module is not None:
        module = module().double()
        result = evaluate(lambda: through_module(module, params, inputs, initial))
        for theirs, ours in zip(leaves(list(result)), leaves(list(by_equations))):
            torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-13)

    # A value near a corner would take the other branch in float32 and make the test a coin toss; and both branches must occur.
    corner = {"vanilla_relu": 0.0, "lstm_hard_sigmoid": 2.5}.get(name)
    if corner is not None:
        before = torch.cat([part.detach().flatten() for part in corners])
        assert ((before.abs() - corner).abs() > 1e-3).all() and (before > corner).any() and (before < -corner).any(), name
        assert (before.abs() < 2.5).any(), name

    output, final, loss, gradients = result
    assert all((gradient != 0).all() for gradient in gradients), f"{name}: a dead unit tests nothing, take another seed"
    return {
        "name": name,
        "sizes": {"inputs": INPUTS, "hidden": HIDDEN, "batch": BATCH, "steps": STEPS, "layers": LAYERS},
        "params": plain(params),
        "inputs": plain(inputs),
        "initial": plain(initial),
        "R": plain(r),
        "S": plain(s),
        "output": plain(output),
        "final": plain(final),
        "loss": loss.item(),
        "gradients": plain(rebuilt(wanted, iter(gradients))),
    }


def main():
    golden = {"versions": {"torch": torch.__version__.split("+")[0]}, "cases": [run_case(name) for name in CASES]}
    path = Path(__file__).with_suffix(".json")
    path.write_text(json.dumps(golden, separators=(",", ":")) + "\n")
    for case in golden["cases"]:
        print(f"{case['name']}: loss {case['loss']}")


if __name__ == "__main__":
    main()
