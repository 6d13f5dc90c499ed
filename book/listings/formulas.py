"""Reads the displayed formulas of the book's pages and evaluates those of the cells as they stand there.

The grammar is that of the equations of a time step: sums, products, functions of one argument, equations separated by
wide spaces. A matrix, whose name begins with W, times a column is a product of matrices; all else acts entry by entry.
"""

import re

import numpy as np

DISPLAYED = re.compile(r"^\$\$\s*(.+?)\s*\$\$$", re.DOTALL | re.MULTILINE)
FUNCTIONS = {r"\sigma": lambda x: 1 / (1 + np.exp(-x)), r"\tanh": np.tanh}
TOKEN = re.compile(r"\d+(?:\.\d+)?|\\?[A-Za-z]+(?:_\{\w+\}|_\w)?(?:<t(?:-1)?>)?|[-+()=]")


def displayed(page):
    """The formulas of a page, each with its spaces brought to one."""
    return [" ".join(found.split()) for found in DISPLAYED.findall(page)]


def tokens(text):
    """The tokens of an equation: `W_{ax} x^{\\langle t \\rangle}` is the two `W_ax` and `x<t>`."""
    text = re.sub(r"\^\{\\langle (t(?: ?- ?1)?) \\rangle\}", lambda found: f"<{found[1].replace(' ', '')}>", text)
    text = re.sub(r"\\tilde\{?\s*(\w)\}?", r"\1tilde", text)
    text = re.sub(r"\\(left|right|odot)\b", " ", text)
    rest = TOKEN.sub(" ", text).strip()
    assert not rest, f"{rest!r} in {text!r} is not understood"
    return [re.sub(r"_\{(\w+)\}", r"_\1", token) for token in TOKEN.findall(text)]


def evaluate(formula, values):
    """The values after the equations of a formula, each of which defines its left side."""
    values = dict(values)
    for equation in re.split(r",\s*\\q?quad", formula.replace(r"\,", " ")):
        left, right = equation.split("=")
        reader = Reader(tokens(right), values)
        values[tokens(left)[0]] = reader.sum()
        assert reader.at == len(reader.tokens), f"{equation}: {reader.tokens[reader.at:]} is left over"
    return values


class Reader:
    """A reader of sums and products, by recursive descent."""

    def __init__(self, tokens, values):
        self.tokens, self.values, self.at = tokens, values, 0

    def next(self):
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def take(self):
        self.at += 1
        return self.tokens[self.at - 1]

    def sum(self):
        total = self.product()
        while self.next() in ("+", "-") and self.next():
            total = total + self.product() if self.take() == "+" else total - self.product()
        return total

    def product(self):
        value = self.factor()
        while self.next() not in ("", "+", "-", ")"):
            is_matrix = self.tokens[self.at - 1].startswith("W")
            other = self.factor()
            value = value @ other if is_matrix else value * other
        return value

    def factor(self):
        token = self.take()
        if token == "(":
            value = self.sum()
            assert self.take() == ")", "a parenthesis is not closed"
            return value
        if token in FUNCTIONS:
            return FUNCTIONS[token](self.factor())
        if token[0].isdigit():
            return float(token)
        return self.values[token]
