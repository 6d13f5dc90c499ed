"""Time of one training step of a character model in PyTorch, written the ordinary way.

    python tests/peers/torch_step.py --cell lstm --vocabulary 65 --hidden 128 --layers 1 --steps 100 --batch 50 --dtype f32 --threads 2
    python tests/peers/torch_step.py --cell vanilla --vocabulary 27 --hidden 50 --steps 12 --batch 1 --dtype f64 --threads 1 --clip value

One step: one-hot input, `nn.RNN`, `nn.LSTM` or `nn.GRU`, linear head, mean cross-entropy over all time steps, backward, clipping
at 5 (by global norm, or by value as the second line's exercise does), SGD; the state is carried to the next step without its
history. On the CPU, random characters, nothing compiled. Prints one line of JSON; the time is the median over the repeats, each
one step (or --inner steps, for steps too short to time alone).
"""

import argparse
import json
import platform
import statistics
import time

import torch
from torch import nn
from torch.nn import functional as F

LAYERS = {"vanilla": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}
DTYPES = {"f32": torch.float32, "f64": torch.float64}


class CharacterModel(nn.Module):
    def __init__(self, cell, vocabulary, hidden, layers):
        super().__init__()
        self.vocabulary = vocabulary
        self.recurrent = LAYERS[cell](vocabulary, hidden, layers)
        self.head = nn.Linear(hidden, vocabulary)

    def forward(self, characters, state):
        x = F.one_hot(characters, self.vocabulary).to(self.head.weight.dtype)  # [steps, batch, vocabulary]
        y, state = self.recurrent(x, state)  # [steps, batch, hidden]
        return self.head(y), state  # [steps, batch, vocabulary]


def without_history(state):
    return tuple(part.detach() for part in state) if isinstance(state, tuple) else state.detach()


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--cell", choices=LAYERS, default="lstm")
    arguments.add_argument("--vocabulary", type=int, default=65)
    arguments.add_argument("--hidden", type=int, default=128)
    arguments.add_argument("--layers", type=int, default=1)
    arguments.add_argument("--steps", type=int, default=100, help="time steps of a sequence")
    arguments.add_argument("--batch", type=int, default=50)
    arguments.add_argument("--dtype", choices=DTYPES, default="f32")
    arguments.add_argument("--threads", type=int, default=1)
    arguments.add_argument("--clip", choices=("norm", "value"), default="norm")
    arguments.add_argument("--repeats", type=int, default=30)
    arguments.add_argument("--inner", type=int, default=0, help="training steps a repeat; 0: as many as take about 50 ms")
    arguments = arguments.parse_args()

    torch.set_num_threads(arguments.threads)
    torch.manual_seed(1)
    a = arguments
    model = CharacterModel(a.cell, a.vocabulary, a.hidden, a.layers).to(DTYPES[a.dtype])
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    text = torch.randint(a.vocabulary, (8, a.steps + 1, a.batch))  # eight batches in turn
    clip = nn.utils.clip_grad_norm_ if a.clip == "norm" else nn.utils.clip_grad_value_
    state = None

    def train(steps):
        nonlocal state
        for step in range(steps):
            batch = text[step % len(text)]
            logits, state = model(batch[:-1], state)
            state = without_history(state)
            loss = F.cross_entropy(logits.flatten(0, 1), batch[1:].flatten())
            optimizer.zero_grad()
            loss.backward()
            clip(model.parameters(), 5.0)
            optimizer.step()

    def seconds(steps):
        start = time.perf_counter()
        train(steps)
        return time.perf_counter() - start

    train(5)
    inner = a.inner or max(1, round(0.05 / (seconds(3) / 3)))
    milliseconds = [1000 * seconds(inner) / inner for _ in range(a.repeats)]
    print(json.dumps({
        "name": "pytorch",
        "work": f"train {a.cell} V{a.vocabulary} H{a.hidden} L{a.layers} T{a.steps} B{a.batch} {a.dtype}",
        "milliseconds_per_step": statistics.median(milliseconds),
        "threads": a.threads,
        "versions": {"torch": torch.__version__.split("+")[0], "python": platform.python_version()},
    }))


if __name__ == "__main__":
    main()
