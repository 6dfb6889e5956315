# SPDX-License-Identifier: GPL-2.0-only
"""The server's side of a lab: who listens, its queues, and what the kernel counts there."""

import time
from pathlib import Path

import pytest

from expect import has
from netlab import TIMEOUT, V4, V6
from watch import SPOILT

PORT = 80

every_way = pytest.mark.parametrize("way", [V4, V6])

# Completes the handshake, or comes after it.
ACK = f"-p tcp --dport {PORT} --tcp-flags SYN,ACK,RST ACK -j DROP"
SYN_ACK = f"-p tcp --sport {PORT} --tcp-flags SYN,ACK SYN,ACK -j DROP"

LISTEN, SYN_RECV = 10, 3  # include/net/tcp_states.h


def server_of(lab, way, syn, owner=None, port=PORT):
    """As the server's host sees the two ends; owner is the Agent that listens."""
    who = {"role": "server", "netns": lab.server.inode, "family": way.family, "laddr": way.raddr,
           "lport": port, "raddr": syn.src, "rport": syn.sport, "isn": syn.seq, "adopted": False,
           "errno": None, "closer": None}
    if owner:
        who |= {"pid": owner.pid, "tid": owner.pid, "comm": owner.COMM, "uid": 0}
    return who


def queues(line, **numbers):
    """Asserts what the line says of its listener's queues."""
    assert line["listener"], f"no listener in {line}"
    has(line["listener"], **numbers)


def handshakes(watching):
    """Its lines about single handshakes, on either side."""
    return [line for line in watching.lines if "verdict" in line]


def of_server(watching):
    """Its lines about single handshakes on the server's side."""
    return [line for line in handshakes(watching) if line["role"] == "server"]


def until(is_so):
    """Where nothing announces it."""
    deadline = time.monotonic() + TIMEOUT
    while not is_so():
        assert time.monotonic() < deadline, "it never came to that"
        time.sleep(0.005)


def listener_queue(netns, way, port=PORT):
    """How many wait for accept(); None if nobody listens."""
    return next((row.queue for row in _sockets(netns, way) if row.is_at(LISTEN, port)), None)


def requests(netns, way, port=PORT):
    """How many wait for their ACK."""
    return sum(row.is_at(SYN_RECV, port) for row in _sockets(netns, way))


def fill(agent, lab, way, count):
    """Connections that nobody accepts: that many, and each is in the queue when this returns."""
    for number in range(count):
        assert agent.connect(way.target, PORT, name=f"filler {number}")["errno"] is None
    until(lambda: listener_queue(lab.server, way) == count)


class _Row:
    """A line of /proc/net/tcp or tcp6."""

    def __init__(self, text):
        fields = text.split()
        self.port = int(fields[1].rpartition(":")[2], 16)
        self.state = int(fields[3], 16)
        self.queue = int(fields[4].partition(":")[2], 16)  # of a listener: sk_ack_backlog

    def is_at(self, state, port):
        return (self.state, self.port) == (state, port)


def _sockets(netns, way):
    name = "tcp" if way.family == 4 else "tcp6"
    with netns.entered():
        text = Path("/proc/thread-self/net", name).read_text()
    return [_Row(line) for line in text.splitlines()[1:]]


class Counters:
    """What the kernel has counted in a namespace since this was made."""

    def __init__(self, netns):
        self._netns = netns
        self._begin = self._netns.counters()

    def now(self):
        return {name: value - self._begin[name] for name, value in self._netns.counters().items()}

    def check(self, watching):
        """Stops the watch, which has to have counted the same. Returns its summary."""
        before = self.now()
        summary = watching.stop()
        after = self.now()
        lines = of_server(watching)
        completed = {line["id"] for line in lines if line["verdict"] == "established"
                     and line["cause"] != "none"}
        crowds = watching.of_type("crowd")
        for name, value in {
            "TCPSynRetrans": summary["synack_retransmits"],
            "ListenDrops": summary["listen_drops"],
            "PassiveOpens": summary["accepted"] + len(completed),
        }.items():
            if value in (before[name] - 1, after[name] + 1):
                # One event that nobody has seen leaves no other trace.
                pytest.skip(f"{SPOILT}: {name} {before[name]}, not {value}")
            assert before[name] <= value <= after[name], \
                f"{name} {before[name]}, not {value}: {summary}"
        assert summary["crowded"] == sum(crowd["half_open"] + crowd["dropped"] + crowd["ignored"]
                                         for crowd in crowds), summary
        assert sum(crowd["ignored"] for crowd in crowds) <= after["ListenDrops"], crowds
        # A cause that the kernel has not counted once is an invention.
        for name, cause in ("ListenOverflows", "accept_queue_full"), \
                ("TCPReqQFullDrop", "syn_queue_full"):
            told = [line for line in lines + crowds if line["cause"] == cause]
            assert after[name] or not told, (name, told)
        assert watching.of_type("loss") == [], watching.of_type("loss")
        return summary
