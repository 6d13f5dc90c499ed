"""Draws the book's pictures: `src/pictures/*.svg` from the values in `src/recorded/*.json` and the texts of the repository.

    python3 book/pictures.py            rewrites them
    python3 book/pictures.py FOLDER     draws them there

They are in the pages themselves, take their colors from the theme (style.css), and are at most 460 units wide, so that
their letters can be read on a phone. Nothing but Python is needed.
"""

import json
import math
import pathlib
import sys

from drawing import Axes, Picture, box, node, signed, spread, thinned

BOOK = pathlib.Path(__file__).resolve().parent
TEXT = BOOK.parent / "framework/core/data/dinosaurs.txt"
LETTERS = "\nabcdefghijklmnopqrstuvwxyz"


def values(name):
    return json.loads((BOOK / f"src/recorded/{name}.json").read_text())


def first_run():
    p = Picture(262, "Training and validation loss of the first run fall from 3.3 to 1.6 and 1.7 nats")
    axes, found = Axes(p, (0, 1000), (1.4, 3.4)), values("dinosaurs")["losses"]
    axes.ticks([0, 250, 500, 750, 1000], [1.5, 2, 2.5, 3], "nats per letter", "updates")
    axes.curve([[0, math.log(27)], [1000, math.log(27)]], "c4", "ln 27", "4 4")
    axes.curve(found["training"], "c1", "training")
    axes.curve(found["validation"], "c2", "validation", "6 3")
    return p


def lengths():
    counts = {}
    for name in TEXT.read_text().split():
        counts[len(name)] = counts.get(len(name), 0) + 1
    p = Picture(230, "A histogram of the lengths of names, highest at twelve letters")
    axes = Axes(p, (1, 25), (0, 220), (44, 28, 400, 190))
    axes.ticks([4, 8, 12, 16, 20, 24], [0, 50, 100, 150, 200], "names", "letters")
    for length, count in sorted(counts.items()):
        top = axes.y(count)
        p.rect(axes.x(length) - 6, top, 12, axes.bottom - top, "c1 fill")
    return p


def shifted():
    name = "troodon"
    p = Picture(150, "The inputs of a name and its targets, shifted by one")
    inputs, targets, w = ["0", *name], [*name, "\n"], 46
    for row, (label, letters, color) in enumerate([("X", inputs, "c1"), ("Y", targets, "c2")]):
        y = 20 + 80 * row
        p.text(16, y + 23, label, size=16, kind=f"{color} hue")
        for t, letter in enumerate(letters):
            p.rect(36 + w * t, y, w - 6, 34, f"{color} stroke", ' stroke-width="1.5"')
            p.text(36 + w * t + (w - 6) / 2, y + 22, letter, size=16)
            if row == 0 and t > 0:
                p.arrow(36 + w * (t - 1) + 26, y + 80, 36 + w * t + 14, y + 36, "line faint")
    return p


def bigram():
    counts = {}
    for name in TEXT.read_text().split():
        for pair in zip("\n" + name, name + "\n"):
            counts[pair] = counts.get(pair, 0) + 1
    side, left, top = 15, 30, 24
    p = Picture(top + 27 * side + 6, "A table of letter pairs, dark where a pair is frequent")
    for row, x in enumerate(LETTERS):
        total = sum(counts.get((x, y), 0) for y in LETTERS)
        p.text(left - 8, top + row * side + 11.5, x, size=11)
        p.text(left + row * side + side / 2, top - 6, x, size=11)
        for column, y in enumerate(LETTERS):
            share = counts.get((x, y), 0) / total if total else 0
            if share > 0.004:
                extra = f' fill-opacity="{min(1, share**0.6 * 1.3):.2f}"'
                p.rect(left + column * side, top + row * side, side - 1, side - 1, "c1 fill", extra)
    p.rect(left - 1, top - 1, 27 * side, 27 * side, "line faint")
    return p


