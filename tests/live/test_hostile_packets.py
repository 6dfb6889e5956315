# SPDX-License-Identifier: GPL-2.0-only
"""Packets that lie about what they are, among those of real handshakes: none is misread."""

import functools
import struct

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import (ICMPv6DestUnreach, IPv6, IPv6ExtHdrDestOpt, IPv6ExtHdrFragment,
                                IPv6ExtHdrHopByHop, IPv6ExtHdrRouting)
from scapy.packet import Raw

import netlab
import outside as out
from expect import client_of, has, needs
from outside import Outside, answer, envelope, segment
from serving import Counters, of_server, queues, server_of, until
from sniffer import Segment

PORT = 80
CLOSED = 81

every_way = pytest.mark.parametrize("way", [out.V4, out.V6])

NEAR = {out.V4: netlab.V4, out.V6: netlab.V6}
STRANGERS = {out.V4: "198.51.100.9", out.V6: "2001:db8::9"}

# What TCP gets to see of a segment behind them is a segment as any other.
EXTENSIONS = {
    "hop-by-hop": [IPv6ExtHdrHopByHop()],
    "routing": [IPv6ExtHdrRouting(type=2, segleft=0)],
    "destination": [IPv6ExtHdrDestOpt()],
    "all": [IPv6ExtHdrHopByHop(), IPv6ExtHdrDestOpt(), IPv6ExtHdrRouting(type=2, segleft=0)],
}

# It gets to see none of these.
LIES = {
    "first-fragment": [IPv6ExtHdrFragment(m=1, offset=0, id=1)],
    "later-fragment": [IPv6ExtHdrFragment(m=0, offset=3, id=2)],
    "hop-by-hop-later": [IPv6ExtHdrDestOpt(), IPv6ExtHdrHopByHop()],
    "segments-left": [IPv6ExtHdrRouting(type=7, segleft=200)],
}


def cut(packet, length, end):
    """An IP header that owns only so much of its segment. The rest is there all the same, for who
    reads on, unless it ends: then what was there before in that memory is."""
    whole = bytes(packet)
    header = len(packet) - len(packet[TCP])
    packet = packet.__class__(whole)
    if IP in packet:
        packet.len = header + length
        del packet.chksum
    else:
        packet.plen = length
    return bytes(packet)[:header + length if end else None]


def resized(packet, words):
    """An IPv4 header that says how long it is."""
    packet = packet.__class__(bytes(packet))
    packet.ihl = words
    del packet.chksum
    raw = bytearray(bytes(packet))
    raw[0] = 0x40 | words
    return bytes(raw)


def fragments(packet):
    """The segment in its first fragment, that says there is more, and in a later one."""
    for flags, offset in ("MF", 0), (0, 3), ("MF", 5):
        part = packet.__class__(bytes(packet))
        part.flags, part.frag, part.id = flags, offset, 7 + offset
        del part.chksum
        yield bytes(part)


def extended(packet, chain):
    """The segment behind extension headers."""
    header = packet[IPv6].copy()
    header.remove_payload()
    del header.nh, header.plen
    for each in chain:
        header = header / each.copy()
    return bytes(header / packet[TCP])


def endless(packet):
    """The segment behind as many headers as an empty chain has that points on to the end."""
    options = bytes([60, 0, 1, 4, 0, 0, 0, 0]) * 150  # destination options, padding
    raw = bytearray(bytes(packet))
    raw[4:6] = struct.pack("!H", len(options) + len(raw) - 40)
    raw[6] = 60
    return bytes(raw[:40]) + options + bytes(raw[40:])


def doff(packet, words):
    """A TCP header that says how long it is."""
    packet = packet.__class__(bytes(packet))
    packet[TCP].dataofs = words
    del packet[TCP].chksum
    return bytes(packet)


def crooked(packet):
    """Everything that can be wrong with the headers around and of that segment."""
    yield from (cut(packet, length, end) for length in (0, 1, 8, 13, 19) for end in (True, False))
    yield from (doff(packet, words) for words in (0, 4, 15))
    if IP in packet:
        yield from (resized(packet, words) for words in (0, 1, 4, 15))
        yield from fragments(packet)
    else:
        yield from (extended(packet, chain) for chain in LIES.values())
        yield endless(packet)


def quoting(header, packet, way, length=None):
    """An ICMP error about that packet, of which it quotes so much of the segment."""
    message = ICMP(type=3, code=1) if way is out.V4 else ICMPv6DestUnreach(code=3)
    quoted = bytes(packet)
    if length is not None:
        quoted = quoted[:len(packet) - len(packet[TCP]) + length]
    return header / message / Raw(quoted)


