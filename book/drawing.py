"""What the book's pictures are made of: shapes and letters of an SVG, and axes with curves.

Colors are classes, which style.css gives their hues in light and in dark themes.
"""

import html
import math

WIDTH = 460
SHOWN = {"\n": "↵", " ": "␣"}


class Picture:
    """An SVG of a height, with a description for those who cannot see it."""

    def __init__(self, height, description):
        self.parts, self.height, self.description = [], height, description

    def text(self, x, y, text, anchor="middle", size=13, kind="", extra=""):
        label = html.escape(SHOWN.get(text, text))
        kind = f' class="{kind}"' if kind else ""
        self.parts.append(f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}"{kind}{extra}>{label}</text>')

    def line(self, x1, y1, x2, y2, kind="line", width=1.2, extra=""):
        self.parts.append(f'<line class="{kind}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke-width="{width}"{extra}/>')

    def arrow(self, x1, y1, x2, y2, kind="line"):
        self.line(x1, y1, x2, y2, kind)
        angle, reach = math.atan2(y2 - y1, x2 - x1), 6
        for turn in (2.6, -2.6):
            self.line(x2, y2, x2 + reach * math.cos(angle + turn), y2 + reach * math.sin(angle + turn), kind)

    def rect(self, x, y, w, h, kind="line", extra=""):
        self.parts.append(f'<rect class="{kind}" x="{x:.1f}" y="{y:.1f}" width="{w:.1f}" height="{h:.1f}"{extra}/>')

    def circle(self, x, y, r, kind="line"):
        self.parts.append(f'<circle class="{kind}" cx="{x:.1f}" cy="{y:.1f}" r="{r:.1f}"/>')

    def curve(self, points, kind="c1 stroke", width=2, dash=""):
        where = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        dash = f' stroke-dasharray="{dash}"' if dash else ""
        self.parts.append(f'<polyline class="{kind}" points="{where}" stroke-width="{width}"{dash}/>')

    def svg(self):
        head = f'<svg viewBox="0 0 {WIDTH} {self.height}" role="img" aria-label="{html.escape(self.description)}" xmlns="http://www.w3.org/2000/svg">'
        return "\n".join([head, *self.parts, "</svg>"]) + "\n"


class Axes:
    """A frame for curves: labels at the ticks, the unit above the axis, each curve's name at its end."""

    def __init__(self, picture, xs, ys, box=(44, 28, 330, 220), log=False):
        self.picture, self.xs, self.ys, self.log = picture, xs, ys, log
        self.left, self.top, self.width, self.bottom = box[0], box[1], box[2], box[3]

    def x(self, value):
        return self.left + self.width * (value - self.xs[0]) / (self.xs[1] - self.xs[0])

    def y(self, value):
        value = math.log10(value) if self.log else value
        value = min(max(value, self.ys[0]), self.ys[1])
        return self.bottom - (self.bottom - self.top) * (value - self.ys[0]) / (self.ys[1] - self.ys[0])

    def ticks(self, across, up, unit, label):
        p = self.picture
        p.text(4, self.top - 12, unit, "start", 12)
        p.text(self.left + self.width, self.bottom + 34, label, "end", 12)
        for value in across:
            p.text(self.x(value), self.bottom + 17, f"{value:,}", size=12)
        for value in up:
            height = self.y(10.0**value if self.log else value)
            p.line(self.left, height, self.left + self.width, height, "line faint", 0.6)
            if self.log:
                p.text(self.left - 19, height + 4, "10", "end", 12)
                p.text(self.left - 18, height - 2, f"{value}".replace("-", "−"), "start", 9)
            else:
                p.text(self.left - 5, height + 4, f"{value:g}", "end", 12)

    def curve(self, points, color, name="", dash="", at=None):
        self.picture.curve([(self.x(x), self.y(y)) for x, y in points], f"{color} stroke", 2, dash)
        if name:
            height = self.y(points[-1][1]) + 4 if at is None else at
            for row, piece in enumerate(name.split("|")):
                self.picture.text(self.left + self.width + 5, height + 13 * row, piece, "start", 12, f"{color} hue")


def spread(heights, gap=14):
    """The heights moved apart, so that labels do not touch."""
    order = sorted(range(len(heights)), key=lambda i: heights[i])
    placed = list(heights)
    for before, after in zip(order, order[1:]):
        placed[after] = max(placed[after], placed[before] + gap)
    return placed


def signed(p, x, y, w, h, value, scale):
    """A cell of a matrix: one hue for positive entries, another for negative ones."""
    kind = "c1 fill" if value > 0 else "c2 fill"
    p.rect(x, y, w, h, kind, f' fill-opacity="{min(1, abs(value) / scale):.2f}"')


def thinned(points, count=150):
    every = max(1, len(points) // count)
    return points[::every] + points[-1:]


def box(p, x, y, label, kind="c1", w=40):
    p.rect(x - w / 2, y - 14, w, 28, f"{kind} stroke", ' stroke-width="1.8" rx="4"')
    p.text(x, y + 5, label, size=14)


def node(p, x, y, label):
    p.circle(x, y, 11)
    p.text(x, y + 5, label, size=14)
