"""Compares the formulas and the Python listings of parts I to III with the numbers that the program is tested against.

    pip install -r book/requirements.txt
    python3 book/listings/check.py

A cell's formula is read from its page and evaluated, gate by gate, on the values of `tests/golden/cells.json`; the NumPy
function beside it has to give the same. `cells_equal_pytorch` compares the program's cells with the same file. Every other
displayed formula is in `FORMULAS` beside the function of `twins.py` that computes it.
"""

import json
import pathlib
import sys

import numpy as np

import formulas
import twins
from tables import FORMULAS

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BOOK = ROOT / "book/src"
GOLDEN = ROOT / "tests/golden"
# A page, the case whose values its formulas are evaluated on, and the vectors that the last equation defines.
CELLS = [
    ("dinosaurs/model.md", "vanilla_tanh", ["a<t>"]),
    ("dinosaurs/sonnets.md", "lstm", ["a<t>", "c<t>"]),
    ("names/cells.md", "gru_after", ["a<t>"]),
]
# The model of the dinosaur notebook's tests, in the order in which it is drawn.
SHAPES = {"W_ax": (100, 27), "W_aa": (100, 100), "W_ya": (27, 100), "b_a": (100, 1), "b_y": (27, 1)}


def golden(name):
    return json.loads((GOLDEN / f"{name}.json").read_text())


def array(entry):
    return np.array(entry["data"]).reshape(entry["shape"])


def case(name):
    return next(case for case in golden("cells")["cases"] if case["name"] == name)


def gates(found, letters, hidden):
    """The parameters of each gate under the names of the formulas: `W_ux`, `W_ua`, `b_u`."""
    p = {}
    for row, gate in enumerate(letters):
        rows = slice(row * hidden, (row + 1) * hidden)
        p[f"W_{gate}x"], p[f"W_{gate}a"] = found["wx"][rows], found["wh"][rows]
        if "b" in found:
            p[f"b_{gate}"] = found["b"].T[rows]
        else:
            p[f"b_{gate}"] = found["bx"].T[rows] + (0 if gate == "n" else found["bh"].T[rows])
            p[f"d_{gate}"] = found["bh"].T[rows]
    return p


def parameters(name, table):
    found = {key: array(value) for key, value in table.items()}
    if name.startswith("vanilla"):
        return {"W_ax": found["wax"], "W_aa": found["waa"], "b_a": found["b"].T}
    return gates(found, "ufco" if name.startswith("lstm") else "rzn", found["wh"].shape[1])


def cell(page, name, wanted):
    """The formulas of a page and the function beside them, over two layers and five time steps."""
    golden_case = case(name)
    text = (BOOK / page).read_text()
    equations = [formula for formula in formulas.displayed(text) if formula not in FORMULAS]
    function = {"vanilla_tanh": twins.vanilla, "lstm": twins.lstm, "gru_after": twins.gru}[name]
    sequence = [x.T for x in array(golden_case["inputs"])]  # each [inputs, batch]
    for table, start in zip(golden_case["params"], golden_case["initial"]):
        p = parameters(name, table)
        state = [array(start[key]).T for key in (["h", "c"] if "c" in start else ["h"])]
        for t, x in enumerate(sequence):
            values = dict(zip(["a<t-1>", "c<t-1>"], state)) | {"x<t>": x} | p
            for equation in equations:
                values = formulas.evaluate(equation, values)
            state = function(p, x, *state)
            state = list(state) if isinstance(state, tuple) else [state]
            for key, vector in zip(wanted, state):
                close(f"{page}: {key} as the formulas have it", values[key], vector)
            sequence[t] = state[0]
    close(f"{page}: the output of {name}", np.array(sequence), array(golden_case["output"]).transpose(0, 2, 1))


def close(what, found, expected, tolerance=1e-12):
    distance = np.abs(np.asarray(found) - np.asarray(expected)).max()
    assert distance <= tolerance, f"{what}: {found}, not {expected}"