def one_hot():
    rows, side, left, top = values("coursera-dinos")["one-hot"], 14, 16, 78
    p = Picture(top + 12 * side + 24, "A one-hot vector above a matrix: the one picks a column")
    p.text(left, 14, "x, the one-hot vector of t", "start", 12)
    marked = LETTERS.index("t")
    for column, letter in enumerate(LETTERS):
        x = left + column * side
        p.rect(x, 22, side - 1, side - 1, "line faint")
        p.text(x + side / 2, 33, "1" if column == marked else "0", size=10)
        p.text(x + side / 2, 52, letter, size=11)
        for row in range(12):
            signed(p, x, top + row * side, side - 1, side - 1, rows[row][column], 1.5)
    p.text(left, top + 12 * side + 16, "twelve rows of the matrix: blue positive, orange negative", "start", 12)
    p.rect(left + marked * side - 1.5, top - 2, side + 2, 12 * side + 3, "line", ' stroke-width="2"')
    p.arrow(left + marked * side + side / 2, 56, left + marked * side + side / 2, top - 4)
    p.arrow(left + 27 * side + 4, top + 6 * side, left + 27 * side + 22, top + 6 * side)
    for row in range(12):
        signed(p, left + 27 * side + 28, top + row * side, side - 1, side - 1, rows[row][marked], 1.5)
    return p


def unrolled():
    found = values("dinosaurs")["unrolled"]
    p = Picture(196, "The network drawn once for each letter, with the probability of each right letter above it")
    w = 56
    for t, (target, probability) in enumerate(found):
        x = 10 + w * t
        p.rect(x, 82, 38, 38, "c1 stroke", ' stroke-width="2" rx="5"')
        p.text(x + 19, 106, f"a{'₁₂₃₄₅₆₇₈'[t]}", size=14)
        p.text(x + 19, 174, "0" if t == 0 else found[t - 1][0], size=16)
        p.arrow(x + 19, 158, x + 19, 124)
        p.arrow(x + 19, 80, x + 19, 58)
        p.text(x + 19, 48, target, size=16, kind="c2 hue")
        p.text(x + 19, 26, f"{probability:.2f}", size=12)
        if t + 1 < len(found):
            p.arrow(x + 38, 101, x + w - 2, 101)
    return p


def surprise():
    found = values("dinosaurs")["surprise"]
    p = Picture(214, "Bars: what each letter of a name costs, high at the beginning and low at the end")
    axes = Axes(p, (0, len(found)), (0, 4), (30, 28, 380, 175))
    axes.ticks([], [0, 1, 2, 3, 4], "nats", "")
    for t, (letter, probability) in enumerate(found):
        x, top = axes.x(t + 0.5), axes.y(-math.log(probability))
        p.rect(x - 11, top, 22, axes.bottom - top, "c1 fill")
        p.text(x, axes.bottom + 18, letter, size=14)
    axes.curve([[0, math.log(27)], [len(found), math.log(27)]], "c2", "ln 27", "4 4")
    return p


def smoothed():
    found = values("coursera-dinos")
    p = Picture(262, "The loss for each letter falls at once; the smoothed sum first rises")
    axes = Axes(p, (0, 35_000), (1.5, 3.4), (40, 28, 320, 220))
    axes.ticks([0, 10_000, 20_000, 30_000], [1.5, 2, 2.5, 3], "nats per letter", "updates")
    plain, slow = thinned(found["nats"]), thinned([[x, y / 12.96] for x, y in found["smoothed"]])
    heights = spread([axes.y(plain[-1][1]) + 4, axes.y(slow[-1][1]) + 18])
    axes.curve(plain, "c1", "each letter", at=heights[0] - 6)
    axes.curve(slow, "c2", "smoothed,|÷ 12.96", "6 3", at=heights[1])
    return p


def cliff():
    """One unit without an input, a ← tanh(w a − 1) from a = 0.5, over 12 time steps: the loss (a − 1)² as w changes."""
    def loss(w):
        a = 0.5
        for _ in range(12):
            a = math.tanh(w * a - 1)
        return (a - 1) ** 2

    def slope(w):
        return (loss(w + 1e-7) - loss(w - 1e-7)) / 2e-7
    grid = [2.6 + i / 2000 for i in range(2001)]
    steepest = max(grid, key=lambda w: abs(slope(w)))
    p = Picture(270, "The loss of a network with one unit, with a cliff; two steps of descent from it")
    axes = Axes(p, (2.6, 3.6), (0, 4.5), (36, 28, 410, 226))
    axes.ticks([2.6, 2.8, 3.0, 3.2, 3.4, 3.6], [0, 1, 2, 3, 4], "loss", "weight w")
    axes.curve([[w, loss(w)] for w in grid], "c1")
    x, y = axes.x(steepest), axes.y(loss(steepest))
    p.circle(x, y, 5, "c2 fill")
    p.arrow(x + 6, y - 3, axes.left + axes.width, y - 50, "c2 stroke")
    p.text(x + 10, y - 58, f"without: the slope is {slope(steepest):,.0f}".replace("-", "−"), "start", 12, "c2 hue")
    p.arrow(x + 6, y + 3, x + 40, y + 14, "c3 stroke")
    p.text(x + 46, y + 22, "clipped: a short step", "start", 12, "c3 hue")
    return p


