"""Makes numpy_random.json: what NumPy's legacy generator draws, for the tests of `rng = "numpy"`.

    pip install numpy==2.4.6
    python tests/golden/numpy_random.py    # rewrites numpy_random.json beside this file

The committed numbers come from NumPy 2.4.6 (Python 3.11). `np.random.RandomState(seed)` and the global functions after
`np.random.seed(seed)` share one frozen algorithm (NEP 19), so any NumPy gives them.

Every entry of a seed starts from a freshly seeded generator, except `sequence`, whose calls follow one another: it catches a
cached normal number that is lost, kept across a re-seeding, or moves the other draws. `randn_7` is odd on purpose: normal
numbers are made in pairs, and the second of a pair waits for the next call, here `randn_2_after`. A checksum is
sum(position * value).

How the draws use the Mersenne Twister's 32-bit words, checked below against the words themselves:

    random_sample   two words w, v: ((w >> 5) * 2^26 + (v >> 6)) / 2^53
    uniform         low + (high - low) * random_sample
    randn           polar method: draw x1, x2 = 2 * random_sample - 1 until 0 < x1^2 + x2^2 < 1, f = sqrt(-2 ln(r2) / r2);
                    returns f * x2 and keeps f * x1 for the next call
    randint         one word, masked to the smallest 2^k - 1 that holds high - low - 1, drawn again while too large
    shuffle         for i = n - 1 down to 1: swap i with randint(0, i + 1)
    permutation     a shuffle of 0 .. n - 1
    choice with p   cumulative sum of p divided by its last entry; index of the first entry above one random_sample
"""

import json
import math
from pathlib import Path

import numpy as np

SEEDS = (0, 1, 2, 3, 12345)
WEIGHTS = [(5 * i) % 11 for i in range(27)]  # zeros included: they must never be drawn
P = [weight / sum(WEIGHTS) for weight in WEIGHTS]


def shuffled(generator, length):
    values = list(range(length))
    generator.shuffle(values)
    return values


def draws(seed):
    def fresh():
        return np.random.RandomState(seed)

    normal, large, sequence = fresh(), shuffled(fresh(), 1536), fresh()
    key, position = fresh().get_state()[1:3]
    assert position == 624
    return {
        "seed": seed,
        "key_3": key[:3].tolist(),
        "words_5": fresh().randint(0, 2**32, 5, dtype=np.uint32).tolist(),
        "random_sample_5": fresh().random_sample(5).tolist(),
        "uniform_4": fresh().uniform(-1, 1, 4).tolist(),
        "randn_7": normal.randn(7).tolist(),
        "randn_2_after": normal.randn(2).tolist(),
        "randint_100_10": fresh().randint(0, 100, 10).tolist(),
        "shuffle_10": shuffled(fresh(), 10),
        "shuffle_1536": {"first_20": large[:20], "checksum": sum(i * value for i, value in enumerate(large))},
        "permutation_7": fresh().permutation(7).tolist(),
        "choice_20": fresh().choice(27, 20, p=P).tolist(),
        "sequence": {
            "randn_3": sequence.randn(3).tolist(),
            "random_sample_2": sequence.random_sample(2).tolist(),
            "randn_1": sequence.randn(1).tolist(),
            "shuffle_5": shuffled(sequence, 5),
            "choice_3": [int(sequence.choice(27, p=P)) for _ in range(3)],
            "randn_1_again": sequence.randn(1).tolist(),
            "seed_then_randn_1": [sequence.seed(seed), sequence.randn(1).tolist()][1],
        },
    }


class FromWords:
    """The rules of the page above on raw words, so that what it says is known to be so."""

    def __init__(self, seed):
        self.words = np.random.MT19937()
        self.words._legacy_seeding(seed)
        self.kept = None

    def word(self):
        return int(self.words.random_raw())

    def random_sample(self):
        return ((self.word() >> 5) * 67108864 + (self.word() >> 6)) / 9007199254740992

    def randn(self):
        if self.kept is not None:
            value, self.kept = self.kept, None
            return value
        r2 = 0.0
        while not 0.0 < r2 < 1.0:
            x1, x2 = 2.0 * self.random_sample() - 1.0, 2.0 * self.random_sample() - 1.0
            r2 = x1 * x1 + x2 * x2
        f = math.sqrt(-2.0 * math.log(r2) / r2)
        self.kept = f * x1
        return f * x2

    def randint(self, bound):
        mask = (1 << (bound - 1).bit_length()) - 1
        while (value := self.word() & mask) >= bound:
            pass
        return value

    def shuffle(self, values):
        for i in range(len(values) - 1, 0, -1):
            j = self.randint(i + 1)
            values[i], values[j] = values[j], values[i]

    def choice(self, p):
        cumulative = np.cumsum(p)
        return int(np.searchsorted(cumulative / cumulative[-1], self.random_sample(), side="right"))


def check(golden):
    seed = golden["seed"]
    rules = FromWords(seed)
    assert [rules.word() for _ in range(5)] == golden["words_5"]
    rules = FromWords(seed)
    assert [rules.random_sample() for _ in range(5)] == golden["random_sample_5"]
    rules = FromWords(seed)
    assert [-1.0 + 2.0 * rules.random_sample() for _ in range(4)] == golden["uniform_4"]
    rules = FromWords(seed)
    assert [rules.randn() for _ in range(9)] == golden["randn_7"] + golden["randn_2_after"]
    rules = FromWords(seed)
    assert [rules.randint(100) for _ in range(10)] == golden["randint_100_10"]
    for length, name in ((10, "shuffle_10"), (7, "permutation_7")):
        values, rules = list(range(length)), FromWords(seed)
        rules.shuffle(values)
        assert values == golden[name]
    rules = FromWords(seed)
    assert [rules.choice(P) for _ in range(20)] == golden["choice_20"]
    assert not any(WEIGHTS[index] == 0 for index in golden["choice_20"])

    # The functions on the global generator, the way notebooks call them.
    np.random.seed(seed)
    assert np.random.randn(7).tolist() == golden["randn_7"]
    np.random.seed(seed)
    assert shuffled(np.random, 10) == golden["shuffle_10"]
    np.random.seed(seed)
    assert [int(np.random.choice(range(27), p=P)) for _ in range(20)] == golden["choice_20"]


def main():
    golden = {"versions": {"numpy": np.__version__}, "p": P, "seeds": [draws(seed) for seed in SEEDS]}
    for entry in golden["seeds"]:
        check(entry)
    Path(__file__).with_suffix(".json").write_text(json.dumps(golden, separators=(",", ":")) + "\n")
    for entry in golden["seeds"]:
        print(entry["seed"], entry["randn_7"][0], entry["shuffle_1536"]["checksum"])


if __name__ == "__main__":
    main()
