"""What the scripts of this folder share: how a case is drawn, run and written. Imported by them; makes nothing by itself.

    pip install torch==2.15.0
    python tests/golden/families/linear.py        # rewrites linear.json beside that file, likewise for the others

Every number is float64 from PyTorch's autograd on a CPU. The step functions are written from the equations of the papers that
the docstrings name, one line an equation, head by head and without a common factor taken out. Layout and objective are those of
tests/golden/cells.py; here a case has one layer, and says besides which cell it is and which keys make it:

    cell          registered name            keys      table of the cell's keys, `hidden` among them
    gates         order of the stacked rows  states    name, width and start of every state
    output-width  columns of the output      counters  states without a gradient: positions in time

The initial states are not the starts: they are drawn, so that a state that is not carried shows. Each case draws from a seed of
its own, the first one after the checksum of its name whose values are usable: no gradient is zero, the loss is not the small
difference of large terms, and no value lies so close to a corner of a function that float32 would take the other branch.
"""

import json
import sys
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable

import torch

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import cells  # noqa: E402, F401 (the scripts import it from here)
from cells import draw, leaves, plain, rebuilt, unroll  # noqa: E402

BATCH, STEPS = 2, 5
_corners = {}  # line that called a function with a corner: signed distances of the values from it


def _note(values):
    _corners.setdefault(sys._getframe(2).f_lineno, []).append(values.detach().flatten())


def relu(x):
    _note(x)
    return torch.relu(x)


def sign(x):
    _note(x)
    return torch.sign(x)


def clip(x, bound):
    """x between -bound and bound."""
    _note(x - bound)
    _note(x + bound)
    return torch.clamp(x, -bound, bound)


def maximum(a, b):
    _note(a - b)
    return torch.maximum(a, b)


def select(condition_value, positive, other):
    """`positive` where the value is at least 0, else `other`."""
    _note(condition_value)
    return torch.where(condition_value >= 0, positive, other)


def sigmoid(x):
    return 1 / (1 + torch.exp(-x))


def layer_norm(x, gain, shift):
    """Over all columns; variance divided by their number."""
    centered = x - x.mean(1, keepdim=True)
    return centered / (centered.pow(2).mean(1, keepdim=True) + 1e-5).sqrt() * gain + shift


def blocks(x, count):
    """Equal blocks of columns, or of rows for a parameter of blocks of rows."""
    return x.chunk(count, dim=1)


def rows(matrix, count):
    return matrix.chunk(count, dim=0)


@dataclass
class Case:
    cell: str
    step: Callable  # (params, x, state) -> output, state
    params: Callable  # input width -> {name: shape}
    states: dict  # name: width, or a function of the input width
    keys: dict = field(default_factory=dict)
    gates: list = field(default_factory=list)
    hidden: int = 4
    inputs: int = 3
    output: int | None = None  # columns of the output, if not `hidden`
    starts: dict = field(default_factory=dict)  # those that are not 0
    ranges: dict = field(default_factory=dict)  # parameter or state: (low, high), if not [-0.8, 0.8]
    counters: dict = field(default_factory=dict)  # state: its initial values, a function of a generator's draw
    corners: bool = False  # whether both sides of every corner have to occur
    dead: bool = False  # whether some entries have no gradient by the equations
    sequence: Callable | None = None  # (params, inputs, initial, counters) -> outputs, by another route
    note: str = ""

    @property
    def name(self):
        return " ".join([self.cell] + [f"{key}={value}" for key, value in self.keys.items()] + ([self.note] if self.note else []))


def shapes(**given):
    """Shapes for an input width; "x" stands for it."""
    return lambda inputs: {name: tuple(inputs if length == "x" else length for length in shape) for name, shape in given.items()}


def _drawn(case, name, *shape):
    tensor = draw(*shape)
    if name in case.ranges:
        low, high = case.ranges[name]
        with torch.no_grad():
            tensor.uniform_(low, high)
    return tensor


