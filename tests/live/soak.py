# SPDX-License-Identifier: GPL-2.0-only
"""soak.py ROLE [SECONDS RATE]: the processes of a soak, each started inside a namespace.

serve: accepts at two ports, at a third one it does not. load: handshakes of every outcome, so
many a second. churn: processes that live for one handshake, with a PID that another had before,
and network namespaces that live for two. Each prints, as JSON, what came of what it did: how often
which port ended with which errno, "closed" or "exit".
"""

import collections
import ctypes
import errno
import heapq
import json
import os
import random
import select
import signal
import socket
import struct
import subprocess
import sys
import time

COMM = b"soak"
SERVER = "198.18.0.2"

HEALTHY, REFUSED, LOSSY, DROPPED, REJECTED, FULL = 80, 81, 82, 83, 84, 88
REUSED, OWN_REFUSED, OWN_SILENT = 85, 86, 87

PR_SET_PDEATHSIG = 1
PR_SET_NAME = 15
CLONE_NEWNET = 0x40000000
ABORT = struct.pack("ii", 1, 0)  # SO_LINGER: no TIME_WAIT

# Of 100 handshakes; how long the application waits, at most, None: until it is told.
MIX = ([(HEALTHY, None)] * 40 + [(REFUSED, None)] * 20 + [(LOSSY, None)] * 15 +
       [(DROPPED, None)] * 6 + [(DROPPED, 0.2)] * 6 + [(DROPPED, 1.5)] * 4 +
       [(REJECTED, None)] * 5 + [(FULL, 1.2)] * 2 + [(None, None)] * 2)

libc = ctypes.CDLL(None, use_errno=True)


def listener(port, backlog):
    sock = socket.create_server((SERVER, port), backlog=backlog)
    sock.setblocking(False)
    return sock


def serve():
    full = listener(FULL, 1)
    accepting = [listener(port, 1024) for port in (HEALTHY, LOSSY)]
    print("ready", flush=True)
    while sys.stdin not in (ready := select.select([sys.stdin, *accepting], [], [])[0]):
        for sock in ready:
            while True:
                try:
                    peer, _ = sock.accept()
                except BlockingIOError:
                    break
                except OSError:  # it has been reset meanwhile
                    continue
                peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, ABORT)
                peer.close()
    full.close()
    return {}


class Load:
    def __init__(self):
        self._tally = collections.Counter()
        self._epoll = select.epoll()
        self._open = {}
        self._deadlines = []

    def run(self, seconds, rate):
        begin = time.monotonic()
        done = 0
        while (now := time.monotonic() - begin) < seconds:
            for _ in range(min(int(now * rate) - done, rate)):
                self._start(*random.choice(MIX))
                done += 1
            self._wait(0.02)
        while self._open:
            self._wait(0.2)
        return dict(self._tally)

    def _start(self, port, patience):
        sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, ABORT)
        host = SERVER if port else "240.0.0.1"  # class E: no route
        error = sock.connect_ex((host, port or HEALTHY))
        if error != errno.EINPROGRESS:
            self._end(sock, port, error)
            return
        self._open[sock.fileno()] = sock, port
        self._epoll.register(sock.fileno(), select.EPOLLOUT)
        if patience:
            heapq.heappush(self._deadlines, (time.monotonic() + patience, sock.fileno(), id(sock)))

    def _wait(self, seconds):
        for fd, _ in self._epoll.poll(seconds):
            sock, port = self._open.pop(fd)
            self._end(sock, port, sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))
        while self._deadlines and self._deadlines[0][0] < time.monotonic():
            _, fd, identity = heapq.heappop(self._deadlines)
            if fd in self._open and id(self._open[fd][0]) == identity:
                sock, port = self._open.pop(fd)
                self._end(sock, port, None)

    def _end(self, sock, port, error):
        sock.close()
        self._tally[f"{port} {'closed' if error is None else errno.errorcode.get(error, 'ok')}"] += 1


class Churn:
    def __init__(self):
        self._tally = collections.Counter()
        self._pid = os.getpid()

    def run(self, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self._reuse()
            self._tally[f"{REUSED} ECONNREFUSED"] += 1
            if not self._child(self._own_namespace):
                self._tally[f"{OWN_REFUSED} ECONNREFUSED"] += 1
                self._tally[f"{OWN_SILENT} exit"] += 1
            time.sleep(0.05)  # the pace
        return dict(self._tally)

    def _reuse(self):
        """The same PID again, unless another process was faster."""
        before = self._pid
        with open("/proc/sys/kernel/ns_last_pid", "w") as last:
            last.write(str(self._pid - 1 if self._tally else self._pid))
            last.flush()
            self._child(lambda: self._refused(SERVER, REUSED))
        self._tally["reused"] += before == self._pid

    def _child(self, what):
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                what()
                status = 0
            finally:
                os._exit(status)
        if what != self._own_namespace:
            self._pid = pid
        return os.waitpid(pid, 0)[1]

    def _own_namespace(self):
        if libc.unshare(CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "unshare")
        subprocess.run(["ip", "-batch", "-"], check=True, text=True, input="\n".join([
            "link set lo up", "link add silent type veth peer name nobody",
            "link set nobody up", "link set silent up",
            "addr add 198.18.0.1/24 dev silent"]))
        self._refused("127.0.0.1", OWN_REFUSED)
        sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        sock.setblocking(False)
        sock.connect_ex((SERVER, OWN_SILENT))

    @staticmethod
    def _refused(address, port):
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as sock:
            assert sock.connect_ex((address, port)) == errno.ECONNREFUSED


def main():
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    libc.prctl(PR_SET_NAME, COMM, 0, 0, 0)
    role, *numbers = sys.argv[1:]
    numbers = map(int, numbers)
    result = {"serve": serve, "load": Load().run, "churn": Churn().run}[role](*numbers)
    print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main()
