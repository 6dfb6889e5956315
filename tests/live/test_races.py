# SPDX-License-Identifier: GPL-2.0-only
"""Happy eyeballs (RFC 8305): several addresses of a service at once, the losers closed."""

import pytest

from expect import client_of, has, seen
from netlab import V4, V6

pytestmark = pytest.mark.role("client")

PORT = 443

# Longer than a loser is left open by those who race; no SYN has been retried yet.
LATER = 0.6


@pytest.fixture
def one_way_hangs(lab):
    """A service at two addresses, one of which drops what comes."""
    server = lab.server.agent()
    server.call("listen", address="::", port=PORT)
    lab.server.iptables(f"-I INPUT -p tcp --dport {PORT} -j DROP", V6)


def start(agent, way, name):
    assert agent.connect(way.target, PORT, name=name, blocking=False)["errno"] == "EINPROGRESS"


def win(agent, name):
    assert agent.call("wait_error", name=name) == {"errno": None}


@pytest.mark.parametrize("first, second", [(V6, V4), (V4, V6)], ids=["hangs-first", "wins-first"])
def test_loser_that_is_closed_at_once_is_healthy(agent, watch, one_way_hangs, first, second):
    watching = watch()
    start(agent, first, first.name)
    start(agent, second, second.name)
    win(agent, V4.name)
    agent.call("close", name=V6.name)
    summary = watching.stop()
    assert watching.lines == []
    assert summary["healthy"] == 2 and summary["handshakes"]["client"] == {}


def test_with_all_the_loser_has_no_cause(lab, agent, watch, one_way_hangs):
    watching = watch("--all")
    start(agent, V6, "loser")
    start(agent, V4, "winner")
    win(agent, "winner")
    agent.call("close", name="loser")
    end = watching.wait_for(type="end", raddr=V6.raddr)
    has(end, **client_of(agent, lab, V6, PORT), verdict="abandoned", cause="none", syn_sent=1)
    assert watching.stop()["healthy"] == 2


def test_one_that_is_left_hanging_has_not_lost_a_race(lab, agent, watch, one_way_hangs):
    """As where a process uses two replicas, of which one is down."""
    watching = watch()
    start(agent, V6, "hung")
    start(agent, V4, "other")
    win(agent, "other")
    agent.call("pause", seconds=LATER)
    agent.call("close", name="hung")
    end = watching.wait_for(type="end")
    has(end, **client_of(agent, lab, V6, PORT), verdict="abandoned",
        cause=seen(watching, "dropped_by_peer"), syn_sent=1)
    assert watching.stop()["healthy"] == 1


def test_what_another_process_has_won_counts_for_nothing(lab, agent, watch, one_way_hangs):
    other = lab.client.agent()
    watching = watch()
    start(agent, V6, "hung")
    start(other, V4, "other")
    win(other, "other")
    agent.call("close", name="hung")
    end = watching.wait_for(type="end")
    has(end, **client_of(agent, lab, V6, PORT), verdict="abandoned",
        cause=seen(watching, "dropped_by_peer"), syn_sent=1)
    assert watching.stop()["healthy"] == 1
