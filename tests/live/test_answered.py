# SPDX-License-Identifier: GPL-2.0-only
"""Handshakes that the other side answered: accepted, refused or rejected."""

import pytest

from expect import client_of, has, on_wire, seen
from netlab import MAPPED, V4, V6

pytestmark = pytest.mark.role("client")

PORT = 80

every_way = pytest.mark.parametrize("way", [V4, V6, MAPPED])


@every_way
def test_established_has_start_and_end_with_all(lab, agent, watch, way):
    lab.server.listen(PORT)
    wire = lab.server.sniff()
    watching = watch("--all")

    assert agent.connect(way.target, PORT)["errno"] is None

    start = watching.wait_for(type="start")
    end = watching.wait_for(type="end")
    who = client_of(agent, lab, way, PORT)
    has(start, **who)
    has(end, **who, **on_wire(wire.syns(PORT)[0]), id=start["id"], verdict="established",
        cause="none", errno=None, icmp=None, closer=None, syn_sent=1, syn_retransmits=0,
        syn_unsent=0)
    watching.stop()
    assert watching.lines == [start, end]


@every_way
def test_established_is_only_counted_without_all(lab, agent, watch, way):
    lab.server.listen(PORT)
    watching = watch()

    assert agent.connect(way.target, PORT)["errno"] is None

    assert watching.stop()["healthy"] == 1
    assert watching.lines == []


@every_way
def test_late_established_keeps_the_cause_of_its_trouble(lab, agent, watch, way):
    lab.server.listen(PORT)
    wire = lab.server.sniff()
    watching = watch()

    with lab.server.rule(f"INPUT -p tcp --dport {PORT} -j DROP", way):
        agent.start_connect(way.target, PORT)
        stall = watching.wait_for(type="stall")
    assert agent.result()["errno"] is None

    end = watching.wait_for(type="end")
    syns = wire.syns(PORT)
    who = client_of(agent, lab, way, PORT) | on_wire(syns[0])
    who["cause"] = seen(watching, "dropped_by_peer")
    has(stall, **who, syn_sent=2, syn_retransmits=1, syn_unsent=0, errno=None)
    has(end, **who, id=stall["id"], verdict="established", syn_sent=len(syns),
        syn_retransmits=len(syns) - 1, errno=None, closer=None)
    summary = watching.stop()
    assert summary["handshakes"]["client"] == {"established": 1}
    assert summary["healthy"] == 0
    assert summary["syn_retransmits"] == len(syns) - 1


@pytest.mark.core("closed-port-v4")
@every_way
@pytest.mark.parametrize("firewall", [None, "-j REJECT --reject-with tcp-reset"],
                         ids=["closed-port", "tcp-reset"])
def test_reset_is_refused(lab, agent, watch, way, firewall):
    if firewall:
        lab.server.listen(PORT)
        lab.server.iptables(f"-I INPUT -p tcp --dport {PORT} {firewall}", way)
    wire = lab.server.sniff()
    watching = watch()

    assert agent.connect(way.target, PORT)["errno"] == "ECONNREFUSED"

    end = watching.wait_for(type="end")
    has(end, **client_of(agent, lab, way, PORT), **on_wire(wire.syns(PORT)[0]),
        verdict="refused", cause="rst", errno="ECONNREFUSED", icmp=None, closer=None,
        syn_sent=1, syn_retransmits=0)
    summary = watching.stop()
    assert watching.lines == [end]
    assert summary["handshakes"]["client"] == {"refused": 1}
    has(summary["top"][0], role="client", addr=way.raddr, port=PORT, count=1,
        verdicts={"refused": 1})


def reject(way, name, error, icmp_type, icmp_code):
    return pytest.param(way, name, error, icmp_type, icmp_code, id=f"{way}-{name or 'default'}")


# The errno alone would mix these up among themselves and with a reset.
@pytest.mark.parametrize("way, name, error, icmp_type, icmp_code", [
    reject(V4, None, "ECONNREFUSED", 3, 3),
    reject(MAPPED, None, "ECONNREFUSED", 3, 3),
    reject(V4, "icmp-host-prohibited", "EHOSTUNREACH", 3, 10),
    reject(V4, "icmp-admin-prohibited", "EHOSTUNREACH", 3, 13),
    reject(V4, "icmp-net-unreachable", "ENETUNREACH", 3, 0),
])
def test_icmp_is_rejected_with_type_code_and_sender(lab, agent, watch, way, name, error,
                                                    icmp_type, icmp_code):
    end = rejected_end(lab, agent, watch, way, name, error)
    has(end["icmp"], type=icmp_type, code=icmp_code, **{"from": way.raddr})
    assert end["icmp"]["name"]
    assert V4.raddr in end["why"]


