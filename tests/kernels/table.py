# SPDX-License-Identifier: GPL-2.0-only
"""Test by kernel, from pytest's JUnit files."""

import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass


@dataclass(frozen=True)
class Result:
    """What one test came to on one kernel."""

    outcome: str  # "passed", "FAILED", "skipped"
    reason: str = ""


NOT_RUN = Result("not run")


def read(path):
    """{test: Result} of a run; ValueError if it ended before it could say."""
    try:
        root = ElementTree.parse(path).getroot()
    except (ElementTree.ParseError, OSError) as error:
        raise ValueError(f"no results in {path}: {error}") from None
    results = {}
    for case in root.iter("testcase"):
        test = f"{case.get('classname').rpartition('.')[2]}::{case.get('name')}"
        result = _result(case)
        if results.get(test, NOT_RUN).outcome == "FAILED" and result.outcome == "passed":
            result = Result("passed", "only at the second attempt, by itself")
        results[test] = result
    return results


def _result(case):
    for kind in "failure", "error":
        if (found := case.find(kind)) is not None:
            return Result("FAILED", found.get("message", ""))
    if (found := case.find("skipped")) is not None:
        return Result("skipped", found.get("message", ""))
    return Result("passed")


def show(columns):
    """The lines of the table. columns: {name of the kernel: {test: Result}}"""
    tests = sorted({test for results in columns.values() for test in results})
    notes = _Notes()
    width = max(map(len, tests), default=0)
    yield f"{'':{width}}  " + "  ".join(f"{name:12}" for name in columns)
    for test in tests:
        cells = [_cell(results.get(test, NOT_RUN), notes) for results in columns.values()]
        yield f"{test:{width}}  " + "  ".join(f"{cell:12}" for cell in cells).rstrip()
    yield ""
    for number, reason in notes.numbered():
        yield f"[{number}] {reason}"
    for name, results in columns.items():
        counts = [sum(result.outcome == outcome for result in results.values())
                  for outcome in ("passed", "FAILED", "skipped")]
        yield f"{name}: {counts[0]} passed, {counts[1]} failed, {counts[2]} skipped"


class _Notes:
    """Each reason once, below the table."""

    def __init__(self):
        self._numbers = {}

    def number(self, reason):
        # What follows in a failure or in a spoilt test's report is in the log.
        reason = reason.partition("\n")[0]
        return self._numbers.setdefault(reason, len(self._numbers) + 1)

    def numbered(self):
        return ((number, reason) for reason, number in self._numbers.items())


def _cell(result, notes):
    return f"{result.outcome} [{notes.number(result.reason)}]" if result.reason else result.outcome
