# SPDX-License-Identifier: GPL-2.0-only
"""The server's side of a handshake: a SYN-ACK that is sent again."""

import pytest

from expect import has, seen
from netlab import V4, V6

PORT = 80

FINAL_ACK = f"INPUT -p tcp --dport {PORT} --tcp-flags SYN,ACK,RST ACK -j DROP"
SYN_ACK = f"INPUT -p tcp --sport {PORT} --tcp-flags SYN,ACK SYN,ACK -j DROP"

# The listener is dual-stack; the requests of its IPv4 clients are plain IPv4 all the same.
every_way = pytest.mark.parametrize("way", [V4, V6])


def server_of(lab, way, syn):
    """As the server's host sees the two ends."""
    return {"role": "server", "netns": lab.server.inode, "family": way.family,
            "laddr": way.raddr, "lport": PORT, "raddr": way.laddr, "rport": syn.sport,
            "isn": syn.seq, "adopted": False}


@every_way
def test_final_ack_that_comes_late(lab, agent, watch, way):
    lab.server.listen(PORT)
    wire, answers = lab.server.sniff(), lab.client.sniff()
    watching = watch("--role", "server")

    with lab.server.rule(FINAL_ACK, way):
        assert agent.connect(way.target, PORT)["errno"] is None
        stall = watching.wait_for(type="stall")
    end = watching.wait_for(type="end")

    who = server_of(lab, way, wire.syns(PORT)[0])
    has(stall, **who, cause="no_ack", synack_retransmits=1)
    has(end, **who, id=stall["id"], verdict="established", cause="no_ack",
        synack_retransmits=len(answers.syn_acks(PORT)) - 1)
    summary = watching.stop()
    assert summary["handshakes"]["server"] == {"established": 1}
    assert {line["role"] for line in watching.lines} == {"server"}


@pytest.mark.slow(3)
@every_way
def test_final_ack_that_never_comes(lab, agent, watch, way):
    lab.server.sysctl("net.ipv4.tcp_synack_retries", 1)
    lab.server.listen(PORT)
    lab.server.iptables(f"-I {FINAL_ACK}", way)
    wire = lab.server.sniff()
    watching = watch("--role", "server")

    assert agent.connect(way.target, PORT)["errno"] is None

    end = watching.wait_for(type="end")
    stall, = watching.of_type("stall")
    who = server_of(lab, way, wire.syns(PORT)[0])
    has(stall, **who, cause="no_ack", synack_retransmits=1, retry_limit=1, next_retry_ms=None)
    has(end, **who, id=stall["id"], verdict="timed_out", cause="no_ack", synack_retransmits=1)
    assert watching.stop()["handshakes"]["server"] == {"timed_out": 1}


@every_way
def test_syn_ack_that_is_lost_shows_on_both_sides(lab, agent, watch, way):
    lab.server.listen(PORT)
    wire = lab.server.sniff()
    watching = watch()

    with lab.client.rule(SYN_ACK, way):
        agent.start_connect(way.target, PORT)
        server = watching.wait_for(type="stall", role="server")
        client = watching.wait_for(type="stall", role="client")
    assert agent.result()["errno"] is None

    syn = wire.syns(PORT)[0]
    has(server, **server_of(lab, way, syn), cause="no_ack")
    has(client, isn=syn.seq, lport=syn.sport, netns=lab.client.inode,
        cause=seen(watching, "reply_dropped_on_input"))
    assert server["id"] != client["id"]
    has(watching.wait_for(type="end", role="client"), id=client["id"], verdict="established")
    has(watching.wait_for(type="end", role="server"), id=server["id"], verdict="established")
