"""The numbers in the text of parts I to III. One with a decimal point, or of four digits and more, must be in a block of
its page, be what a formula here gives, or be given here: a number that is changed on the page alone is found.

    python3 book/numbers.py                 all chapters
    python3 book/numbers.py NAME FILE       a file, as the chapter of that name

Nothing but Python is needed.
"""

import json
import pathlib
import re
import sys
from math import exp, log

BOOK = pathlib.Path(__file__).resolve().parent
SOURCE = BOOK / "src"
GOLDEN = json.loads((BOOK.parent / "tests/golden/dinosaurs.json").read_text())


def sigma(x):
    return 1 / (1 + exp(-x))


# What a formula gives: the number as it is written, and its value.
COMPUTED = {
    "start.md": {"3.3": log(27), "3.30": log(27), "32.5": 13 * 2.5, "0.05": 1.9617 - 1.9079},
    "overfitting.md": {},
    "gradients.md": {
        "2,620": 1.3**30, "0.005": 0.9**50, "0.125": 1 / 64**0.5, "0.73": sigma(1), "0.95": sigma(3),
    },
    "dinosaurs/data.md": {},
    "dinosaurs/bigram.md": {
        "3.30": log(27), "2.30": -log(0.1), "0.48": 2.209682 - 1.732310,
    },
    "dinosaurs/model.md": {
        "5,277": 50 * 27 + 50 * 50 + 50 + 27 * 50 + 27, "1,350": 50 * 27, "2,500": 50 * 50, "4.03": log(56),
        "3.30": log(27), "2,700": 100 * 27, "10,000": 100 * 100,
    },
    "dinosaurs/step.md": {"0.69": log(2), "0.5": 0.5},
    "dinosaurs/training.md": {"23.07": 7 * log(27)},
    "dinosaurs/clipping.md": {"0.6": 3 / 5, "0.8": 4 / 5},
    "dinosaurs/sampling.md": {"0.8": 0.5 + 0.3},
    "dinosaurs/sonnets.md": {
        "0.73": sigma(1), "0.5": sigma(0), "0.04": sigma(1) ** 10, "0.001": sigma(0) ** 10,
        "85,504": 4 * 128 * (38 + 128 + 1), "131,584": 4 * 128 * (128 + 128 + 1), "4,902": 38 * 129,
    },
    "names/embeddings.md": {
        "5,184": 64 * 16 + 64 * 64 + 64, "3,640": 56 * 64 + 56, "3,584": 64 * 56, "1,024": 64 * 16, "1,920": 56 * 16 + 64 * 16,
        "29.9": 3584 / 120,
    },
    "names/batches.md": {"119,160": 7944 * 15},
    "names/loop.md": {"4.03": log(56)},
    "names/cells.md": {"0.1": 1 - 0.9},
}
# What no program gives: versions, what an exercise or an example assumes, what other chapters show, what the editions of
# the notebooks print.
GIVEN = {
    "start.md": ["1.92"],
    "rust.md": ["3.10"],
    "overfitting.md": ["2.21"],
    "gradients.md": ["100,000", "21,000", "1,000", "0.7", "1.3", "0.9"],
    "dinosaurs/data.md": ["5,277", "38,619"],
    "dinosaurs/bigram.md": ["0.1", "1.73", "0.9"],
    "dinosaurs/step.md": ["0.5", "0.01"],
    "dinosaurs/training.md": ["22.396744", "22.447230", "22.448608", "22.477910", "22.728886", "12.96"],
    "dinosaurs/sampling.md": ["0.5", "0.3", "0.2", "0.65", "1.0"],
    "dinosaurs/sonnets.md": ["94,275", "2.3", "0.2", "3.2223358", "0.4030307", "2.5432", "2.5577"],
    "names/embeddings.md": [],
    "names/batches.md": ["47,924"],
    "names/loop.md": ["1,000", "3.87", "4.21", "0.0001", "0.1"],
    "names/cells.md": ["0.9", "10,000"],
}
# The units of the dinosaur notebook's tests, which tests/golden_runs.rs compares with the program.
UNITS = {"dinosaurs/step.md": "optimize", "dinosaurs/clipping.md": "clip"}
NUMBER = re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+\.\d+|\d{4,}")
ANY = re.compile(r"\d+(?:\.\d+)?(?:e-?\d+)?")


def leaves(value):
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return [leaf for entry in value for leaf in leaves(entry)]
    try:
        return [abs(float(value))]
    except ValueError:
        return []


def included(page):
    """A page with what it includes."""
    def put(found):
        path, _, anchor = found[1].partition(":")
        text = (page.parent / path).read_text()
        if not anchor:
            return text
        inside = re.search(rf"ANCHOR: {re.escape(anchor)}\n(.*?)[^\n]*ANCHOR_END: {re.escape(anchor)}\s*$", text, re.DOTALL | re.MULTILINE)
        return inside[1]
    return re.sub(r"\{\{#include ([^}]+)\}\}", put, page.read_text())


def unfounded(name, text):
    """The numbers of a page that stand nowhere else, and the entries of the lists that it does not need."""
    prose, shown, is_open = [], [], False
    for line in text.splitlines():
        if line.startswith("```"):
            is_open = not is_open
        elif is_open:
            shown += [float(number) for number in ANY.findall(line)]
        elif not line.startswith("<"):
            prose.append(line)
    shown += leaves(GOLDEN["units"].get(UNITS.get(name), {}))
    # Code names things; the numbers of a notebook's sections are in bold.
    text = re.sub(r"`[^`\n]*`|\*\*\d[^*]*\*\*", "", "\n".join(prose))
    computed, given = COMPUTED.get(name, {}), GIVEN.get(name, [])
    wrong = []
    for written in NUMBER.findall(text):
        value = float(written.replace(",", ""))
        unit = 0.5001 * 10 ** -len(written.partition(".")[2])
        if any(abs(number - value) <= unit for number in shown) or written in given:
            continue
        if written not in computed:
            wrong.append(f"{name}: {written} is in no output of the page")
        elif abs(computed[written] - value) > unit:
            wrong.append(f"{name}: {written} is {computed[written]}")
    return wrong


def chapters():
    single = [SOURCE / page for page in ("start.md", "rust.md", "gradients.md", "overfitting.md")]
    pages = [*SOURCE.glob("dinosaurs/*.md"), *SOURCE.glob("names/*.md"), *single]
    return [page for page in sorted(pages) if page.name != "porting.md"]


if __name__ == "__main__":
    if len(sys.argv) == 3:
        wrong = unfounded(sys.argv[1], pathlib.Path(sys.argv[2]).read_text())
    else:
        wrong = [line for page in chapters() for line in unfounded(str(page.relative_to(SOURCE)), included(page))]
    if wrong:
        sys.exit("\n".join(wrong))
