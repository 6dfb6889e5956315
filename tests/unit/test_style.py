# SPDX-License-Identifier: GPL-2.0-only
"""What a machine can say about how the files are written."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# Every release of clang-format lays out a few things differently.
CLANG_FORMAT = 14


def c_files():
    trees = ("bpf", "include", "tests", "user", "vmlinux")
    return sorted(str(p) for tree in trees for p in (ROOT / tree).rglob("*.[ch]"))


def run(*words):
    return subprocess.run(words, capture_output=True, text=True)


def clang_format():
    """The program, or None where there is none of the right release."""
    for name in (f"clang-format-{CLANG_FORMAT}", "clang-format"):
        if shutil.which(name):
            if f"version {CLANG_FORMAT}." in run(name, "--version").stdout:
                return name
    return None


def test_c_files_are_formatted():
    program = clang_format()
    if program is None:
        pytest.skip(f"no clang-format {CLANG_FORMAT}")
    done = run(program, "--dry-run", "-Werror", *c_files())
    assert done.returncode == 0, done.stderr


def test_c_files_name_their_licence_first():
    licence = re.compile(r"(//|/\*) SPDX-License-Identifier: GPL-2\.0-only\b")
    without = [p for p in c_files() if not licence.match(Path(p).read_text(encoding="utf-8"))]
    assert c_files() and without == []


def test_the_manual_page_has_no_mistake():
    done = run("mandoc", "-T", "lint", "-W", "warning", str(ROOT / "docs/synwatch.8"))
    assert done.returncode == 0, done.stdout


def test_the_manual_page_says_of_kernels_what_the_program_knows():
    """`make man-kernels` makes it so."""
    program = os.environ.get("KERNELS_PAGE")
    if program is None:
        pytest.skip("make lint names the program that knows")
    page = (ROOT / "docs/synwatch.8").read_text(encoding="utf-8")
    done = subprocess.run([program], input=page, capture_output=True, text=True, check=True)
    assert done.stdout == page
