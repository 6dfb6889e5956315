# SPDX-License-Identifier: GPL-2.0-only
"""Drops in a namespace between the two ends, found by the ISN, through NAT too."""

import pytest

from expect import client_of, dropped, has, needs, on_wire
from netlab import FAR_V4, FAR_V6, RoutedLab

PORT = 80
OTHER_PORT = 8080

RETRIES = "net.ipv4.tcp_syn_retries"
NETFILTER = "nft_do_chain", "nf_hook_slow"

every_way = pytest.mark.parametrize("way", [FAR_V4, FAR_V6])


@pytest.fixture
def lab():
    with RoutedLab() as new:
        new.client.sysctl(RETRIES, 1)
        yield new


def hangs(lab, agent, watching, way, cause, *words, port=PORT):
    """Connects until the kernel gives up. Every line of it."""
    wire = lab.router.sniff()
    assert agent.connect(way.target, port)["errno"] == "ETIMEDOUT"
    end = watching.wait_for(type="end", role="client")
    syns = wire.syns(port)
    assert watching.of_type("loss") == []
    lines = [line for line in watching.lines if line["role"] == "client"]
    assert [line["type"] for line in lines] == ["stall"] * (len(syns) - 1) + ["end"]
    for line in lines:
        has(line, **client_of(agent, lab, way, port), **on_wire(syns[0]), id=end["id"],
            cause=cause, icmp=None, closer=None, syn_unsent=0)
        for word in words:
            assert word in line["why"], line
    has(end, verdict="timed_out", errno="ETIMEDOUT", syn_sent=len(syns))
    return lines


# rule, cause, words
ROUTER = {
    "syn": (f"FORWARD -p tcp --dport {PORT} -j DROP", "dropped_on_path", "on its way, drops it"),
    "syn-raw": (f"PREROUTING -t raw -p tcp --dport {PORT} -j DROP", "dropped_on_path",
                "on its way, drops it"),
    "syn-mangle-postrouting": (f"POSTROUTING -t mangle -p tcp --dport {PORT} -j DROP",
                               "dropped_on_path", "on its way, drops it"),
    "syn-ack": (f"FORWARD -p tcp --sport {PORT} -j DROP", "reply_dropped_on_path",
                "answered, but namespace"),
    "syn-ack-raw": (f"PREROUTING -t raw -p tcp --sport {PORT} -j DROP", "reply_dropped_on_path",
                    "answered, but namespace"),
}


@pytest.mark.core("syn-v4", "syn-ack-v6")
@pytest.mark.slow(3)
@every_way
@pytest.mark.parametrize("case", ROUTER)
def test_router_that_drops_in_silence(lab, agent, watch, way, case):
    rule, cause, words = ROUTER[case]
    lab.server.listen(PORT)
    lab.router.iptables(f"-I {rule}", way)
    watching = watch()  # of the two ends only: the drop between them belongs to them
    needs(watching, "kfree_skb")
    for line in hangs(lab, agent, watching, way, cause, words, str(lab.router.inode),
                      "NETFILTER_DROP"):
        dropped(line, lab.router, "NETFILTER_DROP", *NETFILTER)


@pytest.mark.slow(3)
@every_way
def test_peer_behind_the_router_that_drops(lab, agent, watch, way):
    lab.server.iptables(f"-I INPUT -p tcp --dport {PORT} -j DROP", way)
    watching = watch()
    needs(watching, "kfree_skb")
    for line in hangs(lab, agent, watching, way, "dropped_by_peer", str(lab.server.inode)):
        dropped(line, lab.server, "NETFILTER_DROP", *NETFILTER)


SNAT = f"POSTROUTING -t nat -o {RoutedLab.FAR_DEVICE} -p tcp -j MASQUERADE --to-ports 5000-5099"
DNAT = f"PREROUTING -t nat -p tcp " \
       f"--dport {PORT} -j DNAT --to-destination {FAR_V4.raddr}:{OTHER_PORT}"

# NAT rules, the port that the server sees
NAT = {"snat": ([SNAT], PORT), "dnat": ([DNAT], OTHER_PORT), "both": ([SNAT, DNAT], OTHER_PORT)}