def listed():
    """Every displayed formula is evaluated or is in the table, and the function that computes it exists."""
    evaluated = [page for page, _, _ in CELLS]
    unknown, seen = [], set()
    pages = [*BOOK.glob("dinosaurs/*.md"), *BOOK.glob("names/*.md"), BOOK / "start.md", BOOK / "gradients.md", BOOK / "overfitting.md"]
    for page in pages:
        name = str(page.relative_to(BOOK))
        for formula in formulas.displayed(page.read_text()):
            seen.add(formula)
            if formula not in FORMULAS and name not in evaluated:
                unknown.append(f"{name}: {formula}")
    assert not unknown, "not in book/listings/tables.py:\n" + "\n".join(unknown)
    for formula, function in FORMULAS.items():
        assert formula in seen, f"no page has {formula}"
        assert function in CHECKS, f"nothing checks {function}"


def check_update():
    """Exercise 3 of the dinosaur notebook, as tests/golden_runs.rs has it."""
    unit = golden("dinosaurs")["units"]["optimize"]
    draws = np.random.RandomState(1)
    a = draws.randn(100, 1)
    p = {name: draws.randn(*shape) for name, shape in SHAPES.items()}
    after, loss, d, last = twins.update(p, unit["X"], unit["Y"], a, rate=0.01, limit=5)
    expected = {"loss": loss, "dWaa_1_2": d["W_aa"][1, 2], "dWya_1_2": d["W_ya"][1, 2], "db_4": d["b_a"][4, 0]}
    expected |= {"dby_1": d["b_y"][1, 0], "a_last_4": last[4, 0]}
    for key, found in expected.items():
        close(key, found, float(unit[key]), 1e-8)
    close("an update", after["W_aa"], p["W_aa"] - 0.01 * d["W_aa"])


def check_bigram():
    text = "ab\naa\n"
    symbols, number = twins.vocabulary(text)
    examples = [twins.example(name, number) for name in text.split()]
    assert examples[0] == ([None, 1, 2], [1, 2, 0]), examples
    smoothed = -(2 * np.log(0.6) + np.log(0.5) + 3 * np.log(1 / 3)) / 6  # as tests/baseline.rs has it
    table = twins.bigram(examples, len(symbols))
    close("bigram", twins.nats(table, examples), smoothed)


def check_clippers():
    golden_clippers = golden("clippers")
    found = {name: array(entry) for name, entry in golden_clippers["gradients"].items()}
    for case in golden_clippers["cases"]:
        function = {"value": twins.clip_values, "norm": twins.clip_norm}.get(case["type"])
        if function:
            clipped = function(found, case["limit"])
            for name, entry in case["output"].items():
                close(f"{case['type']} {name}", clipped[name], array(entry), 1e-9)


def check_sampling():
    unit = golden("dinosaurs")["units"]["sample"]
    draws = np.random.RandomState(2)
    p = {name: draws.randn(*shape) for name, shape in SHAPES.items()}
    uniforms = (np.random.RandomState(2 * n).random_sample() for n in range(43))  # seed and counter both grow by one
    assert twins.sample(p, uniforms) == unit["first_43"]


def check_temperature():
    z = np.array([1.0, 2.0, 4.0])
    close("temperature 1", twins.at_temperature(z, 1.0), twins.softmax(z))
    close("temperature", twins.at_temperature(z, 0.5), np.exp(2 * z) / np.exp(2 * z).sum())
    close("log-softmax", twins.log_softmax(z), np.log(twins.softmax(z)))


def check_smoothing():
    transcript, losses = golden("dinosaurs")["transcript"], golden("dinosaurs")["first_losses"]
    close("smoothed", next(iter(twins.smoothed(losses))), float(transcript[0]["smoothed_loss"]), 1e-6)
    close("the start", 7 * np.log(27), 23.0709, 1e-4)


