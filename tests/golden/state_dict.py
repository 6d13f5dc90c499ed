"""Makes files of torch.save with the loss that PyTorch has for them, for the tests of `hatchery import pytorch`.

    pip install torch==2.15.0
    python tests/golden/state_dict.py   # rewrites state_dict.json and state_dict*.pt beside this file

The committed files come from PyTorch 2.15.0 on a CPU (Python 3.11). The model is two LSTM layers of 3 and a linear layer over
one-hot characters, with random weights; a line begins with the zero vector and ends with the newline. The loss is the mean over
all characters and newlines of the text, computed in float64 from the float32 weights.

state_dict.pt         a state dict in the zip form, its tensors stored in awkward ways: one transposed, one a part of a larger
                      storage, one in float64; beside them a counter of integers, one of half precision, and
                      one of a single number repeated
state_dict_stream.pt  a checkpoint in the form before PyTorch 1.6, with the state dict under "model_state_dict"
state_dict_module.pt  a module saved as a whole, which is no state dict
"""

import json
from pathlib import Path

import torch

HIDDEN = 3
TEXT = "a goose\nten geese\none egg\nno ants\n"
SYMBOLS = sorted(set(TEXT))


class Model(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn = torch.nn.LSTM(len(SYMBOLS), HIDDEN, num_layers=2)
        self.head = torch.nn.Linear(HIDDEN, len(SYMBOLS))


def loss(model):
    model = model.double()
    nats, count = 0.0, 0
    for line in TEXT.splitlines():
        targets = torch.tensor([SYMBOLS.index(symbol) for symbol in line + "\n"])
        inputs = torch.nn.functional.one_hot(targets[:-1], len(SYMBOLS)).double()
        inputs = torch.cat([torch.zeros(1, len(SYMBOLS), dtype=torch.float64), inputs])
        outputs = model.head(model.rnn(inputs)[0])
        nats += torch.nn.functional.cross_entropy(outputs, targets, reduction="sum").item()
        count += len(targets)
    return nats / count


def awkward(state_dict):
    """The same numbers, stored otherwise."""
    stored = dict(state_dict)
    stored["rnn.weight_hh_l0"] = state_dict["rnn.weight_hh_l0"].t().contiguous().t()
    assert not stored["rnn.weight_hh_l0"].is_contiguous()
    larger = torch.cat([torch.full((2, HIDDEN), 9.0), state_dict["head.weight"], torch.full((1, HIDDEN), 9.0)])
    stored["head.weight"] = larger[2:-1]
    assert stored["head.weight"].storage_offset() == 2 * HIDDEN
    stored["head.bias"] = state_dict["head.bias"].double()
    stored["steps"] = torch.tensor(7)
    stored["repeated"] = torch.zeros(1).expand(len(SYMBOLS))
    stored["half"] = torch.zeros(len(SYMBOLS), dtype=torch.float16)
    return stored


def main():
    here = Path(__file__).parent
    torch.manual_seed(3)
    model = Model()
    for parameter in model.parameters():
        torch.nn.init.uniform_(parameter, -1.5, 1.5)
    state_dict = model.state_dict()
    torch.save(awkward(state_dict), here / "state_dict.pt")
    checkpoint = {"epoch": 3, "model_state_dict": state_dict, "optimizer": {"lr": 0.1}}
    torch.save(checkpoint, here / "state_dict_stream.pt", _use_new_zipfile_serialization=False)
    torch.save(torch.nn.Linear(1, 1), here / "state_dict_module.pt")
    golden = {"versions": {"torch": torch.__version__.split("+")[0]}, "text": TEXT, "hidden": HIDDEN, "loss": loss(model)}
    (here / "state_dict.json").write_text(json.dumps(golden, separators=(",", ":")) + "\n")
    print(golden)


if __name__ == "__main__":
    main()
