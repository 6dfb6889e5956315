# SPDX-License-Identifier: GPL-2.0-only
"""Listeners whose queues are full: what becomes of a SYN, and of the ACK that completes."""

import pytest

from expect import client_of, has, on_wire
from netlab import LATE, V4, V6
from outside import Outside, segment
from serving import (ACK, PORT, Counters, every_way, fill, handshakes, of_server, queues, requests,
                     server_of, until)

LIMIT = 1  # the accept queue takes one more
FULL = LIMIT + 1

SPORT = 5001  # the victim's
HELD_BACK = f"INPUT {ACK} --sport {SPORT}"

FOREIGN = {V4: "198.51.100.7", V6: "2001:db8::7"}
ANY = {V4: "0.0.0.0", V6: "::"}


@pytest.fixture
def server(lab):
    return lab.server.agent()


@pytest.fixture
def outside(lab):
    return lab.server.owns(Outside(lab.server))


def accept_queue_full(line):
    has(line, cause="accept_queue_full")
    queues(line, backlog=FULL, limit=LIMIT)
    assert f"accept queue is full ({FULL} of {LIMIT})" in line["why"], line


@pytest.mark.core("v4")
@pytest.mark.slow(2)
@every_way
def test_accept_queue_full_when_the_syn_comes(lab, agent, server, watch, way):
    """On the server's side it ends there; the client goes on, and gets through later."""
    server.call("listen", address=way.raddr, port=PORT, backlog=LIMIT)
    fill(lab.client.agent(), lab, way, FULL)
    wire = lab.server.sniff()
    watching = watch()
    counters = Counters(lab.server)

    agent.start_connect(way.target, PORT)
    end = watching.wait_for(type="end", role="server")
    client = watching.wait_for(type="stall", role="client", cause="dropped_by_peer")
    server.call("accept", count=FULL)
    assert agent.result()["errno"] is None

    syn = wire.syns(PORT)[0]
    here = {"reason": None, "place": None, "netns": lab.server.inode}
    has(end, **server_of(lab, way, syn, server), verdict="ignored", drop=here, icmp=None)
    accept_queue_full(end)
    assert f"{server.COMM}[{server.pid}]" in end["why"], end
    healed = watching.wait_for(type="end", role="client")
    for line in client, healed:
        has(line, **client_of(agent, lab, way, PORT), **on_wire(syn), cause="dropped_by_peer",
            drop=here, listener=None, id=client["id"])
    assert f"its accept queue is full ({FULL} of {LIMIT})" in client["why"], client
    has(healed, verdict="established")
    summary = counters.check(watching)
    assert summary["handshakes"]["server"] == {"ignored": 1}
    assert summary["listen_drops"] == len(wire.syns(PORT)) - 1
    assert of_server(watching) == [end]


@pytest.mark.core("v4")
@every_way
def test_crowd_that_a_full_accept_queue_turns_away(lab, server, watch, way):
    """More of them than one would want to read about one by one, and not one is forgotten."""
    server.call("listen", address=way.raddr, port=PORT, backlog=LIMIT)
    clients = lab.client.agent()
    fill(clients, lab, way, FULL)
    watching = watch("--role", "server")
    counters = Counters(lab.server)

    for number in range(50):
        clients.connect(way.target, PORT, name=f"late {number}", blocking=False)
    until(lambda: counters.now()["ListenOverflows"] >= 100)  # each SYN twice
    clients.kill()

    told = counters.check(watching)
    assert told["listen_drops"] >= 100
    crowds = watching.of_type("crowd")
    for line in crowds + of_server(watching):
        has(line, role="server", laddr=way.raddr, lport=PORT, netns=lab.server.inode,
            pid=server.pid, comm=server.COMM)
        accept_queue_full(line)
    ignored = sum(crowd["ignored"] for crowd in crowds)
    isns = {line["isn"] for line in of_server(watching)}
    assert len(isns) == len(of_server(watching)) <= 50
    assert ignored + len(isns) >= 50, "somebody was turned away unseen"


def overflow(lab, agent, server, way):
    """A client that has connected, as it believes: its ACK finds the accept queue full."""
    server.call("listen", address=way.raddr, port=PORT, backlog=LIMIT)
    others = lab.client.agent()
    with lab.server.rule(HELD_BACK, way):
        assert agent.connect(way.target, PORT, bind=[ANY[way], SPORT])["errno"] is None
        fill(others, lab, way, FULL)
    agent.call("write", text="what the ACK comes with")


def only_told(watching, *lines):
    """Nothing else, but that its listener threw ACKs away may be told once more, as a crowd."""
    assert handshakes(watching) == list(lines)
    for crowd in watching.of_type("crowd"):
        # A sweep that is late by more than a second finds the queue drained.
        if not LATE:
            accept_queue_full(crowd)


@pytest.mark.core("v4")
@pytest.mark.slow(2)
@every_way
def test_accept_queue_full_when_the_ack_comes(lab, agent, server, watch, way):
    wire = lab.server.sniff()
    watching = watch()
    counters = Counters(lab.server)

    overflow(lab, agent, server, way)
    stall = watching.wait_for(type="stall")
    server.call("accept", count=FULL)
    end = watching.wait_for(type="end")

    who = server_of(lab, way, wire.syns(PORT)[0], server)
    has(stall, **who, synack_retransmits=1)
    accept_queue_full(stall)
    queues(stall, requests=1)
    assert "the client believes it is connected" in stall["why"], stall
    has(end, **who, id=stall["id"], verdict="established", cause="accept_queue_full")
    summary = counters.check(watching)
    assert summary["handshakes"]["server"] == {"established": 1}
    only_told(watching, stall, end)


