# SPDX-License-Identifier: GPL-2.0-only
"""connect() that fails on this host before any SYN."""

import pytest

from expect import client_of, has
from netlab import MAPPED, V4, V6

PORT = 80

PREFIXES = {V4: "198.51.100.", V6: "2001:db8::", MAPPED: "::ffff:198.51.100."}

ROUTES = {  # kind: (last part of the address, errno, cause)
    "blackhole": (1, "EINVAL", "no_route"),
    "prohibit": (2, "EACCES", "denied"),
    "unreachable": (3, "EHOSTUNREACH", "no_route"),
    "none": (4, "ENETUNREACH", "no_route"),
}


@pytest.mark.parametrize("way", [V4, V6, MAPPED])
@pytest.mark.parametrize("route", ROUTES)
def test_route_that_leads_nowhere(lab, agent, watch, way, route):
    last, error, cause = ROUTES[route]
    target = PREFIXES[way] + str(last)
    shown = target.removeprefix("::ffff:")
    if route != "none":
        lab.client.ip(f"route add {route} {shown}")
    watching = watch()

    assert agent.connect(target, PORT)["errno"] == error

    end = watching.wait_for(type="end")
    has(end, role="client", verdict="local_error", cause=cause, errno=error, pid=agent.pid,
        tid=agent.pid, comm=agent.COMM, uid=0, netns=lab.client.inode, family=way.family,
        raddr=shown, rport=PORT, isn=None, syn_sent=0, syn_retransmits=0, icmp=None,
        closer=None)
    summary = watching.stop()
    assert watching.lines == [end]
    assert summary["handshakes"]["client"] == {"local_error": 1}
    assert summary["healthy"] == 0


@pytest.mark.parametrize("way", [V4, V6, MAPPED])
def test_no_port_left(lab, agent, watch, way):
    lab.client.sysctl("net.ipv4.ip_local_port_range", "40000 40000")
    lab.server.listen(PORT)
    watching = watch("--role", "client")

    assert agent.connect(way.target, PORT, name="first")["errno"] is None
    assert agent.connect(way.target, PORT, name="second")["errno"] == "EADDRNOTAVAIL"

    end = watching.wait_for(type="end")
    has(end, verdict="local_error", cause="no_port", errno="EADDRNOTAVAIL", pid=agent.pid,
        comm=agent.COMM, netns=lab.client.inode, family=way.family, raddr=way.raddr, rport=PORT,
        isn=None, syn_sent=0)
    assert watching.stop()["healthy"] == 1
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
