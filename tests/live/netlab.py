# SPDX-License-Identifier: GPL-2.0-only
"""A client and a server namespace, joined directly or by a third, and what happens in them.

Every lab has the same addresses: nothing outside its two namespaces can see
them, so labs run side by side, and a watch that shows another lab's traffic
is caught by the namespace inode in its lines.
"""

import contextlib
import ctypes
import itertools
import json
import os
import select
import socket
import struct
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import sniffer

# How many times slower than a machine of its own this one is: an emulated one.
SLOW = float(os.environ.get("SYNWATCH_SLOW", 1))

# Longer than anything here takes on the slowest machine; only a guard.
TIMEOUT = 60 * max(1, SLOW / 5)

# By so many seconds a timer or a process may be late there, and no more than that here.
LATE = 0.1 * (SLOW - 1)

CLONE_NEWNET = 0x40000000  # os.setns() and its flags came with Python 3.12

AGENT_PROGRAM = Path(__file__).with_name("agent.py")

_libc = ctypes.CDLL(None, use_errno=True)
_serial = itertools.count()


@dataclass(frozen=True)
class Way:
    """How the client addresses the server."""

    name: str
    target: str  # as given to connect()
    laddr: str  # as a watch on the client shows the two ends
    raddr: str
    family: int  # on the wire

    def __str__(self):
        return self.name


V4 = Way("v4", "198.18.0.2", "198.18.0.1", "198.18.0.2", 4)
V6 = Way("v6", "2001:2::2", "2001:2::1", "2001:2::2", 6)
MAPPED = Way("mapped", "::ffff:198.18.0.2", "198.18.0.1", "198.18.0.2", 4)
# Of a RoutedLab: behind the router.
FAR_V4 = Way("v4", "198.18.1.2", "198.18.0.1", "198.18.1.2", 4)
FAR_V6 = Way("v6", "2001:2:0:1::2", "2001:2::1", "2001:2:0:1::2", 6)


class Namespace:
    """One network namespace, owned by whoever made it."""

    DEVICE = "veth"

    def __init__(self, name):
        self.name = name
        self.path = f"/run/netns/{name}"
        self.inode = os.stat(self.path).st_ino
        self._owned = contextlib.ExitStack()

    def close(self):
        self._owned.close()

    @contextlib.contextmanager
    def entered(self):
        """Sockets opened and /proc/sys/net files written inside belong here."""
        with open("/proc/thread-self/ns/net", "rb") as home, open(self.path, "rb") as there:
            _setns(there)
            try:
                yield
            finally:
                _setns(home)

    def command(self, *argv):
        """argv as it must be spelled to run in here. nsenter execs: the PID stays."""
        return ["nsenter", f"--net={self.path}", "--", *map(str, argv)]

    def run(self, *argv):
        return run(*self.command(*argv))

    def ip(self, *lines):
        run("ip", "-n", self.name, "-batch", "-", stdin="\n".join(lines))

    def iptables(self, rule, way=V4):
        """way only tells iptables from ip6tables."""
        self.run("iptables" if way.family == 4 else "ip6tables", "-w", *rule.split())

    @contextlib.contextmanager
    def rule(self, rule, way=V4):
        """A rule (`INPUT -j DROP`) that is there for as long as the block lasts."""
        self.iptables(f"-I {rule}", way)
        yield
        self.iptables(f"-D {rule}", way)

    def has_sysctl(self, name):
        with self.entered():
            return _sysctl_file(name).exists()

    def sysctl(self, name, value):
        with self.entered():
            _sysctl_file(name).write_text(str(value))

    def counters(self):
        """What the kernel counts there of TCP, by the names of /proc/net/snmp and netstat."""
        with self.entered():
            return {name: value for table in ("netstat", "snmp")
                    for name, value in _table(Path("/proc/thread-self/net", table))}

    def listen(self, port):
        """A listener that nobody accepts from: handshakes complete all the same."""
        with self.entered():
            listener = socket.create_server(("::", port), family=socket.AF_INET6,
                                            dualstack_ipv6=True, backlog=128)
        return self._owned.enter_context(listener)

    def sniff(self, device=DEVICE):
        with self.entered():
            return self._owned.enter_context(sniffer.Sniffer(device))

    def owns(self, context):
        """Enters a context that lasts as long as the namespace."""
        return self._owned.enter_context(context)

    def agent(self):
        return self._owned.enter_context(Agent(self))


