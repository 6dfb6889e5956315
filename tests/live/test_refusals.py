# SPDX-License-Identifier: GPL-2.0-only
"""SYNs that the server's host turns away before any listener has them, or for want of one."""

import ctypes
import re
import socket
import struct
from pathlib import Path

import pytest

from expect import client_of, dropped, has, needs, on_wire, seconds, tells_of
from netlab import V4, V6
from serving import PORT, Counters, every_way, of_server, server_of

SO_ATTACH_FILTER = 26

NETFILTER = "nft_do_chain", "nf_hook_slow"

TO_PORT = f"-p tcp --dport {PORT}"


def refused(lab, agent, watching, way, **expected):
    """Connects. The server's line, which is the only one of its side, and the SYNs."""
    wire = lab.server.sniff()
    agent.start_connect(way.target, PORT)
    end = watching.wait_for(type="end", role="server")
    syn = wire.wait_for(lambda segment: segment.is_syn)
    has(end, **server_of(lab, way, syn), listener=None, **expected)
    return end


def drops(way, front, chain):
    """The rule through one of netfilter's front ends, as (command, arguments)."""
    if front == "nft":
        return [("nft", "add", *command.split()) for command in (
            "table inet wall",
            f"chain inet wall c {{ type filter hook {chain} priority 0; }}",
            f"rule inet wall c tcp dport {PORT} drop")]
    tables = {"input": "-I INPUT", "prerouting": "-t raw -I PREROUTING"}
    command = "iptables" if way.family == 4 else "ip6tables"
    return [(command + front, "-w", *f"{tables[chain]} {TO_PORT} -j DROP".split())]


@pytest.mark.core("-nft-input-v4")
@pytest.mark.slow(1)
@every_way
@pytest.mark.parametrize("chain", ["input", "prerouting"])
@pytest.mark.parametrize("front", ["-legacy", "-nft", "nft"])
def test_firewall_that_drops(lab, agent, watch, way, front, chain):
    for command in drops(way, front, chain):
        lab.server.run(*command)
    server = lab.server.agent()
    server.call("listen", address=way.raddr, port=PORT)
    watching = watch()
    needs(watching, "kfree_skb")
    counters = Counters(lab.server)
    wire = lab.server.sniff()

    agent.start_connect(way.target, PORT)
    end = watching.wait_for(type="end", role="server")
    client = watching.wait_for(type="stall", role="client")
    agent.kill()

    has(end, **server_of(lab, way, wire.syns(PORT)[0]), verdict="ignored", cause="netfilter",
        icmp=None)
    dropped(end, lab.server, "NETFILTER_DROP",
            *NETFILTER if front == "nft" else NETFILTER[front == "-legacy":])
    assert "thrown away by a firewall rule: NETFILTER_DROP in n" in end["why"], end
    has(client, cause="dropped_by_peer", isn=end["isn"])
    summary = counters.check(watching)
    assert summary["handshakes"]["server"] == {"ignored": 1}
    assert of_server(watching) == [end], "once, however often the SYN comes"


def rejects(way, answer):
    """The rule's target. answer: "tcp-reset", "icmp"."""
    unreachable = "icmp-port-unreachable" if way.family == 4 else "icmp6-port-unreachable"
    return f"REJECT --reject-with {answer if answer == 'tcp-reset' else unreachable}"


def shows(way, answer):
    """The hook by which such an answer is seen."""
    if answer == "tcp-reset":
        return "nf_ct_attach"
    return "icmp_send" if way.family == 4 else "icmp6_send"


def answered(end, lab, way, answer):
    """That a rule did, and with what."""
    dropped(end, lab.server, "NETFILTER_DROP", *NETFILTER)
    if answer == "tcp-reset":
        has(end, verdict="refused", cause="netfilter", icmp=None)
        assert "a firewall rule of this host answers it with a RST" in end["why"], end
    else:
        v4 = way.family == 4
        has(end, verdict="rejected", cause="netfilter")
        has(end["icmp"], type=3 if v4 else 1, code=3 if v4 else 4, **{"from": None})
        assert f"answers with ICMP{'' if v4 else 'v6'} port unreachable" in end["why"], end