def check_adam():
    golden_steps = golden("optimizers")
    case = next(case for case in golden_steps["cases"] if case["name"] == "adam")
    W, m, v = np.array(golden_steps["start"]), 0.0, 0.0
    for k, (g, after) in enumerate(zip(golden_steps["gradients"], case["after"]), 1):
        W, m, v = twins.adam(W, np.array(g), m, v, k, rate=case["settings"]["lr"])
        close(f"Adam, update {k}", W, after)


def check_padded():
    symbols = [" ", "#", "A", "B", "a", "d", "o"]
    inputs, targets, counts = twins.padded(["Ada", "Bo"], {symbol: i for i, symbol in enumerate(symbols)})
    spell = lambda rows: ["".join(symbols[i] for i in row) for row in rows]
    assert spell(inputs) == [" Ada", " Bo#"] and spell(targets) == ["Ada#", "Bo##"], (spell(inputs), spell(targets))
    assert counts.tolist() == [[True] * 4, [True, True, True, False]], counts
    logs = np.log(np.full(counts.shape, 0.5))
    close("masked", twins.masked_loss(logs, counts), np.log(2))


def check_dense():
    W, x, h, b = (twins.rng.random(shape) for shape in [(4, 7), (3, 1), (4, 1), (4, 1)])
    p = {"W_ax": W[:, :3], "W_aa": W[:, 3:], "b_a": b}
    close("dense", twins.dense(W, b, x, h), twins.vanilla(p, x, h))
    E = twins.rng.random((5, 3))
    close("embedding", twins.embed(E, [2, 0])[0], (twins.one_hot(2, 5).T @ E)[0])


def check_jacobians():
    """The product of Jacobians against the definition of a derivative."""
    p = {"W_ax": np.eye(4), "W_aa": twins.rng.random((4, 4)) - 0.5, "b_a": np.zeros((4, 1))}
    x, a, w = np.zeros((4, 1)), twins.rng.random((4, 1)), twins.rng.random((1, 4))
    def states(a):
        return [a := twins.vanilla(p, x, a) for _ in range(3)]
    h = 1e-6
    shifts = [h * twins.one_hot(i, 4) for i in range(4)]
    numeric = [(w @ (states(a + s)[-1] - states(a - s)[-1])).item() / (2 * h) for s in shifts]
    found = twins.back_through_time(p["W_aa"], [s for s in states(a)], w)
    close("jacobians", found[-1], np.linalg.norm(numeric), 1e-8)


def check_others():
    assert twins.stop([3.0, 2.0, 2.5, 1.9, 2.0, 2.1, 2.2, 0.1], 3) == (3, 6)
    assert len(twins.windows("x" * 94_275)) == 31_412
    close("hard", twins.hard_sigmoid(np.array([-9.0, 0.0, 1.0, 9.0])), [0, 0.5, 0.7, 1])
    dropped = twins.dropout(np.ones((1000, 100)), 0.5)
    assert set(np.unique(dropped)) == {0.0, 2.0} and abs(dropped.mean() - 1) < 0.02


CHECKS = {
    "softmax": check_temperature, "at_temperature": check_temperature, "log_softmax": check_temperature,
    "forward": check_update, "update": check_update, "example": check_bigram, "bigram": check_bigram,
    "nats": check_bigram, "clip_values": check_clippers, "clip_norm": check_clippers, "draw": check_sampling,
    "sample": check_sampling, "smoothed": check_smoothing, "adam": check_adam, "padded": check_padded,
    "masked_loss": check_padded, "embed": check_dense, "dense": check_dense, "back_through_time": check_jacobians,
    "hard_sigmoid": check_others, "windows": check_others, "dropout": check_others, "stop": check_others,
}

if __name__ == "__main__":
    for arguments in CELLS:
        cell(*arguments)
    listed()
    for check in dict.fromkeys(CHECKS.values()):
        check()
    print(f"{len(CELLS)} cells, {len(FORMULAS)} formulas and {len(CHECKS)} listings agree")
    sys.exit(0)