def sampling():
    steps, drawn = values("dinosaurs")["sampling"], ["t", "r", "i", "a", "s"]
    p = Picture(196, "Five time steps: the likeliest letters as bars, the drawn one marked and fed back")
    w, highest = 91, max(bars[0][1] for bars in steps)
    for t, (bars, letter) in enumerate(zip(steps, drawn)):
        x = 4 + w * t
        letters = [entry for entry in bars if entry[0] == letter] or [[letter, 0.02]]
        shown = bars if letters[0] in bars else bars[:5] + letters
        for row, (symbol, probability) in enumerate(shown):
            kind = "c2" if symbol == letter else "c1"
            p.text(x + 7, 22 + 20 * row, symbol, size=14)
            p.rect(x + 16, 11 + 20 * row, max(1, 62 * probability / highest), 13, f"{kind} fill")
        p.text(x + 34, 156, letter, size=18, kind="c2 hue")
        p.arrow(x + 34, 128, x + 34, 140)
        p.text(x + 34, 184, "input 0" if t == 0 else f"input {drawn[t - 1]}", size=12)
        if t + 1 < len(steps):
            p.arrow(x + 46, 160, x + w + 8, 174, "line faint")
    return p


def temperatures():
    found = values("dinosaurs")["temperatures"]
    order = sorted(range(27), key=lambda i: -found["1.0"][i])[:12]
    p = Picture(330, "The probabilities of twelve letters at three temperatures: peaked, as learned, and flat")
    for row, (t, color) in enumerate([("0.3", "c1"), ("1.0", "c2"), ("1.5", "c3")]):
        base, scale = 92 + 108 * row, 78 / max(found[t])
        p.text(4, base - 70, f"τ = {t}", "start", 13, f"{color} hue")
        for place, i in enumerate(order):
            x, height = 76 + 32 * place, scale * found[t][i]
            p.rect(x - 11, base - height, 22, height, f"{color} fill")
            p.text(x, base + 15, LETTERS[i], size=13)
        p.text(70 + 32, base - scale * found[t][order[0]] + 12, f"{found[t][order[0]]:.2f}", "start", 12)
    return p


def temperature():
    """Bars that page.js redraws as a slider moves: each knows its logit."""
    found = values("dinosaurs")["temperatures"]["1.0"]
    order = sorted(range(27), key=lambda i: -found[i])
    p = Picture(140, "The probabilities of all letters after tri at the chosen temperature")
    for place, i in enumerate(order):
        x, height = 8 + 16.5 * place, 100 * found[i]
        p.rect(x, 110 - height, 13, height, "c2 fill", f' data-logit="{math.log(found[i]):.4f}"')
        p.text(x + 6.5, 126, LETTERS[i], size=12)
    return p


def overfitting():
    p, found = Picture(262, "Training loss falls to 0.7 while validation loss turns at update 750 and rises to 2.7"), values("overfitting")["overfit"]
    axes = Axes(p, (0, 6000), (0.5, 3.4))
    axes.ticks([0, 2000, 4000, 6000], [0.5, 1, 1.5, 2, 2.5, 3], "nats per letter", "updates")
    axes.curve(found["training"], "c1", "training")
    axes.curve(found["validation"], "c2", "validation", "6 3")
    step, best = min(found["validation"], key=lambda row: row[1])
    p.circle(axes.x(step), axes.y(best), 5, "c3 fill")
    p.text(axes.x(step) + 10, axes.y(best) - 34, f"best: {best:.2f}", "start", 12, "c3 hue")
    return p


def dropout():
    found = values("overfitting")["dropout"]
    p = Picture(262, "Validation loss of four models; only the wide one without dropout rises again")
    axes = Axes(p, (0, 6000), (1.6, 3.2), (40, 28, 300, 220))
    axes.ticks([0, 2000, 4000, 6000], [1.6, 2, 2.4, 2.8, 3.2], "nats per letter", "updates")
    names = [("drop-192-0", "c2", "192 units", ""), ("drop-192-0.5", "c2", "192, dropout", "6 3"),
             ("drop-48-0", "c1", "48 units", ""), ("drop-48-0.5", "c1", "48, dropout", "6 3")]
    heights = spread([axes.y(found[run][-1][1]) + 4 for run, *_ in names])
    for (run, color, name, dash), height in zip(names, heights):
        axes.curve(found[run], color, name, dash, height)
    return p