every_answer = pytest.mark.parametrize("answer", ["tcp-reset", "icmp"])


@pytest.mark.core
@every_way
@every_answer
def test_firewall_that_answers(lab, agent, watch, way, answer):
    """Where the answer leaves no trace no more is said than that the SYN was thrown away."""
    lab.server.iptables(f"-I INPUT {TO_PORT} -j {rejects(way, answer)}", way)
    watching = watch("--role", "server", netns=[lab.server])
    needs(watching, "kfree_skb")
    counters = Counters(lab.server)

    end = refused(lab, agent, watching, way, cause="netfilter")

    if tells_of(watching, shows(way, answer)):
        answered(end, lab, way, answer)
    else:
        dropped(end, lab.server, "NETFILTER_DROP", *NETFILTER)
        has(end, verdict="ignored", icmp=None)
        assert "REJECT" in end["why"], end
    counters.check(watching)
    assert watching.lines == [end]


@pytest.mark.core
@every_way
def test_firewall_that_would_be_seen_to_answer(lab, agent, watch, way):
    """One rule drops, its neighbours answer: each is told for what it is."""
    for port, target in (PORT, "DROP"), (81, rejects(way, "tcp-reset")), (82, rejects(way, "icmp")):
        lab.server.iptables(f"-I INPUT -p tcp --dport {port} -j {target}", way)
    watching = watch("--role", "server", netns=[lab.server])
    needs(watching, "kfree_skb", "nf_ct_attach", shows(way, "icmp"))

    for port in 81, PORT, 82:
        lab.client.agent().start_connect(way.target, port)
        end = watching.wait_for(type="end", lport=port)
        if port == PORT:
            has(end, verdict="ignored", cause="netfilter", icmp=None)
            assert end["why"] == (f"thrown away by a firewall rule: NETFILTER_DROP in "
                                  f"{end['drop']['place']}"), end
        else:
            answered(end, lab, way, "tcp-reset" if port == 81 else "icmp")
    watching.stop()
    assert len(watching.lines) == 3, watching.lines


# One client is answered six times at once, and then once in so many ms: of a network of
# 2^64 addresses in a quarter of that.
RATE = {4: ("net.ipv4.icmp_ratelimit", 10_000), 6: ("net.ipv6.icmp.ratelimit", 40_000)}
CLIENTS = 10


@pytest.mark.core
@every_way
def test_firewall_whose_answers_are_limited(lab, agent, watch, way):
    """What the kernel's rate limit for ICMP holds back is no answer."""
    lab.server.sysctl(*RATE[way.family])
    lab.server.iptables(f"-I INPUT {TO_PORT} -j {rejects(way, 'icmp')}", way)
    watching = watch("--role", "server", netns=[lab.server])
    needs(watching, "kfree_skb", shows(way, "icmp"))
    sent = icmp_errors(lab.server, way)

    for number in range(CLIENTS):
        agent.connect(way.target, PORT, blocking=False, name=f"client {number}")
    verdicts = [watching.wait_for(type="end")["verdict"] for _ in range(CLIENTS)]

    assert verdicts.count("rejected") == icmp_errors(lab.server, way) - sent, verdicts
    assert {"rejected", "ignored"} == set(verdicts), "all were answered, or none"


def icmp_errors(netns, way):
    """Destination unreachable, sent by this namespace so far."""
    with netns.entered():
        text = Path("/proc/thread-self/net", "snmp" if way.family == 4 else "snmp6").read_text()
    if way.family == 6:
        return int(re.search(r"Icmp6OutDestUnreachs\s+(\d+)", text).group(1))
    names, values = (line.split() for line in text.splitlines() if line.startswith("Icmp: "))
    return int(values[names.index("OutDestUnreachs")])


