# SPDX-License-Identifier: GPL-2.0-only
"""doctor: what this kernel and these privileges allow, line by line."""

import errno
import json
import os
import subprocess

import pytest

from confined import (BTF, MAP_CREATE, as_root_with, as_user_with, capabilities, doctored_btf,
                      mounting, refusing_bpf)
from netlab import TIMEOUT
from watch import TerminalWatch, program

GROUPS = ["kernel", "namespaces", "hooks", "privileges", "network"]
MARKS = {"ok", "less", "no", "info"}


def examine(behind=(), preexec=None, status=0):
    """Its findings by (group, name), and the diagnosis."""
    done = subprocess.run([*behind, program(), "doctor", "--json"], capture_output=True, text=True,
                          timeout=TIMEOUT, preexec_fn=preexec)
    assert done.returncode == status and done.stderr == "", done
    *lines, diagnosis = [json.loads(line) for line in done.stdout.splitlines()]
    assert diagnosis["type"] == "diagnosis" and diagnosis["schema"] == 1
    assert diagnosis["watchable"] == (status == 0)
    assert diagnosis["advice"].endswith(".") and diagnosis["advice"].isprintable()
    findings = {}
    for line in lines:
        assert line["type"] == "finding" and line["mark"] in MARKS and line["name"], line
        key = line["group"], line["name"]
        assert key not in findings, line
        findings[key] = line
    assert list(dict.fromkeys(group for group, _ in findings)) == GROUPS
    return findings, diagnosis


def marked(findings, mark, group=None):
    return {name for (where, name), line in findings.items()
            if line["mark"] == mark and group in (None, where)}


def test_root_can_watch(watch):
    findings, diagnosis = examine()
    assert marked(findings, "no") == set()
    assert diagnosis["kernel"] == os.uname().release == findings["kernel", "release"]["value"]
    assert diagnosis["host"] == os.uname().nodename
    # It says of each hook what a watch says.
    hooks = watch().session["hooks"]
    assert {name for group, name in findings if group == "hooks"} == hooks.keys()
    assert marked(findings, "ok", "hooks") == {name for name, is_there in hooks.items()
                                               if is_there is True}
    held = {name.upper() for name in capabilities()}
    for (group, name), line in findings.items():
        if group == "privileges" and name.startswith("CAP_"):
            assert (line["value"] == "held") == (name[4:] in held), line


def test_a_hook_that_the_kernel_lacks_and_what_is_lost(tmp_path):
    btf = doctored_btf(tmp_path / "btf", "btf_trace_kfree_skb")
    findings, diagnosis = examine(behind=mounting(btf, BTF))
    lost = findings["hooks", "kfree_skb"]
    assert lost["mark"] == "less" and lost["value"] == "this kernel does not have it"
    assert lost["meaning"] == "what this host drops is not seen (since Linux 5.17)"
    assert {"kfree_skb", "kfree_skb:rx_sk"} <= marked(findings, "less", "hooks")
    assert "takes a newer kernel" in diagnosis["advice"]


def test_a_program_that_the_kernel_refuses(tmp_path):
    btf = doctored_btf(tmp_path / "btf", "f_inode")
    findings, _ = examine(behind=mounting(btf, BTF))
    assert findings["hooks", "tcp_iter"]["value"] == "this kernel refuses to load its program"


def test_a_user_with_two_capabilities(everybodys, monkeypatch):
    monkeypatch.setenv("SYNWATCH", str(everybodys))
    findings, diagnosis = examine(behind=as_user_with("bpf", "perfmon"))
    for name in "CAP_BPF", "CAP_PERFMON":
        assert findings["privileges", name]["mark"] == "ok"
    assert {"CAP_SYS_ADMIN", "CAP_SYS_PTRACE", "CAP_SYSLOG"} <= marked(findings, "less")
    assert {"other_netns", "owners"} <= marked(findings, "less", "hooks")
    assert "run it with sudo" in diagnosis["advice"]


def test_a_user_with_none(everybodys, monkeypatch):
    monkeypatch.setenv("SYNWATCH", str(everybodys))
    findings, diagnosis = examine(behind=as_user_with(), status=1)
    assert {"CAP_BPF", "CAP_PERFMON", "hooks"} <= marked(findings, "no")
    assert diagnosis["advice"].startswith("This host cannot be watched: ")
    assert "for want of CAP_BPF and CAP_PERFMON" in diagnosis["advice"]


def test_sys_admin_stands_in():
    findings, _ = examine(behind=as_root_with("sys_admin"))
    assert findings["privileges", "CAP_BPF"]["value"] == "CAP_SYS_ADMIN stands in"
    assert findings["privileges", "CAP_BPF"]["mark"] == "ok"


