# SPDX-License-Identifier: GPL-2.0-only
"""Counts the TCP segments that arrive at a device, as tcpdump would: before netfilter."""

import ipaddress
import select
import socket
import struct
import time
from typing import NamedTuple

FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16

ETH_P_ALL = 3
IPPROTO_TCP = 6


class Segment(NamedTuple):
    src: str
    dst: str
    sport: int
    dport: int
    seq: int
    ack: int
    flags: int

    @property
    def is_syn(self):
        return self.flags & (SYN | ACK) == SYN

    @property
    def is_syn_ack(self):
        return self.flags & (SYN | ACK) == SYN | ACK


class Sniffer:
    """Made inside the namespace whose device it listens on."""

    def __init__(self, device):
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM,
                                     socket.htons(ETH_P_ALL))
        self._socket.bind((device, ETH_P_ALL))
        self._segments = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._socket.close()

    def wait_for(self, predicate, timeout=60):
        """The first segment of all for which it holds; blocks until there is one."""
        deadline = time.monotonic() + timeout
        checked = 0
        while True:
            for segment in self._segments[checked:]:
                if predicate(segment):
                    return segment
            checked = len(self._segments)
            assert self._receive(max(0, deadline - time.monotonic())), "no such segment came"

    def seen(self):
        """Everything that has arrived up to now."""
        while self._receive(0):
            pass
        return list(self._segments)

    def syns(self, port):
        return [segment for segment in self.seen() if segment.is_syn and segment.dport == port]

    def syn_acks(self, port):
        return [segment for segment in self.seen() if segment.is_syn_ack and segment.sport == port]

    def _receive(self, timeout):
        ready, _, _ = select.select([self._socket], [], [], timeout)
        if not ready:
            return False
        packet, address = self._socket.recvfrom(65536)
        if address[2] != socket.PACKET_OUTGOING:
            segment = _parse(packet)
            if segment:
                self._segments.append(segment)
        return True


def _parse(packet):
    if packet[0] >> 4 == 4:
        protocol, header, at, length = packet[9], (packet[0] & 15) * 4, 12, 4
    else:
        protocol, header, at, length = packet[6], 40, 8, 16
    if protocol != IPPROTO_TCP:
        return None
    src, dst = (str(ipaddress.ip_address(packet[i:i + length])) for i in (at, at + length))
    sport, dport, seq, ack, _, flags = struct.unpack_from("!HHIIBB", packet, header)
    return Segment(src, dst, sport, dport, seq, ack, flags)
