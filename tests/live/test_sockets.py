# SPDX-License-Identifier: GPL-2.0-only
"""Sockets and processes that are not what they seem."""

import socket

import pytest

from expect import client_of, has
from netlab import V4

pytestmark = pytest.mark.role("client")

PORT = 80

IPPROTO_MPTCP = 262
TCP_FASTOPEN = 23
TCP_FASTOPEN_CONNECT = 30


def test_mptcp_socket_is_one_handshake(lab, agent, watch):
    """The MPTCP socket changes states beside the TCP subflow that does the work."""
    lab.server.listen(PORT)
    watching = watch("--all")

    reply = agent.connect(V4.target, PORT, protocol=IPPROTO_MPTCP)
    if reply["errno"] in ("EPROTONOSUPPORT", "ENOPROTOOPT"):
        pytest.skip("this kernel has no MPTCP")
    assert reply["errno"] is None

    watching.stop()
    start, end = watching.lines
    has(start, **client_of(agent, lab, V4, PORT), type="start")
    has(end, id=start["id"], type="end", verdict="established", cause="none", syn_sent=1)


def test_deferred_fast_open_starts_with_its_syn(lab, agent, watch):
    """With a cookie at hand connect() returns at once; the SYN leaves with the first write()."""
    lab.server.sysctl("net.ipv4.tcp_fastopen", 3)
    listener = lab.server.listen(PORT)
    listener.setsockopt(socket.IPPROTO_TCP, TCP_FASTOPEN, 16)
    wire = lab.server.sniff()
    options = [(socket.IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 1)]
    for name in "asks-for-cookie", "has-cookie":
        watching = watch("--all")
        assert agent.connect(V4.target, PORT, name=name, options=options)["errno"] is None
        if name == "has-cookie":
            if len(wire.syns(PORT)) == 2:
                pytest.skip("the server gave no cookie")
            agent.call("pause", seconds=1.5)
        assert agent.call("write", name=name, text="x")["sent"] == 1
        end = watching.wait_for(type="end")
        watching.stop()

    # The silence before the SYN was the application's, not the network's.
    assert watching.of_type("stall") == []
    has(end, **client_of(agent, lab, V4, PORT), verdict="established", cause="none", syn_sent=1,
        isn=wire.syns(PORT)[1].seq)
    assert end["elapsed_ms"] < 1000


HOSTILE = [b"\x1b[31mred\x07", b"\xff\xfe\"\\\n", b"\xc3", b"\xc2\x9b31m", b" "]


@pytest.mark.parametrize("comm", HOSTILE, ids=repr)
def test_hostile_command_name(lab, agent, watch, terminal, comm):
    agent.call("comm", hexadecimal=comm.hex())
    watching = watch()
    on_terminal = terminal("--no-color")

    assert agent.connect(V4.target, PORT)["errno"] == "ECONNREFUSED"

    # Every JSON line is checked for being UTF-8 without escapes as it comes.
    has(watching.wait_for(type="end"), pid=agent.pid)
    on_terminal.wait_for(str(agent.pid).encode())
    output = on_terminal.stop().replace(b"\r\n", b"").decode("utf-8")
    assert output.isprintable(), repr(output)
