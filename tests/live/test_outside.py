# SPDX-License-Identifier: GPL-2.0-only
"""What the world beyond this host does to a SYN: nothing, the wrong thing, or an ICMP error.

It is played by the test, behind a TUN device: nothing is dropped on this host
that is not meant to be.
"""

import errno
import select
import socket
import struct

import pytest
from scapy.layers.inet import ICMP, IP, TCP
from scapy.layers.inet6 import (ICMPv6DestUnreach, ICMPv6ParamProblem, ICMPv6TimeExceeded, IPv6)

from expect import client_of, dropped, has, needs, tells_of
from netlab import V4 as NEAR_V4
from netlab import V6 as NEAR_V6
from outside import V4, V6, Outside, answer, envelope, timestamp

PORT = 80

RETRIES = "net.ipv4.tcp_syn_retries"
IPV6_RECVERR = 25
ETH_P_ALL = 3
SOL_PACKET = 263
PACKET_STATISTICS = 6

# The agent's Python and synwatch each have their own of its two names.
EOPNOTSUPP = errno.errorcode[errno.EOPNOTSUPP]

every_way = pytest.mark.parametrize("way", [V4, V6])


@pytest.fixture
def outside(lab):
    return lab.client.owns(Outside(lab.client))


def begin(agent, outside, way, port=PORT, **arguments):
    """Once connect() has returned nobody holds the socket. Returns the SYN."""
    assert agent.connect(way.target, port, blocking=False, **arguments)["errno"] == "EINPROGRESS"
    return outside.syn(port)


@pytest.mark.core("v4")
@pytest.mark.slow(3)
@every_way
def test_silence_is_no_answer_and_nothing_narrower(lab, agent, watch, outside, way):
    lab.client.sysctl(RETRIES, 1)
    watching = watch()
    reply = agent.connect(way.target, PORT)
    assert reply["errno"] == "ETIMEDOUT"
    end = watching.wait_for(type="end")
    assert len(watching.lines) > 1
    for line in watching.lines:
        has(line, **client_of(agent, lab, way, PORT), cause="no_answer", drop=None, icmp=None,
            syn_unsent=0)
        assert "no answer" in line["why"], line
    has(end, verdict="timed_out")
    for stall in watching.of_type("stall"):
        assert "lost on the way, dropped by the peer, or its answer lost" in stall["why"], stall


@pytest.mark.slow(2)
@pytest.mark.parametrize("way", [NEAR_V4, NEAR_V6])
def test_duplicate_syn_that_is_answered_again_is_no_drop(lab, agent, watch, way):
    """The server's answers leave this host and get lost outside. It frees each SYN after the
    first without a reason, having answered it."""
    lab.server.listen(PORT)
    length = 32 if way is NEAR_V4 else 128
    wire = lab.server.owns(Outside(lab.server, [f"{way.laddr}/{length}"]))
    watching = watch("--role", "client")

    agent.start_connect(way.target, PORT)

    answers = [wire.receive(0x12) for _ in range(3)]
    retried = watching.wait_for(type="stall", syn_sent=3)
    assert {packet[TCP].ack for packet in answers} == {retried["isn"] + 1}
    agent.kill()
    watching.wait_for(type="end")
    for line in watching.lines:
        has(line, cause="no_answer", drop=None)


WRONG_MD5 = [(19, bytes(16))]


def syn_ack(**fields):
    return lambda syn: answer(syn, "SA", **fields)


def stale_timestamp(syn):
    return answer(syn, "SA", options=[("Timestamp", (1, timestamp(syn) + 100000))])


# what comes back, the drop reason (None: this kernel tells of no SYN or SYN-ACK)
BAD = {
    "wrong-ack": (syn_ack(ack=7), "TCP_INVALID_ACK_SEQUENCE"),
    "timestamp": (stale_timestamp, "TCP_RFC7323_PAWS"),
    "md5": (syn_ack(options=WRONG_MD5), "TCP_MD5UNEXPECTED"),
    "challenge-ack": (lambda syn: answer(syn, "A", ack=7), None),
    # A reset that refuses nothing: the kernel ignores it, and goes on.
    "rst-wrong-ack": (lambda syn: answer(syn, "RA", ack=7), "TCP_INVALID_ACK_SEQUENCE"),
    "rst-without-ack": (lambda syn: answer(syn, "R"), "TCP_RESET"),
}