def shifted(packet, **fields):
    """Another of the same, but for these fields of its TCP header."""
    packet = packet.__class__(bytes(packet))
    for name, value in fields.items():
        setattr(packet[TCP], name, value % (1 << (32 if name in ("seq", "ack") else 16)))
    del packet[TCP].chksum
    return packet


def misquoted(packet, way):
    """ICMP errors that are about something else, or nothing. (The kernel takes the sequence
    number after the SYN's for the SYN's.)"""
    router = envelope(packet, src=STRANGERS[way])
    tcp = packet[TCP]
    for seq in 2, -1, 1 << 31:
        yield quoting(router, shifted(packet, seq=tcp.seq + seq), way)
    yield quoting(router, shifted(packet, sport=tcp.sport + 1), way)
    yield quoting(router, shifted(packet, dport=tcp.dport + 1), way)
    for length in 0, 3, 7:
        yield quoting(router, packet, way, length)
    other = packet.__class__(bytes(packet))
    other[TCP].underlayer.remove_payload()
    for name in "proto", "nh", "len", "plen", "chksum":
        if name in other.fields:
            delattr(other, name)
    udp = other / UDP(sport=tcp.sport, dport=tcp.dport) / Raw(bytes(tcp)[8:])
    message = ICMP(type=3, code=1) if way is out.V4 else ICMPv6DestUnreach(code=3)
    yield router / message / Raw(bytes(udp))
    yield router / message
    yield router / message / Raw(b"\x4f" * 60)


def flagged(way, target, port, sport, sets, **tcp):
    return [segment(STRANGERS[way], target, sport + number, port, flags=flags, seq=5000, **tcp)
            for number, flags in enumerate(sets)]


@pytest.mark.slow(3)
@every_way
def test_client_whose_peer_is_silent(lab, agent, watch, way):
    """None of them is an answer, and none was of this handshake."""
    outside = lab.client.owns(Outside(lab.client))
    watching = watch("--role", "client")
    needs(watching, "kfree_skb")
    assert agent.connect(way.target, PORT, blocking=False)["errno"] == "EINPROGRESS"
    syn = outside.syn(PORT)
    sequence = watching.wait_for(type="stall")["isn"]
    assert sequence == syn[TCP].seq

    for flags in "SA", "RA", "S", "A", "R":
        for packet in crooked(answer(syn, flags)):
            outside.send(packet)
    for packet in misquoted(syn, way):
        outside.send(packet)
    # Out of nowhere: of other ports, of other hosts that do not know the ISN.
    for number in 1, 1000:
        outside.send(shifted(answer(syn, "SA"), dport=syn[TCP].sport + number, ack=number))
        outside.send(shifted(answer(syn, "SA"), sport=PORT + number, ack=number))
    stranger = answer(syn, "SA", ack=77)
    stranger.src = STRANGERS[way]
    outside.send(stranger)

    # Twice: what was noted would be told by then.
    for _ in range(2):
        stall = watching.wait_for(type="stall")
        has(stall, **client_of(agent, lab, way, PORT), isn=sequence, cause="no_answer", drop=None,
            icmp=None, errno=None)
    outside.send(answer(syn, "SA"))
    end = watching.wait_for(type="end")
    has(end, isn=sequence, verdict="established", cause="no_answer", drop=None, icmp=None)
    summary = watching.stop()
    assert {line["id"] for line in watching.lines} == {end["id"]}
    assert summary["handshakes"]["client"] == {"established": 1}


# What begins or completes no handshake, whatever its flags say together.
NONSENSE = ["", "F", "SF", "SR", "SFR", "FPU", "SFRPAU", "PU", "FA", "R", "RA"]


@functools.cache
def nonsense(way):
    """For a listener, and for a port that nobody listens at. Made once: it takes its time."""
    return tuple(map(bytes, _nonsense(way)))


def _nonsense(way):
    target = NEAR[way]
    for port in PORT, CLOSED:
        for packet in crooked(segment(STRANGERS[way], target, 3000, port, seq=100)):
            yield packet
        plain = list(flagged(way, target, port, 3100, NONSENSE))
        yield from plain
        if way is out.V6:
            yield from (extended(packet, chain) for packet in plain
                        for chain in EXTENSIONS.values())
        yield from flagged(way, target, port, 3200, ["A", "PA", "SA", "SFA"], ack=77)