def _attempt(case, seed):
    torch.manual_seed(seed)
    _corners.clear()
    widths = {name: width(case.inputs) if callable(width) else width for name, width in case.states.items()}
    params = {name: _drawn(case, name, *shape) for name, shape in case.params(case.inputs).items()}
    inputs = _drawn(case, "inputs", STEPS, BATCH, case.inputs)
    counters = {name: values(BATCH).double() for name, values in case.counters.items()}
    initial = {name: _drawn(case, name, BATCH, width) for name, width in widths.items() if name not in counters}
    columns = case.output or case.hidden
    r = draw(STEPS, BATCH, columns).detach()
    s = {name: draw(BATCH, width).detach() * (name not in counters) for name, width in widths.items()}
    wanted = {"params": [params], "inputs": inputs, "initial": [initial]}

    def step(p, x, state, note):
        output, after = case.step(p, x, state)
        assert set(after) == set(widths), f"{case.name}: states {set(after)}"
        return output, after

    output, final = unroll(step, [params], inputs, [initial | counters], None)
    assert output.shape == (STEPS, BATCH, columns), f"{case.name}: outputs {tuple(output.shape)}"
    for name, width in widths.items():
        assert final[0][name].shape == (BATCH, width), f"{case.name}: state {name} {tuple(final[0][name].shape)}"
    if case.sequence:
        torch.testing.assert_close(case.sequence(params, inputs, initial, counters), output, rtol=1e-10, atol=1e-11)
    loss = (output * r).sum() + sum((final[0][name] * s[name]).sum() for name in widths)
    gradients = torch.autograd.grad(loss, leaves(wanted), allow_unused=True)
    assert all(gradient is not None for gradient in gradients), f"{case.name}: a parameter or state is not used"
    smallest = min(float(gradient.abs().min() / gradient.abs().max()) for gradient in gradients)
    usable = (
        abs(loss.item()) > 0.1 and (case.dead or smallest > 1e-7) and all(gradient.isfinite().all() for gradient in gradients)
    )
    for seen in map(torch.cat, _corners.values()):
        usable = usable and bool((seen.abs() > 1e-3).all()) and (not case.corners or bool((seen > 0).any() and (seen < 0).any()))
    if not usable:
        return None
    ordered = {name: (initial | counters)[name] for name in widths}
    return {
        "name": case.name,
        "cell": case.cell,
        "keys": {"hidden": case.hidden} | case.keys,
        "gates": case.gates,
        "states": [{"name": name, "width": width, "start": case.starts.get(name, 0.0)} for name, width in widths.items()],
        "output-width": columns,
        "counters": list(counters),
        "sizes": {"inputs": case.inputs, "hidden": case.hidden, "batch": BATCH, "steps": STEPS, "layers": 1},
        "params": plain([params]),
        "inputs": plain(inputs),
        "initial": plain([ordered]),
        "R": plain(r),
        "S": plain([s]),
        "output": plain(output),
        "final": plain([{name: final[0][name] for name in widths}]),
        "loss": loss.item(),
        "gradients": plain(rebuilt(wanted, iter(gradients))),
    }


def run_case(case):
    first = zlib.crc32(case.name.encode())
    for seed in range(first, first + 400):
        result = _attempt(case, seed)
        if result:
            return result
    raise AssertionError(f"{case.name}: no usable seed")


def write(script, cases):
    """Runs the cases and writes them beside the script."""
    names = [case.name for case in cases]
    assert len(set(names)) == len(names), "two cases have one name"
    golden = {"versions": {"torch": torch.__version__.split("+")[0]}, "cases": [run_case(case) for case in cases]}
    text = json.dumps(golden, separators=(",", ":")) + "\n"
    assert json.loads(text) == golden, "a number does not survive JSON"
    Path(script).with_suffix(".json").write_text(text)
    for case in golden["cases"]:
        print(f"{case['name']}: loss {case['loss']}")
    print(f"{Path(script).stem}.json: {len(text) // 1024} KiB, {len(names)} cases")
