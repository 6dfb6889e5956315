# SPDX-License-Identifier: GPL-2.0-only
"""Least privilege: what it takes to watch, and what is kept of it."""

import json
import os
import sqlite3
import subprocess

import pytest

from confined import (CONTAINER, NOBODY, as_root_with, as_user_with, capabilities, threads)
from netlab import V4
from serving import fill
from watch import program

PORT = 80

USER, GROUP = 12345, 23456  # nobody's

SETS = ("CapInh", "CapPrm", "CapEff", "CapAmb")

DAC_OVERRIDE = 1 << 1

REACH = {
    "other_netns": "they take CAP_SYS_ADMIN to enter",
    "owners": "those of others take CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH",
}


def has_given_up(pid, kept=0, bounded=True):
    for thread in threads(pid):
        for name in SETS:
            expected = kept if name in ("CapPrm", "CapEff") else 0
            assert int(thread[name], 16) == expected, (name, thread)
        assert int(thread["CapBnd"], 16) == 0 or not bounded, thread
        assert thread["NoNewPrivs"] == "1" and thread["Seccomp"] == "2", thread


def is_user(pid, uid, gid):
    for thread in threads(pid):
        assert thread["Uid"].split() == [str(uid)] * 4, thread
        assert thread["Gid"].split() == [str(gid)] * 4, thread


def sees_a_refusal(watching, agent):
    assert agent.connect(V4.target, PORT)["errno"] == "ECONNREFUSED"
    end = watching.wait_for(type="end", role="client")
    assert end["verdict"] == "refused" and end["pid"] == agent.pid, end


def test_root_is_left_without_capabilities(watch, agent, place):
    watching = watch("-w", place / "capture.db")
    assert len(threads(watching.pid)) == 2  # the writer's, too
    has_given_up(watching.pid)
    is_user(watching.pid, 0, 0)
    sees_a_refusal(watching, agent)
    has_given_up(watching.pid)
    watching.stop()


def test_a_user_with_two_capabilities_watches(watch, agent, behind):
    behind(as_user_with("bpf", "perfmon"))
    watching = watch()
    is_user(watching.pid, NOBODY, NOBODY)
    # To empty the bounding set takes CAP_SETPCAP; nothing is to be had from it any more.
    has_given_up(watching.pid, bounded=False)
    for name, why_not in REACH.items():
        assert watching.session["hooks"][name] == why_not
    sees_a_refusal(watching, agent)


def test_capabilities_of_the_file_do_too(watch, agent, behind, everybodys):
    subprocess.run(["setcap", "cap_bpf,cap_perfmon=ep", everybodys], check=True)
    behind(as_user_with())
    watching = watch()
    is_user(watching.pid, NOBODY, NOBODY)
    has_given_up(watching.pid, bounded=False)
    sees_a_refusal(watching, agent)


def test_sys_admin_stands_in_for_both(watch, agent, behind):
    behind(as_user_with("sys_admin"))
    watching = watch()
    has_given_up(watching.pid, bounded=False)
    assert watching.session["hooks"]["other_netns"] is True
    sees_a_refusal(watching, agent)


def test_with_six_a_user_is_told_all_there_is(watch, agent, behind):
    """The service of the README."""
    as_root = watch().session["hooks"]
    behind(as_user_with("bpf", "perfmon", "sys_admin", "sys_ptrace", "dac_read_search", "syslog"))
    watching = watch()
    assert watching.session["hooks"] == as_root
    assert all(as_root[name] is True for name in ("other_netns", "owners", "places")), as_root
    has_given_up(watching.pid, bounded=False)
    sees_a_refusal(watching, agent)


@pytest.mark.slow(1)
@pytest.mark.parametrize("wrapper", [as_root_with(*CONTAINER), as_user_with("bpf", "perfmon")],
                         ids=["container", "user"])
def test_what_is_attached_later_takes_nothing_that_was_given_up(lab, agent, watch, behind,
                                                                wrapper):
    """The one hook of that sort: the victims of a listener in trouble are told one by one."""
    behind(wrapper)
    watching = watch("--role", "server")
    server = lab.server.agent()
    server.call("listen", address=V4.raddr, port=PORT, backlog=0)
    fill(lab.client.agent(), lab, V4, 1)
    agent.start_connect(V4.target, PORT)
    # Its first SYN as a rule comes before the hook is there, and is told in a crowd.
    ignored = watching.wait_for(type="end", verdict="ignored", cause="accept_queue_full")
    assert ignored["rport"] and ignored["pid"] == server.pid, ignored


def test_places_are_named_when_nobody_could_ask_any_more(lab, agent, watch):
    lab.server.iptables(f"-I INPUT -p tcp --dport {PORT} -j DROP")
    watching = watch("--role", "client")
    has_given_up(watching.pid)
    agent.start_connect(V4.target, PORT)
    assert watching.wait_for(type="stall")["drop"]["place"]


# --- started through sudo ---


@pytest.fixture
def through_sudo(monkeypatch):
    monkeypatch.setenv("SUDO_UID", str(USER))
    monkeypatch.setenv("SUDO_GID", str(GROUP))


def test_sudo_is_taken_back(watch, agent, through_sudo):
    watching = watch()
    is_user(watching.pid, USER, GROUP)
    assert watching.session["hooks"]["other_netns"] is True
    has_given_up(watching.pid)
    sees_a_refusal(watching, agent)