def test_no_types():
    hide = ["unshare", "--mount", "sh", "-c",
            f'mount -t tmpfs none {BTF.parent} && exec "$@"', "sh"]
    findings, diagnosis = examine(behind=hide, status=1)
    assert findings["kernel", "btf"]["mark"] == "no"
    assert "CONFIG_DEBUG_INFO_BTF=y" in diagnosis["advice"]


def test_namespaces_of_a_container():
    findings, diagnosis = examine(
        behind=["unshare", "--user", "--map-root-user", "--pid", "--fork", "--mount-proc",
                "--net"], status=1)
    assert findings["namespaces", "user"]["mark"] == "no"
    assert findings["namespaces", "pid"]["mark"] == "less"
    assert "user namespace" in diagnosis["advice"]


def test_what_refuses_is_said_as_the_watch_says_it():
    watching = subprocess.run([program(), "-d", "1ms"], capture_output=True, text=True,
                              timeout=TIMEOUT, preexec_fn=refusing_bpf(MAP_CREATE, errno.EPERM))
    _, diagnosis = examine(preexec=refusing_bpf(MAP_CREATE, errno.EPERM), status=1)
    wrong = watching.stderr.removeprefix("synwatch: ").rpartition(": ")[0]
    assert wrong in diagnosis["advice"]


@pytest.mark.parametrize("mode, mark", [("[none] integrity confidentiality", "ok"),
                                        ("none [integrity] confidentiality", "ok"),
                                        ("none integrity [confidentiality]", "no")])
def test_lockdown(tmp_path, mode, mark):
    (tmp_path / "lockdown").write_text(mode + "\n")
    (tmp_path / "lsm").write_text("lockdown,\x1b[2Jevil\n")
    findings, _ = examine(behind=mounting(tmp_path, "/sys/kernel/security"))
    assert findings["kernel", "lockdown"]["mark"] == mark
    assert f"[{findings['kernel', 'lockdown']['value']}]" in mode
    assert findings["kernel", "security_modules"]["value"] == "lockdown,\x1b[2Jevil"


def test_the_sysctls_are_those_of_this_namespace(lab):
    lab.client.sysctl("net.ipv4.tcp_syn_retries", 2)
    lab.client.sysctl("net.ipv4.tcp_syncookies", 0)
    lab.client.sysctl("net.ipv4.ip_local_port_range", "1024 1033")
    findings, _ = examine(behind=lab.client.command())
    assert findings["network", "tcp_syn_retries"]["value"] == "2"
    assert "gives up after 7 s" in findings["network", "tcp_syn_retries"]["meaning"]
    assert findings["network", "tcp_syncookies"]["mark"] == "less"
    ports = findings["network", "ip_local_port_range"]
    assert ports["value"] == "1024 1033" and ports["meaning"].startswith("10 ports"), ports


# --- for people ---


def read_terminal(columns, *options):
    terminal = TerminalWatch(["doctor", *options], columns)
    try:
        terminal.wait_for(rb"This host can be watched[^\n]*\n")
        assert terminal.wait() == 0
        return terminal.output, terminal.rows()
    finally:
        terminal.close()


@pytest.mark.parametrize("columns", [80, 160])
def test_a_list_for_people(columns):
    _, rows = read_terminal(columns)
    assert all(len(row) <= columns for row in rows), max(rows, key=len)
    assert any(row.startswith("ok   inet_sock_set_state") for row in rows)
    assert [row for row in rows if row][-1].startswith("This host can be watched")
    for title in ("Kernel", "Namespaces", "Hooks and what they tell, tried just now", "Privileges",
                  "Sysctls of this network namespace"):
        assert title in rows


def test_colours_only_where_they_are_wanted():
    assert b"\x1b[32mok" in read_terminal(80)[0]
    assert b"\x1b" not in read_terminal(80, "--no-color")[0]
    done = subprocess.run([program(), "doctor"], capture_output=True, timeout=TIMEOUT)
    assert b"\x1b" not in done.stdout and done.returncode == 0


def test_a_closed_output_is_no_failure():
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run([program(), "doctor"], stdout=write, stderr=subprocess.PIPE,
                          timeout=TIMEOUT)
    os.close(write)
    assert done.returncode == 0 and done.stderr == b""


def test_a_full_output_is_one():
    with open("/dev/full", "w") as full:
        done = subprocess.run([program(), "doctor", "--json"], stdout=full,
                              stderr=subprocess.PIPE, text=True, timeout=TIMEOUT)
    assert done.returncode == 1 and "cannot write the output" in done.stderr