@pytest.mark.core("wrong-ack-v4")
@pytest.mark.slow(1)
@every_way
@pytest.mark.parametrize("case", BAD)
def test_answer_that_cannot_be_accepted(lab, agent, watch, outside, way, case):
    make, reason = BAD[case]
    watching = watch()
    needs(watching, "kfree_skb", "tcp_send_reset")

    with outside.answering(PORT, make):
        agent.connect(way.target, PORT, blocking=False)
        stall = watching.wait_for(type="stall")
        agent.call("close")
    end = watching.wait_for(type="end")
    for line in stall, end:
        has(line, **client_of(agent, lab, way, PORT), id=end["id"], cause="bad_answer", icmp=None,
            errno=None, syn_unsent=0)
        assert f"{way.raddr} answered, but not acceptably" in line["why"], line
        # Before 6.9 there was no reason for these.
        if reason and (line["drop"] or tells_of(watching, "kfree_skb:rx_sk")):
            dropped(line, lab.client, reason)
            assert reason in line["why"], line
    has(end, verdict="abandoned")


@pytest.mark.slow(1)
@every_way
def test_answer_with_a_bad_checksum_is_dropped_not_bad(lab, agent, watch, outside, way):
    watching = watch()
    needs(watching, "kfree_skb")
    segment = answer(begin(agent, outside, way), "SA")
    segment[TCP].chksum = 1
    outside.send(segment)
    stall = watching.wait_for(type="stall")
    has(stall, **client_of(agent, lab, way, PORT), cause="reply_dropped_on_input")
    dropped(stall, lab.client, "TCP_CSUM")


@every_way
def test_right_answer_after_a_bad_one(lab, agent, watch, outside, way):
    """A host that still has an old connection: its challenge, our RST, the SYN again at once."""
    watching = watch("--all")
    outside.send(answer(begin(agent, outside, way), "A", ack=7))
    outside.send(answer(outside.syn(PORT), "SA"))
    end = watching.wait_for(type="end")
    has(end, **client_of(agent, lab, way, PORT), verdict="established", cause="none")


# message, errno, what is shown of its type and code: type, code
ICMP_V4 = [((3, code), error) for code, error in [
    (0, "ENETUNREACH"), (1, "EHOSTUNREACH"), (2, "ENOPROTOOPT"), (3, "ECONNREFUSED"),
    (5, EOPNOTSUPP), (6, "ENETUNREACH"), (7, "EHOSTDOWN"), (8, "ENONET"), (9, "ENETUNREACH"),
    (10, "EHOSTUNREACH"), (11, "ENETUNREACH"), (12, "EHOSTUNREACH"), (13, "EHOSTUNREACH"),
]] + [((11, 0), "EHOSTUNREACH"), ((12, 0), "EPROTO")]

ICMP_V6 = [
    ((1, 0), "ENETUNREACH", (1, 0)),
    ((1, 1), "EACCES", (1, None)),
    ((1, 3), "EHOSTUNREACH", None),
    ((1, 4), "ECONNREFUSED", (1, 4)),
    ((1, 5), "EACCES", (1, None)),
    ((1, 6), "EACCES", (1, None)),
    ((3, 0), "EHOSTUNREACH", None),
    ((4, 0), "EPROTO", None),
]

MESSAGES_V6 = {1: ICMPv6DestUnreach, 3: ICMPv6TimeExceeded, 4: ICMPv6ParamProblem}

ROUTERS = {V4: "203.0.113.7", V6: "2001:db8:7::7"}


def icmp(syn, way, message):
    """From a router on the way, about that SYN."""
    kind, code = message
    header = envelope(syn, src=ROUTERS[way])
    if way is V4:
        return header / ICMP(type=kind, code=code) / bytes(syn[IP])
    return header / MESSAGES_V6[kind](code=code) / bytes(syn[IPv6])


def rejected(lab, agent, watching, outside, way, port, message, error, **arguments):
    name = str(port)
    outside.send(icmp(begin(agent, outside, way, port, name=name, **arguments), way, message))
    assert agent.call("wait_error", name=name)["errno"] == error
    end = watching.wait_for(type="end", rport=port)
    shown = "EOPNOTSUPP" if error == EOPNOTSUPP else error
    has(end, **client_of(agent, lab, way, port), verdict="rejected", cause="icmp", errno=shown,
        drop=None, closer=None, syn_sent=1, syn_retransmits=0, syn_unsent=0)
    assert end["elapsed_ms"] < 1000, "nobody held the socket"
    assert "at once" not in end["why"], end
    return end


def test_every_icmp_error_with_its_sender(lab, agent, watch, outside):
    watching = watch()
    for port, (message, error) in enumerate(ICMP_V4, PORT):
        end = rejected(lab, agent, watching, outside, V4, port, message, error)
        has(end["icmp"], type=message[0], code=message[1], **{"from": ROUTERS[V4]})
        assert end["icmp"]["name"] and f"from {ROUTERS[V4]}" in end["why"], end


