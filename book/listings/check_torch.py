"""Runs the PyTorch listings of parts I to III against the NumPy ones. Not a test of the repository, which has no PyTorch.

    pip install torch==2.15.0 numpy
    python3 book/listings/check_torch.py        # passed with PyTorch 2.15.0
"""

import numpy as np
import torch
from torch import nn

import torch_twins as t
import twins
from check import close

torch.manual_seed(0)
torch.set_default_dtype(torch.float64)


def numpy_parameters(rnn, head):
    p = {"W_ax": rnn.weight_ih_l0, "W_aa": rnn.weight_hh_l0, "W_ya": head.weight}
    p |= {"b_a": (rnn.bias_ih_l0 + rnn.bias_hh_l0)[:, None], "b_y": head.bias[:, None]}
    return {name: matrix.detach().numpy().copy() for name, matrix in p.items()}


def main():
    rnn, head = nn.RNN(27, 8), nn.Linear(8, 27)
    symbols, number = t.vocabulary("ab\ncdefghijklmnopqrstuvwxyz")
    X, Y = t.example("troodon", number)
    X, (numpy_X, numpy_Y) = torch.cat([torch.zeros(1, 27), nn.functional.one_hot(X, 27).double()]), twins.example("troodon", number)
    p = numpy_parameters(rnn, head)
    loss, states, outputs = twins.forward(p, numpy_X, numpy_Y, np.zeros((8, 1)))
    found, a = t.forward(rnn, head, X, Y, torch.zeros(1, 8))
    close("forward", found.item(), loss)
    close("the last state", a[0].detach().numpy(), states[-1][:, 0])
    d = twins.backward(p, numpy_X, numpy_Y, states, outputs)
    t.backward(found)
    close("backward", rnn.weight_hh_l0.grad.numpy(), d["W_aa"])
    close("backward, head", head.weight.grad.numpy(), d["W_ya"])
    optimizer = torch.optim.SGD([*rnn.parameters(), *head.parameters()], lr=0.01)
    t.update(rnn, head, optimizer, X, Y, torch.zeros(1, 8), 0.1)
    close("update", head.weight.detach().numpy(), p["W_ya"] - 0.01 * twins.clip_values(d, 0.1)["W_ya"])
    x, state = torch.randn(2, 27), torch.randn(2, 8)
    cell = t.cell(27, 8)
    weights = {"W_ax": cell.weight_ih, "W_aa": cell.weight_hh, "b_a": (cell.bias_ih + cell.bias_hh)[:, None]}
    expected = twins.vanilla({name: w.detach().numpy() for name, w in weights.items()}, x.numpy().T, state.numpy().T)
    close("cell", cell(x, state).detach().numpy().T, expected)
    z = torch.randn(5)
    close("temperature", t.at_temperature(z, 0.5).numpy(), twins.at_temperature(z.numpy(), 0.5))
    close("log-softmax", t.log_softmax(z).numpy(), twins.log_softmax(z.numpy()))
    close("probabilities", t.probabilities(head, state)[0].detach().numpy(), twins.softmax((head(state)[0]).detach().numpy()))
    pairs = [(2, 1), (1, 0), (2, 1)]
    close("bigram", t.bigram(pairs, 2).numpy(), [[1 / 2, 1 / 2], [2 / 3, 1 / 3], [1 / 4, 3 / 4]])
    weight = nn.Parameter(torch.zeros(2))
    weight.grad = torch.tensor([3.0, 4.0])
    close("norm before", t.clip_norm([weight], 1.0).item(), 5.0)
    close("clipped", weight.grad.numpy(), [0.6, 0.8], 1e-6)
    t.clip_values([weight], 0.5)
    close("clipped by value", weight.grad.numpy(), [0.5, 0.5])
    close("windows", len(t.windows(torch.arange(94_275))[1]), len(twins.windows("x" * 94_275)))
    layer = nn.Linear(7, 4)
    dense = t.dense(layer, x[:, :3], state[:, :4])[0].detach().numpy()
    weight, bias = layer.weight.detach().numpy(), layer.bias.detach().numpy()[:, None]
    close("dense", dense, twins.dense(weight, bias, x.numpy()[:1, :3].T, state.numpy()[:1, :4].T)[:, 0])
    inputs, targets = t.padded([torch.tensor([0, 2, 4]), torch.tensor([0, 3])])
    close("padded", targets.numpy(), [[2, 4], [3, 1]])
    logits = torch.randn(3, 5)
    masked = t.masked_loss(logits, torch.tensor([1, 2, -100]))
    logs = [twins.log_softmax(logits[i].numpy())[j] for i, j in [(0, 1), (1, 2), (2, 0)]]
    close("masked", masked.item(), twins.masked_loss(np.array(logs), np.array([1, 1, 0])))
    assert t.is_over([3.0, 2.0, 2.1, 2.2], 2) and not t.is_over([3.0, 2.0, 2.1], 2)
    assert t.draw(torch.tensor([0.0, 1.0])) == 1 and t.dropout(torch.ones(9), 0.5, False).sum() == 9
    rnn.double(), head.double()
    torch.set_default_dtype(torch.float32)
    assert all(0 < number < 27 for number in t.sample(nn.RNN(27, 8), nn.Linear(8, 27)))
    a0 = torch.randn(4, requires_grad=True)
    states = [a0]
    for _ in range(3):
        states.append(torch.tanh(0.5 * states[-1]))
    norms = t.back_through_time(states, states[-1].sum())
    expected = twins.back_through_time(0.5 * np.eye(4), [s.detach().numpy()[:, None] for s in states[1:]], np.ones((1, 4)))
    close("back through time", norms, expected, 1e-5)
    t.layers(27, 8), t.gru(27, 8), t.embedding(56), t.adam(head)
    print("all listings agree")


if __name__ == "__main__":
    main()