@pytest.mark.slow(3)
@pytest.mark.parametrize("nat", NAT)
@pytest.mark.parametrize("what", ["syn", "syn-ack"])
def test_drop_behind_nat_still_belongs_to_its_handshake(lab, agent, watch, nat, what):
    rules, port = NAT[nat]
    for rule in rules:
        lab.router.iptables(f"-A {rule}")
    lab.server.listen(port)
    wire = lab.server.sniff()
    if what == "syn":
        lab.server.iptables(f"-I INPUT -p tcp --dport {port} -j DROP")
        cause = "dropped_by_peer"
    else:
        lab.server.iptables(f"-I OUTPUT -p tcp --sport {port} -j DROP")
        cause = "reply_dropped_on_path"
    watching = watch()
    needs(watching, "kfree_skb")

    lines = hangs(lab, agent, watching, FAR_V4, cause)

    for line in lines:
        dropped(line, lab.server, "NETFILTER_DROP", *NETFILTER)
    arrived = wire.syns(port)[0]
    assert arrived.seq == lines[0]["isn"]
    assert (arrived.sport != lines[0]["lport"]) == (SNAT in rules), "NAT did not happen"


@pytest.mark.slow(1)
@every_way
def test_reject_of_the_router_names_the_router(lab, agent, watch, way):
    lab.client.sysctl(RETRIES, 6)
    lab.router.iptables(f"-I FORWARD -p tcp --dport {PORT} -j REJECT", way)
    watching = watch()
    needs(watching, "kfree_skb")
    assert agent.connect(way.target, PORT)["errno"] == "ECONNREFUSED"
    end = watching.wait_for(type="end")
    has(end, **client_of(agent, lab, way, PORT), verdict="rejected", cause="icmp",
        errno="ECONNREFUSED")
    dropped(end, lab.router, "NETFILTER_DROP", *NETFILTER)
    if way is FAR_V4:
        has(end["icmp"], type=3, code=3, **{"from": "198.18.0.2"})
        assert "from 198.18.0.2" in end["why"], end
    else:
        has(end["icmp"], type=1, code=4, **{"from": None})


@pytest.mark.slow(4)
@every_way
def test_neighbour_that_the_router_does_not_find_is_not_ours(lab, agent, watch, way):
    """The next hop answers; it says that its own does not. 3/1 from there is an ICMP error."""
    lab.client.sysctl(RETRIES, 6)
    target = {FAR_V4: "198.18.1.77", FAR_V6: "2001:2:0:1::77"}[way]
    watching = watch()
    needs(watching, "kfree_skb")

    assert agent.connect(target, PORT)["errno"] == "EHOSTUNREACH"

    end = watching.wait_for(type="end")
    has(end, raddr=target, verdict="rejected", cause="icmp", errno="EHOSTUNREACH")
    if way is FAR_V4:
        has(end["icmp"], type=3, code=1, **{"from": "198.18.0.2"})
    for line in watching.lines:
        assert line["cause"] != "neighbour_unresolved", line
        has(line, syn_unsent=0)
        if line["drop"]:
            has(line["drop"], netns=lab.router.inode)


@every_way
def test_route_that_the_router_lacks(lab, agent, watch, way):
    lab.client.sysctl(RETRIES, 6)
    target = {FAR_V4: "198.51.100.1", FAR_V6: "2001:db8::1"}[way]
    watching = watch()
    needs(watching, "kfree_skb")
    assert agent.connect(target, PORT)["errno"] == "ENETUNREACH"
    end = watching.wait_for(type="end")
    has(end, raddr=target, verdict="rejected", cause="icmp", errno="ENETUNREACH")
    has(end["icmp"], type=3 if way is FAR_V4 else 1, code=0)
    dropped(end, lab.router, "IP_INNOROUTES")


@pytest.mark.slow(3)
def test_blackhole_of_the_router_leaves_nothing_to_claim(lab, agent, watch):
    """The kernel frees what a blackhole route swallows without a reason."""
    lab.router.ip(f"route add blackhole {FAR_V4.raddr}/32")
    watching = watch()
    for line in hangs(lab, agent, watching, FAR_V4, "no_answer"):
        has(line, drop=None)
