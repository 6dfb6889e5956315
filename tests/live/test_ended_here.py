# SPDX-License-Identifier: GPL-2.0-only
"""Handshakes that this host ended: the application, or somebody with `ss -K`."""

import pytest

from expect import client_of, has, on_wire, seen
from netlab import MAPPED, V4, V6

pytestmark = pytest.mark.role("client")

PORT = 80


@pytest.fixture
def hung(lab, agent, watch):
    """A non-blocking connect that has stalled: (watching, stall line)."""
    lab.server.iptables(f"-I INPUT -p tcp --dport {PORT} -j DROP")
    watching = watch()
    assert agent.connect(V4.target, PORT, blocking=False)["errno"] == "EINPROGRESS"
    stall = watching.wait_for(type="stall")
    has(stall, cause=seen(watching, "dropped_by_peer"))
    return watching, stall


def check_abandoned(end, stall, agent, **closer):
    has(end, id=stall["id"], verdict="abandoned", cause=stall["cause"], errno=None, icmp=None,
        pid=agent.pid, tid=agent.pid, comm=agent.COMM)
    has(end["closer"], **closer)
    assert end["syn_sent"] == end["syn_retransmits"] + 1 >= stall["syn_sent"]


def test_close(hung, agent):
    watching, stall = hung
    agent.call("close")
    check_abandoned(watching.wait_for(type="end"), stall, agent,
                    pid=agent.pid, tid=agent.pid, comm=agent.COMM, how="close")
    assert watching.stop()["handshakes"]["client"] == {"abandoned": 1}


def test_close_in_another_thread(hung, agent):
    watching, stall = hung
    tid = agent.call("close_in_thread")["tid"]
    assert tid != agent.pid
    check_abandoned(watching.wait_for(type="end"), stall, agent,
                    pid=agent.pid, tid=tid, how="close")


def test_exit(hung, agent):
    watching, stall = hung
    agent.quit()
    check_abandoned(watching.wait_for(type="end"), stall, agent, pid=agent.pid, how="exit")


@pytest.mark.core
def test_sigkill(hung, agent):
    watching, stall = hung
    agent.kill()
    check_abandoned(watching.wait_for(type="end"), stall, agent, pid=agent.pid, how="signal")


@pytest.mark.parametrize("way", [V4, V6, MAPPED])
def test_sigkill_in_a_blocking_connect(lab, agent, watch, way):
    lab.server.iptables(f"-I INPUT -p tcp --dport {PORT} -j DROP", way)
    watching = watch()
    agent.start_connect(way.target, PORT)
    stall = watching.wait_for(type="stall")
    has(stall, cause=seen(watching, "dropped_by_peer"))

    agent.kill()

    end = watching.wait_for(type="end")
    check_abandoned(end, stall, agent, pid=agent.pid, tid=agent.pid, comm=agent.COMM,
                    how="signal")
    has(end, laddr=way.laddr, raddr=way.raddr, family=way.family)


def test_close_before_any_retry(lab, agent, watch):
    """Nothing stalled yet, but it did fail."""
    lab.server.iptables(f"-I INPUT -p tcp --dport {PORT} -j DROP")
    wire = lab.server.sniff()
    watching = watch()

    agent.connect(V4.target, PORT, blocking=False)
    syn = wire.wait_for(lambda segment: segment.is_syn)
    agent.call("close")

    end = watching.wait_for(type="end")
    has(end, **client_of(agent, lab, V4, PORT), **on_wire(syn), verdict="abandoned",
        cause=seen(watching, "dropped_by_peer"), syn_sent=1, syn_retransmits=0)
    has(end["closer"], pid=agent.pid, how="close")


@pytest.mark.core
def test_killed_from_outside_is_aborted(lab, agent, watch):
    lab.server.iptables(f"-I INPUT -p tcp --dport {PORT} -j DROP")
    wire = lab.server.sniff()
    watching = watch()
    agent.start_connect(V4.target, PORT)
    syn = wire.wait_for(lambda segment: segment.is_syn)

    said = lab.client.run("ss", "--kill", "--tcp", "dst", V4.raddr)
    if "not supported" in said:
        pytest.skip("this kernel has no CONFIG_INET_DIAG_DESTROY")

    assert agent.result()["errno"] == "ECONNABORTED"
    end = watching.wait_for(type="end")
    has(end, **client_of(agent, lab, V4, PORT), **on_wire(syn), verdict="aborted",
        cause=seen(watching, "dropped_by_peer"), errno="ECONNABORTED", syn_sent=len(wire.syns(PORT)))
    assert watching.stop()["handshakes"]["client"] == {"aborted": 1}