# For IPv6 the kernel keeps only the errno, which several messages may share.
@pytest.mark.parametrize("way, name, error, icmp_type, icmp_code", [
    reject(V6, None, "ECONNREFUSED", 1, 4),
    reject(V6, "icmp6-adm-prohibited", "EACCES", 1, 1),
    reject(V6, "icmp6-no-route", "ENETUNREACH", 1, 0),
    reject(V6, "icmp6-addr-unreachable", "EHOSTUNREACH", 1, 3),
])
def test_icmpv6_is_rejected_and_no_code_is_made_up(lab, agent, watch, way, name, error,
                                                   icmp_type, icmp_code):
    end = rejected_end(lab, agent, watch, way, name, error)
    if error == "ECONNREFUSED":  # no other message brings this one
        has(end["icmp"], type=icmp_type, code=icmp_code)
    if end["icmp"]:
        assert end["icmp"]["type"] in (icmp_type, None)
        assert end["icmp"]["code"] in (icmp_code, None)
        assert end["icmp"]["from"] in (way.raddr, None)


def rejected_end(lab, agent, watch, way, name, error):
    """Over veth the first ICMP error finds the socket locked and is only noted; the one that the
    retry of the SYN brings ends it."""
    reject_with = f"--reject-with {name}" if name else ""
    lab.server.iptables(f"-I INPUT -p tcp --dport {PORT} -j REJECT {reject_with}", way)
    wire = lab.server.sniff()
    watching = watch()

    assert agent.connect(way.target, PORT)["errno"] == error

    end = watching.wait_for(type="end")
    syns = wire.syns(PORT)
    has(end, **client_of(agent, lab, way, PORT), **on_wire(syns[0]), verdict="rejected",
        cause="icmp", errno=error, closer=None, syn_sent=len(syns),
        syn_retransmits=len(syns) - 1)
    summary = watching.stop()
    assert summary["handshakes"]["client"] == {"rejected": 1}
    return end


def test_nonblocking_connect_that_read_its_error_was_rejected_not_abandoned(lab, agent, watch):
    """SO_ERROR clears the error before close(): only the socket's error queue remembers."""
    lab.server.iptables(f"-I INPUT -p tcp --dport {PORT} -j REJECT")
    watching = watch()

    assert agent.connect(V4.target, PORT, blocking=False)["errno"] == "EINPROGRESS"
    assert agent.call("wait_error")["errno"] == "ECONNREFUSED"
    agent.call("close")

    end = watching.wait_for(type="end")
    has(end, **client_of(agent, lab, V4, PORT), verdict="rejected", cause="icmp",
        errno="ECONNREFUSED", syn_sent=1, syn_retransmits=0)
    has(end["icmp"], type=3, code=3, **{"from": V4.raddr})


def test_one_socket_connecting_twice_is_two_handshakes(lab, agent, watch):
    wire = lab.server.sniff()
    watching = watch()

    for _ in range(2):
        assert agent.connect(V4.target, PORT)["errno"] == "ECONNREFUSED"

    first = watching.wait_for(type="end")
    second = watching.wait_for(type="end")
    assert first["id"] != second["id"]
    for end, syn in zip((first, second), wire.syns(PORT), strict=True):
        has(end, **client_of(agent, lab, V4, PORT), **on_wire(syn), verdict="refused",
            cause="rst")
    watching.stop()
    assert watching.lines == [first, second]


def test_icmp_of_an_earlier_attempt_says_nothing_about_a_later_one(lab, agent, watch):
    """The socket's error queue keeps it until somebody reads it."""
    lab.server.iptables(f"-I INPUT -p tcp --dport {PORT} -j REJECT")
    lab.server.iptables(f"-I INPUT -p tcp --dport {PORT + 1} -j DROP")
    watching = watch()

    assert agent.connect(V4.target, PORT)["errno"] == "ECONNREFUSED"
    agent.start_connect(V4.target, PORT + 1)

    cause = seen(watching, "dropped_by_peer")
    has(watching.wait_for(type="stall", rport=PORT + 1), cause=cause, icmp=None)
    agent.kill()
    has(watching.wait_for(type="end", rport=PORT + 1), verdict="abandoned", cause=cause,
        icmp=None)