class Lab:
    """The pair. Closing it kills its processes and removes its namespaces."""

    NAMES = ("client", "server")

    def __init__(self):
        with contextlib.ExitStack() as undo:
            prefix = f"synwatch-{os.getpid()}-{next(_serial)}"
            for name in self.NAMES:
                run("ip", "netns", "add", f"{prefix}-{name}")
                undo.callback(run, "ip", "netns", "del", f"{prefix}-{name}")
            self.namespaces = [Namespace(f"{prefix}-{name}") for name in self.NAMES]
            for name, netns in zip(self.NAMES, self.namespaces):
                undo.callback(netns.close)
                setattr(self, name, netns)
            self._set_ports_apart()
            self._connect()
            self._undo = undo.pop_all()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._undo.close()

    def _set_ports_apart(self):
        """The ISN is a hash of addresses and ports, plus a clock: two labs that connect at the
        same moment would send the same SYN, and neither could tell whose was dropped."""
        worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % 12
        low = 10000 + worker * 4000
        self.client.sysctl("net.ipv4.ip_local_port_range", f"{low} {low + 3999}")

    def _connect(self):
        device = Namespace.DEVICE
        _join((0, self.client, device), (0, self.server, device))
        _address(self.client, device, (0, 1), (0, 2))
        _address(self.server, device, (0, 2), (0, 1))


class RoutedLab(Lab):
    """A third namespace between the two, which forwards: a container's host."""

    NAMES = ("client", "router", "server")
    FAR_DEVICE = "far"  # the router's, towards the server

    def _connect(self):
        device, far = Namespace.DEVICE, self.FAR_DEVICE
        for name in "net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding":
            self.router.sysctl(name, 1)
        _join((0, self.client, device), (0, self.router, device))
        _join((1, self.router, far), (1, self.server, device))
        _address(self.client, device, (0, 1), (0, 2))
        _address(self.router, device, (0, 2), (0, 1))
        _address(self.router, far, (1, 1), (1, 2))
        _address(self.server, device, (1, 2), (1, 1))
        self.client.ip("route add default via 198.18.0.2", "route add default via 2001:2::2")
        self.server.ip("route add default via 198.18.1.1", "route add default via 2001:2:0:1::1")


class BridgedLab(Lab):
    """Addresses as in a Lab, but a third namespace lies between: a bridge."""

    NAMES = ("client", "bridge", "server")

    def _connect(self):
        device = Namespace.DEVICE
        self.bridge.ip("link add name br0 type bridge", "link set br0 addrgenmode none",
                       "link set br0 up")
        _join((0, self.client, device), (0, self.bridge, "port1"))
        _join((1, self.bridge, "port2"), (1, self.server, device))
        self.bridge.ip("link set port1 master br0", "link set port2 master br0")
        _address(self.client, device, (0, 1), (0, 2), mac(1, 2))
        _address(self.server, device, (0, 2), (0, 1), mac(0, 1))


def _join(*ends):
    """A veth pair between two (net, namespace, device).

    Unequal indices: the kernel takes a device whose peer has its own index for no veth at all,
    and lets it wait a second for its carrier (linkwatch_urgent_event).
    """
    words = []
    for number, (net, netns, device) in enumerate(ends, 1):
        words.append(["name", device, "index", 100 + 2 * net + number, "netns", netns.name,
                      "address", mac(net, number)])
    run("ip", "link", "add", *words[0], "type", "veth", "peer", *words[1])
    with contextlib.ExitStack() as stack:
        links = [stack.enter_context(_LinkEvents(netns, device)) for _, netns, device in ends]
        for _, netns, device in ends:
            # No link-local address: no router or neighbour chatter.
            netns.ip(f"link set {device} addrgenmode none", "link set lo up",
                     f"link set {device} up")
        # The end that was opened first gets its queue only when the link watch has run:
        # until then the device drops what it is given.
        for link in links:
            link.wait_running()