@every_way
def test_reject_with_a_reset_whose_client_is_seen(lab, agent, watch, way):
    lab.server.iptables(f"-I INPUT {TO_PORT} -j {rejects(way, 'tcp-reset')}", way)
    watching = watch()
    needs(watching, "kfree_skb")
    counters = Counters(lab.server)

    end = refused(lab, agent, watching, way)
    client = watching.wait_for(type="end", role="client")

    answered(end, lab, way, "tcp-reset")
    has(client, **client_of(agent, lab, way, PORT), verdict="refused", cause="rst",
        isn=end["isn"])
    assert seconds(end) <= seconds(client), "dated when the SYN was refused"
    counters.check(watching)
    assert of_server(watching) == [end]


@pytest.mark.core("v4")
@every_way
def test_nobody_listens(lab, agent, watch, way):
    watching = watch()
    needs(watching, "kfree_skb")
    counters = Counters(lab.server)

    end = refused(lab, agent, watching, way, verdict="refused", cause="no_listener", icmp=None)
    client = watching.wait_for(type="end", role="client")

    has(end, pid=None, tid=None, comm=None, owners=None)
    dropped(end, lab.server, "NO_SOCKET")
    assert f"nothing listens on {way.raddr} port {PORT}: answered with a RST" in end["why"], end
    has(client, verdict="refused", cause="rst", isn=end["isn"], lport=end["rport"])
    assert counters.check(watching)["handshakes"]["server"] == {"refused": 1}
    assert of_server(watching) == [end]


@every_way
def test_nobody_listens_any_more(lab, agent, watch, way):
    """A new process, a new listener, and then none: each SYN has what it finds."""
    watching = watch("--role", "server")
    needs(watching, "kfree_skb")
    counters = Counters(lab.server)
    first = lab.server.agent()
    first.call("listen", address=way.raddr, port=PORT)
    assert agent.connect(way.target, PORT)["errno"] is None
    first.quit()

    wire = lab.server.sniff()
    assert agent.connect(way.target, PORT, name="again")["errno"] == "ECONNREFUSED"
    end = watching.wait_for(type="end")
    has(end, **server_of(lab, way, wire.syns(PORT)[0]), verdict="refused", cause="no_listener")
    assert counters.check(watching)["accepted"] == 1
    assert watching.lines == [end]


def socket_filter(lab, way, listener):
    drop_all = ctypes.create_string_buffer(struct.pack("=HBBI", 6, 0, 0, 0))  # BPF_RET, 0 bytes
    listener.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER,
                        struct.pack("HL", 1, ctypes.addressof(drop_all)))


def ipsec_policy(lab, way, listener):
    lab.server.run("ip", "xfrm", "policy", "add", "src", way.laddr, "dst", way.raddr,
                   "dir", "in", "action", "block")


def reverse_path_filter(lab, way, listener):
    lab.server.ip(f"route add blackhole {V4.laddr}/32")
    lab.server.sysctl("net.ipv4.conf.all.rp_filter", 1)


OTHERS = [
    pytest.param(V4, reverse_path_filter, "IP_RPFILTER", id="v4-rp_filter"),
    *(pytest.param(way, stage, reason, id=f"{way}-{reason}") for way in (V4, V6)
      for stage, reason in ((socket_filter, "SOCKET_FILTER"), (ipsec_policy, "XFRM_POLICY"))),
]


@pytest.mark.core("v4-SOCKET_FILTER")
@pytest.mark.slow(1)
@pytest.mark.parametrize("way, stage, reason", OTHERS)
def test_thrown_away_for_another_reason(lab, agent, watch, way, stage, reason):
    stage(lab, way, lab.server.listen(PORT))
    watching = watch()
    needs(watching, "kfree_skb")
    counters = Counters(lab.server)
    wire = lab.server.sniff()

    agent.start_connect(way.target, PORT)
    end = watching.wait_for(type="end", role="server")
    client = watching.wait_for(type="stall", role="client")
    agent.kill()

    syn = wire.syns(PORT)[0]
    has(end, **server_of(lab, way, syn), verdict="ignored", cause="other_drop", icmp=None)
    dropped(end, lab.server, reason)
    assert reason in end["why"] and end["drop"]["place"] in end["why"], end
    has(client, **on_wire(syn), cause="dropped_by_peer")
    assert counters.check(watching)["handshakes"]["server"] == {"ignored": 1}
    assert of_server(watching) == [end]
