# SPDX-License-Identifier: GPL-2.0-only
"""The benchmark itself: everything is measured, nothing is lost, the tables are complete.

Handshakes come at a rate that every machine manages. How long anything took is
not looked at.
"""

import json
import os
import subprocess
import sys
import xml.etree.ElementTree
from pathlib import Path

import pytest

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "live")]

import bench  # noqa: E402
import goals  # noqa: E402
import tables  # noqa: E402
from privileges import why_no_live  # noqa: E402
from variants import OURS  # noqa: E402

RATE = 4000
HANGING = 300

OPTIONS = ("--no-peers", "--rounds", 1, "--slices", 20, "--rate", RATE, "--json-rates", RATE,
           "--write-rates", RATE, "--hanging", HANGING, "--sockets", "0,200")


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """A short run of every part: its figures, its table, its plot."""
    reason = why_no_live()
    if reason:
        if os.environ.get("SYNWATCH_DEMAND_LIVE") == "1":
            pytest.fail(f"SYNWATCH_DEMAND_LIVE=1, but {reason}", pytrace=False)
        pytest.skip(reason)
    out = tmp_path_factory.mktemp("bench")
    programs = os.environ.get("BENCH_PROGRAMS", bench.ROOT / "build/tests/bench")
    done = subprocess.run([sys.executable, HERE / "bench.py", "--out", out, "--programs", programs,
                           *map(str, OPTIONS)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return out


@pytest.fixture(scope="module")
def figures(measured):
    return json.loads((measured / "bench.json").read_text(encoding="utf-8"))


def runs_of(figures):
    """(what, run) of everything that counts its losses."""
    for key, runs in figures["compare"].items():
        yield from ((key, run) for run in runs)
    for part in "json_rates", "write_rates", "flight":
        yield from ((part, run) for run in figures[part])
    yield from (("flood", run) for run in figures["flood"]["synwatch"])
    yield from ((f"{key} ports", run) for key, runs in figures["filter"].items() for run in runs)


def test_nothing_is_lost(figures):
    """But for runs that the host itself left out."""
    lost = [(what, run["lost"], run["missed"]) for what, run in runs_of(figures)
            if run.get("lost") and run["lost"] > run["missed"]]
    assert lost == []


def test_every_handshake_is_there(figures):
    missing = [(what, run["missing"], run["missed"]) for what, run in runs_of(figures)
               if run.get("missing", 0) > run.get("missed", 0)]
    assert missing == []
    run, = figures["flight"]
    assert (run["stalled"], run["ended"]) == (HANGING, HANGING)


def test_every_part_was_measured(figures):
    assert set(bench.PARTS) <= figures.keys()
    keys = [variant.key for variant in OURS]
    assert list(figures["compare"]) == ["nothing", *keys]
    assert list(figures["kernel"]) == keys
    assert all(run["handshakes"] for runs in figures["compare"].values() for run in runs)
    assert all(run["kernel_ns"] > 0 for runs in figures["kernel"].values() for run in runs)


def cells(table):
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]


def test_the_table_is_complete(figures):
    header, _, nothing, *rows = cells(tables.compared(figures))
    assert nothing[0] == "Nothing attached"
    assert [row[0] for row in rows] == [variant.title for variant in OURS]
    for row in rows:
        known = row[:5] + row[6:] if row[0].startswith("Empty") else row
        assert len(row) == len(header) and "-" not in known, row


def test_every_goal_is_judged(figures):
    judged = {text: verdict for text, _, _, verdict in goals.measured(figures)}
    # 50,000 that hang are not for a short run.
    assert {text for text, verdict in judged.items() if verdict == goals.NOT_MEASURED} == \
        {text for text in judged if text.startswith("50,000")}


def test_the_tables_and_the_plot_are_written(measured):
    text = (measured / "bench.md").read_text(encoding="utf-8")
    assert all(f"## {title}\n" in text for title, _ in tables.TABLES.values())
    plot = xml.etree.ElementTree.parse(measured / "bench.svg").getroot()
    bars = plot.findall("{http://www.w3.org/2000/svg}rect[@class='bar']")
    assert len(bars) >= 2 * sum(not variant.key.startswith("empty") for variant in OURS)
    assert not list(measured.glob("*.db*"))
