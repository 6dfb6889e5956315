# SPDX-License-Identifier: GPL-2.0-only
"""The runners of the tests: a failure, a crash or an empty run never passes for a success."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[1]


def script(path, text):
    path.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
    path.chmod(0o755)
    return path


def run(*words, **env):
    done = subprocess.run(words, env={**os.environ, **env}, capture_output=True, text=True)
    return done.returncode, done.stdout.splitlines()


PYTEST = "echo '===== 2 failed, 80 passed, 3 skipped, 1 error in 61.20s (0:01:01) ====='"


@pytest.mark.parametrize(
    "one, other, totals, status",
    [
        ("echo 'unit: 7 passed, 0 failed'", "echo '5 passed in 0.1s'", (12, 0, 0), 0),
        ("echo 'unit: 7 passed, 0 failed'", "echo '3 skipped in 0.1s'", (7, 0, 3), 0),
        ("echo 'unit: 7 passed, 0 failed'", f"{PYTEST}; exit 1", (87, 3, 3), 1),
        (f"{PYTEST}; exit 1", "echo '5 passed in 0.1s'", (85, 3, 3), 1),
        ("echo '7 passed'; exit 2", "echo '5 passed in 0.1s'", (12, 1, 0), 1),
        ("echo 'cannot compile'; exit 2", "echo '5 passed in 0.1s'", (5, 1, 0), 1),
        ("echo 'nothing to do'", "echo '5 passed in 0.1s'", (5, 1, 0), 1),
        ("echo '0 passed'", "echo '5 passed in 0.1s'", (5, 1, 0), 1),
        ("echo '9 passed'; echo '7 passed'", "echo '5 passed in 0.1s'", (12, 0, 0), 0),
    ],
)
def test_every_target_is_run_and_counted(tmp_path, one, other, totals, status):
    make = script(tmp_path / "make", f"case $1 in one) {one} ;; other) {other} ;; esac")
    returned, lines = run(TESTS / "run", "one", "other", MAKE=str(make))
    assert lines[-1] == "%d passed, %d failed, %d skipped" % totals
    assert returned == status


CMOCKA = "echo '[==========] {0} test(s) run.'; echo '[  PASSED  ] {0} test(s).'"
SKIPPED = "echo '[  SKIPPED ] 1 test(s), listed below:'; echo '[  SKIPPED ] no_root'"
FAILED = "echo '[  FAILED  ] 2 test(s), listed below:'; exit 2"


@pytest.mark.parametrize(
    "program, counts, status",
    [
        (CMOCKA.format(4), (7, 0, 0), 0),
        (f"{CMOCKA.format(4)}; {SKIPPED}", (7, 0, 1), 0),
        (f"{CMOCKA.format(4)}; {FAILED}", (7, 2, 0), 1),
        (f"{CMOCKA.format(4)}; exit 23", (7, 1, 0), 1),
        (CMOCKA.format(0), (3, 1, 0), 1),
        ("echo '[ RUN      ] first'; kill -SEGV $$", (3, 1, 0), 1),
        ("true", (3, 1, 0), 1),
    ],
    ids=["passes", "skips one", "fails", "leaks", "has no test", "dies", "says nothing"],
)
def test_unit_programs(tmp_path, program, counts, status):
    good = script(tmp_path / "test_good", CMOCKA.format(3))
    other = script(tmp_path / "test_other", program)
    returned, lines = run(TESTS / "unit/run", good, other)
    assert lines[-1] == "unit: %d passed, %d failed, %d skipped" % counts
    assert returned == status
    # The whole output of those that failed only.
    assert ("[  PASSED  ]" in "".join(lines)) == (status != 0 and "PASSED" in program)
    assert ("  skipped: no_root" in lines) == (counts[2] == 1)


def test_no_unit_program_is_a_failure():
    assert run(TESTS / "unit/run")[0] == 1


@pytest.fixture
def replay(tmp_path):
    """A runner with one case, and a synwatch that prints its arguments and the records."""
    shutil.copy2(TESTS / "replay/run", tmp_path)
    case = tmp_path / "silent_drop"
    case.mkdir()
    (case / "records.txt").write_text("open\nretry\n", encoding="utf-8")
    (case / "args").write_text("--port 80 -4\n", encoding="utf-8")
    (case / "expected.jsonl").write_text(
        "--json --port 80 -4 read records.txt\nopen\nretry\n", encoding="utf-8"
    )
    script(tmp_path / "synwatch", 'echo "$*"; cat records.txt')

    def run_replay(*words):
        return run(tmp_path / "run", *words, SYNWATCH=str(tmp_path / "synwatch"))

    run_replay.case = case
    run_replay.program = tmp_path / "synwatch"
    return run_replay


def test_a_case_that_reads_as_expected_passes(replay):
    assert replay() == (0, ["replay: 1 passed, 0 failed"])
    assert replay("silent_drop") == (0, ["replay: 1 passed, 0 failed"])


@pytest.mark.parametrize("file", ["records.txt", "args", "expected.jsonl"])
def test_a_case_that_reads_otherwise_fails(replay, file):
    (replay.case / file).write_text("something else\n", encoding="utf-8")
    status, lines = replay()
    assert (status, lines[-1]) == (1, "replay: 0 passed, 1 failed")
    assert lines[0] == "--- silent_drop/expected.jsonl"


@pytest.mark.parametrize("words", [[], ["--update"]])
def test_a_program_that_fails_is_not_compared(replay, words):
    script(replay.program, 'echo "$*"; cat records.txt; exit 1')
    expected = (replay.case / "expected.jsonl").read_bytes()
    assert replay(*words)[0] == 1
    assert (replay.case / "expected.jsonl").read_bytes() == expected


def test_update_writes_down_what_comes(replay):
    (replay.case / "records.txt").write_text("open\n", encoding="utf-8")
    assert replay()[0] == 1
    assert replay("--update")[0] == 0
    assert replay() == (0, ["replay: 1 passed, 0 failed"])


def test_a_case_without_expectation_fails(replay):
    (replay.case / "expected.jsonl").unlink()
    assert replay()[0] == 1
