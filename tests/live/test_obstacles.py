# SPDX-License-Identifier: GPL-2.0-only
"""What keeps it from watching: one sentence each, and exit status 1.

What this host cannot be made to do is staged: bpf(2) fails by a seccomp filter, the
kernel's types and what securityfs would say are files mounted over its own.
"""

import errno
import json
import resource
import subprocess

import pytest

from confined import (BTF, MAP_CREATE, NOBODY, PROG_LOAD, as_root_with, as_user_with, doctored_btf,
                      mounting, refusing_bpf)
from watch import program

SECURITYFS = "/sys/kernel/security"


def start(*options, behind=(), preexec=None):
    return subprocess.run([*behind, program(), "-d", "1ms", *options], capture_output=True,
                          text=True, timeout=60, preexec_fn=preexec)


def says(done, *parts):
    """One line, without libbpf's; returns it."""
    assert done.returncode == 1 and done.stdout == "", done
    line, end, rest = done.stderr.partition("\n")
    assert line.startswith("synwatch: ") and end and not rest, done.stderr
    assert "libbpf" not in line
    for part in parts:
        assert part in line, line
    return line


def with_securityfs(tmp_path, **files):
    """Mounted over /sys/kernel/security, for what it executes only."""
    for name, text in files.items():
        (tmp_path / name).write_text(text + "\n")
    return ["unshare", "--mount", "sh", "-c",
            f'mount --bind "{tmp_path}" {SECURITYFS} && exec "$@"', "sh"]


# --- the kernel ---


def test_no_types():
    hide = ["unshare", "--mount", "sh", "-c",
            f'mount -t tmpfs none {BTF.parent} && exec "$@"', "sh"]
    says(start(behind=hide), "no type information (BTF)", "CONFIG_DEBUG_INFO_BTF=y")


def test_types_that_make_no_sense(tmp_path):
    junk = tmp_path / "junk"
    junk.write_bytes(b"no types at all\n" * 100)
    says(start(behind=mounting(junk, BTF)), "no type information (BTF)")


def test_no_tracepoint(tmp_path):
    btf = doctored_btf(tmp_path / "btf", "btf_trace_inet_sock_set_state")
    says(start(behind=mounting(btf, BTF)), "does not have the tracepoint inet_sock_set_state",
         "newer")


def test_no_ring_buffer():
    says(start(preexec=refusing_bpf(MAP_CREATE, errno.EINVAL)), "too old", "5.8")


def test_no_bpf():
    says(start(preexec=refusing_bpf(None, errno.ENOSYS)), "no bpf(2)", "CONFIG_BPF_SYSCALL=y")


def test_the_verifier_refuses_what_is_indispensable(tmp_path):
    btf = doctored_btf(tmp_path / "btf", "skc_daddr")
    says(start(behind=mounting(btf, BTF)), "refuses the BPF programs", "-v")


@pytest.mark.parametrize("field, hook", [("f_inode", "tcp_iter"), ("max_fds", "sys_exit_connect")])
def test_the_verifier_refuses_one_that_is_not(tmp_path, field, hook):
    """It is named, and the others go on."""
    btf = doctored_btf(tmp_path / "btf", field)
    done = start("--json", behind=mounting(btf, BTF))
    assert done.returncode == 0 and done.stderr == "", done
    lost = {hook: "this kernel refuses to load its program"}
    if hook == "tcp_iter":
        lost["other_netns"] = "it takes tcp_iter"
    assert hooks_of(done) == hooks_of(start("--json")) | lost


def hooks_of(done):
    return json.loads(done.stdout.splitlines()[0])["hooks"]


def test_locked_down(tmp_path):
    behind = with_securityfs(tmp_path, lockdown="none integrity [confidentiality]")
    line = says(start(behind=behind, preexec=refusing_bpf(PROG_LOAD, errno.EPERM)),
                "locked down (confidentiality)")
    assert "seccomp" not in line


# --- privileges: test_privileges.py has each capability ---


def test_an_ordinary_user(everybodys, monkeypatch):
    monkeypatch.setenv("SYNWATCH", str(everybodys))
    says(start(behind=as_user_with()), f"user {NOBODY}", "for want of CAP_BPF and CAP_PERFMON",
         "sudo")


def test_root_without_capabilities():
    line = says(start(behind=as_root_with()), "for want of CAP_BPF and CAP_PERFMON",
                "--cap-add BPF --cap-add PERFMON")
    assert "sudo" not in line


def test_a_user_namespace():
    """Root there, with all capabilities there are."""
    says(start(behind=["unshare", "--user", "--map-root-user"]), "user namespace",
         "outside of the container")


@pytest.mark.parametrize("command, what", [(MAP_CREATE, "make BPF maps"),
                                           (PROG_LOAD, "load BPF programs")],
                         ids=["maps", "programs"])
@pytest.mark.parametrize("number", [errno.EPERM, errno.EACCES], ids=["EPERM", "EACCES"])
def test_a_seccomp_filter(command, what, number):
    says(start(preexec=refusing_bpf(command, number)), f"may not {what}",
         "a seccomp filter is in force")


@pytest.mark.parametrize("command, what", [(MAP_CREATE, "make BPF maps"),
                                           (PROG_LOAD, "load BPF programs")],
                         ids=["maps", "programs"])
def test_a_security_module(tmp_path, command, what):
    """As it looks where /proc says of no filter."""
    unfiltered = tmp_path / "status"
    unfiltered.write_text("Seccomp:\t0\n")
    securityfs = tmp_path / "security"
    securityfs.mkdir()
    behind = [*with_securityfs(securityfs, lsm="capability,landlock,selinux"),
              "sh", "-c", f'mount --bind "{unfiltered}" "/proc/$$/status" && exec "$@"', "sh"]
    says(start(behind=behind, preexec=refusing_bpf(command, errno.EPERM)), f"may not {what}",
         "a security module forbids it, of capability,landlock,selinux", "audit")


# --- memory ---


def test_a_memory_cgroup():
    says(start(preexec=refusing_bpf(MAP_CREATE, errno.ENOMEM)), "no memory for the BPF maps",
         "memory limit of this cgroup")


def test_rlimit_memlock(tmp_path):
    """Of a kernel that charges maps to it: one without what came together with the end of that."""
    btf = doctored_btf(tmp_path / "btf", "BPF_FUNC_ktime_get_coarse_ns")
    refuse = refusing_bpf(MAP_CREATE, errno.EPERM)

    def limit():
        resource.setrlimit(resource.RLIMIT_MEMLOCK, (64 << 10, 64 << 10))
        refuse()

    says(start(behind=mounting(btf, BTF), preexec=limit), "RLIMIT_MEMLOCK, which is 64 KiB",
         "ulimit -l unlimited")


# --- and who wants to know more ---


def test_libbpf_is_heard_with_v():
    done = start("-v", preexec=refusing_bpf(PROG_LOAD, errno.EPERM))
    assert done.returncode == 1
    *lines, last = done.stderr.splitlines()
    assert any(line.startswith("synwatch: libbpf: ") for line in lines), done.stderr
    assert last.startswith("synwatch: ") and "seccomp filter" in last