@pytest.mark.slow(5)
@every_way
def test_server_with_a_request_that_hangs(lab, agent, watch, way):
    near, packets = NEAR[way], nonsense(way)
    server = lab.server.agent()
    outside = lab.server.owns(Outside(lab.server))
    lab.server.sysctl("net.ipv4.tcp_synack_retries", 2)
    server.call("listen", address="::", port=PORT)
    watching = watch("--role", "server")
    needs(watching, "kfree_skb", "tcp_send_reset")
    counters = Counters(lab.server)

    syn = segment(way.raddr, near, 4000, PORT, seq=9000)
    outside.send(syn)
    syn_ack = outside.receive(0x12, dport=4000)
    real = server_of(lab, near, Segment(way.raddr, near.raddr, 4000, PORT, 9000, 0, 2), server)
    for packet in packets:
        outside.send(packet)
    # For the request itself: RSTs and ACKs that are not in its window, and errors.
    for seq in 8000, 9000, 9001 + (1 << 20), 9000 + (1 << 31):
        outside.send(shifted(syn, flags=0x04, seq=seq))
    for packet in misquoted(syn_ack, way):
        outside.send(packet)
    for flags in "R", "RA", "A", "S", "SF":
        for packet in crooked(shifted(syn, seq=9001, flags=0, ack=1).__class__(
                bytes(segment(way.raddr, near, 4000, PORT, flags=flags, seq=9001, ack=1)))):
            outside.send(packet)

    stall = watching.wait_for(type="stall")
    has(stall, **real, cause="no_ack", drop=None, synack_retransmits=1)
    end = watching.wait_for(type="end")
    has(end, **real, id=stall["id"], verdict="timed_out", cause="no_ack", drop=None,
        synack_retransmits=2)
    counters.check(watching)
    assert {line["id"] for line in of_server(watching)} == {end["id"]}, watching.lines


@pytest.mark.slow(2)
@every_way
def test_request_that_completes_among_them(lab, watch, way):
    near, packets = NEAR[way], nonsense(way)
    server = lab.server.agent()
    outside = lab.server.owns(Outside(lab.server))
    server.call("listen", address="::", port=PORT)
    watching = watch("--role", "server", "--all")
    outside.send(segment(way.raddr, near, 4000, PORT, seq=9000))
    syn_ack = outside.receive(0x12, dport=4000)
    watching.wait_for(type="stall")
    for packet in packets:
        outside.send(packet)
    for seq in 8000, 9001 + (1 << 20):
        outside.send(segment(way.raddr, near, 4000, PORT, flags="R", seq=seq))
    outside.send(segment(way.raddr, near, 4000, PORT, flags="A", seq=9001,
                         ack=syn_ack[TCP].seq + 1))
    end = watching.wait_for(type="end")
    has(end, isn=9000, lport=PORT, rport=4000, verdict="established", cause="no_ack", drop=None)
    watching.stop()
    assert {line["id"] for line in of_server(watching)} == {end["id"]}, watching.lines


@pytest.mark.slow(1)
@every_way
@pytest.mark.parametrize("aborts", [0, 1], ids=["ignores", "aborts"])
def test_listener_without_room(lab, agent, watch, way, aborts):
    """Its queue is full: a SYN is ignored. What is none is not taken for one, nor for an ACK that
    finds no room."""
    near, packets = NEAR[way], nonsense(way)
    server = lab.server.agent()
    outside = lab.server.owns(Outside(lab.server))
    lab.server.sysctl("net.ipv4.tcp_abort_on_overflow", aborts)
    server.call("listen", address="::", port=PORT, backlog=0)
    watching = watch("--role", "server")
    needs(watching, "kfree_skb", "tcp_send_reset")
    counters = Counters(lab.server)
    assert agent.connect(near.target, PORT)["errno"] is None
    until(lambda: counters.now()["PassiveOpens"] == 1)
    # Of one that is not known to be in trouble, what it ignores is only counted.
    outside.send(segment(way.raddr, near, 3999, PORT, seq=8000))
    watching.wait_for(role="server", cause="accept_queue_full")
    for packet in packets:
        outside.send(packet)
    outside.send(segment(way.raddr, near, 4000, PORT, seq=9000))
    end = watching.wait_for(type="end", verdict="ignored", isn=9000)
    has(end, **server_of(lab, near, Segment(way.raddr, near.raddr, 4000, PORT, 9000, 0, 2),
                         server), cause="accept_queue_full")
    queues(end, backlog=1, limit=0)
    for packet in packets:
        outside.send(packet)
    counters.check(watching)
    assert {line["isn"] for line in of_server(watching)} <= {8000, 9000}, watching.lines
