# SPDX-License-Identifier: GPL-2.0-only
"""Whose listener it is: in the lines, and for the filters."""

import pytest

from expect import has
from netlab import V4, V6
from serving import PORT, server_of

OTHER_PORT = 81
NEITHER_PORT = 82
UID = 54321

ACK_LOST = f"INPUT -p tcp --dport {PORT}:{NEITHER_PORT} --tcp-flags SYN,ACK,RST ACK -j DROP"

every_way = pytest.mark.parametrize("way", [V4, V6])


@pytest.fixture
def server(lab):
    return lab.server.agent()


@pytest.fixture
def hang(lab, agent):
    """hang(way, port): a handshake whose SYN-ACK will be sent again; its SYN."""
    wire = lab.server.sniff()
    for way in V4, V6:
        lab.server.iptables(f"-I {ACK_LOST}", way)

    def start(way, port=PORT):
        assert agent.connect(way.target, port, name=f"{way} {port}")["errno"] is None
        return wire.wait_for(lambda segment: segment.is_syn and segment.dport == port
                             and segment.dst == way.raddr)

    return start


@pytest.mark.slow(1)
@every_way
@pytest.mark.parametrize("address", ["any", "one"])
def test_listener_that_is_older_than_the_watch(lab, server, watch, hang, way, address):
    server.call("listen", address="::" if address == "any" else way.raddr, port=PORT)
    watching = watch("--role", "server")
    syn = hang(way)
    has(watching.wait_for(type="stall"), **server_of(lab, way, syn, server), owners=1)


@pytest.mark.slow(1)
@every_way
@pytest.mark.parametrize("address", ["any", "one"])
def test_listener_that_is_younger_than_the_watch(lab, server, watch, hang, way, address):
    watching = watch("--role", "server")
    server.call("listen", address="::" if address == "any" else way.raddr, port=PORT)
    syn = hang(way)
    has(watching.wait_for(type="stall"), **server_of(lab, way, syn, server))


@pytest.mark.slow(1)
def test_request_that_is_older_than_the_watch(lab, server, watch, hang):
    server.call("listen", address="::", port=PORT)
    syn = hang(V4)
    watching = watch("--role", "server")
    has(watching.wait_for(type="stall"), **server_of(lab, V4, syn, server), owners=1)


@pytest.mark.slow(1)
def test_of_several_owners_the_first_is_named(lab, server, watch, hang):
    server.call("listen", address="::", port=PORT)
    child = server.call("share")["pid"]
    watching = watch("--role", "server")
    hang(V4)
    has(watching.wait_for(type="stall"), pid=min(server.pid, child), owners=2, comm=server.COMM)


@pytest.mark.slow(1)
def test_of_several_owners_the_one_asked_for_is_named(server, watch, hang):
    server.call("listen", address="::", port=PORT)
    child = server.call("share")["pid"]
    watches = {pid: watch("--pid", pid) for pid in (server.pid, child)}
    hang(V4)
    for pid, watching in watches.items():
        has(watching.wait_for(type="stall"), role="server", pid=pid, owners=2)


@pytest.mark.slow(1)
def test_next_process_on_the_same_port(lab, server, watch, hang):
    server.call("listen", address="::", port=PORT)
    watching = watch("--role", "server")
    server.quit()
    following = lab.server.agent()
    following.call("listen", address="::", port=PORT)
    syn = hang(V4)
    has(watching.wait_for(type="stall"), **server_of(lab, V4, syn, following))


@pytest.mark.slow(1)
def test_uid_and_name_of_whoever_listens(lab, server, watch, hang):
    watching = watch("--role", "server")
    server.call("uid", uid=UID)
    server.call("comm", hexadecimal=b"a server".hex())
    server.call("listen", address="::", port=8080)
    lab.server.iptables(f"-I {ACK_LOST.replace(str(PORT), '8080', 1).replace(':82', '')}")
    hang(V4, 8080)
    has(watching.wait_for(type="stall"), pid=server.pid, uid=UID, comm="a server", lport=8080)


# What to ask for, of a listener at PORT; the other is at OTHER_PORT.
FILTERS = {
    "pid": "--pid {pid}",
    "comm": "--comm chosen",
    "uid": f"--uid {UID}",
    "lport": f"--lport {PORT}",
    "pid-and-role": "--pid {pid} --role server",
    "pid-and-comm": "--pid {pid} --comm chosen",
}


@pytest.mark.slow(1)
@every_way
@pytest.mark.parametrize("age", ["older", "younger"])
@pytest.mark.parametrize("name", FILTERS)
def test_filter_for_one_of_two_listeners(lab, server, watch, hang, way, name, age):
    lab.server.sysctl("net.ipv4.ip_unprivileged_port_start", PORT)
    other = lab.server.agent()
    server.call("comm", hexadecimal=b"chosen".hex())
    server.call("uid", uid=UID)

    def listen():
        server.call("listen", address="::", port=PORT)
        other.call("listen", address="::", port=OTHER_PORT)

    if age == "older":
        listen()
    chosen = watch(*FILTERS[name].format(pid=server.pid).split(), netns=[lab.server])
    everything = watch("--role", "server")
    if age == "younger":
        listen()
    other_syn, syn = hang(way, OTHER_PORT), hang(way)

    who = server_of(lab, way, syn) | {"pid": server.pid, "uid": UID, "comm": "chosen"}
    has(chosen.wait_for(type="stall"), **who)
    has(everything.wait_for(type="stall", lport=PORT), **who)
    has(everything.wait_for(type="stall", lport=OTHER_PORT),
        **server_of(lab, way, other_syn, other, OTHER_PORT))
    chosen.stop()
    assert {line["lport"] for line in chosen.lines} == {PORT}


@pytest.mark.parametrize("option", ["--pid {pid}", "--comm live-agent", "--role server"])
def test_refused_for_want_of_a_listener_it_is_nobodys(lab, agent, server, watch, option):
    """No owner: what asks for one lets nothing of that kind in."""
    watching = watch(*option.format(pid=server.pid).split(), netns=[lab.server])
    everything = watch(netns=[lab.server])
    agent.connect(V4.target, OTHER_PORT)
    has(everything.wait_for(type="end"), cause="no_listener", lport=OTHER_PORT, pid=None)
    watching.stop()
    assert bool(watching.lines) == (option == "--role server")
