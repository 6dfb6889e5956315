# SPDX-License-Identifier: GPL-2.0-only
"""The figures as SVG: horizontal bars, one panel below the other."""

from html import escape

from goals import MIB, median
from tables import spread

WIDTH = 960
LABELS = 380  # to the left of the bars
VALUES = 110  # to the right of them
BAR = 16
ROW = 24
HEAD = 44
MARGIN = 20

STYLE = """text { font: 13px sans-serif; fill: #222 }
.title { font-weight: bold } .note { fill: #666; font-size: 12px }
.bar { fill: #4c78a8 } .peer { fill: #b8b8b8 } .spread { stroke: #222; stroke-width: 1.5 }
.cut { fill: #fff }"""


class Panel:
    """rows: (label, value, low, high, text, class). Bars longer than limit are cut."""

    def __init__(self, title, note, rows, limit=None):
        self.title = title
        self.note = note
        self.rows = rows
        largest = max(row[1] for row in rows) or 1
        self.limit = min(largest, limit or largest)

    @property
    def height(self):
        return HEAD + ROW * len(self.rows) + MARGIN

    def draw(self, top):
        yield f'<text class="title" x="{MARGIN}" y="{top + 16}">{escape(self.title)}</text>'
        yield f'<text class="note" x="{MARGIN}" y="{top + 33}">{escape(self.note)}</text>'
        for i, row in enumerate(self.rows):
            yield from self._bar(top + HEAD + i * ROW, *row)

    def _bar(self, y, label, value, low, high, text, kind):
        end, right = self._x(value), self._x(max(value, high))
        middle = y + BAR / 2
        yield (f'<text x="{LABELS - 8}" y="{y + 13}" text-anchor="end">'
               f'{escape(label.replace("`", ""))}</text>')
        yield (f'<rect class="{kind}" x="{LABELS}" y="{y}" width="{end - LABELS:.1f}" '
               f'height="{BAR}"/>')
        if value > self.limit:
            yield (f'<path class="cut" d="M{end - 14:.1f} {y - 2} l6 0 l-6 {BAR + 4} l-6 0 z"/>')
        elif low < high:
            yield (f'<line class="spread" x1="{self._x(low):.1f}" y1="{middle}" '
                   f'x2="{self._x(high):.1f}" y2="{middle}"/>')
        yield f'<text x="{right + 8:.1f}" y="{y + 13}">{escape(text)}</text>'

    def _x(self, value):
        share = min(max(value, 0), self.limit) / self.limit
        return LABELS + share * (WIDTH - LABELS - VALUES)


def kind(key):
    return "bar" if key.startswith(("synwatch", "unmatched", "all_")) else "peer"


def panels(result):
    if "compare" in result:
        rows = []
        for key, title in result["titles"].items():
            ratios = [run["ratio"] - 1 for run in result["compare"][key]]
            if not ratios:
                continue
            value = median(result["compare"][key], "ratio") - 1
            rows.append((title, value, *spread(ratios), f"{value:+.1%}", kind(key)))
        yield Panel("Time per handshake, more than with nothing attached",
                    "One after the other, on a core of their own. Median and quartiles.",
                    rows, limit=0.5)
    if "kernel" in result:
        rows = []
        for key, title in result["titles"].items():
            times = [run["kernel_ns"] for run in result["kernel"][key] if "kernel_ns" in run]
            if times:
                value = median(result["kernel"][key], "kernel_ns")
                rows.append((title, value, *spread(times), f"{value:,.0f} ns", kind(key)))
        yield Panel("In BPF programs, per handshake",
                    "As the kernel measures it, which is in the times itself.", rows, limit=5000)
    if "flight" in result:
        rows = [(f"{run['count']:,} hang", run["rss"], run["rss"], run["rss"],
                 f"{run['rss'] / MIB:.1f} MiB", "bar") for run in result["flight"]]
        yield Panel("Resident memory", "With so many handshakes in flight at once.", rows)


def draw(result):
    body, top = [], MARGIN
    for panel in panels(result):
        body += panel.draw(top)
        top += panel.height
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{top}" '
        f'viewBox="0 0 {WIDTH} {top}">',
        f"<style>{STYLE}</style>",
        '<rect width="100%" height="100%" fill="#fff"/>', *body, "</svg>"])
