"""Makes dinosaurs.json: what the dinosaur-names exercise prints, for the tests of experiments/notebooks/coursera-dinos.toml.

    pip install numpy==2.4.6
    python tests/golden/dinosaurs.py NAMES_FILE            # rewrites dinosaurs.json beside this file, 10 s
    python tests/golden/dinosaurs.py NAMES_FILE --check    # compares with it instead

NAMES_FILE is the exercise's list of 1,536 names (`hatchery data fetch dinos`); it is not part of the repository. The committed
numbers come from NumPy 2.4.6 in float64 (Python 3.11) and agree with the published notebooks to the printed digit.

The recipe: one name is one training step; the input of its first step is all zeros, its last target the newline. Weights are
0.01 * randn from seed 1, names shuffled from seed 0, gradients clipped to [-5, 5], plain gradient descent at 0.01. The hidden
state is carried from name to name. The printed loss is 0.999 * loss + 0.001 * (sum over this name), from ln(27) * 7.
Sampling re-seeds the generator at every character with s, s + 2, s + 4, ... for the name that starts with s = 0 .. 6.

Only iterations 0 to 14,000 are kept: later ones depend on the order in which a BLAS adds.
"""

import argparse
import json
from pathlib import Path

import numpy as np

VOCABULARY, HIDDEN, REPORT_EVERY, LAST_REPORT = 27, 50, 2000, 14000
NEWLINE = 0
NAMES = ("Wax", "Waa", "Wya", "b", "by")  # [hidden, vocabulary], [hidden, hidden], [vocabulary, hidden], [hidden, 1], [vocabulary, 1]


def one_hot(index):
    x = np.zeros((VOCABULARY, 1))
    if index is not None:
        x[index] = 1.0
    return x


def softmax(logits):
    exponentials = np.exp(logits - logits.max())
    return exponentials / exponentials.sum()


def next_state(p, x, a):
    """The vanilla cell: a' = tanh(Wax x + Waa a + b)."""
    return np.tanh(p["Wax"] @ x + p["Waa"] @ a + p["b"])  # [hidden, 1]


def probabilities(p, a):
    return softmax(p["Wya"] @ a + p["by"])  # [vocabulary, 1]


def loss_and_gradients(p, inputs, targets, a):
    """Summed cross-entropy of one name, its gradients by name, and the state after it."""
    xs, states, outputs, loss = [], [a], [], 0.0
    for index, target in zip(inputs, targets):
        xs.append(one_hot(index))
        states.append(next_state(p, xs[-1], states[-1]))
        outputs.append(probabilities(p, states[-1]))
        loss -= np.log(outputs[-1][target, 0])

    gradients = {name: np.zeros_like(p[name]) for name in NAMES}
    from_later = np.zeros_like(a)
    for t in reversed(range(len(inputs))):
        d_logits = outputs[t].copy()
        d_logits[targets[t]] -= 1.0
        d_state = p["Wya"].T @ d_logits + from_later
        d_before = (1.0 - states[t + 1] ** 2) * d_state
        gradients["Wya"] += d_logits @ states[t + 1].T
        gradients["by"] += d_logits
        gradients["Wax"] += d_before @ xs[t].T
        gradients["Waa"] += d_before @ states[t].T
        gradients["b"] += d_before
        from_later = p["Waa"].T @ d_before
    return loss, gradients, states[-1]


def clip(gradients, limit):
    for gradient in gradients.values():
        np.clip(gradient, -limit, limit, out=gradient)


def training_step(p, inputs, targets, a, limit=5.0, rate=0.01):
    """Forward, backward, clip, update in place; returns the loss before the update, the clipped gradients, the last state."""
    loss, gradients, a = loss_and_gradients(p, inputs, targets, a)
    clip(gradients, limit)
    for name in NAMES:
        p[name] -= rate * gradients[name]
    return loss, gradients, a


def sample(p, seed, longest=50):
    """Indices up to and with the first newline; after `longest` characters a newline is added."""
    a, index, indices = np.zeros((p["Waa"].shape[0], 1)), None, []
    while index != NEWLINE and len(indices) < longest:
        a = next_state(p, one_hot(index), a)
        np.random.seed(seed + 2 * len(indices))
        index = int(np.random.choice(VOCABULARY, p=probabilities(p, a).ravel()))
        indices.append(index)
    return indices + [NEWLINE] if len(indices) == longest else indices


def initial_parameters():
    np.random.seed(1)
    p = {name: 0.01 * np.random.randn(*shape) for name, shape in zip(NAMES, ((HIDDEN, VOCABULARY), (HIDDEN, HIDDEN), (VOCABULARY, HIDDEN)))}
    return p | {"b": np.zeros((HIDDEN, 1)), "by": np.zeros((VOCABULARY, 1))}


