# SPDX-License-Identifier: GPL-2.0-only
"""Everything beyond this host, played by the test: what is routed into a TUN device.

Nothing that happens there is a drop that this host could see, and what comes
back is whatever the test writes.
"""

import contextlib
import fcntl
import os
import select
import struct
import threading
import time

from scapy.layers.inet import IP, TCP
from scapy.layers.inet6 import IPv6

from netlab import TIMEOUT, Way

TUNSETIFF = 0x400454CA
IFF_TUN = 0x0001
IFF_NO_PI = 0x1000

V4 = Way("v4", "198.51.100.2", "198.18.0.1", "198.51.100.2", 4)
V6 = Way("v6", "2001:db8::2", "2001:2::1", "2001:db8::2", 6)

SYN, ACK = 0x02, 0x10


class Outside:
    """The device, and the network behind it. `prefixes` lie there, in the view of netns."""

    DEVICE = "outside"

    def __init__(self, netns, prefixes=("198.51.100.0/24", "2001:db8::/32")):
        with netns.entered():
            self._tun = os.open("/dev/net/tun", os.O_RDWR)
            fcntl.ioctl(self._tun, TUNSETIFF,
                        struct.pack("16sH22x", self.DEVICE.encode(), IFF_TUN | IFF_NO_PI))
        netns.ip(f"link set {self.DEVICE} addrgenmode none", f"link set {self.DEVICE} up",
                 *(f"route add {prefix} dev {self.DEVICE}" for prefix in prefixes))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.close(self._tun)

    def receive(self, flags, timeout=TIMEOUT, **fields):
        """The next TCP segment that has left with SYN and ACK like that, as its IP packet;
        blocks until one comes. fields are of its TCP header."""
        deadline = time.monotonic() + timeout
        while True:
            ready, _, _ = select.select([self._tun], [], [], max(0, deadline - time.monotonic()))
            assert ready, "no such segment left"
            packet = self._read()
            if is_segment(packet, flags, **fields):
                return packet

    def syn(self, port):
        return self.receive(SYN, dport=port)

    def send(self, packet):
        os.write(self._tun, bytes(packet))

    @contextlib.contextmanager
    def answering(self, port, make):
        """Every SYN to the port is answered with make(syn) for as long as the block lasts."""
        ended, end = os.pipe()

        def answer_all():
            while ended not in select.select([self._tun, ended], [], [])[0]:
                packet = self._read()
                if is_segment(packet, SYN, dport=port):
                    self.send(make(packet))

        thread = threading.Thread(target=answer_all)
        thread.start()
        try:
            yield
        finally:
            os.close(end)
            thread.join()
            os.close(ended)

    def _read(self):
        raw = os.read(self._tun, 65536)
        return IP(raw) if raw[0] >> 4 == 4 else IPv6(raw)


def is_segment(packet, flags, **fields):
    return TCP in packet and packet[TCP].flags & (SYN | ACK) == flags and \
        all(getattr(packet[TCP], name) == value for name, value in fields.items())


def envelope(syn, **fields):
    """The IP header of what comes back to the sender of that SYN."""
    if IP in syn:
        return IP(**{"src": syn[IP].dst, "dst": syn[IP].src} | fields)
    return IPv6(**{"src": syn[IPv6].dst, "dst": syn[IPv6].src} | fields)


def answer(syn, flags, ack=1, options=()):
    """A segment that answers the SYN; acknowledges so much of it."""
    tcp = syn[TCP]
    return envelope(syn) / TCP(sport=tcp.dport, dport=tcp.sport, flags=flags, seq=1000,
                               ack=(tcp.seq + ack) % (1 << 32), window=65535,
                               options=list(options))


def segment(source, way, sport, dport, **tcp):
    """A segment from an address out there to the server of that way."""
    header = IP if way.family == 4 else IPv6
    return header(src=source, dst=way.raddr) / TCP(**{"sport": sport, "dport": dport, "flags": "S",
                                                      "window": 65535} | tcp)


def timestamp(syn):
    """TSval of the SYN."""
    return dict(syn[TCP].options)["Timestamp"][0]
