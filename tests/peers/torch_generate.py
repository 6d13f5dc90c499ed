"""Time of one generated character in PyTorch: an LSTM, one sequence, every character fed back as the next input.

    python tests/peers/torch_generate.py --hidden 128
    python tests/peers/torch_generate.py --hidden 128 --module lstm --pick argmax

`--module cell` calls `nn.LSTMCell`, `--module lstm` calls `nn.LSTM` with a sequence of one: more common, and two to three times
slower, so the first is the one to compare with. `--pick` draws from the softmax or takes the most likely character. Without gradients, random weights, on the CPU. Prints one line of JSON; the time is the median
over the repeats, each --characters long, and `characters_per_second` is its inverse.
"""

import argparse
import json
import platform
import statistics
import time

import torch
from torch import nn
from torch.nn import functional as F


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--vocabulary", type=int, default=65)
    arguments.add_argument("--hidden", type=int, default=128)
    arguments.add_argument("--module", choices=("cell", "lstm"), default="cell")
    arguments.add_argument("--pick", choices=("multinomial", "argmax"), default="multinomial")
    arguments.add_argument("--characters", type=int, default=1000)
    arguments.add_argument("--repeats", type=int, default=10)
    arguments.add_argument("--threads", type=int, default=1)
    arguments = arguments.parse_args()

    torch.set_num_threads(arguments.threads)
    torch.manual_seed(1)
    vocabulary, hidden = arguments.vocabulary, arguments.hidden
    recurrent = nn.LSTM(vocabulary, hidden) if arguments.module == "lstm" else nn.LSTMCell(vocabulary, hidden)
    head = nn.Linear(hidden, vocabulary)

    def advance(x, state):
        """x: [1, vocabulary]; returns logits [1, vocabulary] and the next state."""
        if arguments.module == "lstm":
            y, state = recurrent(x.unsqueeze(0), state)
            return head(y[0]), state
        state = recurrent(x, state)
        return head(state[0]), state

    @torch.inference_mode()
    def generate(characters):
        state, index, text = None, torch.zeros(1, dtype=torch.long), []
        for _ in range(characters):
            logits, state = advance(F.one_hot(index, vocabulary).float(), state)
            if arguments.pick == "argmax":
                index = logits.argmax(dim=1)  # [1]
            else:
                index = torch.multinomial(torch.softmax(logits, dim=1), 1)[0]  # [1]
            text.append(index.item())
        return text

    generate(100)
    milliseconds = []
    for _ in range(arguments.repeats):
        start = time.perf_counter()
        generate(arguments.characters)
        milliseconds.append(1000 * (time.perf_counter() - start) / arguments.characters)
    median = statistics.median(milliseconds)
    print(json.dumps({
        "name": "pytorch",
        "work": f"generate lstm V{vocabulary} H{hidden} L1 B1 f32 {arguments.module} {arguments.pick}",
        "milliseconds_per_step": median,
        "characters_per_second": 1000 / median,
        "threads": arguments.threads,
        "versions": {"torch": torch.__version__.split("+")[0], "python": platform.python_version()},
    }))


if __name__ == "__main__":
    main()