def lstm():
    p = Picture(226, "An LSTM: the cell state runs along the top, multiplied by the forget gate, added to by the update gate")
    p.text(6, 45, "c", "start", 15, "c2 hue")
    p.line(18, 40, 109, 40, "c2 stroke", 2.2)
    node(p, 120, 40, "×")
    p.line(131, 40, 219, 40, "c2 stroke", 2.2)
    node(p, 230, 40, "+")
    p.arrow(241, 40, 444, 40, "c2 stroke")
    p.text(452, 30, "c", size=15, kind="c2 hue")
    gates = [(120, "Γf", "c1"), (190, "Γu", "c1"), (262, "c̃", "c3"), (340, "Γo", "c1")]
    for x, label, kind in gates:
        box(p, x, 150, label, kind)
        p.arrow(x, 190, x, 166)
    p.line(30, 190, 340, 190)
    p.text(8, 182, "a", "start", 15)
    p.text(8, 214, "x", "start", 15)
    p.line(18, 180, 30, 190)
    p.line(18, 206, 30, 190)
    p.arrow(120, 134, 120, 53)
    node(p, 230, 96, "×")
    p.arrow(190, 134, 222, 106)
    p.arrow(262, 134, 238, 106)
    p.arrow(230, 84, 230, 53)
    node(p, 400, 110, "×")
    p.arrow(400, 41, 400, 97)
    p.text(410, 74, "tanh", "start", 12)
    p.arrow(362, 142, 390, 118)
    p.arrow(411, 110, 444, 110)
    p.text(452, 100, "a", size=15)
    return p


def gru():
    p = Picture(210, "A GRU: the old state and the candidate are mixed by the keep gate")
    p.text(6, 45, "a", "start", 15, "c2 hue")
    p.line(18, 40, 229, 40, "c2 stroke", 2.2)
    node(p, 240, 40, "×")
    p.line(251, 40, 359, 40, "c2 stroke", 2.2)
    node(p, 370, 40, "+")
    p.arrow(381, 40, 444, 40, "c2 stroke")
    p.text(452, 30, "a", size=15, kind="c2 hue")
    for x, label, kind in [(110, "Γr", "c1"), (240, "Γz", "c1"), (330, "ã", "c3")]:
        box(p, x, 136, label, kind)
        p.arrow(x, 178, x, 152)
    p.line(30, 178, 330, 178)
    p.text(8, 170, "a", "start", 15)
    p.text(8, 202, "x", "start", 15)
    p.line(18, 168, 30, 178)
    p.line(18, 194, 30, 178)
    p.arrow(240, 120, 240, 53)
    p.line(130, 136, 180, 136)
    p.line(180, 136, 180, 164)
    p.line(180, 164, 304, 164)
    p.arrow(304, 164, 316, 153)
    node(p, 370, 90, "×")
    p.arrow(338, 121, 362, 98)
    p.arrow(252, 126, 358, 92, "c1 stroke")
    p.text(300, 92, "1 − Γz", size=12, kind="c1 hue")
    p.arrow(370, 78, 370, 53)
    return p


def mask():
    names, w, h = ["Abagael", "Glory", "Prissie", "Bo"], 24, 26
    p = Picture(168, "Four names as rows of a batch, inputs and targets; padding after the first end is faint")
    for block, (label, left) in enumerate([("inputs", 6), ("targets", 240)]):
        p.text(left, 16, label, "start", 13)
        for row, name in enumerate(names):
            text = (" " + name).ljust(9, "#")
            for t, symbol in enumerate(text[block : block + 8]):
                x, y, counts = left + 27 * t, 28 + 33 * row, not block or t <= len(name)
                p.rect(x, y, w, h, ("c2 stroke" if block else "c1 stroke") + ("" if counts else " faint"))
                p.text(x + 12, y + 18, symbol, size=14, kind="" if counts else "faint")
    return p


