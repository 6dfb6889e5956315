# SPDX-License-Identifier: GPL-2.0-only
"""Handshakes that hang already when the watch begins."""

import contextlib
import os
import socket
import threading
import time

import pytest

import cgroups
from expect import client_of, has, on_wire, seconds
from netlab import MAPPED, V4, V6, Namespace, run

pytestmark = pytest.mark.role("client")

PORT = 80
UID = 54321

RETRIES = "net.ipv4.tcp_syn_retries"
LINEAR = "net.ipv4.tcp_syn_linear_timeouts"  # 6.5+

DROP = f"INPUT -p tcp --dport {PORT} -j DROP"


@pytest.fixture
def hang(lab):
    """hang(agent, way): a connect() that has been retried by the time this returns."""
    wire = lab.server.sniff()

    def start(agent, way=V4, **arguments):
        lab.server.iptables(f"-I {DROP}", way)
        agent.connect(way.target, PORT, blocking=False, **arguments)
        first = wire.wait_for(lambda segment: segment.is_syn)
        wire.wait_for(lambda segment: segment.is_syn and segment is not first
                      and segment.sport == first.sport)
        return first

    return start


@pytest.mark.slow(19)
@pytest.mark.parametrize("way", [V4, V6, MAPPED])
def test_from_5_seconds_on_to_its_end(lab, agent, watch, way):
    # Without linear timeouts there is no SYN between 3 s and 7 s.
    lab.client.sysctl(RETRIES, 3 if lab.client.has_sysctl(LINEAR) else 4)
    lab.server.iptables(f"-I {DROP}", way)
    agent.call("uid", uid=UID)
    wire = lab.server.sniff()
    began = agent.connect(way.target, PORT, blocking=False)["began"]
    syn = wire.wait_for(lambda segment: segment.is_syn)
    wire.wait_for(lambda segment: segment.is_syn and time.time() >= began + 5)

    sent_before = len(wire.syns(PORT))
    watching = watch()
    adopted = watching.wait_for(timeout=1, type="stall")
    sent_after = len(wire.syns(PORT))
    end = watching.wait_for(type="end")

    who = client_of(agent, lab, way, PORT) | on_wire(syn)
    who |= {"uid": UID, "adopted": True, "owners": 1, "id": adopted["id"]}
    # What was dropped before anybody watched left no trace.
    has(adopted, **who, cause="no_answer", errno=None, closer=None, syn_unsent=0)
    assert 0 <= seconds(adopted) - seconds(watching.session) < 1
    assert abs(seconds(adopted) - adopted["elapsed_ms"] / 1000 - began) < 0.1
    assert sent_before <= adopted["syn_sent"] <= sent_after

    stalls = watching.of_type("stall")
    syns = wire.syns(PORT)
    assert [stall["syn_sent"] for stall in stalls] == \
        list(range(adopted["syn_sent"], len(syns) + 1))
    for stall in stalls:
        has(stall, **who, syn_retransmits=stall["syn_sent"] - 1, retry_limit=len(syns) - 1)
    due = seconds(adopted) + adopted["next_retry_ms"] / 1000
    assert abs(due - seconds(stalls[1])) < 0.1
    assert abs(seconds(adopted) + adopted["give_up_ms"] / 1000 - seconds(end)) < \
        0.06 * end["elapsed_ms"] / 1000
    has(end, **who, verdict="timed_out", errno="ETIMEDOUT", closer=None, syn_sent=len(syns))
    assert watching.stop()["handshakes"]["client"] == {"timed_out": 1}
    assert watching.lines == [*stalls, end]


def test_answered_late_it_is_followed_like_any_other(lab, agent, watch, hang):
    lab.server.listen(PORT)
    syn = hang(agent)
    watching = watch()
    adopted = watching.wait_for(type="stall")
    lab.server.iptables(f"-D {DROP}")
    has(watching.wait_for(type="end"), **client_of(agent, lab, V4, PORT) | on_wire(syn)
        | {"adopted": True}, id=adopted["id"], verdict="established")


@pytest.mark.core
def test_closed_it_tells_by_whom(agent, watch, hang):
    hang(agent)
    watching = watch()
    adopted = watching.wait_for(type="stall")
    agent.call("close")
    end = watching.wait_for(type="end")
    has(end, id=adopted["id"], verdict="abandoned", adopted=True, pid=agent.pid)
    has(end["closer"], pid=agent.pid, how="close")


def test_of_several_owners_the_first_is_named(agent, watch, hang):
    hang(agent)
    child = agent.call("share")["pid"]
    has(watch().wait_for(type="stall"), pid=min(agent.pid, child), owners=2, comm=agent.COMM)


def test_of_several_owners_the_one_asked_for_is_named(agent, watch, hang):
    hang(agent)
    child = agent.call("share")["pid"]
    for pid in agent.pid, child:
        has(watch("--pid", pid).wait_for(type="stall"), pid=pid, owners=2)


