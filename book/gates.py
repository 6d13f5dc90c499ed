"""What the gates of a trained GRU do: the mean of each over a text, and how much its recurrent matrices can stretch.

    python3 book/gates.py runs/gradients-gru/001/checkpoint.safetensors

The text is the list of dinosaurs that comes with the program, the first 4,000 characters; the model must read it one
character at a time, one-hot, with `reset = "after"`, as experiments/gradients.toml does. Nothing but Python is needed.
"""

import array
import json
import math
import pathlib
import struct
import sys
from operator import mul

TEXT = pathlib.Path(__file__).resolve().parent.parent / "framework/core/data/dinosaurs.txt"
CHARACTERS = 4000


def matrices(path, prefix="parameters.layers.0."):
    """The parameters under a prefix: each a list of rows."""
    data = path.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    found = {}
    for name, entry in json.loads(data[8 : 8 + length]).items():
        if name.startswith(prefix):
            begin, end = entry["data_offsets"]
            values = array.array("d" if entry["dtype"] == "F64" else "f", data[8 + length + begin : 8 + length + end])
            columns = entry["shape"][1]
            found[name.rsplit(".", 1)[1]] = [values[i : i + columns] for i in range(0, len(values), columns)]
    return found


def product(matrix, vector):
    return [sum(map(mul, row, vector)) for row in matrix]


def stretch(matrix):
    """The largest singular value, by power iteration."""
    vector = [1.0 / (i + 1) for i in range(len(matrix[0]))]
    for _ in range(200):
        image = product(matrix, vector)
        vector = product(list(zip(*matrix)), image)
        length = math.sqrt(sum(map(mul, vector, vector)))
        vector = [entry / length for entry in vector]
    return math.sqrt(length)


def logistic(a):
    return 1 / (1 + math.exp(-a))


def time_step(found, token, state):
    """The next state, the reset gate r and the update gate z. No token is the vector of zeros."""
    units = len(state)
    picked = [0.0 if token is None else row[token] for row in found["wx"]]
    x = [entry + bias for entry, bias in zip(picked, found["bx"][0])]  # [3 units], the rows r, z, n
    h = [entry + bias for entry, bias in zip(product(found["wh"], state), found["bh"][0])]
    r = [logistic(a + b) for a, b in zip(x[:units], h[:units])]
    z = [logistic(a + b) for a, b in zip(x[units : 2 * units], h[units : 2 * units])]
    n = [math.tanh(a + gate * b) for a, gate, b in zip(x[2 * units :], r, h[2 * units :])]
    return [(1 - keep) * new + keep * old for keep, new, old in zip(z, n, state)], r, z


def gates(found, tokens):
    """The mean of r and that of z."""
    units = len(found["wh"][0])
    state = [0.0] * units
    sums = [0.0, 0.0]
    for token in tokens:
        state, r, z = time_step(found, token, state)
        sums = [sums[0] + sum(r) / units, sums[1] + sum(z) / units]
    return [total / len(tokens) for total in sums]


if __name__ == "__main__":
    found = matrices(pathlib.Path(sys.argv[1]))
    text = TEXT.read_text()
    symbols = sorted(set(text))
    reset, update = gates(found, [symbols.index(symbol) for symbol in text[:CHARACTERS]])
    units = len(found["wh"][0])
    rows = {"mean of the reset gate r": reset, "mean of the update gate z": update}
    for name, first in zip("rzn", (0, units, 2 * units)):
        rows[f"largest singular value of U_{name}"] = stretch(found["wh"][first : first + units])
    for what, value in rows.items():
        print(f"{what:<30}{value:6.2f}")
