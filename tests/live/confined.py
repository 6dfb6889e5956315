# SPDX-License-Identifier: GPL-2.0-only
"""synwatch with less than root has: wrappers that take it away, then exec it."""

import ctypes
import os
import platform
import shutil
import stat
import struct
import subprocess
import tempfile
from pathlib import Path

import pytest

import watch

NOBODY = 65534

BTF = Path("/sys/kernel/btf/vmlinux")

# What a container with a network of its own is given as a rule, and what a watch takes.
CONTAINER = ("chown", "dac_override", "fowner", "fsetid", "kill", "setgid", "setuid", "setpcap",
             "net_bind_service", "net_raw", "sys_chroot", "mknod", "audit_write", "setfcap",
             "bpf", "perfmon")


def capabilities():
    """All that this process could pass on, by setpriv's names."""
    names = subprocess.run(["setpriv", "--list-caps"], capture_output=True, text=True,
                           check=True).stdout.split()
    held = int(status(os.getpid())["CapBnd"], 16)
    return [name for number, name in enumerate(names) if held >> number & 1]


def status(task):
    """/proc/PID/status, or of a thread: {name: text}."""
    path = task if isinstance(task, Path) else Path(f"/proc/{task}")
    lines = (path / "status").read_text().splitlines()
    return {name: text.strip() for name, _, text in (line.partition(":") for line in lines)}


def threads(pid):
    return [status(task) for task in Path(f"/proc/{pid}/task").iterdir()]


def as_root_with(*names):
    """Root of which only these capabilities are left, for whatever it executes, too."""
    kept = ",".join(["-all", *(f"+{name}" for name in names)])
    return ["setpriv", f"--bounding-set={kept}", "--inh-caps=-all"]


def as_user_with(*names, uid=NOBODY):
    kept = ",".join(["-all", *(f"+{name}" for name in names)])
    return ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups",
            f"--inh-caps={kept}", f"--ambient-caps={kept}"]


@pytest.fixture
def place():
    """A directory that any user can go through, unlike pytest's own."""
    with tempfile.TemporaryDirectory(prefix="synwatch-") as name:
        os.chmod(name, 0o755)
        yield Path(name)


@pytest.fixture
def everybodys(place):
    """A copy of the program where any user can execute it."""
    copy = place / "synwatch"
    shutil.copy(watch.program(), copy)
    copy.chmod(0o755)
    return copy


@pytest.fixture
def behind(place, everybodys, monkeypatch):
    """behind(command): from now on the program to test is run by this command."""
    def wrap(command, program=everybodys):
        words = " ".join(f"'{word}'" for word in (*command, program))
        wrapper = place / "wrapper"
        wrapper.write_text(f'#!/bin/sh\nexec {words} "$@"\n')
        wrapper.chmod(wrapper.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)
        monkeypatch.setenv("SYNWATCH", str(wrapper))

    return wrap


def doctored_btf(path, *names):
    """The kernel's types, in which these have another name."""
    btf = BTF.read_bytes()
    for name in names:
        word = f"\0{name}\0".encode()
        assert btf.count(word) == 1, f"no {name} to take away"
        btf = btf.replace(word, word[:-2] + b"?\0")
    path.write_bytes(btf)
    return path


def mounting(source, target):
    """Bound over a file, for what it executes only."""
    return ["unshare", "--mount", "sh", "-c",
            f'mount --bind "{source}" "{target}" && exec "$@"', "sh"]


# linux/filter.h, linux/seccomp.h
_LOAD, _JUMP_EQUAL, _RETURN = 0x20, 0x15, 0x06
_ALLOW, _ERRNO = 0x7fff0000, 0x00050000
_PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP, _MODE_FILTER = 38, 22, 2
_BPF = {"x86_64": 321, "aarch64": 280}[platform.machine()]

MAP_CREATE, PROG_LOAD = 0, 5


def refusing_bpf(command, errno):
    """A preexec_fn: from then on bpf(2) with that command (None: any) fails with errno."""
    steps = [(_LOAD, 0, 0, 0), (_JUMP_EQUAL, 0, 1 if command is None else 3, _BPF)]
    if command is not None:
        steps += [(_LOAD, 0, 0, 16), (_JUMP_EQUAL, 0, 1, command)]
    steps += [(_RETURN, 0, 0, _ERRNO | errno), (_RETURN, 0, 0, _ALLOW)]
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in steps))
    program = ctypes.create_string_buffer(
        struct.pack("HxxxxxxQ", len(steps), ctypes.addressof(code)))
    libc = ctypes.CDLL(None, use_errno=True)

    def install(keep=code):
        assert keep and not libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        assert not libc.prctl(_PR_SET_SECCOMP, _MODE_FILTER, program, 0, 0)

    return install
