# SPDX-License-Identifier: GPL-2.0-only
"""A running synwatch: as JSON lines, or on a terminal."""

import collections
import contextlib
import fcntl
import json
import os
import pty
import queue
import re
import select
import signal
import struct
import subprocess
import tempfile
import termios
import threading
import time
from pathlib import Path

import schema
from netlab import TIMEOUT

# Why a test is skipped whose watch missed what no rule can make up for.
SPOILT = "the kernel did not run every program for this test"

REPOSITORY = Path(__file__).parents[2]


def program():
    return os.environ.get("SYNWATCH", str(REPOSITORY / "build" / "synwatch"))


class Process:
    """synwatch with its stdout in our hands and its stderr in a file."""

    def __init__(self, options, stdout):
        self.options = [option if isinstance(option, bytes) else str(option)
                        for option in options]
        self._stderr = tempfile.TemporaryFile()
        self._process = subprocess.Popen([program(), *self.options], stdin=subprocess.DEVNULL,
                                         stdout=stdout, stderr=self._stderr)
        self.pid = self._process.pid

    def signal(self, number):
        self._process.send_signal(number)

    def wait(self, timeout=TIMEOUT):
        return self._process.wait(timeout)

    @property
    def stderr(self):
        return os.pread(self._stderr.fileno(), 1 << 20, 0).decode(errors="backslashreplace")

    def close(self):
        self._process.kill()
        self._process.wait()
        if self._process.stdout:
            self._process.stdout.close()


# What a loss line has of this watch's own; suppressed is the whole host's.
LOST = ("ring", "map_full", "late", "missed")


class Watch(Process):
    """Its JSON lines, each checked as it is taken in.

    `lines` holds all handshake and loss lines up to now, `session` the first
    line and, after the end, `summary` the last.
    """

    def __init__(self, options):
        super().__init__(["--json", *options], subprocess.PIPE)
        self.lines = []
        self.suppressed = 0  # drops of the whole host, other tests' floods among them
        self.session = None
        self.summary = None
        self._ended = False
        self._waiting = collections.deque()
        self._raw = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def attached(self):
        """Blocks until everything is attached: that is what the first line says."""
        self.session = self._take(time.monotonic() + TIMEOUT)
        assert self.session and self.session["type"] == "session", \
            f"no session line: {self.session} {self.stderr}"

    def wait_for(self, timeout=TIMEOUT, **fields):
        """The next line, not returned before, with these values; blocks until it comes."""
        deadline = time.monotonic() + timeout
        for line in self._waiting:
            if agrees(line, fields):
                self._waiting.remove(line)
                return line
        while True:
            line = self._take(deadline)
            assert line, f"ended without a line like {fields}"
            if agrees(line, fields):
                self._waiting.remove(line)
                return line

    def stop(self, number=signal.SIGINT):
        self.signal(number)
        return self.finish()

    def finish(self):
        """Waits until it has ended by itself, in good order. Returns the summary."""
        deadline = time.monotonic() + TIMEOUT
        while not self._ended and self._take(deadline):
            pass
        status = self.wait()
        assert status == 0, f"exit status {status}: {self.stderr}"
        assert self.summary, "no summary"
        return self.summary

    def of_type(self, kind):
        return [line for line in self.lines if line["type"] == kind]

    def drain(self):
        """Whatever is there, however broken: for the report of a failed test."""
        rest = []
        with contextlib.suppress(queue.Empty):
            while raw := self._raw.get_nowait():
                rest.append(raw.decode(errors="backslashreplace").rstrip())
        return rest

    def close(self):
        super().close()
        self._reader.join()

    def _read(self):
        for raw in iter(self._process.stdout.readline, b""):
            self._raw.put(raw)
        self._raw.put(None)

    def _take(self, deadline):
        try:
            raw = self._raw.get(timeout=max(0, deadline - time.monotonic()))
        except queue.Empty:
            raise AssertionError("no further line in time") from None
        if raw is None:
            self._ended = True
            return None
        assert b"\x1b" not in raw and raw.endswith(b"\n"), raw
        line = json.loads(raw.decode("utf-8"), parse_constant=_refuse)
        schema.check(line)
        assert not self.summary, f"after the summary: {line}"
        if line["type"] == "summary":
            self.summary = line
        elif line["type"] == "loss" and not any(line[kind] for kind in LOST):
            self.suppressed += line["suppressed"]
            self._waiting.append(line)
        elif line["type"] != "session":
            self.lines.append(line)
            self._waiting.append(line)
        return line


class TerminalWatch(Process):
    """Its output on a terminal of so many columns."""

    def __init__(self, options, columns=80):
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        self.output = b""
        super().__init__(options, slave)
        os.close(slave)

    def attached(self):
        """Blocks until the header is there."""
        self.wait_for(rb"\n")

    def wait_for(self, pattern, timeout=TIMEOUT):
        """Blocks until the output matches a regular expression (bytes)."""
        deadline = time.monotonic() + timeout
        while not re.search(pattern, self.output):
            assert self._more(deadline), f"ended without {pattern}"

    def stop(self):
        self.signal(signal.SIGINT)
        return self.finish()

    def finish(self):
        """Waits until it has ended by itself, in good order."""
        deadline = time.monotonic() + TIMEOUT
        while self._more(deadline):
            pass
        assert self.wait() == 0, self.stderr
        return self.output

    def received(self, data):
        """For those who want it as it comes."""

    def rows(self):
        """Lines as a reader sees them: without colours."""
        text = re.sub(rb"\x1b\[[0-9;]*m", b"", self.output).decode("utf-8")
        return text.replace("\r\n", "\n").splitlines()

    def drain(self):
        return [repr(self.output)]

    def close(self):
        super().close()
        os.close(self._master)

    def _more(self, deadline):
        ready, _, _ = select.select([self._master], [], [], max(0, deadline - time.monotonic()))
        assert ready, "no further output in time"
        try:
            data = os.read(self._master, 65536)
        except OSError:  # EIO: the other side is closed
            data = b""
        self.output += data
        self.received(data)
        return bool(data)


def agrees(line, fields):
    return all(line.get(key, agrees) == value for key, value in fields.items())


def _refuse(constant):
    raise ValueError(f"{constant} is not JSON")
