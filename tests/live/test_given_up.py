# SPDX-License-Identifier: GPL-2.0-only
"""Requests that go away before they are completed, and those whose trouble is none."""

import time

import pytest
from scapy.layers.inet import TCP

from expect import has, seconds
from netlab import LATE, V4, V6
from outside import ACK, SYN, Outside, segment
from serving import PORT, Counters, every_way, of_server, queues, requests, server_of, until

SPORT = 6000
ISN = 0x10000000

FOREIGN = {V4: "198.51.100.7", V6: "2001:db8::7"}

TCP_DEFER_ACCEPT, TCP_FASTOPEN = 9, 23
IPPROTO_TCP = 6


@pytest.fixture
def server(lab):
    return lab.server.agent()


class Stranger:
    """A client out there, whose every segment the test decides about."""

    def __init__(self, outside, way, sport=SPORT):
        self._outside = outside
        self._way = way
        self.src = FOREIGN[way]
        self.sport = sport
        self.seq = ISN + sport

    def send(self, flags, seq=0, ack=0):
        self._outside.send(segment(self.src, self._way, self.sport, PORT, flags=flags,
                                   seq=self.seq + seq, ack=ack))

    def syn_ack(self):
        """The next one, when it comes: its sequence number."""
        return self._outside.receive(SYN | ACK, dport=self.sport)[TCP].seq

    def half_open(self):
        self.send("S")
        return self.syn_ack()


@pytest.fixture
def outside(lab):
    return lab.server.owns(Outside(lab.server))


@pytest.mark.core("v4")
@pytest.mark.slow(1)
@every_way
def test_client_takes_it_back(lab, server, outside, watch, way):
    server.call("listen", address=way.raddr, port=PORT)
    watching = watch()
    counters = Counters(lab.server)
    client = Stranger(outside, way)

    client.half_open()
    stall = watching.wait_for(type="stall")
    took_back = time.time()
    client.send("R", seq=1)
    end = watching.wait_for(type="end")

    for line in stall, end:
        has(line, **server_of(lab, way, client, server), id=end["id"], cause="no_ack",
            synack_retransmits=1)
    has(end, verdict="abandoned")
    assert "the client sent a RST" in end["why"], end
    assert seconds(end) == pytest.approx(took_back, abs=0.1 + LATE)
    assert counters.now()["EmbryonicRsts"] == 1
    assert counters.check(watching)["handshakes"]["server"] == {"abandoned": 1}
    assert watching.lines == [stall, end]


@pytest.mark.slow(1)
@every_way
def test_taken_back_at_once_it_is_a_scan(lab, server, outside, watch, way):
    """No line: the port scan of half the Internet is not what anybody wants to read about."""
    server.call("listen", address=way.raddr, port=PORT)
    watching = watch()
    counters = Counters(lab.server)
    scanner, other = Stranger(outside, way), Stranger(outside, way, SPORT + 1)

    scanner.half_open()
    scanner.send("R", seq=1)
    other.half_open()
    stall = watching.wait_for(type="stall")

    assert counters.now()["EmbryonicRsts"] == 1
    counters.check(watching)
    assert watching.lines == [stall]
    has(stall, rport=other.sport, isn=other.seq)


@pytest.mark.core("v4")
@pytest.mark.slow(1)
@every_way
def test_listener_that_is_closed_over_its_requests(lab, server, outside, watch, way):
    server.call("listen", address=way.raddr, port=PORT)
    watching = watch()
    counters = Counters(lab.server)
    clients = [Stranger(outside, way, SPORT + number) for number in range(2)]

    for client in clients:
        client.half_open()
    stalls = [watching.wait_for(type="stall", isn=client.seq) for client in clients]
    server.call("close", name="l")
    ends = [watching.wait_for(type="end", isn=client.seq) for client in clients]

    for client, stall, end in zip(clients, stalls, ends):
        queues(stall, backlog=0, limit=128)
        has(end, **server_of(lab, way, client, server), id=stall["id"], verdict="abandoned",
            cause="no_ack", synack_retransmits=1)
        assert "its listener was closed" in end["why"], end
    assert counters.check(watching)["handshakes"]["server"] == {"abandoned": 2}
    assert len(watching.lines) == 4


@pytest.fixture
def quiet(lab, server, watch):
    """Everything that is told with --all, of which nothing is worth a line without."""
    watches = watch("--role", "server"), watch("--all", "--role", "server")
    counters = Counters(lab.server)
    yield watches[1]
    counters.check(watches[0])
    assert of_server(watches[0]) == []
    assert watches[0].of_type("crowd") == []


@pytest.mark.core("v4")
@every_way
def test_syn_that_comes_twice(lab, server, outside, quiet, way):
    """Answered again, which is no retry of the server's: nothing had gone wrong."""
    server.call("listen", address=way.raddr, port=PORT)
    client = Stranger(outside, way)

    client.half_open()
    time.sleep(0.6)  # of a second one within half a second no notice is taken
    answer = client.half_open()
    client.send("A", seq=1, ack=answer + 1)

    end = quiet.wait_for(type="end")
    has(end, **server_of(lab, way, client, server), verdict="established", synack_retransmits=1)


@pytest.mark.slow(2)
@every_way
@pytest.mark.parametrize("seconds_deferred", [1, 5])
def test_deferred_accept(lab, agent, server, quiet, way, seconds_deferred):
    """The ACK is thrown away because data is to come. Where the time runs out before it does,
    the SYN-ACK is sent again, to have the client send its ACK again."""
    server.call("listen", address=way.raddr, port=PORT,
                options=[[IPPROTO_TCP, TCP_DEFER_ACCEPT, seconds_deferred]])
    counters = Counters(lab.server)
    wire = lab.server.sniff()

    assert agent.connect(way.target, PORT)["errno"] is None
    until(lambda: counters.now()["TCPDeferAcceptDrop"] == 1)
    if seconds_deferred > 1:
        until(lambda: counters.now()["TCPTimeouts"] == 1)  # and so it has not been sent again
        assert requests(lab.server, way) == 1
        assert counters.now()["TCPSynRetrans"] == 0
        agent.call("pause", seconds=0.8)
        agent.call("write", text="data")
    end = quiet.wait_for(type="end")

    has(end, **server_of(lab, way, wire.syns(PORT)[0], server), verdict="established")
    assert quiet.of_type("stall") == []


@every_way
def test_fast_open(lab, agent, server, quiet, way):
    lab.server.sysctl("net.ipv4.tcp_fastopen", 0x202)  # a server, for clients without a cookie
    lab.client.sysctl("net.ipv4.tcp_fastopen", 0x5)  # a client, without a cookie
    server.call("listen", address=way.raddr, port=PORT, options=[[IPPROTO_TCP, TCP_FASTOPEN, 5]])
    counters = Counters(lab.server)
    wire = lab.server.sniff()

    assert agent.call("fast_open", address=way.target, port=PORT, text="data") == {"sent": 4}

    end = quiet.wait_for(type="end")
    has(end, **server_of(lab, way, wire.syns(PORT)[0], server), verdict="established",
        cause="none")
    assert counters.now()["TCPFastOpenPassive"] == 1
