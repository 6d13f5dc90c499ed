"""Grades a function that an exercise asks for.

    python3 book/exercises/grade.py smooth mine.py

Needs NumPy. The numbers that must come out are those of PyTorch and of the program, from `tests/golden`.
"""

import importlib.util
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "listings"))

try:
    import numpy as np
except ImportError:
    sys.exit("grading needs NumPy\nhint: pip install numpy")

import check
import twins

close = check.close


def example(function):
    number = {"\n": 0, "a": 1, "b": 2}
    found = function("ab", number)
    assert tuple(map(list, found)) == ([None, 1, 2], [1, 2, 0]), f"X and Y of `ab` are {found}"


def trigram(function):
    table = function([([None, 1, 2], [1, 2, 0]), ([None, 1, 1], [1, 1, 0])], 3)
    assert table.shape == (4, 4, 3), f"the shape is {table.shape}"
    close("rows add up to", table.sum(axis=2), np.ones((4, 4)))
    close("a begins both names", table[3, 3, 1], 3 / 5)
    close("b after start and a", table[3, 1, 2], 2 / 5)
    close("an unseen context", table[0, 0], np.full(3, 1 / 3))


def smooth(function):
    losses = check.golden("dinosaurs")["first_losses"]
    close("the curve", np.array(function(losses, 27, 7)), np.array(list(twins.smoothed(losses))), 1e-9)


def clip_rows(function):
    g = np.array([[3.0, 4.0], [0.3, 0.4], [0.0, 0.0]])
    close("three rows", function({"W": g}, 1.0)["W"], [[0.6, 0.8], [0.3, 0.4], [0.0, 0.0]], 1e-6)


def top_k(function):
    found = function(np.array([1.0, 3.0, 2.0, 0.0]), 2)
    assert found.tolist() == [-np.inf, 3.0, 2.0, -np.inf], f"{found}"


def stop(function):
    for losses, patience, expected in [([3.0, 2.0, 2.5, 1.9, 2.0, 2.1, 2.2, 0.1], 3, (3, 6)), ([2.0, 1.0], 5, (1, 1))]:
        assert tuple(function(losses, patience)) == expected, f"{losses}, {patience}: {function(losses, patience)}"


def over_time(name, function):
    """A cell over the first layer of a golden case."""
    case = check.case(name)
    p = check.parameters(name, case["params"][0])
    state = [check.array(case["initial"][0][key]).T for key in (["h", "c"] if name == "lstm" else ["h"])]
    for x in check.array(case["inputs"]):
        state = function(p, x.T, *state)
        state = list(state) if isinstance(state, tuple) else [state]
    close("the state at the end", state[0], check.array(case["final"][0]["h"]).T, 1e-9)


def masked_loss(function):
    logs = np.log(np.array([[0.5, 0.25], [0.125, 0.9]]))
    close("three of four count", function(logs, np.array([[1, 1], [1, 0]])), 2 * np.log(2))


def log_softmax(function):
    close("1000 and 0", function(np.array([1000.0, 0.0])), [0.0, -1000.0])
    z = np.array([1.0, 2.0, 3.0])
    close("1, 2, 3", function(z), z - np.log(np.exp(z).sum()))


def sample(function):
    draws = np.random.RandomState(2)
    p = {name: draws.randn(*shape) for name, shape in check.SHAPES.items()}
    uniforms = [np.random.RandomState(2 * n).random_sample() for n in range(43)]
    whole = function(p, [], iter(uniforms + [0.0] * 100))
    first = check.golden("dinosaurs")["units"]["sample"]["first_43"]
    assert whole[: len(first)] == first, f"without a prefix: {whole[:9]}…"
    half = function(p, first[:5], iter(uniforms[5:] + [0.0] * 100))
    assert half[: len(first)] == first, f"with a prefix of five: {half[:9]}…"


def jacobian(function):
    W, a = twins.rng.random((4, 4)) - 0.5, twins.rng.random((4, 1))
    new = np.tanh(W @ a)
    columns = [(np.tanh(W @ (a + s)) - np.tanh(W @ (a - s))) / 2e-6 for s in 1e-6 * np.eye(4)[:, :, None]]
    close("the Jacobian", function(W, new), np.hstack(columns), 1e-8)


def norm(function):
    close("3 and 4", function({"a": np.array([[3.0]]), "b": np.array([[0.0, 4.0]])}), 5.0)


GRADERS = {
    "example": example, "trigram": trigram, "smooth": smooth, "clip_rows": clip_rows, "top_k": top_k, "stop": stop,
    "lstm": lambda function: over_time("lstm", function), "masked_loss": masked_loss, "log_softmax": log_softmax,
    "sample": sample, "gru_before": lambda function: over_time("gru_before", function), "jacobian": jacobian,
    "norm": norm,
}


def load(path, name):
    spec = importlib.util.spec_from_file_location("mine", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    function = getattr(module, name, None)
    if function is None:
        sys.exit(f"{path} has no function `{name}`")
    return function


if __name__ == "__main__":
    if len(sys.argv) != 3 or sys.argv[1] not in GRADERS:
        sys.exit(f"usage: python3 book/exercises/grade.py EXERCISE FILE\nexercises: {', '.join(GRADERS)}")
    name, path = sys.argv[1:]
    try:
        GRADERS[name](load(path, name))
    except AssertionError as wrong:
        sys.exit(f"not yet: {wrong}")
    print(f"{name}: right")
