"""The values that the book's pictures are drawn from, out of the runs of `record.sh`.

    python3 book/values.py dinosaurs > values.json     below the folder that has runs/

Nothing but Python is needed. `pictures.py` draws what is printed here.
"""

import json
import math
import pathlib
import subprocess
import sys

import gates

SYMBOLS = "\nabcdefghijklmnopqrstuvwxyz"
UNSEEN = "nyasasaurus"  # a dinosaur that is not in the list


def metrics(run):
    return [json.loads(line) for line in pathlib.Path(f"runs/{run}/001/metrics.jsonl").read_text().splitlines()]


def rounded(value, digits=6):
    if isinstance(value, dict):
        return {key: rounded(entry, digits) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [rounded(entry, digits) for entry in value]
    return float(f"{value:.{digits}g}") if isinstance(value, float) else value


def losses(run):
    rows = metrics(run)
    valid = [[row["step"], row["valid"]["nats_per_character"]] for row in rows if row.get("valid")]
    nats = [[row["step"], row["bits_per_character"] * math.log(2)] for row in rows]
    return {"training": nats, "validation": valid}


class Gru:
    """A trained model of one GRU layer, read from its checkpoint."""

    def __init__(self, run):
        path = pathlib.Path(f"runs/{run}/001/checkpoint.safetensors")
        self.layer, self.head = gates.matrices(path), gates.matrices(path, "parameters.head.")

    def read(self, text):
        """The states and the probabilities after the start and after every letter."""
        state = [0.0] * len(self.layer["wh"][0])
        for token in [None] + [SYMBOLS.index(letter) for letter in text]:
            state = gates.time_step(self.layer, token, state)[0]
            logits = [z + b for z, b in zip(gates.product(self.head["wya"], state), self.head["by"][0])]
            yield state, logits


def softmax(logits, temperature=1.0):
    e = [math.exp((z - max(logits)) / temperature) for z in logits]
    return [entry / sum(e) for entry in e]


def paid(model, name):
    """Each letter of a name, its end too, and the probability that the model gave it."""
    targets = name + "\n"
    return [[letter, softmax(z)[SYMBOLS.index(letter)]] for letter, (_, z) in zip(targets, model.read(name))]


def likeliest(model, name):
    """The six likeliest letters after every beginning of a name."""
    found = []
    for _, z in model.read(name):
        p = softmax(z)
        found.append([[SYMBOLS[i], p[i]] for i in sorted(range(27), key=lambda i: -p[i])[:6]])
    return found


def dinosaurs():
    model = Gru("dinosaurs")
    assert UNSEEN not in gates.TEXT.read_text().split(), "the name is in the list"
    at_tri = list(model.read("tri"))[-1][1]
    states = [state[:12] for state, _ in model.read("triceratops")]
    return {
        "losses": losses("dinosaurs"),
        "unrolled": paid(model, "troodon"),
        "surprise": paid(model, UNSEEN),
        "sampling": likeliest(model, "tria"),
        "temperatures": {str(t): softmax(at_tri, t) for t in (0.3, 1.0, 1.5)},
        "states": states,
    }


def coursera_dinos():
    path = pathlib.Path("runs/coursera-dinos/001/checkpoint.safetensors")
    rows = metrics("coursera-dinos")
    samples = [json.loads(line) for line in pathlib.Path("runs/coursera-dinos/001/samples.jsonl").read_text().splitlines()]
    return {
        "one-hot": [list(row) for row in gates.matrices(path)["wax"][:12]],
        "nats": [[row["step"], row["bits_per_character"] * math.log(2)] for row in rows],
        "smoothed": [[row["step"], row["smoothed_loss"]] for row in rows],
        "stages": [[entry["step"], entry["text"]] for entry in samples if entry["index"] in (0, 6)],
    }


def names():
    return {cell: losses(f"hse-names-{run}")["training"] for cell, run in
            [("vanilla", "dynamic"), ("LSTM", "lstm"), ("GRU", "gru")]}


def overfitting():
    runs = ["drop-48-0", "drop-48-0.5", "drop-192-0", "drop-192-0.5"]
    return {"overfit": losses("overfit"), "dropout": {run: losses(run)["validation"] for run in runs}}


def flow(*runs):
    printed = subprocess.run(["hatchery", "gradients", "--json", *runs], capture_output=True, text=True, check=True)
    return {row["curve"]: row["norms"] for row in map(json.loads, printed.stdout.splitlines())}


def gradients():
    cells = ["gradients-vanilla", "gradients-lstm", "gradients-gru"]
    return {
        "scale": flow("--untrained", *(f"std-{std}" for std in (0.05, 0.1, 0.15, 0.2))),
        "before": flow("--untrained", *cells),
        "after": flow(*cells),
        "clipped": [[row["step"], row["gradient_norm"]] for row in metrics("exploding-all")],
    }


if __name__ == "__main__":
    make = {"dinosaurs": dinosaurs, "coursera-dinos": coursera_dinos, "names": names, "overfitting": overfitting,
            "gradients": gradients}[sys.argv[1]]
    print(json.dumps(rounded(make()), separators=(",", ":")))
