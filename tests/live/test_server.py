# SPDX-License-Identifier: GPL-2.0-only
"""The server's side of a handshake: a SYN-ACK that is sent again, or cannot be sent."""

import pytest

from expect import client_of, dropped, has, needs, on_wire, seconds, seen
from netlab import V4, V6
from serving import ACK, PORT, SYN_ACK, Counters, every_way, of_server, queues, server_of

RETRIES = "net.ipv4.tcp_synack_retries"

# Where one of the two that follow the SYN is lost, and what the client makes of it: connect()
# returns when it has the SYN-ACK, whatever becomes of its ACK.
LOST = {
    "ack-output": ("client", f"OUTPUT {ACK}", None),
    "ack-input": ("server", f"INPUT {ACK}", None),
    "syn-ack-input": ("client", f"INPUT {SYN_ACK}", "reply_dropped_on_input"),
}


@pytest.fixture
def server(lab):
    return lab.server.agent()


@pytest.mark.core("syn-ack-input-v6")
@every_way
@pytest.mark.parametrize("case", LOST)
def test_lost_and_then_completed(lab, agent, server, watch, way, case):
    where, rule, client_cause = LOST[case]
    # Dual-stack: the requests of its IPv4 clients are plain IPv4 all the same.
    server.call("listen", address="::", port=PORT)
    wire, answers = lab.server.sniff(), lab.client.sniff()
    watching = watch()
    counters = Counters(lab.server)

    with getattr(lab, where).rule(rule, way):
        agent.start_connect(way.target, PORT)
        stall = watching.wait_for(type="stall", role="server")
        if client_cause:
            client = watching.wait_for(type="stall", role="client")
    assert agent.result()["errno"] is None
    end = watching.wait_for(type="end", role="server")

    syn = wire.syns(PORT)[0]
    who = server_of(lab, way, syn, server)
    has(stall, **who, cause="no_ack", synack_retransmits=1, retry_limit=5, owners=1)
    assert stall["next_retry_ms"] == pytest.approx(2000, rel=0.1)
    assert stall["give_up_ms"] == pytest.approx(62000, rel=0.1)
    queues(stall, backlog=0, limit=128, requests=1)
    has(end, **who, id=stall["id"], verdict="established", cause="no_ack",
        synack_retransmits=len(answers.syn_acks(PORT)) - 1)
    if client_cause:
        has(client, **client_of(agent, lab, way, PORT), **on_wire(syn), listener=None,
            cause=seen(watching, client_cause))
        assert client["id"] != stall["id"]
        has(watching.wait_for(type="end", role="client"), id=client["id"], verdict="established",
            isn=stall["isn"])
    summary = counters.check(watching)
    assert summary["handshakes"]["server"] == {"established": 1}
    assert summary["accepted"] == 0
    assert {line["id"] for line in of_server(watching)} == {stall["id"]}
    assert client_cause or watching.lines == of_server(watching)


@pytest.mark.core("1-v4")
@pytest.mark.slow(7)
@every_way
@pytest.mark.parametrize("retries", [1, 2])
def test_final_ack_that_never_comes(lab, agent, server, watch, way, retries):
    lab.server.sysctl(RETRIES, retries)
    server.call("listen", address=way.raddr, port=PORT)
    lab.server.iptables(f"-I INPUT {ACK}", way)
    wire = lab.server.sniff()
    watching = watch("--role", "server")
    counters = Counters(lab.server)

    assert agent.connect(way.target, PORT)["errno"] is None

    end = watching.wait_for(type="end")
    stalls = watching.of_type("stall")
    who = server_of(lab, way, wire.syns(PORT)[0], server)
    assert [stall["synack_retransmits"] for stall in stalls] == list(range(1, retries + 1))
    for stall, following in zip(stalls, stalls[1:] + [None]):
        has(stall, **who, id=end["id"], cause="no_ack", retry_limit=retries)
        queues(stall, backlog=0, limit=128, requests=1)
        if following:
            due = seconds(stall) + stall["next_retry_ms"] / 1000
            assert due == pytest.approx(seconds(following), abs=0.3), stall
        else:
            has(stall, next_retry_ms=None)
        gives_up = seconds(stall) + stall["give_up_ms"] / 1000
        assert gives_up == pytest.approx(seconds(end), abs=0.1 * end["elapsed_ms"] / 1000), stall
    has(end, **who, verdict="timed_out", cause="no_ack", synack_retransmits=retries)
    # 1 s, and twice as long every time
    assert end["elapsed_ms"] == pytest.approx(1000 * (2 ** (retries + 1) - 1), rel=0.1)
    assert counters.now()["TCPTimeouts"] == retries + 1
    assert counters.check(watching)["handshakes"]["server"] == {"timed_out": 1}
    assert watching.lines == [*stalls, end]


@pytest.mark.core("v4")
@every_way
def test_syn_ack_that_cannot_leave(lab, agent, server, watch, way):
    """The kernel gives a request up at once whose SYN-ACK it cannot send again, and the client's
    next SYN makes another: the same handshake all the same."""
    server.call("listen", address=way.raddr, port=PORT)
    wire = lab.server.sniff()
    watching = watch()
    needs(watching, "kfree_skb")
    counters = Counters(lab.server)

    with lab.server.rule(f"OUTPUT {SYN_ACK}", way):
        agent.start_connect(way.target, PORT)
        stall = watching.wait_for(type="stall", role="server")
        client = watching.wait_for(type="stall", role="client", cause="reply_dropped_on_path")
    assert agent.result()["errno"] is None
    end = watching.wait_for(type="end", role="server")

    who = server_of(lab, way, wire.syns(PORT)[0], server)
    for line in of_server(watching):
        has(line, **who, id=stall["id"], cause="no_ack")
        dropped(line, lab.server, "NETFILTER_DROP", "nft_do_chain", "nf_hook_slow")
        assert "NETFILTER_DROP" in line["why"], line
    assert "this host drops its own SYN-ACK on the way out" in stall["why"], stall
    has(stall, synack_retransmits=0)
    has(end, verdict="established")
    has(client, isn=stall["isn"])
    has(watching.wait_for(type="end", role="client"), id=client["id"], verdict="established",
        cause="reply_dropped_on_path")
    summary = counters.check(watching)
    assert summary["synack_retransmits"] == end["synack_retransmits"]
    assert summary["handshakes"]["server"] == {"established": 1}


@pytest.mark.core
def test_healthy_ones_are_only_counted(lab, agent, server, watch):
    server.call("listen", address="::", port=PORT)
    watching, all_of_it = watch(), watch("--all", "--role", "server")
    counters = Counters(lab.server)
    wire = lab.server.sniff()

    for way in V4, V6:
        assert agent.connect(way.target, PORT, name=way.name)["errno"] is None
    server.call("accept", count=2)

    ends = [all_of_it.wait_for(type="end", role="server", family=way.family) for way in (V4, V6)]
    for way, end, syn in zip((V4, V6), ends, wire.syns(PORT)):
        has(end, **server_of(lab, way, syn, server), verdict="established", cause="none",
            synack_retransmits=0)
        assert 0 < end["elapsed_ms"] < 1000
    summary = counters.check(watching)
    assert summary["accepted"] == 2
    assert watching.lines == []
    assert all_of_it.stop()["handshakes"]["server"] == {"established": 2}
