"""Why the published bigram figure for makemore's names is 2.4543: the sum in 32 bits drifts.

Prints, without and with one added to every count: the mean of a 32-bit running sum, and the exact mean.
    python bigram.py makemore_names.txt
"""

import sys

import numpy as np

words = open(sys.argv[1]).read().splitlines()
symbols = "." + "".join(sorted(set("".join(words))))
place = {symbol: index for index, symbol in enumerate(symbols)}
pairs = [(place[a], place[b]) for word in words for a, b in zip("." + word, word + ".")]
counts = np.zeros((len(symbols), len(symbols)))
for a, b in pairs:
    counts[a, b] += 1
for smoothing in (0, 1):
    table = counts + smoothing
    with np.errstate(divide="ignore"):
        logs = np.log(table / table.sum(1, keepdims=True))
        narrow = (table.astype(np.float32) / table.astype(np.float32).sum(1, keepdims=True)).astype(np.float32)
        narrow = np.log(narrow)
    total = np.float32(0)
    for a, b in pairs:
        total += narrow[a, b]
    print(smoothing, -total / len(pairs), -np.mean([logs[a, b] for a, b in pairs]))
# 0 2.4540942 2.4540144891548743
# 1 2.4543562 2.454576820115704