@pytest.mark.parametrize("options", [(), ("-w", "capture.db")], ids=["shown", "recorded"])
def test_who_cannot_be_another_stays(watch, behind, through_sudo, place, monkeypatch, options):
    """A container without CAP_SETUID, say."""
    monkeypatch.chdir(place)
    behind(as_root_with("bpf", "perfmon"))
    watching = watch(*options)
    is_user(watching.pid, 0, 0)
    has_given_up(watching.pid, bounded=False)


def owner(path):
    found = os.stat(path)
    return found.st_uid, found.st_gid


@pytest.mark.slow(1)
def test_the_capture_belongs_to_whom_sudo_was_called_by(watch, agent, through_sudo, place):
    os.chown(place, USER, GROUP)
    path = place / "capture.db"
    watching = watch("-w", path)
    sees_a_refusal(watching, agent)
    for name in (path, f"{path}-wal", f"{path}-shm"):
        assert owner(name) == (USER, GROUP), name
    watching.stop()
    assert owner(path) == (USER, GROUP)
    assert sorted(entry.name for entry in place.iterdir()) == ["capture.db"]
    # And once more, into the file that is theirs by now.
    watching = watch("-w", path)
    watching.stop()
    with sqlite3.connect(path) as database:
        assert database.execute("SELECT count(*) FROM session").fetchone() == (2,)


def test_where_only_root_may_write_root_it_stays(watch, through_sudo, place):
    path = place / "capture.db"
    watching = watch("-w", path)
    is_user(watching.pid, 0, 0)
    has_given_up(watching.pid)
    assert owner(path) == (0, 0)
    watching.stop()


def test_a_file_of_roots_is_written_by_root(watch, through_sudo, place):
    """Left in the user's directory by an earlier watch, say."""
    path = place / "capture.db"
    watch("-w", path).stop()
    os.chown(place, USER, GROUP)
    watching = watch("-w", path)
    is_user(watching.pid, 0, 0)
    # Not so the directory: there are the log and its index to be made.
    has_given_up(watching.pid, kept=DAC_OVERRIDE)
    watching.stop()


def test_what_sudo_says_counts_for_root_only(watch, behind, through_sudo):
    behind(as_user_with("bpf", "perfmon", "setuid", "setgid"))
    watching = watch()
    is_user(watching.pid, NOBODY, NOBODY)
    has_given_up(watching.pid, bounded=False)


@pytest.mark.parametrize("uid, gid", [("", "1"), ("1", ""), ("-1", "1"), ("0x1", "1"),
                                      ("4294967295", "1"), ("1", "4294967296"), ("0", "0")])
def test_what_makes_no_sense_is_not_believed(watch, monkeypatch, uid, gid):
    monkeypatch.setenv("SUDO_UID", uid)
    monkeypatch.setenv("SUDO_GID", gid)
    watching = watch()
    is_user(watching.pid, 0, 0)
    has_given_up(watching.pid)


# --- one capability less ---


def run_it(command):
    return subprocess.run([*command, program(), "--json", "-d", "1ms", "-P", "1"],
                          capture_output=True, text=True, timeout=60)


CONTAINED = ["unshare", "--pid", "--fork", "--mount-proc", "--net", "--uts", "--ipc"]


def works_or_says_why(done, needed, missing):
    """Missing one that is needed it fails with a sentence, else it runs to its end."""
    if missing in needed:
        assert done.returncode == 1 and done.stdout == "", done
        name = f"CAP_{missing.upper()}"
        assert done.stderr.count("\n") == 1 and f"for want of {name}:" in done.stderr, done
    else:
        assert done.returncode == 0, done
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        # In between the host may have a loss to tell of.
        assert lines[0]["type"] == "session" and lines[-1]["type"] == "summary", done
        assert lines[0]["hooks"]["inet_sock_set_state"] is True
        return lines[0]["hooks"]
    return None


@pytest.mark.parametrize("missing", CONTAINER)
def test_a_container_with_one_capability_less(missing):
    rest = [name for name in CONTAINER if name != missing]
    done = run_it([*CONTAINED, *as_root_with(*rest)])
    hooks = works_or_says_why(done, ("bpf", "perfmon"), missing)
    if hooks:
        assert hooks["other_netns"] == REACH["other_netns"], hooks


@pytest.mark.parametrize("missing", capabilities())
def test_root_with_one_capability_less(missing):
    """CAP_SYS_ADMIN stands in for the two; without it they suffice."""
    rest = [name for name in capabilities() if name != missing]
    hooks = works_or_says_why(run_it(as_root_with(*rest)), (), missing)
    assert (hooks["other_netns"] is True) == (missing != "sys_admin"), hooks
    assert (hooks["owners"] is True) == (missing != "sys_ptrace"), hooks


@pytest.mark.parametrize("missing", ["bpf", "perfmon"])
def test_a_user_with_one_capability_less(everybodys, monkeypatch, missing):
    monkeypatch.setenv("SYNWATCH", str(everybodys))
    rest = [name for name in ("bpf", "perfmon") if name != missing]
    works_or_says_why(run_it(as_user_with(*rest)), ("bpf", "perfmon"), missing)