def states():
    columns = values("dinosaurs")["states"]
    p = Picture(12 * 15 + 44, "A heat map of twelve units of a state over the letters of a name")
    w = 34
    for t, (letter, column) in enumerate(zip(["0", *"triceratops"], columns)):
        p.text(30 + w * t + w / 2, 14, letter, size=15)
        for row, value in enumerate(column):
            signed(p, 30 + w * t, 22 + 15 * row, w - 1, 14, value, 1.0)
    for row in range(12):
        p.text(24, 33 + 15 * row, str(row + 1), "end", 11)
    p.text(30, 22 + 12 * 15 + 16, "unit, from top to bottom; letter read, from left to right", "start", 12)
    return p


def cells():
    found = values("names")
    p = Picture(262, "The losses of three cells over 1,000 updates, close together")
    axes = Axes(p, (0, 1000), (2, 4), (40, 28, 350, 220))
    axes.ticks([0, 250, 500, 750, 1000], [2, 2.5, 3, 3.5, 4], "nats per letter", "updates")
    runs = [("vanilla", "c1", "plain"), ("LSTM", "c2", "LSTM"), ("GRU", "c3", "GRU")]
    heights = spread([axes.y(found[run][-1][1]) - 6 for run, *_ in reversed(runs)])[::-1]
    heights = sorted(heights)
    for (run, color, name), height in zip(runs, heights):
        axes.curve(thinned(found[run], 100), color, name, at=height)
    return p


def flows(description, curves, low, high, up):
    p = Picture(278, description)
    axes = Axes(p, (1, 63), (low, high), (48, 28, 300, 236), log=True)
    axes.ticks([1, 16, 32, 48, 63], up, "norm of ∂L/∂a", "time steps back")
    heights = spread([axes.y(points[-1][1]) + 4 for points, _ in curves])
    for (points, name), height, color in zip(curves, heights, ("c1", "c2", "c3", "c4")):
        axes.curve(points, color, name, at=height)
    return p


def gradients_scale():
    found = values("gradients")["scale"]
    curves = [(points, f"s = {name[4:]}") for name, points in found.items()]
    return flows("Norms over 63 time steps for four widths: three vanish, one explodes", curves, -26, 4, range(-25, 5, 5))


def cell_flows(when, description):
    names = {"gradients-vanilla": "plain", "gradients-lstm: layers.0.h": "LSTM, a", "gradients-lstm: layers.0.c": "LSTM, c",
             "gradients-gru": "GRU"}
    found = values("gradients")[when]
    return flows(description, [(found[key], name) for key, name in names.items()], -9, 1, range(-8, 1, 2))


def gradients_before():
    return cell_flows("before", "Norms of three cells before training: the GRU's falls fastest")


def gradients_after():
    return cell_flows("after", "Norms of three cells after training: all reach further")


def gradients_clipped():
    found = values("gradients")["clipped"]
    p = Picture(270, "The norm of the gradient at each of 600 updates, with peaks above the limit")
    axes = Axes(p, (0, 600), (-1, 5), (48, 28, 350, 228), log=True)
    axes.ticks([0, 100, 200, 300, 400, 500, 600], range(-1, 6), "norm of the gradient", "updates")
    axes.curve([[0, 1.0], [600, 1.0]], "c2", "limit", "6 3")
    for step, norm in found:
        p.circle(axes.x(step), axes.y(norm), 2.4 if norm > 1 else 1.2, "c2 fill" if norm > 1 else "c1 fill")
    return p


def stages():
    """Not a picture: the table of samples as training proceeds."""
    rows = {}
    for step, text in values("coursera-dinos")["stages"]:
        rows.setdefault(step, []).append(text)
    kept = [step for step in rows if step in (0, 2000, 4000, 8000, 14000, 22000, 34999)]
    lines = ["| updates | first sample | last sample |", "| --- | --- | --- |"]
    return "\n".join(lines + [f"| {step:,} | {' | '.join(rows[step])} |" for step in kept]) + "\n"


PICTURES = [first_run, lengths, shifted, bigram, one_hot, unrolled, surprise, smoothed, cliff, sampling, temperatures,
            temperature,             overfitting, dropout, lstm, gru, mask, states, cells, gradients_scale, gradients_before, gradients_after,
            gradients_clipped]

if __name__ == "__main__":
    folder = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else BOOK / "src/pictures"
    for draw in PICTURES:
        (folder / f"{draw.__name__.replace('_', '-')}.svg").write_text(draw().svg())
    (folder / "stages.txt").write_text(stages())
    print(f"{len(PICTURES)} pictures")
