# SPDX-License-Identifier: GPL-2.0-only
"""Each filter lets in what it should and nothing else, on every kind of record."""

import os
from typing import NamedTuple

import pytest

from expect import has
from netlab import MAPPED, V4, V6

UID = 54321


class Call(NamedTuple):
    """A connect() to a port where nobody listens: its end is there at once."""

    target: str
    port: int
    bind: tuple = None
    other: bool = False  # by the second agent, with its own PID, UID and name


def case(name, options, wanted, unwanted):
    return pytest.param(options, wanted, unwanted, id=name)


@pytest.mark.parametrize("options, wanted, unwanted", [
    case("pid", "-p {other}", [Call(V4.target, 81, other=True)], [Call(V4.target, 82)]),
    case("pids", "--pid={other},{agent}", [Call(V4.target, 81), Call(V4.target, 82, other=True)],
         []),
    case("uid", f"-u {UID}", [Call(V4.target, 81, other=True)], [Call(V4.target, 82)]),
    case("uids", f"--uid 7,{UID}", [Call(V4.target, 81, other=True)], [Call(V4.target, 82)]),
    case("comm", "--comm other-agent", [Call(V4.target, 81, other=True)], [Call(V4.target, 82)]),
    case("comms", "--comm other-agent --comm nobody", [Call(V4.target, 81, other=True)],
         [Call(V4.target, 82)]),
    case("comm-is-no-prefix", "--comm live", [], [Call(V4.target, 81)]),
    case("port-remote", "-P 81", [Call(V4.target, 81)], [Call(V4.target, 82)]),
    case("port-local", "-P 5001", [Call(V4.target, 81, ("0.0.0.0", 5001))],
         [Call(V4.target, 82, ("0.0.0.0", 5002))]),
    case("ports", "--port 81,90-92,95",
         [Call(V4.target, port) for port in (81, 90, 91, 92, 95)],
         [Call(V4.target, port) for port in (80, 82, 89, 93, 96)]),
    case("ports-twice", "-P 81 -P 83", [Call(V4.target, 81), Call(V4.target, 83)],
         [Call(V4.target, 82)]),
    case("lport", "--lport 5001", [Call(V4.target, 81, ("0.0.0.0", 5001))],
         [Call(V4.target, 5001, ("0.0.0.0", 5002))]),
    case("rport", "--rport 5001", [Call(V4.target, 5001)],
         [Call(V4.target, 81, ("0.0.0.0", 5001))]),
    case("host-remote", "-H 127.0.0.2", [Call("127.0.0.2", 81)], [Call("127.0.0.3", 81)]),
    case("host-local", "-H 127.0.0.2", [Call("127.0.0.3", 81, ("127.0.0.2", 0))],
         [Call("127.0.0.3", 82)]),
    case("hosts", "--host 127.0.0.2,::1", [Call("127.0.0.2", 81), Call("::1", 81)],
         [Call("127.0.0.3", 81), Call(V6.target, 81)]),
    case("host-cidr-v4", "-H 127.4.0.0/14", [Call("127.4.0.1", 81), Call("127.7.255.1", 81)],
         [Call("127.3.0.1", 81), Call("127.8.0.1", 81)]),
    case("host-cidr-v6", "-H 2001:2::/47", [Call(V6.target, 81)],
         [Call("::1", 81), Call(V4.target, 81)]),
    case("host-v4-finds-mapped", f"-H {V4.target}", [Call(MAPPED.target, 81)],
         [Call("::ffff:127.0.0.1", 81)]),
    case("host-cidr-v4-finds-mapped", "-H 198.18.0.0/15", [Call(MAPPED.target, 81)],
         [Call("::ffff:127.0.0.1", 81), Call(V6.target, 81)]),
    case("host-everything-v4", "-H 0.0.0.0/0", [Call(V4.target, 81), Call(MAPPED.target, 82)],
         [Call(V6.target, 81)]),
    case("v4", "-4", [Call(V4.target, 81), Call(MAPPED.target, 82)], [Call(V6.target, 81)]),
    case("v6", "-6", [Call(V6.target, 81)], [Call(V4.target, 81), Call(MAPPED.target, 82)]),
    case("port-and-family", "-P 81,82 -6", [Call(V6.target, 81), Call(V6.target, 82)],
         [Call(V4.target, 81), Call(V6.target, 83)]),
    case("pid-and-host-and-rport", "-p {other} -H ::1 --rport 81",
         [Call("::1", 81, other=True)],
         [Call("::1", 81), Call("::1", 82, other=True), Call(V6.target, 81, other=True)]),
])
def test_refused(lab, agent, watch, options, wanted, unwanted):
    other = lab.client.agent()
    other.call("uid", uid=UID)
    other.call("comm", hexadecimal=b"other-agent".hex())
    watching = watch("-r", "client", *options.format(agent=agent.pid, other=other.pid).split())

    def carry_out(calls):
        for call in calls:
            who = other if call.other else agent
            assert who.connect(call.target, call.port, bind=call.bind)["errno"] == "ECONNREFUSED"
            who.call("close")

    carry_out(unwanted)
    carry_out(wanted)
    carry_out(unwanted)

    watching.stop()
    assert len(watching.lines) == len(wanted)
    for line, call in zip(watching.lines, wanted):
        has(line, type="end", pid=(other if call.other else agent).pid,
            raddr=call.target.removeprefix("::ffff:"), rport=call.port)
        if call.bind and call.bind[1]:
            has(line, lport=call.bind[1])


