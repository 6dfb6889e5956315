# SPDX-License-Identifier: GPL-2.0-only
"""A spoofed flood at a port: told as a crowd, and it hides no handshake that hangs."""

import re
from collections import Counter

import pytest

from expect import has, needs, seconds
from flooding import Flood, rss
from netlab import V4, V6, mac
from serving import ACK, PORT, Counters, of_server, queues, until

FLOODED_PORT = 81
BACKLOG = 128
SPORT = {V4: 5001, V6: 5002}  # of the handshakes that stall
ANY = {V4: "0.0.0.0", V6: "::"}

SECONDS = 6
RSS_GROWTH_MAX = 8 << 20
RSS_GROWTH_LEFT = 2 << 20

# 64 registers estimate to 13 %; three times that is as good as never.
ESTIMATE = 0.4


@pytest.fixture
def server(lab):
    """The flood's addresses are behind a gateway that is not there: its frames are no one's."""
    lab.server.ip(f"neigh add 198.18.0.9 lladdr {mac(0, 9)} dev {lab.server.DEVICE} nud permanent",
                  "route add 10.0.0.0/8 via 198.18.0.9")
    listening = lab.server.agent()
    for port in PORT, FLOODED_PORT:
        listening.call("listen", address="::", port=port, backlog=BACKLOG, name=f"l{port}")
    return listening


def stage(lab, server, watching, tmp_path):
    """The flood, and two handshakes that stall while it lasts. How many SYNs came, and what the
    kernel counted."""
    agents = {way: lab.client.agent() for way in (V4, V6)}
    for way in agents:
        lab.server.iptables(f"-I INPUT {ACK}", way)
    counters = Counters(lab.server)
    before = rss(watching.pid)

    with Flood(lab, tmp_path, FLOODED_PORT, SECONDS) as flood:
        watching.wait_for(type="crowd", lport=FLOODED_PORT)
        for way, agent in agents.items():
            agent.start_connect(way.target, PORT, bind=[ANY[way], SPORT[way]])
        for way, agent in agents.items():
            assert agent.result()["errno"] is None
            stall = watching.wait_for(type="stall", family=way.family, lport=PORT)
            has(stall, role="server", cause="no_ack", laddr=way.raddr, raddr=way.laddr,
                rport=SPORT[way], pid=server.pid)
        assert flood.is_running, "it was over before the handshakes stalled"
        growth = rss(watching.pid) - before
        assert growth < RSS_GROWTH_MAX, growth
        sent = flood.sent()
    assert sent > SECONDS * 10000, "no flood"
    until(lambda: rss(watching.pid) - before < RSS_GROWTH_LEFT)
    return sent, counters


def check_crowds(lab, server, watching, summary):
    """One a port and second at most, and the last word; all about the port that was flooded."""
    crowds = watching.of_type("crowd")
    assert 1 <= len(crowds) <= SECONDS + 3
    for crowd in crowds:
        has(crowd, role="server", lport=FLOODED_PORT, netns=lab.server.inode)
        assert crowd["laddr"] in (V4.raddr, "0.0.0.0", "::"), crowd
        assert crowd["half_open"] + crowd["dropped"] + crowd["ignored"] > 0, crowd
        addresses, of_them = crowd["addresses"], crowd["half_open"] + crowd["dropped"]
        assert (addresses is None) == (of_them == 0), crowd
        if of_them:
            assert 1 <= addresses <= of_them, crowd
            # Of 16 million addresses hardly any comes twice.
            assert addresses >= (1 - ESTIMATE) * of_them or of_them < 100, crowd
            assert re.search(r"from about [\d,]+ addresses", crowd["why"]), crowd
    for earlier, later in zip(crowds, crowds[1:-1]):
        assert seconds(later) - seconds(earlier) > 0.9, (earlier, later)
    # By address: those that are told one by one were for one, their listener is for any.
    flooded = [top for top in summary["top"] if top["port"] == FLOODED_PORT]
    assert {top["role"] for top in flooded} == {"server"}, summary["top"]
    assert max(top["count"] for top in flooded) == summary["top"][0]["count"], summary["top"]
    # What is told as a crowd is not told one by one.
    told = Counter(line["lport"] for line in of_server(watching))
    assert told[FLOODED_PORT] < 2 * BACKLOG * SECONDS, told
    return crowds


@pytest.mark.alone
@pytest.mark.slow(SECONDS + 3)
@pytest.mark.parametrize("cookies", [0, 1])
def test_flood_at_a_listener(lab, server, watch, tmp_path, cookies):
    lab.server.sysctl("net.ipv4.tcp_syncookies", cookies)
    watching = watch("--role", "server")

    _, counters = stage(lab, server, watching, tmp_path)

    summary = counters.check(watching)
    crowds = check_crowds(lab, server, watching, summary)
    for crowd in crowds:
        has(crowd, pid=server.pid, comm=server.COMM, owners=1)
        queues(crowd, limit=BACKLOG, syncookies=bool(cookies))
        assert crowd["half_open"] <= 4 * BACKLOG, crowd
    ignored = sum(crowd["ignored"] for crowd in crowds)
    if cookies:
        assert counters.now()["SyncookiesSent"] > 10000
        assert ignored == 0
        assert all("syncookies are in use" in crowd["why"] for crowd in crowds[1:]), crowds
    else:
        assert ignored > 0.9 * counters.now()["ListenDrops"] > 10000
        assert "syn_queue_full" in {crowd["cause"] for crowd in crowds}


@pytest.mark.alone
@pytest.mark.slow(SECONDS + 3)
def test_flood_at_a_port_that_drops_it(lab, server, watch, tmp_path):
    lab.server.iptables(f"-I INPUT -p tcp --dport {FLOODED_PORT} -j DROP")
    watching = watch("--role", "server")
    needs(watching, "kfree_skb")

    sent, counters = stage(lab, server, watching, tmp_path)

    summary = counters.check(watching)
    assert summary["listen_drops"] == 0
    crowds = check_crowds(lab, server, watching, summary)
    for crowd in crowds:
        has(crowd, cause="netfilter", reason="NETFILTER_DROP", half_open=0, ignored=0)
        assert "NETFILTER_DROP" in crowd["why"], crowd
    told = sum(line["lport"] == FLOODED_PORT for line in of_server(watching))
    dropped = sum(crowd["dropped"] for crowd in crowds) + told
    assert 0.5 * sent < dropped <= 1.1 * sent, (dropped, sent)
