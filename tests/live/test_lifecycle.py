# SPDX-License-Identifier: GPL-2.0-only
"""How it starts and how it ends."""

import json
import os
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest

from netlab import TIMEOUT, V4, run
from watch import program

PORT = 80


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda n: n.name)
def test_signal_ends_it_in_good_order(lab, agent, watch, number):
    watching = watch("--role", "client")
    assert agent.connect(V4.target, PORT)["errno"] == "ECONNREFUSED"
    # Nobody waits for the line: it may not get lost on the way out.
    watching.stop(number)  # asserts status 0 and the summary as last line
    assert [line["verdict"] for line in watching.lines] == ["refused"]


def bpf_objects(pid):
    """{"prog": ids, "map": ids, "link": ids} that a process holds."""
    ids = {"prog": set(), "map": set(), "link": set()}
    for info in Path(f"/proc/{pid}/fdinfo").iterdir():
        for kind, number in re.findall(r"^(prog|map|link)_id:\t(\d+)$", info.read_text(), re.M):
            ids[kind].add(int(number))
    return ids


def listed(kind):
    """bpftool goes from number to number, and gives up where one is gone meanwhile: other tests'
    objects come and go."""
    deadline = time.monotonic() + TIMEOUT
    while True:
        try:
            return json.loads(run("bpftool", "--json", kind, "show"))
        except RuntimeError:
            assert time.monotonic() < deadline


def bpf_objects_left(ids):
    def existing(kind):
        return {entry["id"] for entry in listed(kind)}

    return {kind: numbers & existing(kind) for kind, numbers in ids.items()}


@pytest.mark.core("SIGKILL")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL],
                         ids=lambda n: n.name)
def test_nothing_stays_in_the_kernel(watch, number):
    watching = watch()
    ids = bpf_objects(watching.pid)
    assert ids["prog"] and ids["map"]
    assert bpf_objects_left(ids) == ids

    watching.signal(number)
    watching.wait()

    # The kernel frees them when it gets round to it and tells nobody: the one thing here that
    # has to be asked for again and again.
    deadline = time.monotonic() + TIMEOUT
    while any((left := bpf_objects_left(ids)).values()):
        assert time.monotonic() < deadline, left
        time.sleep(0.05)


def test_closed_stdout_ends_it_quietly(lab, agent):
    """`synwatch | head -1`, seen from head."""
    watching = subprocess.Popen([program(), "--json", "--netns", lab.client.path],
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        assert json.loads(watching.stdout.readline())["type"] == "session"
        watching.stdout.close()
        assert agent.connect(V4.target, PORT)["errno"] == "ECONNREFUSED"
        assert watching.wait(TIMEOUT) == 0
        assert watching.stderr.read() == b""
    finally:
        watching.kill()
        watching.wait()
        watching.stderr.close()


def test_duration_ends_it(watch):
    summary = watch("-d", "300ms").finish()
    assert summary["duration_s"] >= 0.3


def test_count_ends_it_after_so_many_ends(lab, agent, watch):
    lab.server.listen(PORT)
    watching = watch("-c", "2", "--role", "client")
    # Healthy ones are not shown, so they do not count.
    assert agent.connect(V4.target, PORT, name="healthy")["errno"] is None
    for port in 81, 82, 83:
        assert agent.connect(V4.target, port)["errno"] == "ECONNREFUSED"

    summary = watching.finish()

    assert [line["rport"] for line in watching.lines] == [81, 82]
    assert summary["handshakes"]["client"] == {"refused": 2}


@pytest.mark.parametrize("options", [
    "--nonsense", "-P 65536", "-P 9-8", "-P http", "-p 0", "-p -1", "-H 1.2.3.4/33", "-H ::1/129",
    "-H example.org", "-r both", "-d 5", "-d 5x", "-s -1s", "-c 0", "-c few",
    "--netns /nonexistent", "--cgroup /nonexistent", "-u no-such-user-here", "surplus",
])
def test_wrong_usage(options):
    done = subprocess.run([program(), *options.split()], capture_output=True, timeout=TIMEOUT)
    assert done.returncode == 2, done
    assert done.stdout == b""
    assert done.stderr.startswith(b"synwatch: ")


@pytest.mark.parametrize("option", ["-h", "--help", "-V", "--version"])
def test_help_goes_to_stdout(option):
    done = subprocess.run([program(), option], capture_output=True, timeout=TIMEOUT)
    assert done.returncode == 0
    assert b"synwatch" in done.stdout
    assert done.stderr == b""


def test_session_says_what_it_watches(lab, watch):
    session = watch("-P", "80,443", "-r", "client").session
    assert session["host"] == os.uname().nodename
    assert session["kernel"] == os.uname().release
    assert session["boot_id"] == Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    assert session["filters"]["port"] == ["80", "443"]
    assert session["filters"]["role"] == ["client"]
    for hook in ("inet_sock_set_state", "tcp_retransmit_skb", "tcp_retransmit_synack",
                 "tcp_receive_reset"):
        assert session["hooks"][hook] is True
