# SPDX-License-Identifier: GPL-2.0-only
"""Runs inside a namespace: makes connections, or takes them, when told to.

One JSON object a line on stdin says what to do, one on stdout what came of
it. Operations run in the main thread, so a blocking connect() blocks the
agent like the application that it stands for.
"""

import ctypes
import errno
import json
import os
import select
import signal
import socket
import struct
import sys
import threading
import time

PR_SET_PDEATHSIG = 1
PR_SET_NAME = 15

libc = ctypes.CDLL(None)


class Operations:
    def __init__(self):
        self._sockets = {}

    def connect(self, address, port, name="s", blocking=True, protocol=0, options=(), bind=None):
        """options: [level, name, value] of setsockopt(); an existing socket is used again."""
        sock = self._sockets.get(name)
        if sock is None:
            sock = socket.socket(_family(address), socket.SOCK_STREAM, protocol)
            self._sockets[name] = sock
        sock.setblocking(blocking)
        for option in options:
            sock.setsockopt(*option)
        if bind:
            sock.bind(tuple(bind))
        began = time.time()
        error = sock.connect_ex((address, port))
        return {"errno": errno.errorcode.get(error), "began": began, "ended": time.time()}

    def listen(self, address, port, backlog=128, name="l", options=()):
        sock = socket.socket(_family(address), socket.SOCK_STREAM)
        self._sockets[name] = sock
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if address == "::":
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        for option in options:
            sock.setsockopt(*option)
        sock.bind((address, port))
        sock.listen(backlog)
        return {}

    def accept(self, count=1, name="l"):
        """So many, each waited for and kept open; the ports that they come from."""
        ports = []
        for _ in range(count):
            sock, peer = self._sockets[name].accept()
            self._sockets[f"{name}-{peer[1]}"] = sock
            ports.append(peer[1])
        return {"ports": ports}

    def fast_open(self, address, port, text, name="s"):
        """connect() and send(), at best in one segment."""
        sock = self._sockets[name] = socket.socket(_family(address), socket.SOCK_STREAM)
        return {"sent": sock.sendto(text.encode(), socket.MSG_FASTOPEN, (address, port))}

    def wait_error(self, name="s"):
        """What an event loop does: poll(), then SO_ERROR."""
        poll = select.poll()
        poll.register(self._sockets[name], select.POLLOUT)
        poll.poll()
        error = self._sockets[name].getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        return {"errno": errno.errorcode.get(error)}

    def wait_event(self, name="s"):
        """poll() only: the error stays with the socket."""
        poll = select.poll()
        poll.register(self._sockets[name], select.POLLOUT)
        return {"events": poll.poll()[0][1]}

    def write(self, text, name="s"):
        return {"sent": self._sockets[name].send(text.encode())}

    def close(self, name="s"):
        self._sockets.pop(name).close()
        return {}

    def close_in_thread(self, name="s"):
        tids = []

        def closer():
            tids.append(threading.get_native_id())
            self._sockets.pop(name).close()

        thread = threading.Thread(target=closer)
        thread.start()
        thread.join()
        return {"tid": tids[0]}

    def handshakes(self, address, port, count):
        """With a listener of its own, each accepted before the next: its queue cannot overflow.
        Ended by a reset, so that no port stays behind in TIME_WAIT."""
        linger = struct.pack("ii", 1, 0)
        with socket.create_server((address, port), family=_family(address)) as listener:
            for _ in range(count):
                with socket.socket(_family(address), socket.SOCK_STREAM) as sock:
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                    sock.connect((address, port))
                    listener.accept()[0].close()
        return {}

    def share(self):
        """fork(): a child has every socket open as well, for as long as the agent lives."""
        child = os.fork()
        if child == 0:
            libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
            for fd in sys.stdin.fileno(), sys.stdout.fileno():
                os.close(fd)
            while True:
                signal.pause()
        return {"pid": child}

    def send_away(self, name="s"):
        """Into a socket that nobody reads: open, but in no process."""
        self._in_flight = socket.socketpair()
        sock = self._sockets.pop(name)
        socket.send_fds(self._in_flight[0], [b"-"], [sock.fileno()])
        sock.close()
        return {}

    def pause(self, seconds):
        """Where the silence of the application is what is being tested."""
        time.sleep(seconds)
        return {}

    def comm(self, hexadecimal):
        libc.prctl(PR_SET_NAME, bytes.fromhex(hexadecimal), 0, 0, 0)
        return {}

    def uid(self, uid):
        os.setresuid(uid, uid, uid)
        return {}

    def quit(self):
        os._exit(0)


def _family(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def main():
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    libc.prctl(PR_SET_NAME, sys.argv[1].encode(), 0, 0, 0)
    operations = Operations()
    _say({})  # ready
    for line in sys.stdin:
        request = json.loads(line)
        try:
            reply = getattr(operations, request.pop("op"))(**request)
        except OSError as error:
            reply = {"errno": errno.errorcode.get(error.errno), "error": str(error)}
        _say(reply)


def _say(reply):
    print(json.dumps(reply), flush=True)


main()
