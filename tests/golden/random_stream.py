"""Makes random_stream.json: what the named random streams draw, for the tests of `hatchery::random::Stream`.

    python tests/golden/random_stream.py    # rewrites random_stream.json beside this file

Written from the description of the streams, not from their code: ChaCha with 8 rounds under the key
SHA-256("hatchery random stream 1\\n", seed, index, name). Checkpoints rely on these numbers, for a resumed run finds its streams
again from (seed, name, index): should they ever have to change, the version in the key changes with them.

Every entry of a stream starts from a fresh one. `normal_5` is odd on purpose: normal numbers are made in pairs.
`uniform_100_last` and `normal_5` go beyond one block of 8 words.
"""

import hashlib
import json
import math
import struct
from pathlib import Path

STREAMS = ((1, "init", 0), (2, "init", 0), (1, "shuffle", 0), (1, "init", 1), (2**64 - 1, "", 2**64 - 1))


def words(seed, name, index):  # 64-bit counter, zero nonce
    key = hashlib.sha256(b"hatchery random stream 1\n" + struct.pack("<QQ", seed, index) + name.encode()).digest()
    for block in range(1 << 64):
        start = list(struct.unpack("<16I", b"expand 32-byte k" + key + struct.pack("<QQ", block, 0)))
        x = start[:]
        def quarter(a, b, c, d):
            for i, j, k, turn in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
                x[i] = (x[i] + x[j]) % 2**32
                x[k] = ((x[k] ^ x[i]) << turn | (x[k] ^ x[i]) >> 32 - turn) % 2**32
        for _ in range(4):
            for i in range(4):
                quarter(i, 4 + i, 8 + i, 12 + i)
            for i in range(4):
                quarter(i, 4 + (i + 1) % 4, 8 + (i + 2) % 4, 12 + (i + 3) % 4)
        sums = [(a + b) % 2**32 for a, b in zip(x, start)]
        yield from (sums[i] | sums[i + 1] << 32 for i in range(0, 16, 2))


class Stream:
    def __init__(self, *which):
        self.words, self.kept = words(*which), []

    def uniform(self):
        return (next(self.words) >> 11) / 2**53

    def normal(self):
        while not self.kept:
            x1, x2 = 2 * self.uniform() - 1, 2 * self.uniform() - 1
            r2 = x1 * x1 + x2 * x2
            if 0 < r2 < 1:
                f = math.sqrt(-2 * math.log(r2) / r2)
                self.kept = [f * x1, f * x2]
        return self.kept.pop()

    def below(self, n):
        while True:
            high, low = divmod(next(self.words) * n, 2**64)
            if low >= 2**64 % n:
                return high

    def shuffle(self, values):
        for i in range(len(values) - 1, 0, -1):
            j = self.below(i + 1)
            values[i], values[j] = values[j], values[i]
        return values

    def choose(self, n, k):
        values = list(range(n))
        for i in range(k):
            j = i + self.below(n - i)
            values[i], values[j] = values[j], values[i]
        return values[:k]


def draws(seed, name, index):
    def fresh():
        return Stream(seed, name, index)

    uniform, normal, below = fresh(), fresh(), fresh()
    return {
        "seed": seed,
        "name": name,
        "index": index,
        "uniform_100_last": [uniform.uniform() for _ in range(100)][-1],
        "normal_5": [normal.normal() for _ in range(5)],
        "below_27_10": [below.below(27) for _ in range(10)],
        "below_large": below.below(3 << 62),
        "shuffle_10": fresh().shuffle(list(range(10))),
        "choose_5_of_1000": fresh().choose(1000, 5),
    }


def main():
    golden = [draws(*stream) for stream in STREAMS]
    Path(__file__).with_suffix(".json").write_text(json.dumps(golden, separators=(",", ":")) + "\n")
    for entry in golden:
        print(entry["seed"], entry["name"], entry["index"], entry["uniform_100_last"])


if __name__ == "__main__":
    main()