@pytest.mark.slow(3)
@every_way
def test_nobody_accepts_until_the_retries_are_used_up(lab, agent, server, watch, way):
    lab.server.sysctl("net.ipv4.tcp_synack_retries", 1)
    wire = lab.server.sniff()
    watching = watch("--role", "server")
    counters = Counters(lab.server)

    overflow(lab, agent, server, way)
    stall = watching.wait_for(type="stall")
    end = watching.wait_for(type="end")

    who = server_of(lab, way, wire.syns(PORT)[0], server)
    has(stall, **who, synack_retransmits=1, retry_limit=1, next_retry_ms=None)
    has(end, **who, id=stall["id"], verdict="ignored", synack_retransmits=1)
    for line in stall, end:
        accept_queue_full(line)
        assert "the client believes it is connected" in line["why"], line
    assert end["elapsed_ms"] == pytest.approx(3000, rel=0.1)
    assert counters.check(watching)["handshakes"]["server"] == {"ignored": 1}
    only_told(watching, stall, end)


@pytest.mark.core("v4")
@every_way
def test_accept_queue_full_answered_with_a_reset(lab, agent, server, watch, way):
    lab.server.sysctl("net.ipv4.tcp_abort_on_overflow", 1)
    wire = lab.server.sniff()
    watching = watch()
    counters = Counters(lab.server)

    overflow(lab, agent, server, way)
    end = watching.wait_for(type="end")

    has(end, **server_of(lab, way, wire.syns(PORT)[0], server), verdict="refused")
    accept_queue_full(end)
    assert "RST" in end["why"] and "tcp_abort_on_overflow" in end["why"], end
    assert counters.check(watching)["listen_drops"] == 1
    assert watching.lines == [end]


def half_open(outside, lab, way, count):
    """SYNs from where nobody answers; the SYN queue holds as many of them as it takes."""
    for sport in range(6000, 6000 + count):
        outside.send(segment(FOREIGN[way], way, sport, PORT, seq=sport << 16))
    until(lambda: requests(lab.server, way) == FULL)


@pytest.mark.core("v4")
@pytest.mark.slow(1)
@every_way
def test_syn_queue_full(lab, agent, server, outside, watch, way):
    lab.server.sysctl("net.ipv4.tcp_syncookies", 0)
    server.call("listen", address=way.raddr, port=PORT, backlog=LIMIT)
    wire = lab.server.sniff()
    watching = watch()
    counters = Counters(lab.server)
    half_open(outside, lab, way, FULL)

    agent.start_connect(way.target, PORT)
    end = watching.wait_for(type="end", role="server", raddr=way.laddr)
    client = watching.wait_for(type="stall", role="client", cause="dropped_by_peer")
    agent.kill()

    has(end, **server_of(lab, way, wire.syns(PORT)[0], server), verdict="ignored",
        cause="syn_queue_full", drop=client["drop"])
    queues(end, backlog=0, limit=LIMIT, requests=FULL, syncookies=False)
    assert f"SYN queue is full ({FULL} of {LIMIT})" in end["why"], end
    has(client, isn=end["isn"],
        drop={"reason": None, "place": None, "netns": lab.server.inode})
    assert f"its SYN queue is full ({FULL} of {LIMIT})" in client["why"], client
    assert counters.check(watching)["listen_drops"] == counters.now()["TCPReqQFullDrop"] > 0


@pytest.mark.slow(1)
@every_way
def test_syn_queue_full_with_syncookies(lab, agent, server, outside, watch, way):
    """Nobody is turned away, and the lines about those in the queue say why it can be so."""
    lab.server.sysctl("net.ipv4.tcp_syncookies", 1)
    server.call("listen", address=way.raddr, port=PORT, backlog=LIMIT)
    watching = watch()
    counters = Counters(lab.server)

    half_open(outside, lab, way, FULL + 3)
    assert agent.connect(way.target, PORT)["errno"] is None

    stall = watching.wait_for(type="stall", role="server")
    has(stall, cause="no_ack", raddr=FOREIGN[way], pid=server.pid)
    queues(stall, limit=LIMIT, requests=FULL, syncookies=True)
    assert "syncookies are in use" in stall["why"], stall
    summary = counters.check(watching)
    assert summary["accepted"] == counters.now()["SyncookiesRecv"] == 1
    assert summary["listen_drops"] == 0
    assert {line["raddr"] for line in of_server(watching)} == {FOREIGN[way]}


@every_way
def test_nothing_but_syncookies(lab, agent, server, outside, watch, way):
    lab.server.sysctl("net.ipv4.tcp_syncookies", 2)
    server.call("listen", address=way.raddr, port=PORT, backlog=LIMIT)
    watching = watch()
    counters = Counters(lab.server)

    for sport in range(6000, 6005):
        outside.send(segment(FOREIGN[way], way, sport, PORT))
    until(lambda: counters.now()["SyncookiesSent"] == 5)
    assert agent.connect(way.target, PORT)["errno"] is None

    summary = counters.check(watching)
    assert summary["accepted"] == counters.now()["SyncookiesRecv"] == 1
    assert of_server(watching) == []
