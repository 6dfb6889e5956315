# SPDX-License-Identifier: GPL-2.0-only
"""SYNs that nobody answers: each further retry, the prediction, and the end."""

import socket

import pytest

from expect import client_of, has, on_wire, seconds, seen
from netlab import LATE, MAPPED, V4, V6

pytestmark = pytest.mark.role("client")

PORT = 80

TCP_SYNCNT = 7
TCP_USER_TIMEOUT = 18

RETRIES = "net.ipv4.tcp_syn_retries"
LINEAR = "net.ipv4.tcp_syn_linear_timeouts"  # 6.5+


def hang(way, retries=6, linear=None, options=(), lasts=3):
    """lasts: the seconds that this makes the kernel go on for."""
    words = [str(way), f"retries{retries}"]
    words += [f"linear{linear}"] if linear is not None else []
    words += [f"opt{name}-{value}" for _, name, value in options]
    return pytest.param(way, retries, linear, options, id="-".join(words),
                        marks=pytest.mark.slow(lasts))


@pytest.mark.core("v4-retries2")
@pytest.mark.parametrize("way, retries, linear, options", [
    hang(V4, retries=1),
    hang(V6, retries=1),
    hang(MAPPED, retries=1),
    hang(V4, retries=1, linear=0),
    hang(V4, retries=2, lasts=7),
    hang(V4, retries=2, linear=0, lasts=7),
    hang(V6, retries=2, linear=1, lasts=7),
    hang(V4, retries=3, lasts=19),
    hang(V4, options=[(socket.IPPROTO_TCP, TCP_SYNCNT, 1)]),
    hang(V6, options=[(socket.IPPROTO_TCP, TCP_SYNCNT, 1)]),
    hang(V4, options=[(socket.IPPROTO_TCP, TCP_USER_TIMEOUT, 2500)]),
    hang(MAPPED, options=[(socket.IPPROTO_TCP, TCP_USER_TIMEOUT, 2500)]),
])
def test_dropped_until_the_kernel_gives_up(lab, agent, watch, way, retries, linear, options):
    if linear is not None:
        if not lab.client.has_sysctl(LINEAR):
            pytest.skip(f"this kernel has no {LINEAR}")
        lab.client.sysctl(LINEAR, linear)
    lab.client.sysctl(RETRIES, retries)
    lab.server.iptables(f"-I INPUT -p tcp --dport {PORT} -j DROP", way)
    wire = lab.server.sniff()
    watching = watch()

    reply = agent.connect(way.target, PORT, options=options)
    assert reply["errno"] == "ETIMEDOUT"

    end = watching.wait_for(type="end")
    # A retry that is very late is looked for; the look says what came before.
    stalls = [stall for stall in watching.of_type("stall") if not LATE or stall["syn_retransmits"]]
    syns = wire.syns(PORT)
    who = client_of(agent, lab, way, PORT) | on_wire(syns[0])
    who["cause"] = seen(watching, "dropped_by_peer")
    assert [stall["syn_retransmits"] for stall in stalls] == list(range(1, len(syns)))
    for stall in stalls:
        has(stall, **who, id=end["id"], errno=None, closer=None,
            syn_sent=stall["syn_retransmits"] + 1, syn_unsent=0, retry_limit=len(syns) - 1)
    has(end, **who, verdict="timed_out", errno="ETIMEDOUT", icmp=None,
        closer=None, syn_sent=len(syns), syn_retransmits=len(syns) - 1, syn_unsent=0)
    check_predictions(stalls, end)
    # Both clocks are this host's; the connect() call encloses the handshake.
    assert reply["began"] - 0.01 - LATE < seconds(end) - end["elapsed_ms"] / 1000
    assert seconds(end) < reply["ended"] + 0.01 + LATE

    summary = watching.stop()
    assert summary["handshakes"]["client"] == {"timed_out": 1}
    assert summary["syn_retransmits"] == len(syns) - 1
    assert LATE or watching.lines == [*stalls, end]


def check_predictions(stalls, end):
    """Every one is about a timer of the kernel, so the kernel's own times judge it."""
    for stall, following in zip(stalls, stalls[1:]):
        due = seconds(stall) + stall["next_retry_ms"] / 1000
        interval = seconds(following) - seconds(stall)
        assert abs(due - seconds(following)) <= 0.06 * interval + LATE, (stall, following)
    last = stalls[-1]
    assert last["next_retry_ms"] is None
    error = abs(seconds(last) + last["give_up_ms"] / 1000 - seconds(end))
    assert error <= 0.05 * end["elapsed_ms"] / 1000 + LATE, (last, end)
    assert error <= 0.06 * (seconds(end) - seconds(last)) + LATE, (last, end)


def test_syns_that_never_leave_are_not_counted_as_sent(lab, agent, watch):
    """connect() does not learn of a local OUTPUT DROP; it hangs like any other."""
    lab.client.iptables(f"-I OUTPUT -p tcp --dport {PORT} -j DROP")
    watching = watch()

    agent.start_connect(V4.target, PORT)

    stall = watching.wait_for(type="stall")
    has(stall, **client_of(agent, lab, V4, PORT), cause=seen(watching, "dropped_on_output"),
        syn_retransmits=0)
    assert stall["elapsed_ms"] >= 1000
    agent.kill()
    has(watching.wait_for(type="end"), id=stall["id"], verdict="abandoned", syn_retransmits=0)


def test_stall_after_less_than_the_first_retry(lab, agent, watch):
    lab.server.iptables(f"-I INPUT -p tcp --dport {PORT} -j DROP")
    watching = watch("--stall-after", "500ms")

    agent.start_connect(V4.target, PORT)

    stall = watching.wait_for(type="stall")
    has(stall, **client_of(agent, lab, V4, PORT), syn_sent=1, syn_retransmits=0)
    assert 500 <= stall["elapsed_ms"] < 1000 + 1000 * LATE
    # And at each further retry, as always.
    retried = watching.wait_for(type="stall")
    has(retried, id=stall["id"], syn_sent=2, syn_retransmits=1)


@pytest.mark.slow(5)
def test_stall_after_more_than_the_first_retry(lab, watch):
    lab.server.listen(PORT)
    wire = lab.server.sniff()
    patient, hanging = lab.client.agent(), lab.client.agent()
    watching = watch("--stall-after", "5s")

    lab.server.iptables(f"-I INPUT -p tcp --dport {PORT + 1} -j DROP")
    hanging.start_connect(V4.target, PORT + 1)
    with lab.server.rule(f"INPUT -p tcp --dport {PORT} -j DROP"):
        patient.start_connect(V4.target, PORT)
        first = wire.wait_for(lambda segment: segment.is_syn and segment.dport == PORT)
        wire.wait_for(lambda segment: segment.is_syn and segment.sport == first.sport
                      and segment is not first)
    assert patient.result()["errno"] is None

    stall = watching.wait_for(type="stall")
    has(stall, **client_of(hanging, lab, V4, PORT + 1))
    assert stall["elapsed_ms"] >= 5000
    watching.stop()
    # Late, but within the 5 s: not a word about it.
    assert {line["rport"] for line in watching.lines} == {PORT + 1}
