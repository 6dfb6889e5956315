# SPDX-License-Identifier: GPL-2.0-only
"""The table of test by kernel, and what counts as a failure in it."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "kernels"))

import table  # noqa: E402

RESULTS = """<testsuites><testsuite>
<testcase classname="tests.live.test_a" name="test_one[v4]"/>
<testcase classname="tests.live.test_a" name="test_two"><skipped message="no evidence: kfree_skb"/>
</testcase>
<testcase classname="tests.live.test_a" name="test_three"><failure message="it was&#10;so"/></testcase>
<testcase classname="tests.live.test_a" name="test_four"><error message="broken"/></testcase>
</testsuite></testsuites>"""

SHOWN = """\
                      5.10          6.18
test_a::test_four     FAILED [1]    not run
test_a::test_one[v4]  passed        passed
test_a::test_three    FAILED [2]    not run
test_a::test_two      skipped [3]   not run

[1] broken
[2] it was
[3] no evidence: kfree_skb
5.10: 1 passed, 2 failed, 1 skipped
6.18: 1 passed, 0 failed, 0 skipped"""


def test_each_test_has_a_row_and_each_reason_a_number(tmp_path):
    path = tmp_path / "results.xml"
    path.write_text(RESULTS, encoding="utf-8")
    columns = {"5.10": table.read(path), "6.18": {"test_a::test_one[v4]": table.Result("passed")}}
    assert [line.rstrip() for line in table.show(columns)] == SHOWN.splitlines()


def test_what_passes_by_itself_has_passed_and_says_so(tmp_path):
    path = tmp_path / "results.xml"
    case = '<testcase classname="test_a" name="test_one">{}</testcase>'
    path.write_text(f"<runs>{case.format('<failure/>')}{case.format('')}</runs>", encoding="utf-8")
    assert table.read(path) == {"test_a::test_one": table.Result(
        "passed", "only at the second attempt, by itself")}


@pytest.mark.parametrize("text", ["", RESULTS[:200]], ids=["nothing", "half of it"])
def test_a_guest_that_ended_early_has_no_results(tmp_path, text):
    path = tmp_path / "results.xml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match="no results in"):
        table.read(path)
