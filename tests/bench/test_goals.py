# SPDX-License-Identifier: GPL-2.0-only
"""What is made of figures, from figures that are made up."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import goals  # noqa: E402
import tables  # noqa: E402


def result(**changes):
    runs = {"empty": {"ratio": 1.03}, "synwatch": {"ratio": 1.05, "cpu": 0.004, "rss": 12 << 20,
                                                   "start_ms": 150},
            "all_json": {"ratio": 1.09}}
    for key, values in changes.items():
        runs[key].update(values)
    return {"compare": {key: [run] * 3 for key, run in runs.items()}}


def verdict(figures, begin):
    return next(row[3] for row in goals.measured(figures) if row[0].startswith(begin))


@pytest.mark.parametrize("begin, key, values", [
    ("Default, slowdown", "synwatch", {"ratio": 1.06}),
    ("Default, CPU", "synwatch", {"cpu": 0.005}),
    ("`--all --json`, slowdown", "all_json", {"ratio": 1.11}),
    ("Start to attached", "synwatch", {"start_ms": 151}),
    ("Resident memory", "synwatch", {"rss": 13 << 20}),
])
def test_a_goal_is_met_up_to_its_limit(begin, key, values):
    assert verdict(result(), begin) == goals.MET
    assert verdict(result(**{key: values}), begin) == goals.NOT_MET
    assert verdict({}, begin) == goals.NOT_MEASURED


WRITE = {"records": 30000, "generated": 10000, "per_second": 20000, "lost": 0, "missing": 0}


@pytest.mark.parametrize("changes, expected", [
    ({}, goals.MET),
    ({"lost": 1}, goals.NOT_MET),
    ({"missing": 1}, goals.NOT_MET),
    ({"per_second": 16000}, goals.NOT_MET),
])
def test_records_count_only_where_none_is_lost(changes, expected):
    assert verdict({"write_rates": [{**WRITE, **changes}]}, "`--all -w`") == expected
    lossy = {**WRITE, "per_second": 60000, "lost": 5}
    assert verdict({"write_rates": [lossy, {**WRITE, **changes}]}, "`--all -w`") == expected


FLIGHT = {"count": 50000, "stalled": 50000, "ended": 50000, "lost": 0, "rss": 64 << 20,
          "cpu": 0.05}


@pytest.mark.parametrize("key, value, begin", [
    ("stalled", 49999, "50,000 hanging at once, told"),
    ("ended", 49999, "50,000 hanging at once, told"),
    ("rss", 65 << 20, "50,000 hanging at once, resident"),
    ("cpu", 0.051, "50,000 hanging at once, CPU"),
])
def test_what_hangs(key, value, begin):
    assert verdict({"flight": [FLIGHT]}, begin) == goals.MET
    assert verdict({"flight": [{**FLIGHT, key: value}]}, begin) == goals.NOT_MET
    assert verdict({"flight": [{**FLIGHT, "count": 1000}]}, begin) == goals.NOT_MEASURED


def test_what_took_too_long_to_open_is_not_judged():
    assert verdict({"flight": [{**FLIGHT, "cpu": None}]}, "50,000 hanging at once, CPU") == \
        goals.NOT_MEASURED


@pytest.mark.parametrize("figures, count", [
    ({"flight": [FLIGHT]}, 0),
    ({"flight": [{**FLIGHT, "ended": 49999}]}, 1),
    ({"flight": [{**FLIGHT, "ended": 49999, "lost": 1}]}, 0),
    ({"flight": [{**FLIGHT, "stalled": 49999, "lost": 1}]}, 1),
    ({"compare": {"all_write": [{"missing": 3, "lost": 3}]}}, 0),
    ({"compare": {"all_write": [{"missing": 4, "lost": 3}]}}, 1),
    ({"compare": {"tcpdump": [{"lost": 3}], "nothing": [{}]}}, 0),
])
def test_only_what_is_missing_fails(figures, count):
    assert len(list(goals.failures(figures))) == count


def test_a_spread_is_that_of_the_middle_half():
    assert tables.spread([1, 2, 3, 4, 100]) == (2, 4)
    assert tables.spread([3, 1]) == (1, 3)


def test_a_table_is_as_wide_as_its_cells():
    assert tables.markdown(["", "ns"], [["one", "1"], ["two", "1,000"]]) == """\
|     |    ns |
| --- | ----: |
| one |     1 |
| two | 1,000 |"""
