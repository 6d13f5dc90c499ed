"""The PyTorch side of parts I to III: each function is a listing of a page. `check_torch.py` runs them against `twins.py`.

    pip install torch==2.15.0
"""

import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils import clip_grad_norm_, clip_grad_value_
from torch.nn.utils.rnn import pad_sequence


# ANCHOR: vocabulary
def vocabulary(text):
    symbols = sorted(set(text.lower()))
    return symbols, {symbol: number for number, symbol in enumerate(symbols)}


def example(name, number):
    Y = torch.tensor([number[letter] for letter in name] + [number["\n"]])
    return Y[:-1], Y  # X lacks the first input, a row of zeros
# ANCHOR_END: vocabulary


# ANCHOR: bigram
def bigram(pairs, size):
    counts = torch.ones(size + 1, size)
    x, y = torch.tensor(pairs).T
    counts.index_put_((x, y), torch.ones(len(pairs)), accumulate=True)
    return counts / counts.sum(dim=1, keepdim=True)
# ANCHOR_END: bigram


# ANCHOR: vanilla
def cell(symbols, units):
    return nn.RNNCell(symbols, units)  # a = cell(x, a), and x holds one name a row
# ANCHOR_END: vanilla


# ANCHOR: head
def probabilities(head, a):
    return F.softmax(head(a), dim=1)  # head = nn.Linear(50, 27)
# ANCHOR_END: head


# ANCHOR: forward
def forward(rnn, head, X, Y, a):
    outputs, a = rnn(X, a)  # rnn = nn.RNN(27, 50), X of shape [time, 27]
    loss = F.cross_entropy(head(outputs), Y, reduction="sum")
    return loss, a
# ANCHOR_END: forward


# ANCHOR: backward
def backward(loss):
    loss.backward()  # every parameter now has its gradient in .grad
# ANCHOR_END: backward


# ANCHOR: update
def update(rnn, head, optimizer, X, Y, a, limit):
    loss, a = forward(rnn, head, X, Y, a)
    optimizer.zero_grad()
    backward(loss)
    clip_grad_value_([*rnn.parameters(), *head.parameters()], limit)
    optimizer.step()  # optimizer = torch.optim.SGD(…, lr=0.01)
    return loss.item(), a.detach()
# ANCHOR_END: update


# ANCHOR: clip-values
def clip_values(parameters, limit):
    clip_grad_value_(parameters, limit)  # changes .grad
# ANCHOR_END: clip-values


# ANCHOR: clip-norm
def clip_norm(parameters, limit):
    return clip_grad_norm_(parameters, limit)  # returns the norm before
# ANCHOR_END: clip-norm


# ANCHOR: draw
def draw(probabilities):
    return torch.multinomial(probabilities, 1).item()
# ANCHOR_END: draw


# ANCHOR: sample
def sample(rnn, head, newline=0):
    x, a, name = torch.zeros(1, 27), None, []
    while True:
        output, a = rnn(x, a)
        number = torch.multinomial(F.softmax(head(output[0]), dim=0), 1)
        if number == newline:
            return name
        name.append(number.item())
        x = F.one_hot(number, 27).float()
# ANCHOR_END: sample


# ANCHOR: temperature
def at_temperature(z, tau):
    return F.softmax(z / tau, dim=-1)
# ANCHOR_END: temperature


# ANCHOR: patience
def is_over(validation, patience):
    best = min(range(len(validation)), key=validation.__getitem__)
    return len(validation) - 1 - best >= patience
# ANCHOR_END: patience


# ANCHOR: dropout
def dropout(a, rate, is_training):
    return F.dropout(a, rate, training=is_training)
# ANCHOR_END: dropout


# ANCHOR: lstm
def layers(symbols, units):
    return nn.LSTM(symbols, units, num_layers=2, dropout=0.5)
# ANCHOR_END: lstm


# ANCHOR: gru
def gru(symbols, units):
    return nn.GRU(symbols, units)
# ANCHOR_END: gru


# ANCHOR: windows
def windows(tokens, length=40, stride=3):
    pieces = tokens.unfold(0, length + 1, stride)
    return pieces[:, :-1], pieces[:, -1]
# ANCHOR_END: windows


# ANCHOR: embedding
def embedding(symbols):
    return nn.Embedding(symbols, 16)  # x = embedding(tokens)
# ANCHOR_END: embedding


# ANCHOR: dense
def dense(layer, x, h):
    return torch.tanh(layer(torch.cat([x, h], dim=1)))
# ANCHOR_END: dense


# ANCHOR: padded
def padded(rows, pad=1):
    tokens = pad_sequence(rows, batch_first=True, padding_value=pad)
    return tokens[:, :-1], tokens[:, 1:]
# ANCHOR_END: padded


# ANCHOR: masked-loss
def masked_loss(logits, targets, ignored=-100):
    return F.cross_entropy(logits, targets, ignore_index=ignored)
# ANCHOR_END: masked-loss


# ANCHOR: log-softmax
def log_softmax(z):
    return F.log_softmax(z, dim=-1)
# ANCHOR_END: log-softmax


# ANCHOR: adam
def adam(model):
    return torch.optim.Adam(model.parameters(), lr=0.001)
# ANCHOR_END: adam


# ANCHOR: jacobians
def back_through_time(states, loss):
    gradients = torch.autograd.grad(loss, states)
    return [gradient.norm().item() for gradient in reversed(gradients)]
# ANCHOR_END: jacobians
