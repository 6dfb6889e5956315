# SPDX-License-Identifier: GPL-2.0-only
"""connect() that fails on this host before any SYN."""

import pytest

import bpfdrop
from expect import client_of, has
from netlab import MAPPED, V4, V6

pytestmark = pytest.mark.role("client")

PORT = 80

PREFIXES = {V4: "198.51.100.", V6: "2001:db8::", MAPPED: "::ffff:198.51.100."}

ROUTES = {  # kind: (last part of the address, errno, cause, why)
    "blackhole": (1, "EINVAL", "no_route", "no usable route (EINVAL)"),
    "prohibit": (2, "EACCES", "denied", "forbids it (EACCES)"),
    "unreachable": (3, "EHOSTUNREACH", "no_route", "no usable route (EHOSTUNREACH)"),
    "none": (4, "ENETUNREACH", "no_route", "no usable route (ENETUNREACH)"),
}


@pytest.mark.core("none-v4", "blackhole-v6")
@pytest.mark.parametrize("way", [V4, V6, MAPPED])
@pytest.mark.parametrize("route", ROUTES)
def test_route_that_leads_nowhere(lab, agent, watch, way, route):
    last, error, cause, words = ROUTES[route]
    target = PREFIXES[way] + str(last)
    shown = target.removeprefix("::ffff:")
    if route != "none":
        lab.client.ip(f"route add {route} {shown}")
    watching = watch()

    assert agent.connect(target, PORT)["errno"] == error

    end = watching.wait_for(type="end")
    has(end, role="client", verdict="local_error", cause=cause, errno=error, pid=agent.pid,
        tid=agent.pid, comm=agent.COMM, uid=0, netns=lab.client.inode, family=way.family,
        raddr=shown, rport=PORT, isn=None, syn_sent=0, syn_retransmits=0,
        syn_unsent=0, icmp=None, drop=None, closer=None)
    assert words in end["why"], end
    summary = watching.stop()
    assert watching.lines == [end]
    assert summary["handshakes"]["client"] == {"local_error": 1}
    assert summary["healthy"] == 0


@pytest.mark.core("v4")
@pytest.mark.parametrize("way", [V4, V6])
def test_cgroup_program_that_forbids_it(lab, agent, watch, cgroup, way):
    (cgroup / "child" / "cgroup.procs").write_text(str(agent.pid))
    watching = watch()
    with bpfdrop.refusing_cgroup(cgroup, bpfdrop.CONNECT[way.family]):
        assert agent.connect(way.target, PORT)["errno"] == "EPERM"
    agent.kill()  # a cgroup with a process in it cannot be removed
    end = watching.wait_for(type="end")
    has(end, verdict="local_error", cause="denied", errno="EPERM", drop=None, syn_sent=0,
        syn_unsent=0, raddr=way.raddr)
    assert "forbids it (EPERM)" in end["why"], end


@pytest.mark.core("v4")
@pytest.mark.parametrize("way", [V4, V6, MAPPED])
def test_no_port_left(lab, agent, watch, way):
    lab.client.sysctl("net.ipv4.ip_local_port_range", "40000 40001")
    lab.server.listen(PORT)
    watching = watch()

    for name in "first", "second":
        assert agent.connect(way.target, PORT, name=name)["errno"] is None
    assert agent.connect(way.target, PORT, name="third")["errno"] == "EADDRNOTAVAIL"

    end = watching.wait_for(type="end")
    has(end, verdict="local_error", cause="no_port", errno="EADDRNOTAVAIL", pid=agent.pid,
        comm=agent.COMM, netns=lab.client.inode, family=way.family, raddr=way.raddr, rport=PORT,
        isn=None, drop=None, syn_sent=0)
    assert "all 2 local ports from 40000 to 40001" in end["why"], end
    assert watching.stop()["healthy"] == 2
    assert watching.lines == [end]


def test_connect_that_returns_the_error_of_an_earlier_attempt_is_none(lab, agent, watch):
    watching = watch()

    assert agent.connect(V4.target, PORT, blocking=False)["errno"] == "EINPROGRESS"
    agent.call("wait_event")
    assert agent.connect(V4.target, PORT, blocking=False)["errno"] == "ECONNREFUSED"

    watching.stop()
    line, = watching.lines
    has(line, **client_of(agent, lab, V4, PORT), type="end", verdict="refused", cause="rst")


def test_connect_that_is_already_under_way_is_none(lab, agent, watch):
    lab.server.iptables(f"-I INPUT -p tcp --dport {PORT} -j DROP")
    watching = watch()

    assert agent.connect(V4.target, PORT, blocking=False)["errno"] == "EINPROGRESS"
    assert agent.connect(V4.target, PORT, blocking=False)["errno"] == "EALREADY"
    agent.call("close")

    watching.stop()
    line, = watching.lines
    has(line, **client_of(agent, lab, V4, PORT), type="end", verdict="abandoned")