def test_every_icmpv6_error_as_far_as_its_errno_tells(lab, agent, watch, outside):
    watching = watch()
    for port, (message, error, shown) in enumerate(ICMP_V6, PORT):
        end = rejected(lab, agent, watching, outside, V6, port, message, error)
        if shown:
            has(end["icmp"], type=shown[0], code=shown[1], **{"from": None})
        else:
            has(end, icmp=None)
        assert "ICMPv6" in end["why"], end


def test_every_icmpv6_error_of_a_socket_that_asked_for_them(lab, agent, watch, outside):
    watching = watch()
    for port, (message, error, _) in enumerate(ICMP_V6, PORT):
        end = rejected(lab, agent, watching, outside, V6, port, message, error,
                       options=[(socket.IPPROTO_IPV6, IPV6_RECVERR, 1)])
        has(end["icmp"], type=message[0], code=message[1], **{"from": ROUTERS[V6]})
        assert f"from {ROUTERS[V6]}" in end["why"], end


@pytest.mark.slow(1)
@every_way
@pytest.mark.parametrize("isn", ["its-own", "another"])
def test_drop_elsewhere_is_claimed_by_its_isn_only(lab, agent, watch, outside, way, isn):
    """The same SYN, or all but the same, comes back into another namespace and dies there."""
    lab.server.iptables("-t raw -I PREROUTING -p tcp -j DROP", way)
    elsewhere = lab.server.owns(Outside(lab.server))
    watching = watch()
    needs(watching, "kfree_skb")

    agent.start_connect(way.target, PORT)
    syn = outside.syn(PORT)
    if isn == "another":
        syn[TCP].seq = (syn[TCP].seq + 1) % (1 << 32)
        del syn[TCP].chksum
    elsewhere.send(syn)

    stall = watching.wait_for(type="stall")
    has(stall, **client_of(agent, lab, way, PORT))
    if isn == "another":
        has(stall, cause="no_answer", drop=None)
    else:
        has(stall, cause="dropped_on_path")
        dropped(stall, lab.server, "NETFILTER_DROP")


@pytest.mark.slow(2)
@every_way
def test_drop_of_another_handshake_between_the_same_ports_is_not_claimed(lab, watch, outside,
                                                                         way):
    near = {V4: NEAR_V4, V6: NEAR_V6}[way]
    lab.server.iptables(f"-I INPUT -p tcp --dport {PORT} -j DROP", near)
    silent, blocked = lab.client.agent(), lab.client.agent()
    watching = watch()
    needs(watching, "kfree_skb")

    shared = {"bind": (way.laddr, 40000), "options": [(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)]}
    silent.start_connect(way.target, PORT, **shared)
    blocked.start_connect(near.target, PORT, **shared)

    for _ in range(2):
        has(watching.wait_for(type="stall", raddr=near.raddr), lport=40000,
            cause="dropped_by_peer")
        has(watching.wait_for(type="stall", raddr=way.raddr), lport=40000, cause="no_answer",
            drop=None)


@pytest.fixture
def tap(lab, outside):
    """A packet capture that reads nothing, with room for a few packets."""
    with lab.client.entered():
        capture = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_ALL))
    capture.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)  # the kernel's minimum
    capture.bind((outside.DEVICE, ETH_P_ALL))
    yield capture
    capture.close()


@pytest.mark.slow(2)
@every_way
def test_copies_of_a_capture_that_ends_are_no_drop(agent, watch, outside, tap, way):
    watching = watch()
    agent.start_connect(way.target, PORT)
    has(watching.wait_for(type="stall"), cause="no_answer", drop=None)
    assert select.select([tap], [], [], 0)[0], "nothing was captured"
    tap.close()
    has(watching.wait_for(type="stall"), cause="no_answer", drop=None)


@pytest.mark.slow(1)
@every_way
def test_copies_that_a_slow_capture_has_no_room_for_are_no_drop(agent, watch, outside, tap, way):
    for name in range(8):
        agent.connect(way.target, PORT + 1, name=str(name), blocking=False)
        outside.syn(PORT + 1)
    watching = watch("--rport", PORT)
    begin(agent, outside, way)
    has(watching.wait_for(type="stall"), cause="no_answer", drop=None)
    packets, dropped_copies = struct.unpack("=II", tap.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8))
    assert dropped_copies and packets > dropped_copies, "there was room"
