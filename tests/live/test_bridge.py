# SPDX-License-Identifier: GPL-2.0-only
"""Drops in a bridge between the two ends. What crosses one on its way from a veth still has the
socket that sent it, which is no sign that it has not left."""

import socket

import pytest

from expect import client_of, dropped, has, needs, on_wire
from netlab import V4, V6, BridgedLab

PORT = 80
TCP_SYNCNT = 7

every_way = pytest.mark.parametrize("way", [V4, V6])


@pytest.fixture
def lab():
    with BridgedLab() as new:
        yield new


def hangs(lab, agent, watching, address, way, cause):
    """Connects until the kernel gives up. Every line of it, and the SYNs that left."""
    wire = lab.bridge.sniff("port1")
    reply = agent.connect(address, PORT, options=[(socket.IPPROTO_TCP, TCP_SYNCNT, 1)])
    assert reply["errno"] == "ETIMEDOUT"
    end = watching.wait_for(type="end", role="client")
    syns = wire.syns(PORT)
    assert watching.of_type("loss") == []
    lines = [line for line in watching.lines if line["role"] == "client"]
    assert len(lines) == len(syns) > 1
    for line in lines:
        has(line, **client_of(agent, lab, way, PORT) | {"raddr": address}, **on_wire(syns[0]),
            cause=cause, icmp=None, syn_unsent=0)
    has(end, verdict="timed_out", syn_sent=len(syns))
    return lines


@pytest.mark.slow(3)
@every_way
@pytest.mark.parametrize("field, cause", [("dport", "dropped_on_path"),
                                          ("sport", "reply_dropped_on_path")])
def test_rule_of_the_bridge(lab, agent, watch, way, field, cause):
    lab.server.listen(PORT)
    for command in ("table bridge wall",
                    "chain bridge wall c { type filter hook forward priority 0; }",
                    f"rule bridge wall c tcp {field} {PORT} drop"):
        lab.bridge.run("nft", "add", *command.split())
    watching = watch()
    needs(watching, "kfree_skb")
    for line in hangs(lab, agent, watching, way.target, way, cause):
        dropped(line, lab.bridge, "NETFILTER_DROP", "nft_do_chain", "nf_hook_slow")
        assert str(lab.bridge.inode) in line["why"], line


@pytest.mark.slow(3)
@every_way
def test_bystander_is_not_the_one_that_dropped_it(lab, agent, watch, way):
    """A host that is gone but still in the neighbour table: the bridge floods its SYNs to all
    ports, and whoever they are not for throws them away."""
    gone = {V4: "198.18.0.99", V6: "2001:2::99"}[way]
    lab.client.ip(f"neigh add {gone} lladdr 02:00:00:00:00:99 dev {lab.client.DEVICE} "
                  "nud permanent")
    bystander = lab.server.sniff()
    watching = watch()
    for line in hangs(lab, agent, watching, gone, way, "no_answer"):
        has(line, drop=None)
    assert bystander.syns(PORT), "it was not flooded"