@pytest.mark.parametrize("spelling", ["path", "name", "inode", "pid", "several"])
def test_netns(lab, agent, watch, spelling):
    stranger = lab.server.agent()
    with_both = f"{lab.client.inode},{lab.server.inode}"
    value = {"path": lab.client.path, "name": lab.client.name, "inode": lab.client.inode,
             "pid": agent.pid, "several": with_both}[spelling]
    watching = watch("--netns", value, "--role", "client", netns=[])

    for who in stranger, agent, stranger:
        assert who.connect("127.0.0.1", 81)["errno"] == "ECONNREFUSED"

    watching.stop()
    shown = [line["netns"] for line in watching.lines]
    client, server = lab.client.inode, lab.server.inode
    assert shown == ([server, client, server] if spelling == "several" else [client])


def test_cgroup_and_those_below_it(cgroup, lab, agent, watch):
    member, child_member = lab.client.agent(), lab.client.agent()
    (cgroup / "cgroup.procs").write_text(str(member.pid))
    (cgroup / "child" / "cgroup.procs").write_text(str(child_member.pid))
    below = watch("--cgroup", cgroup)
    child_only = watch("--cgroup", cgroup / "child")

    for who in agent, member, child_member, agent:
        assert who.connect(V4.target, 81)["errno"] == "ECONNREFUSED"

    below.stop()
    first, second = below.lines
    has(first, pid=member.pid, cgroup=cgroup.stat().st_ino)
    has(second, pid=child_member.pid, cgroup=(cgroup / "child").stat().st_ino)
    child_only.stop()
    assert [line["pid"] for line in child_only.lines] == [child_member.pid]


def test_the_cgroup_is_that_of_who_connects_not_of_who_made_the_socket(cgroup, lab, watch):
    member = lab.client.agent()
    watching = watch("--role", "client")

    groups = cgroup, cgroup / "child"
    for group in groups:  # the second time with the socket of the first
        (group / "cgroup.procs").write_text(str(member.pid))
        assert member.connect(V4.target, 81)["errno"] == "ECONNREFUSED"

    watching.stop()
    assert [line["cgroup"] for line in watching.lines] == [
        group.stat().st_ino for group in groups]


def check_each(watch, stimulus, wanted, letting_in, keeping_out):
    """One handshake, seen by a watch with each filter at the same time. letting_in must have a
    line with the values of `wanted`, keeping_out none at all."""
    seeing = [watch(*options.split()) for options in letting_in]
    blind = [watch(*options.split()) for options in keeping_out]
    stimulus()
    for watching in seeing:
        watching.wait_for(**wanted)
    for watching in blind:
        watching.stop()
        assert watching.lines == [], watching.options


def test_every_filter_on_a_retry(lab, agent, watch):
    """The server's side, of which the same filters may let something in, is kept out."""
    lab.server.iptables("-I INPUT -p tcp --dport 81 -j DROP")
    check_each(
        watch,
        lambda: agent.start_connect(V4.target, 81, bind=["0.0.0.0", 5001]),
        {"type": "stall", "pid": agent.pid, "rport": 81},
        [f"-p {agent.pid}", "-P 81", "--lport 5001", "--rport 81", f"-H {V4.raddr}", "-4", "-u 0",
         f"--comm {agent.COMM}", "-r client"],
        [f"-p {os.getpid()}", "-P 82", "--lport 81 -r client", "--rport 5001 -r client",
         "-H 127.0.0.1", "-6", f"-u {UID}", "--comm other"])


def test_every_filter_on_a_drop_of_the_server(lab, agent, watch):
    server = lab.server.agent()
    server.call("uid", uid=UID)
    server.call("listen", address=V4.raddr, port=8081)
    lab.server.iptables("-I INPUT -p tcp --dport 8081 -j DROP")
    check_each(
        watch,
        lambda: agent.start_connect(V4.target, 8081, bind=["0.0.0.0", 5001]),
        {"type": "end", "role": "server", "lport": 8081, "pid": server.pid},
        [f"-p {server.pid}", "-P 8081", "-P 5001", "--lport 8081", "--rport 5001",
         f"-H {V4.raddr}", f"-H {V4.laddr}", "-4", f"-u {UID}", f"--comm {server.COMM} -r server",
         "-r server"],
        [f"-p {os.getpid()}", f"-p {agent.pid} -r server", "-P 82", "--lport 5001 -r server",
         "--rport 8081 -r server", "-H 127.0.0.1", "-6", "-u 0 -r server", "--comm other"])


def test_every_filter_on_a_local_error(lab, agent, watch):
    check_each(
        watch,
        lambda: agent.connect("203.0.113.1", 81),
        {"type": "end", "pid": agent.pid, "verdict": "local_error"},
        [f"-p {agent.pid}", "-P 81", "--rport 81", "-H 203.0.113.0/24", "-4", "-u 0",
         f"--comm {agent.COMM}", "-r client"],
        [f"-p {os.getpid()}", "-P 82", "--lport 81", "--rport 82", "-H 127.0.0.1", "-6",
         f"-u {UID}", "--comm other", "-r server"])


def test_every_filter_on_a_syn_ack_retry(lab, agent, watch):
    server = lab.server.agent()
    server.call("uid", uid=UID)
    server.call("listen", address="::", port=8081)
    lab.server.iptables("-I INPUT -p tcp --dport 8081 --tcp-flags SYN,ACK,RST ACK -j DROP")
    check_each(
        watch,
        lambda: agent.connect(V4.target, 8081, bind=["0.0.0.0", 5001]),
        {"type": "stall", "role": "server", "lport": 8081, "pid": server.pid},
        [f"-p {server.pid}", "-P 8081", "-P 5001", "--lport 8081", "--rport 5001",
         f"-H {V4.raddr}", f"-H {V4.laddr}", "-4", f"-u {UID}", f"--comm {server.COMM}",
         "-r server"],
        [f"-p {agent.pid}", "-P 82", "--lport 5001", "--rport 8081", "-H 127.0.0.1", "-6",
         "-u 0", "--comm other", "-r client"])
