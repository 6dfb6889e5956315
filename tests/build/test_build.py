# SPDX-License-Identifier: GPL-2.0-only
"""The Makefile: what is made again when something changes, and nothing else."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ("Makefile", ".ci", "bpf", "docs", "include", "user", "vmlinux")
SKELETON = "SKEL build/bpf/synwatch.skel.h"
KERNEL_SIDE = {"BPF bpf/synwatch.bpf.c", SKELETON}


def make(tree, *words, under=()):
    # Whoever runs these tests may be a make, too: its variables are not for this one.
    env = {name: os.environ[name] for name in ("HOME", "PATH", "TMPDIR") if name in os.environ}
    command = [*under, "make", "CFLAGS=-O0", *words]
    return subprocess.run(command, cwd=tree, env=env, capture_output=True, text=True)


def made(tree, *words):
    """What `make` says that it made: {"CC user/main.c", ...}."""
    done = make(tree, "-j2", *words)
    assert done.returncode == 0, done.stderr
    return {" ".join(line.split()) for line in done.stdout.splitlines() if line[:2] == "  "}


def append(path, text="\n/* changed */\n"):
    with path.open("a", encoding="utf-8") as file:
        file.write(text)


def includes(tree, path, places):
    """Every header of the tree that a file sees, however indirectly."""
    found = set()
    for name in re.findall(r'^#include "(.+)"', path.read_text(encoding="utf-8"), re.MULTILINE):
        for place in places:
            header = tree / place / name
            if header.exists() and header not in found:
                found |= {header} | includes(tree, header, places)
    return found


def compiled(tree, wanted):
    """The compilations that concern every source of the user side for which wanted(path)."""
    paths = (tree / "user").rglob("*.c")
    return {f"CC {path.relative_to(tree)}" for path in paths if wanted(path)}


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    tree = tmp_path_factory.mktemp("built")
    for name in SOURCES:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, tree / name)
        else:
            shutil.copy2(source, tree / name)
    assert KERNEL_SIDE < made(tree, "-j8")
    return tree


@pytest.fixture
def tree(built, tmp_path):
    """A built tree that a test may spoil; times are kept, so nothing is out of date."""
    return Path(shutil.copytree(built, tmp_path / "tree"))


def test_what_is_built_is_not_built_again(built):
    assert made(built) == set()


@pytest.mark.parametrize(
    "header",
    [
        "include/synwatch/record.h",
        "include/synwatch/config.h",
        "vmlinux/vmlinux.h",
        "bpf/emit.bpf.h",
        "bpf/compat.bpf.h",
        "user/core/retry.h",
        "user/sink/sink.h",
        "user/source/live.h",
    ],
)
def test_an_edited_header_rebuilds_its_includers(tree, header):
    path = tree / header
    kernel = includes(tree, tree / "bpf/synwatch.bpf.c", ("bpf", "include", "vmlinux"))

    def concerned(source):
        return path in includes(tree, source, ("user", "include")) or (
            path in kernel and '"synwatch.skel.h"' in source.read_text(encoding="utf-8")
        )

    expected = compiled(tree, concerned) | (KERNEL_SIDE if path in kernel else set())
    append(path)
    now = made(tree)
    assert expected and {step for step in now if step[:2] not in ("AR", "LI")} == expected
    assert "LINK build/synwatch" in now
    assert made(tree) == set()


def test_an_edited_source_rebuilds_itself(tree):
    append(tree / "user/core/retry.c")
    assert made(tree) == {"CC user/core/retry.c", "AR build/libcore.a", "LINK build/synwatch"}


def test_other_flags_rebuild_everything_they_concern(tree):
    now = made(tree, "CPPFLAGS=-DSOMETHING_ELSE='\"a b\"'")
    assert compiled(tree, lambda path: True) < now
    assert not KERNEL_SIDE & now
    assert compiled(tree, lambda path: True) < made(tree)


def test_another_version_rebuilds_only_what_prints_it(tree):
    concerned = compiled(tree, lambda path: "SYNWATCH_VERSION" in path.read_text(encoding="utf-8"))
    now = made(tree, "VERSION=9.8.7")
    assert concerned and {step for step in now if step.startswith("CC")} == concerned
    assert not KERNEL_SIDE & now
    shown = subprocess.run([tree / "build/synwatch", "-V"], capture_output=True, text=True)
    assert (shown.returncode, shown.stdout) == (0, "synwatch 9.8.7\n")


def test_a_tree_without_git_has_a_version(built):
    assert (built / "build/version").read_text(encoding="utf-8") == "0.1.0\n"


def test_a_source_that_is_gone_leaves_the_archive(tree):
    source = tree / "user/core/passing.c"
    source.write_text("int passing;\n", encoding="utf-8")
    archive = ["ar", "t", tree / "build/libcore.a"]
    made(tree)
    assert b"passing.o" in subprocess.check_output(archive)
    source.unlink()
    made(tree)
    assert b"passing.o" not in subprocess.check_output(archive)


def test_a_failed_step_leaves_no_half_of_its_target(tree):
    bpftool = subprocess.check_output([tree / ".ci/deps", "bpftool"], text=True).strip()
    half = tree / "half"
    script = f'#!/bin/sh\n[ $2 = skeleton ] || exec {bpftool} "$@"\necho half; exit 1\n'
    half.write_text(script, encoding="utf-8")
    half.chmod(0o755)
    assert make(tree, f"BPFTOOL={half}").returncode != 0
    assert not (tree / "build/bpf/synwatch.skel.h").exists()


def test_the_sanitizers_have_their_own_directory(tree):
    made(tree, "SAN=1", "build/san/user/core/retry.o")

    def symbols(path):
        return subprocess.check_output(["nm", tree / path], text=True)

    assert "__asan_" in symbols("build/san/user/core/retry.o")
    assert "__asan_" not in symbols("build/user/core/retry.o")
    assert made(tree) == set()


def files(place):
    return sorted(str(p.relative_to(place)) for p in place.rglob("*") if p.is_file())


def test_a_build_elsewhere_leaves_the_source_tree_alone(built, tmp_path):
    before = files(built)
    made(built, f"O={tmp_path}/out")
    assert files(built) == before
    assert (tmp_path / "out/synwatch").exists()


def test_clean_leaves_what_it_did_not_make(tree):
    append(tree / "build/notes")
    assert make(tree, "clean").returncode == 0
    assert files(tree / "build") == ["notes"]


def test_install_and_uninstall(tree, tmp_path):
    place = [f"DESTDIR={tmp_path}/root", "prefix=/opt/sw"]
    assert make(tree, "install", *place).returncode == 0
    assert files(tmp_path / "root") == [
        "opt/sw/sbin/synwatch",
        "opt/sw/share/man/man8/synwatch.8",
    ]
    assert make(tree, "uninstall", *place).returncode == 0
    assert files(tmp_path / "root") == []


def test_verbose_shows_the_commands(tree):
    append(tree / "user/core/retry.c")
    command = r"^cc .*-O0 .*-c user/core/retry\.c -o build/user/core/retry\.o$"
    assert re.search(command, make(tree, "V=1").stdout, re.MULTILINE)


def test_help_has_a_line_for_every_target(built):
    makefile = (built / "Makefile").read_text(encoding="utf-8")
    phony = re.findall(r"^\.PHONY:(.*)", makefile, re.MULTILINE)
    targets = set(" ".join(phony).split()) - {"always", "programs"}
    shown = [line.split()[0] for line in make(built, "help").stdout.splitlines()]
    assert sorted(shown) == sorted(targets)


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="not root")


@needs_root
def test_what_root_builds_for_a_user_stays_the_user_s(tree):
    append(tree / "user/core/retry.c")
    sudo = ["env", "SUDO_UID=65534", "SUDO_GID=65534"]
    done = make(tree, "live", "ARGS=--version", under=sudo)
    assert done.stdout.splitlines()[-1] == "synwatch 0.1.0"
    assert {path.stat().st_uid for path in (tree / "build").rglob("*")} == {65534}
    assert (tree / "Makefile").stat().st_uid == 0


@needs_root
def test_a_build_needs_neither_the_kernel_nor_the_network(built, tmp_path):
    hide = 'mount -t tmpfs none /sys && test ! -e /sys/kernel/btf && exec "$@"'
    done = make(
        built, f"O={tmp_path}/out", under=["unshare", "--mount", "--net", "sh", "-c", hide, "sh"]
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out/synwatch").exists()


def test_a_missing_package_is_named_in_one_sentence(built, tmp_path):
    done = make(built, f"O={tmp_path}/out", "CLANG=no-such-clang")
    assert done.returncode != 0
    sentence = "synwatch: missing here: clang; `sudo make deps` installs them."
    assert done.stderr.splitlines()[0] == sentence
    assert "CC " not in done.stdout
