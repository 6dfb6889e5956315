# SPDX-License-Identifier: GPL-2.0-only
"""What a person sees."""

import re

import pytest

from netlab import MAPPED, V4, V6

PORT = 80


@pytest.mark.parametrize("columns", [80, 160])
def test_lines_fit_the_terminal(lab, agent, terminal, columns):
    lab.server.iptables(f"-I INPUT -p tcp --dport {PORT} -j DROP")
    watching = terminal(columns=columns)

    assert agent.connect(V4.target, 81)["errno"] == "ECONNREFUSED"
    watching.wait_for(rb"refused")
    assert agent.connect("203.0.113.250", 65535)["errno"] == "ENETUNREACH"
    watching.wait_for(rb"203\.0\.113\.250")
    agent.call("close")
    agent.start_connect(V4.target, PORT)
    watching.wait_for(rb"stalled")
    agent.kill()
    watching.wait_for(rb"abandoned")

    watching.stop()
    too_long = [row for row in watching.rows() if len(row) > columns]
    assert too_long == []
    assert any(str(agent.pid) in row and agent.COMM in row for row in watching.rows())


@pytest.mark.parametrize("columns", [80, 160])
def test_long_addresses_are_not_cut(lab, agent, terminal, columns):
    longest = "2001:db8:1111:2222:3333:4444:5555:6666"
    lab.client.ip(f"addr add {longest}/128 dev lo nodad")
    watching = terminal(columns=columns)

    assert agent.connect(longest, 65535)["errno"] == "ECONNREFUSED"
    watching.wait_for(rb"refused")

    watching.stop()
    assert any(longest in row for row in watching.rows())


def test_colours_are_for_terminals_that_want_them(lab, agent, terminal):
    coloured, plain = terminal(), terminal("--no-color")
    assert agent.connect(V4.target, 81)["errno"] == "ECONNREFUSED"
    for watching in coloured, plain:
        watching.wait_for(rb"refused")
        watching.stop()
    assert re.search(rb"\x1b\[[0-9;]*m", coloured.output)
    assert b"\x1b" not in plain.output


def test_summary_counts_what_was_shown(lab, agent, terminal):
    lab.server.listen(PORT)
    watching = terminal("--role", "client")
    for way in V4, V6, MAPPED:
        assert agent.connect(way.target, 81, name=way.name)["errno"] == "ECONNREFUSED"
    assert agent.connect(V4.target, PORT)["errno"] is None
    watching.wait_for(rb"(refused(.|\n)*){3}")

    shown = len(watching.output)
    watching.stop()
    summary = watching.output[shown:].decode("utf-8")
    assert re.search(r"refused\D*\b3\b|\b3\b\D*refused", summary), summary
    assert V4.raddr in summary and V6.raddr in summary
