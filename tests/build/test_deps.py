# SPDX-License-Identifier: GPL-2.0-only
"""What .ci/deps says and does where something is missing, with pretended package managers."""

import itertools
import os
import subprocess
from glob import glob
from pathlib import Path

import pytest

DEPS = Path(__file__).resolve().parents[2] / ".ci/deps"
MANAGERS = ("apt-get", "dnf", "pacman", "apk")


@pytest.fixture
def system(tmp_path):
    """A PATH of our own: what /usr/bin has, but neither clang nor a package manager."""
    place = tmp_path / "bin"
    place.mkdir()
    for program in Path("/usr/bin").iterdir():
        if program.name not in (*MANAGERS, "clang", "id"):
            (place / program.name).symlink_to(program)
    return place


def pretend(system, name, script=""):
    (system / name).unlink(missing_ok=True)
    (system / name).write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    (system / name).chmod(0o755)


def deps(system, *words):
    env = {k: v for k, v in os.environ.items() if k not in ("CC", "CLANG", "PYTHON")}
    return subprocess.run(
        [DEPS, *words], env={**env, "PATH": str(system)}, capture_output=True, text=True
    )


HINTS = {
    "apt-get": "`sudo make deps` installs them",
    "dnf": "`sudo dnf install clang` installs them",
    "pacman": "`sudo pacman -S clang` installs them",
    "apk": "`sudo apk add clang` installs them",
    None: "these are Debian's names; install what corresponds",
}
CASES = set(itertools.product(HINTS, ("check", "install"), (0, 1000)))
INSTALLS = {("apt-get", "install", 0)}


@pytest.mark.parametrize("manager, action, user", sorted(CASES - INSTALLS, key=str))
def test_says_what_is_missing_and_how_to_get_it(system, manager, action, user):
    pretend(system, "id", f"echo {user}")
    if manager:
        pretend(system, manager, "touch $0.was-run")
    done = deps(system, action, "build")
    assert done.returncode == 1
    assert done.stderr == f"synwatch: missing here: clang; {HINTS[manager]}.\n"
    assert not list(system.glob("*.was-run"))


@pytest.mark.parametrize("manager", MANAGERS)
@pytest.mark.parametrize("action", ["check", "install"])
def test_is_silent_when_nothing_is_missing(system, manager, action):
    pretend(system, "clang")
    pretend(system, "id", "echo 0")
    pretend(system, manager, "touch $0.was-run")
    done = deps(system, action, "build")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert not list(system.glob("*.was-run"))


APT = """
echo "$DEBIAN_FRONTEND $*" >>"$0.log"
case $1 in
update) exit {update} ;;
install) {install} ;;
esac
"""


@pytest.mark.parametrize("update", [0, 100], ids=["fresh list", "list that cannot be fetched"])
def test_root_installs_through_apt(system, update):
    pretend(system, "id", "echo 0")
    install = 'cp "$(dirname "$0")/id" "$(dirname "$0")/clang"'
    pretend(system, "apt-get", APT.format(update=update, install=install))
    done = deps(system, "install", "build")
    assert done.returncode == 0, done.stderr
    updated, installed = (system / "apt-get.log").read_text(encoding="utf-8").splitlines()
    assert updated == "noninteractive update -q"
    words = installed.split()
    assert words[:2] == ["noninteractive", "install"] and words[-1] == "clang"
    assert {"-y", "--no-install-recommends"} < set(words)


@pytest.mark.parametrize("install", ["exit 100", "exit 0"], ids=["refused", "without effect"])
def test_a_failed_installation_is_an_error(system, install):
    pretend(system, "id", "echo 0")
    pretend(system, "apt-get", APT.format(update=0, install=install))
    assert deps(system, "install", "build").returncode == 1


@pytest.mark.skipif(bool(glob("/usr/lib/linux-tools*/*")), reason="has a bpftool to hide")
def test_ubuntu_s_wrapper_without_its_kernel_is_not_a_bpftool(system):
    pretend(system, "clang")
    pretend(system, "bpftool", "echo WARNING: bpftool not found for kernel 6.8.0-31; exit 2")
    pretend(system, "apt-get")
    candidates = "case $2 in linux-tools-generic) echo '  Candidate: 6.8.0-31.31' ;; esac"
    pretend(system, "apt-cache", candidates)
    done = deps(system, "check", "build")
    expected = "synwatch: missing here: linux-tools-generic; `sudo make deps` installs them.\n"
    assert (done.returncode, done.stderr) == (1, expected)


@pytest.mark.parametrize(
    "groups, target",
    [
        (["build"], "deps"),
        (["build", "demo"], "demo"),
        (["build", "unit"], "deps-test"),
        (["bench"], "bench"),
    ],
)
def test_names_the_target_that_installs(system, groups, target):
    pretend(system, "apt-get")
    (system / "bpftrace").unlink(missing_ok=True)
    assert f"`sudo make {target}`" in deps(system, "check", *groups).stderr