def test_without_an_owner_the_owner_is_unknown(lab, agent, watch, hang):
    syn = hang(agent)
    agent.call("send_away")
    watching, asking = watch(), watch("--pid", agent.pid)
    unknown = {"pid": None, "tid": None, "comm": None, "uid": None, "cgroup": None, "owners": None}
    has(watching.wait_for(type="stall"), **client_of(agent, lab, V4, PORT) | on_wire(syn) | unknown
        | {"adopted": True})
    asking.stop()
    assert asking.lines == []


@pytest.mark.parametrize("way", [V4, V6])
def test_every_filter(lab, agent, watch, hang, way):
    hang(agent, way, bind=[way.laddr, 5001])
    other = 4 if way.family == 6 else 6
    letting_in = [f"-p {agent.pid}", "-P 80", "--lport 5001", "--rport 80", f"-H {way.raddr}",
                  f"-{way.family}", "-u 0", f"--comm {agent.COMM}", "-r client",
                  f"-p {agent.pid} -u 0 --comm {agent.COMM} -P 5001"]
    keeping_out = [f"-p {os.getpid()}", "-P 81", "--lport 80", "--rport 5001", "-H 192.0.2.1",
                   f"-{other}", "-u 1", "--comm other", f"-p {agent.pid} -u 1"]
    seeing = [watch(*options.split()) for options in letting_in]
    blind = [watch(*options.split()) for options in keeping_out]
    blind.append(watch(netns=[lab.server]))
    for watching in seeing:
        has(watching.wait_for(type="stall"), adopted=True, pid=agent.pid, lport=5001)
    for watching in blind:
        watching.stop()
        assert watching.lines == [], watching.options


def test_cgroup_and_those_below_it(cgroup, agent, watch, hang):
    (cgroup / "child" / "cgroup.procs").write_text(str(agent.pid))
    hang(agent)
    for group in cgroup, cgroup / "child":
        has(watch("--cgroup", group).wait_for(type="stall"), pid=agent.pid, adopted=True,
            cgroup=(cgroup / "child").stat().st_ino)
    (cgroup / "other").mkdir()
    try:
        blind = watch("--cgroup", cgroup / "other")
        blind.stop()
        assert blind.lines == []
    finally:
        cgroups.remove(cgroup / "other")


@pytest.fixture
def lonely(tmp_path):
    """A namespace that no process lives in, and that is not where `ip netns` keeps them."""
    name = f"synwatch-{os.getpid()}-lonely"
    run("ip", "netns", "add", name)
    netns = Namespace(name)
    netns.path = str(tmp_path / "a name")
    (tmp_path / "a name").touch()
    run("mount", "--bind", f"/run/netns/{name}", netns.path)
    run("ip", "netns", "del", name)
    yield netns
    # Another test's watch may be in there at this moment, looking for what hangs.
    run("umount", "--lazy", netns.path)


def test_in_a_namespace_that_is_only_mounted(lonely, watch):
    lonely.run("ip", "link", "set", "lo", "up")
    lonely.iptables(f"-I {DROP}")
    with lonely.entered():
        sock = socket.socket()
    with sock:
        sock.setblocking(False)
        sock.connect_ex(("127.0.0.1", PORT))
        has(watch("--stall-after", "100ms", netns=[lonely]).wait_for(type="stall"),
            netns=lonely.inode, pid=os.getpid(), adopted=True, rport=PORT)


def test_what_begins_meanwhile_is_shown_once(lab, watch):
    """Handshakes begin, and are retried, all the time while the watch begins."""
    lab.server.iptables(f"-I {DROP}")
    wire = lab.server.sniff()
    lports = []
    with contextlib.ExitStack() as sockets:
        stop = threading.Event()

        def connect_all_the_time():
            with lab.client.entered():
                while not stop.wait(0.003):
                    sock = sockets.enter_context(socket.socket())
                    sock.setblocking(False)
                    sock.connect_ex((V4.target, PORT))
                    lports.append(sock.getsockname()[1])

        thread = threading.Thread(target=connect_all_the_time)
        thread.start()
        try:
            first = wire.wait_for(lambda segment: segment.is_syn)
            wire.wait_for(lambda segment: segment.is_syn and segment is not first
                          and segment.sport == first.sport)
            watching = watch()
        finally:
            stop.set()
            thread.join()
        for lport in lports:
            watching.wait_for(type="stall", lport=lport)
        # Each has been retried once more: time enough for a second one to show up.
        for lport in lports:
            watching.wait_for(type="stall", lport=lport)

    assert {line["pid"] for line in watching.lines} == {os.getpid()}
    assert {line["adopted"] for line in watching.lines} == {True, False}
    for line in watching.lines:
        # retrans_stamp, from which the age of an adopted one is known, is good to 1 ms
        assert not line["adopted"] or \
            seconds(line) - line["elapsed_ms"] / 1000 <= seconds(watching.session) + 0.002, line
    for lport in lports:
        lines = [line for line in watching.of_type("stall") if line["lport"] == lport]
        assert len({line["id"] for line in lines}) == 1, lines
        retries = [line["syn_retransmits"] for line in lines]
        assert retries == list(range(retries[0], retries[0] + len(retries))), lines
