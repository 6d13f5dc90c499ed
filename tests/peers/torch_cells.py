"""Time of one training step of a character model in PyTorch, of cells that PyTorch does not have.

    python tests/peers/torch_cells.py --cell mlstm --vocabulary 65 --hidden 128 --steps 100 --batch 50 --threads 2
    python tests/peers/torch_cells.py --cell mlstm --vocabulary 65 --hidden 128 --steps 100 --batch 50 --threads 2 --compile step

Cells that PyTorch does not have, four heads where there are heads: the products with the inputs of all time steps are
one product, then a loop over time. With `--compile` the step, or the loop, goes through `torch.compile`. The rest is as in
torch_step.py: one-hot input, linear head, mean cross-entropy over all time steps, backward, clipping of the global norm at 5, SGD;
the state is carried to the next training step without its history. Prints one line of JSON.
"""

import argparse
import json
import platform
import statistics
import time

import torch
from torch import nn
from torch.nn import functional as F

HEADS = 4


class LayerNormLstm(nn.Module):
    def __init__(self, inputs, hidden):
        super().__init__()
        self.given = nn.Sequential(nn.Linear(inputs, 4 * hidden, bias=False), nn.LayerNorm(4 * hidden))
        self.recurrent = nn.Sequential(nn.Linear(hidden, 4 * hidden, bias=False), nn.LayerNorm(4 * hidden, bias=False))
        self.norm = nn.LayerNorm(hidden)
        self.widths = (hidden, hidden)

    def step(self, given, state):
        (x,), (h, c) = given, state
        i, f, g, o = (x + self.recurrent(h)).chunk(4, dim=1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        h = torch.sigmoid(o) * torch.tanh(self.norm(c))
        return h, (h, c)

    def before(self, x):
        return (self.given(x),)


class MinGru(nn.Module):
    def __init__(self, inputs, hidden):
        super().__init__()
        self.given = nn.Linear(inputs, 2 * hidden)
        self.widths = (hidden,)

    def before(self, x):
        z, n = self.given(x).chunk(2, dim=-1)
        z = torch.sigmoid(z)
        return 1 - z, z * n

    def step(self, given, state):
        h = given[0] * state[0] + given[1]
        return h, (h,)


class Slstm(nn.Module):
    def __init__(self, inputs, hidden):
        super().__init__()
        own = hidden // HEADS
        self.given = nn.Linear(inputs, 4 * hidden)
        self.recurrent = nn.Parameter(torch.empty(HEADS, own, 4 * own).uniform_(-0.1, 0.1))
        self.widths = (hidden,) * 4

    def before(self, x):
        return (self.given(x),)

    def step(self, given, state):
        (x,), (h, c, n, m) = given, state
        batch, hidden = h.shape
        seen = torch.einsum("bhd,hde->bhe", h.view(batch, HEADS, -1), self.recurrent)
        seen = seen.view(batch, HEADS, 4, -1).transpose(1, 2).reshape(batch, 4 * hidden)
        i, f, z, o = (x + seen).chunk(4, dim=1)
        f = F.logsigmoid(f) + m
        m = torch.maximum(f, i)
        i, f = torch.exp(i - m), torch.exp(f - m)
        c = f * c + i * torch.tanh(z)
        n = f * n + i
        h = torch.sigmoid(o) * c / n
        return h, (h, c, n, m)


class Mlstm(nn.Module):
    def __init__(self, inputs, hidden):
        super().__init__()
        self.given, self.gates = nn.Linear(inputs, 4 * hidden), nn.Linear(inputs, 2 * HEADS)
        self.own = hidden // HEADS
        self.widths = (hidden * self.own, hidden, HEADS)

    def before(self, x):
        q, k, v, o = self.given(x).chunk(4, dim=-1)
        i, f = self.gates(x).chunk(2, dim=-1)
        return q, k * self.own**-0.5, v, torch.sigmoid(o), i, F.logsigmoid(f)

    def step(self, given, state):
        q, k, v, o, i, f = given
        batch, own = q.shape[0], self.own
        c, n, m = state[0].view(batch, HEADS, own, own), state[1].view(batch, HEADS, own), state[2]
        q, k, v = (part.view(batch, HEADS, own) for part in (q, k, v))
        f = f + m
        m = torch.maximum(f, i)
        i, f = torch.exp(i - m)[..., None], torch.exp(f - m)[..., None]
        k = i * k
        c = f[..., None] * c + v[..., :, None] * k[..., None, :]
        n = f * n + k
        norm = torch.maximum((n * q).sum(-1, keepdim=True).abs(), torch.exp(-m)[..., None])
        h = (c @ q[..., None]).squeeze(-1) / norm
        return o * h.reshape(batch, -1), (c.flatten(1), n.flatten(1), m)


class GatedDeltaNet(nn.Module):
    def __init__(self, inputs, hidden):
        super().__init__()
        self.given, self.gates = nn.Linear(inputs, 4 * hidden, bias=False), nn.Linear(inputs, 2 * HEADS)
        self.a, self.gain = nn.Parameter(torch.zeros(HEADS)), nn.Parameter(torch.ones(hidden))
        self.own = hidden // HEADS
        self.widths = (hidden * self.own,)

    def before(self, x):
        q, k, v, g = self.given(x).chunk(4, dim=-1)
        d, b = self.gates(x).chunk(2, dim=-1)
        q, k = (F.normalize(F.silu(part).unflatten(-1, (HEADS, self.own)), dim=-1) for part in (q, k))
        return q, k, F.silu(v), F.silu(g), torch.exp(-torch.exp(self.a) * F.softplus(d)), torch.sigmoid(b)

    def step(self, given, state):
        q, k, v, g, decay, strength = given
        batch, own = q.shape[0], self.own
        s = state[0].view(batch, HEADS, own, own) * decay[..., None, None]
        change = (v.view(batch, HEADS, own) - (s @ k[..., None]).squeeze(-1)) * strength[..., None]
        s = s + change[..., :, None] * k[..., None, :]
        y = (s @ q[..., None]).squeeze(-1)
        y = y * torch.rsqrt(y.pow(2).mean(-1, keepdim=True) + 1e-6)
        return y.reshape(batch, -1) * self.gain * g, (s.flatten(1),)


CELLS = {"layer-norm-lstm": LayerNormLstm, "min-gru": MinGru, "slstm": Slstm, "mlstm": Mlstm, "gated-delta-net": GatedDeltaNet}


class CharacterModel(nn.Module):
    def __init__(self, cell, vocabulary, hidden, compiled):
        super().__init__()
        self.vocabulary, self.cell, self.head = vocabulary, CELLS[cell](vocabulary, hidden), nn.Linear(hidden, vocabulary)
        self.step = torch.compile(self.cell.step) if compiled == "step" else self.cell.step
        self.loop = torch.compile(self.over_time) if compiled == "loop" else self.over_time

    def over_time(self, given, state):
        outputs = []
        for now in zip(*(part.unbind(0) for part in given)):
            output, state = self.step(now, state)
            outputs.append(output)
        return torch.stack(outputs), state

    def forward(self, characters, state):
        x = F.one_hot(characters, self.vocabulary).to(self.head.weight.dtype)  # [steps, batch, vocabulary]
        y, state = self.loop(self.cell.before(x), state)  # [steps, batch, hidden]
        return self.head(y), state  # [steps, batch, vocabulary]


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--cell", choices=CELLS, default="mlstm")
    arguments.add_argument("--vocabulary", type=int, default=65)
    arguments.add_argument("--hidden", type=int, default=128)
    arguments.add_argument("--steps", type=int, default=100, help="time steps of a sequence")
    arguments.add_argument("--batch", type=int, default=50)
    arguments.add_argument("--threads", type=int, default=1)
    arguments.add_argument("--compile", choices=("none", "step", "loop"), default="none")
    arguments.add_argument("--repeats", type=int, default=10)
    a = arguments.parse_args()

    torch.set_num_threads(a.threads)
    torch.manual_seed(1)
    model = CharacterModel(a.cell, a.vocabulary, a.hidden, a.compile)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    text = torch.randint(a.vocabulary, (8, a.steps + 1, a.batch))  # eight batches in turn
    state = tuple(torch.zeros(a.batch, width) for width in model.cell.widths)

    def train(steps):
        nonlocal state
        for step in range(steps):
            batch = text[step % len(text)]
            logits, state = model(batch[:-1], state)
            state = tuple(part.detach() for part in state)
            loss = F.cross_entropy(logits.flatten(0, 1), batch[1:].flatten())
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 5.0)
            optimizer.step()

    def seconds(steps):
        start = time.perf_counter()
        train(steps)
        return time.perf_counter() - start

    train(3)
    milliseconds = [1000 * seconds(1) for _ in range(a.repeats)]
    print(json.dumps({
        "name": "pytorch",
        "work": f"train {a.cell} V{a.vocabulary} H{a.hidden} T{a.steps} B{a.batch} f32, compiled: {a.compile}",
        "milliseconds_per_step": statistics.median(milliseconds),
        "threads": a.threads,
        "versions": {"torch": torch.__version__.split("+")[0], "python": platform.python_version()},
    }))


if __name__ == "__main__":
    main()
