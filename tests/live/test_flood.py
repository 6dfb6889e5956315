# SPDX-License-Identifier: GPL-2.0-only
"""A flood of dropped SYNs beside handshakes that hang."""

import pytest

from expect import client_of, dropped, has, needs
from flooding import Flood, rss
from netlab import V4, V6

PORT = 80
FLOODED_PORT = 81

SECONDS = 8  # more than twice as long as a handshake hangs
RSS_GROWTH_MAX = 8 << 20

RETRIES = "net.ipv4.tcp_syn_retries"


@pytest.mark.alone
@pytest.mark.slow(SECONDS)
def test_flood_of_dropped_syns_hides_no_handshake(lab, watch, tmp_path):
    lab.server.iptables(f"-I INPUT -p tcp --dport {FLOODED_PORT} -j DROP")
    lab.client.sysctl(RETRIES, 1)
    agents = {way: lab.client.agent() for way in (V4, V6)}
    for way in agents:
        lab.server.iptables(f"-I INPUT -p tcp --dport {PORT} -j DROP", way)
    watching = watch("--role", "client")
    needs(watching, "kfree_skb")
    before = rss(watching.pid)

    with Flood(lab, tmp_path, FLOODED_PORT, SECONDS) as flood:
        watching.wait_for(type="loss")  # from now on it is a flood
        for way, agent in agents.items():
            agent.start_connect(way.target, PORT)
        replies = [agent.result() for agent in agents.values()]
        assert flood.is_running, "it was over before the handshakes were"
        growth = rss(watching.pid) - before
        assert growth < RSS_GROWTH_MAX, growth
        assert flood.sent() > SECONDS * 10000, "no flood"

    assert [reply["errno"] for reply in replies] == ["ETIMEDOUT"] * 2
    summary = watching.stop()
    for way, agent in agents.items():
        check_handshake([line for line in watching.lines if line.get("raddr") == way.raddr],
                        lab, agent, way)
    # Left out on purpose, and said so; nothing else was lost.
    assert watching.of_type("loss") == []
    assert summary["lost"] == 0
    assert summary["suppressed"] == watching.suppressed > 0
    assert summary["handshakes"]["client"] == {"timed_out": 2}


def check_handshake(lines, lab, agent, way):
    *stalls, end = lines
    assert [stall["syn_retransmits"] for stall in stalls] == list(range(1, len(stalls) + 1))
    assert len(stalls) == stalls[0]["retry_limit"]
    for line in lines:
        has(line, **client_of(agent, lab, way, PORT), id=end["id"], syn_unsent=0,
            syn_sent=line["syn_retransmits"] + 1)
    for stall in stalls:
        has(stall, type="stall", errno=None)
    has(end, type="end", verdict="timed_out", errno="ETIMEDOUT", syn_sent=len(stalls) + 1)
    # The drop of its first SYN may be one of the many that are left out; no later one is.
    assert stalls[0]["cause"] in ("no_answer", "dropped_by_peer")
    for line in *stalls[1:], end:
        has(line, cause="dropped_by_peer")
        dropped(line, lab.server, "NETFILTER_DROP")