def read_names(path):
    """Lower-cased names in the exercise's training order, and the sorted characters of the file."""
    text = Path(path).read_text(encoding="ascii").lower()
    names = [line.strip() for line in text.splitlines()]
    np.random.seed(0)
    np.random.shuffle(names)
    return names, sorted(set(text))


def encoded(name, characters):
    """(inputs, targets) of one name; the first input is None, the zero vector."""
    indices = [characters.index(character) for character in name]
    return [None, *indices], [*indices, NEWLINE]


def train(path):
    names, characters = read_names(path)
    assert len(names) == 1536 and len(characters) == VOCABULARY and characters[NEWLINE] == "\n", "not the exercise's list of names"
    p, a = initial_parameters(), np.zeros((HIDDEN, 1))
    smoothed, transcript, first_losses = np.log(VOCABULARY) * 7, [], []
    for iteration in range(LAST_REPORT + 1):
        loss, _, a = training_step(p, *encoded(names[iteration % len(names)], characters), a)
        smoothed = 0.999 * smoothed + 0.001 * loss
        if iteration < 10:
            first_losses.append(float(loss))
        if iteration % REPORT_EVERY == 0:
            texts = ["".join(characters[index] for index in sample(p, seed)) for seed in range(7)]
            printed = [text[0].upper() + text[1:].rstrip("\n") for text in texts]
            transcript.append({"iteration": iteration, "smoothed_loss": f"{smoothed:.6f}", "names": printed})
            print(iteration, transcript[-1]["smoothed_loss"], *printed)
    return transcript, first_losses


def random_parameters(hidden):
    """As the exercises draw them: all five by randn, in this order, not scaled."""
    shapes = ((hidden, VOCABULARY), (hidden, hidden), (VOCABULARY, hidden), (hidden, 1), (VOCABULARY, 1))
    return {name: np.random.randn(*shape) for name, shape in zip(NAMES, shapes)}


def clip_unit(limit):
    np.random.seed(3)
    gradients = {name: 10 * np.random.randn(*shape) for name, shape in zip(NAMES, ((5, 3), (5, 5), (2, 5), (5, 1), (2, 1)))}
    clip(gradients, limit)
    return {
        "limit": limit,
        "dWaa_1_2": gradients["Waa"][1, 2].item(),
        "dWax_3_1": gradients["Wax"][3, 1].item(),
        "dWya_1_2": gradients["Wya"][1, 2].item(),
        "db_4": gradients["b"][4, 0].item(),
        "dby_1": gradients["by"][1, 0].item(),
    }


def sample_unit():
    """Weights this large make later indices depend on rounding: only the first 43 are the same everywhere."""
    np.random.seed(2)
    return {"generator_seed": 2, "hidden": 100, "sampling_seed": 0, "first_43": sample(random_parameters(100), 0)[:43]}


def optimize_unit():
    np.random.seed(1)
    a = np.random.randn(100, 1)
    p = random_parameters(100)
    inputs, targets = [12, 3, 5, 11, 22, 3], [4, 14, 11, 22, 25, 26]
    loss, gradients, a = training_step(p, inputs, targets, a)
    return {
        "generator_seed": 1,
        "hidden": 100,
        "limit": 5.0,
        "learning_rate": 0.01,
        "X": inputs,
        "Y": targets,
        "loss": float(loss),
        "dWaa_1_2": gradients["Waa"][1, 2].item(),
        "argmax_dWax": int(gradients["Wax"].argmax()),
        "dWya_1_2": gradients["Wya"][1, 2].item(),
        "db_4": gradients["b"][4, 0].item(),
        "dby_1": gradients["by"][1, 0].item(),
        "a_last_4": a[4, 0].item(),
    }


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("names_file")
    arguments.add_argument("--check", action="store_true", help="compare with dinosaurs.json instead of writing it")
    arguments = arguments.parse_args()

    units = {"clip": [clip_unit(10.0), clip_unit(5.0)], "sample": sample_unit(), "optimize": optimize_unit()}
    print(json.dumps(units, indent=1))
    transcript, first_losses = train(arguments.names_file)
    golden = {"versions": {"numpy": np.__version__}, "transcript": transcript, "first_losses": first_losses, "units": units}

    path = Path(__file__).with_suffix(".json")
    if arguments.check:
        committed = json.loads(path.read_text())
        assert committed["transcript"] == transcript, "the transcript differs"
        assert committed["units"]["sample"] == units["sample"], "the sampled indices differ"
        np.testing.assert_allclose(first_losses, committed["first_losses"], rtol=1e-12)
        for ours, theirs in zip([*units["clip"], units["optimize"]], [*committed["units"]["clip"], committed["units"]["optimize"]]):
            for key, value in ours.items():
                np.testing.assert_allclose(value, theirs[key], rtol=1e-9, err_msg=key)
        print("equal to dinosaurs.json")
    else:
        path.write_text(json.dumps(golden, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