def _table(path):
    """Pairs of lines: the names, then the values."""
    lines = path.read_text().splitlines()
    for names, values in zip(lines[::2], lines[1::2]):
        # Icmp's columns come and go with what has been received.
        if names.startswith(("TcpExt:", "Tcp:")):
            yield from zip(names.split()[1:], map(int, values.split()[1:]))


def _address(netns, device, own, peer, peer_mac=None):
    """own, peer: (net, host). The peer needs no neighbour discovery."""
    peer_mac = peer_mac or mac(*peer)
    netns.ip(f"addr add {_v4(*own)}/24 dev {device}", f"addr add {_v6(*own)}/64 dev {device} nodad",
             f"neigh add {_v4(*peer)} lladdr {peer_mac} dev {device} nud permanent",
             f"neigh add {_v6(*peer)} lladdr {peer_mac} dev {device} nud permanent")


def _v4(net, host):
    return f"198.18.{net}.{host}"


def _v6(net, host):
    return f"2001:2:0:{net}::{host}"


class Agent:
    """The application under the microscope: agent.py in a namespace, told what to do."""

    COMM = "live-agent"

    def __init__(self, netns):
        self._process = subprocess.Popen(
            netns.command(sys.executable, "-IS", AGENT_PROGRAM, self.COMM),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
        self.pid = self._process.pid
        self.result()  # from here on it is where and what it should be

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()
        self._process.stdin.close()
        self._process.stdout.close()

    def send(self, op, **arguments):
        self._process.stdin.write(json.dumps({"op": op, **arguments}).encode() + b"\n")

    def result(self, timeout=TIMEOUT):
        """The reply to the oldest request; blocks."""
        ready, _, _ = select.select([self._process.stdout], [], [], timeout)
        assert ready, f"the agent says nothing for {timeout} s"
        line = self._process.stdout.readline()
        assert line, "the agent is gone"
        return json.loads(line)

    def call(self, op, **arguments):
        self.send(op, **arguments)
        return self.result()

    def start_connect(self, address, port, **arguments):
        self.send("connect", address=address, port=port, **arguments)

    def connect(self, address, port, **arguments):
        self.start_connect(address, port, **arguments)
        return self.result()

    def quit(self):
        """exit(2) with every socket open."""
        self.send("quit")
        self._process.wait(TIMEOUT)

    def kill(self):
        self._process.kill()
        self._process.wait(TIMEOUT)


class _LinkEvents:
    """Says when the device of a namespace is ready to transmit."""

    RTMGRP_LINK = 1
    RTM_NEWLINK = 16
    IFF_RUNNING = 0x40

    def __init__(self, netns, device):
        with netns.entered():
            self._index = socket.if_nametoindex(device)
            self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW,
                                         socket.NETLINK_ROUTE)
        self._socket.bind((0, self.RTMGRP_LINK))
        self._socket.settimeout(TIMEOUT)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._socket.close()

    def wait_running(self):
        while True:
            message = self._socket.recv(65536)
            # struct nlmsghdr, struct ifinfomsg; a notification is one message.
            _, kind, _, _, _, _, _, index, flags = struct.unpack_from("=IHHIIBxHiI", message)
            if (kind, index) == (self.RTM_NEWLINK, self._index) and flags & self.IFF_RUNNING:
                return


def run(*argv, stdin=None):
    """Runs a command to its end; its output in the exception if it fails."""
    done = subprocess.run(list(map(str, argv)), input=stdin, text=True, timeout=TIMEOUT,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode:
        raise RuntimeError(f"{' '.join(map(str, argv))} ({stdin}): {done.stdout}")
    return done.stdout


def _sysctl_file(name):
    return Path("/proc/sys", *name.split("."))


def mac(net, host):
    return f"02:00:00:00:{net:02x}:{host:02x}"


def _setns(netns):
    if _libc.setns(netns.fileno(), CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "setns")
