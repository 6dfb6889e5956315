# SPDX-License-Identifier: GPL-2.0-only
"""Left on: handshakes of every outcome, hundreds a second, recorded within bounds, while network
namespaces come and go, PIDs are used again and the time of day is stepped.

SYNWATCH_SOAK is how many seconds; `make soak` sets it.
"""

import collections
import contextlib
import json
import os
import re
import signal
import sqlite3
import statistics
import struct
import subprocess
import sys
import tempfile
import threading
import time
from datetime import datetime, timezone
from pathlib import Path

import pytest

import soak
from netlab import TIMEOUT, run
from watch import LOST, program

SECONDS = int(os.environ.get("SYNWATCH_SOAK", 15))
RATE = int(os.environ.get("SYNWATCH_SOAK_RATE", 300))

MAX_SIZE = 4 << 20
MAX_AGE = 30

# The time of day is off by one of these, then by the next.
SHIFTS = 0, 3600, -3600, 86400, 5, -90

# What grows with the load until its bound is reached has reached it by then.
WARM = 0.4
# Bytes, over the rest of the time; less than a few pages is what an allocator does.
GROWTH_MAX = 1 << 20

# Of what is under way: nothing is in them when all has ended.
MAPS = "handshakes", "flights", "connecting", "requests"


class Watch:
    """synwatch whose lines are counted as they come: they are too many to keep."""

    def __init__(self, directory):
        self.path = directory / "soak.db"
        self.ends = collections.Counter()  # (port, verdict) of a client
        self.lost = collections.Counter()
        self.hanging = set()
        self.session = self.summary = None
        self.shift = Shift(directory)
        self._stderr = tempfile.TemporaryFile()
        self._process = subprocess.Popen(
            [program(), "--json", "--comm", soak.COMM.decode(), "-w", self.path, "--max-size",
             f"{MAX_SIZE >> 20}M", "--max-age", f"{MAX_AGE}s"], stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=self._stderr, env=os.environ | self.shift.environment)
        self.pid = self._process.pid
        self._attached = threading.Event()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()
        assert self._attached.wait(TIMEOUT) and self.session, self.stderr

    @property
    def stderr(self):
        return os.pread(self._stderr.fileno(), 1 << 20, 0).decode()

    def stop(self):
        self._process.send_signal(signal.SIGINT)
        status = self._process.wait(TIMEOUT)
        self._reader.join()
        assert status == 0, self.stderr

    def close(self):
        self._process.kill()
        self._process.wait()
        self._reader.join()

    def entries(self, name):
        """How many a map of its own has."""
        for number in self._map_ids():
            if json.loads(run("bpftool", "-j", "map", "show", "id", number))["name"] == name:
                return len(json.loads(run("bpftool", "-j", "map", "dump", "id", number)))
        raise AssertionError(f"no map {name}")

    def sizes(self):
        """Bytes of its own memory, and descriptors."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return (int(re.search(r"^RssAnon:\s+(\d+) kB$", status, re.M).group(1)) << 10,
                len(os.listdir(f"/proc/{self.pid}/fd")))

    def _map_ids(self):
        for fd in Path(f"/proc/{self.pid}/fdinfo").iterdir():
            with contextlib.suppress(OSError):
                yield from re.findall(r"^map_id:\s+(\d+)$", fd.read_text(), re.M)

    def _read(self):
        for raw in self._process.stdout:
            self._take(json.loads(raw))
        self._attached.set()

    def _take(self, line):
        kind = line["type"]
        self.shift.check(line)
        if kind == "session":
            self.session = line
            self._attached.set()
        elif kind == "stall":
            self.hanging.add(line["id"])
        elif kind == "end":
            self.hanging.discard(line["id"])
            if line["role"] == "client":
                self.ends[line["rport"], line["verdict"]] += 1
        elif kind == "loss":
            self.lost.update({name: line[name] for name in LOST})
        elif kind == "summary":
            self.summary = line


class Shift:
    """The time of day as it sees it; everybody else's stays what it is."""

    # The clock is looked at once a second.
    NOTICED = 3

    def __init__(self, directory):
        library, self._path = directory / "clock_shift.so", directory / "shift"
        run("cc", "-O2", "-shared", "-fPIC", "-D_GNU_SOURCE", "-o", library,
            Path(__file__).with_name("clock_shift.c"), "-ldl")
        self._path.write_bytes(struct.pack("=q", 0))
        self.environment = {"LD_PRELOAD": str(library), "CLOCK_SHIFT": str(self._path)}
        self._recent = {0}
        self.steps = self.seen = 0
        self._now = 0

    def step(self):
        self.steps += 1
        self._recent = {self._now, SHIFTS[self.steps % len(SHIFTS)]}
        self._now = SHIFTS[self.steps % len(SHIFTS)]
        with open(self._path, "r+b") as file:
            file.write(struct.pack("=q", self._now))

    def settle(self):
        """When it must have been noticed."""
        self._recent = {self._now}

    def check(self, line):
        when = datetime.strptime(line["time"], "%Y-%m-%dT%H:%M:%S.%fZ")
        off = when.replace(tzinfo=timezone.utc).timestamp() - time.time()
        assert any(abs(off - shift) < TIMEOUT for shift in self._recent), (line, self._recent)


@pytest.fixture
def watching(tmp_path):
    new = Watch(tmp_path)
    yield new
    new.close()
    print("stderr:", new.stderr, "lost:", dict(new.lost), "summary:", new.summary, sep="\n")


@contextlib.contextmanager
def started(netns, role, *numbers):
    """soak.py in a namespace; its last line is what it has done."""
    process = subprocess.Popen(
        netns.command(sys.executable, "-IS", soak.__file__, role, *numbers), text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()


def prepare(lab):
    """Short lives, and what becomes of a SYN to each port."""
    lab.client.sysctl("net.ipv4.tcp_syn_retries", 1)
    lab.client.sysctl("net.ipv4.ip_local_port_range", "10000 60000")
    for netns in lab.namespaces:
        netns.sysctl("net.ipv4.tcp_synack_retries", 1)
    if lab.client.has_sysctl("net.ipv4.tcp_syn_linear_timeouts"):
        lab.client.sysctl("net.ipv4.tcp_syn_linear_timeouts", 1)
    for port, target in (soak.DROPPED, "DROP"), (soak.REJECTED, "REJECT"), \
            (soak.LOSSY, "DROP -m statistic --mode random --probability 0.2"):
        lab.server.iptables(f"-I INPUT -p tcp --syn --dport {port} -j {target}")


def observe(watching, processes):
    """Until the load is over: (seconds, bytes, descriptors), every half second."""
    samples, begin, stepped = [], time.monotonic(), time.monotonic()
    while any(process.poll() is None for process in processes):
        now = time.monotonic()
        samples.append((now - begin, *watching.sizes()))
        if now - stepped > 2 * Shift.NOTICED:
            watching.shift.step()
            stepped = now
        elif now - stepped > Shift.NOTICED:
            watching.shift.settle()
        assert now - begin < SECONDS + TIMEOUT, "the load does not end"
        time.sleep(0.5)
    return samples


def growth(samples):
    """Bytes, from when it is warm: the median slope between points (Theil and Sen), which no
    single one bends, times the time."""
    warm = [(at, size) for at, size, _ in samples if at > WARM * samples[-1][0]]
    warm = warm[::max(1, len(warm) // 300)]
    slopes = [(b[1] - a[1]) / (b[0] - a[0]) for i, a in enumerate(warm) for b in warm[i + 1:]]
    return statistics.median(slopes) * (warm[-1][0] - warm[0][0])


def check_counts(done, watching):
    """What the applications saw is what was told, but for what is known to be lost."""
    ends, lost = watching.ends, sum(watching.lost.values())
    served = soak.HEALTHY, soak.LOSSY, soak.FULL
    # Accepted, and reset before the client has looked.
    through = sum(done[f"{port} {how}"] for port in served for how in ("ok", "ECONNRESET"))
    told = watching.summary["healthy"] + sum(ends[port, "established"] for port in served)
    pairs = {
        "through": (through, told),
        "no route": (done["None ENETUNREACH"], ends[soak.HEALTHY, "local_error"]),
        "refused": (done[f"{soak.REFUSED} ECONNREFUSED"], ends[soak.REFUSED, "refused"]),
        "rejected": (done[f"{soak.REJECTED} ECONNREFUSED"], ends[soak.REJECTED, "rejected"]),
        "reused": (done[f"{soak.REUSED} ECONNREFUSED"], ends[soak.REUSED, "refused"]),
        "own refused": (done[f"{soak.OWN_REFUSED} ECONNREFUSED"],
                        ends[soak.OWN_REFUSED, "refused"]),
        "own silent": (done[f"{soak.OWN_SILENT} exit"], ends[soak.OWN_SILENT, "abandoned"]),
    }
    # The kernel limits how many ICMP errors it sends.
    for port in soak.DROPPED, soak.LOSSY, soak.REJECTED, soak.FULL:
        pairs[f"timed out {port}"] = (done[f"{port} ETIMEDOUT"], ends[port, "timed_out"])
        pairs[f"closed {port}"] = (done[f"{port} closed"], ends[port, "abandoned"])
    print(pairs)
    wrong = {name: pair for name, pair in pairs.items() if abs(pair[0] - pair[1]) > lost}
    assert not wrong, f"{wrong}, {lost} lost, {dict(done)}, {dict(ends)}"
    assert sum(pair[0] for pair in pairs.values()) == sum(done.values()), dict(done)
    # Nothing is told of what nobody did; whose end was lost says so.
    unknown = sum(count for (_, verdict), count in ends.items() if verdict == "unknown")
    assert unknown <= lost, f"{unknown} unknown, {lost} lost"
    assert sum(pair[1] for pair in pairs.values()) == \
        sum(ends.values()) - unknown + watching.summary["healthy"], dict(ends)


def check_capture(watching):
    """Whole, and no larger than it may be. Whose end the kernel has not run the programs for
    has none in it."""
    size = sum(path.stat().st_size for path in watching.path.parent.glob("soak.db*"))
    assert size <= MAX_SIZE, size
    with contextlib.closing(sqlite3.connect(watching.path)) as db:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        unended, = db.execute("SELECT count(*) FROM handshake WHERE NOT ended").fetchone()
        assert unended <= watching.lost["missed"], unended
    replayed = subprocess.run([program(), "--json", "read", watching.path], timeout=TIMEOUT,
                              capture_output=True, text=True, check=True)
    lines = [json.loads(line)["type"] for line in replayed.stdout.splitlines()]
    assert lines[0] == "session" and lines[-1] == "summary" and "end" in lines
    assert replayed.stderr == ""
    return size


@pytest.mark.slow(SECONDS)
def test_soak(lab, watching):
    prepare(lab)
    done = collections.Counter()
    with started(lab.server, "serve") as server:
        assert server.stdout.readline() == "ready\n"
        with started(lab.client, "load", SECONDS, RATE) as load, \
                started(lab.client, "churn", SECONDS) as churn:
            samples = observe(watching, (load, churn))
            for process in load, churn:
                assert process.returncode == 0
                done.update(json.load(process.stdout))
        reused = done.pop("reused")
        # A server's half outlives its client.
        deadline = time.monotonic() + TIMEOUT
        while any((left := {name: watching.entries(name) for name in MAPS}).values()):
            assert time.monotonic() < deadline, f"not ended: {left}"
            time.sleep(0.2)
        server.stdin.close()
        server.wait(TIMEOUT)
    watching.stop()
    grown, descriptors = growth(samples), {count for at, _, count in samples if at > 1}
    print(f"{sum(done.values())} handshakes in {SECONDS} s, PIDs reused: {reused}, clock steps: "
          f"{watching.shift.steps}, bytes at the end: {samples[-1][1]}, grown: {grown:.0f}, "
          f"descriptors: {descriptors}, lost: {dict(watching.lost)}")
    # Until it is overdue nobody can know that an end was missed whose socket is gone.
    assert len(watching.hanging) <= watching.lost["missed"], "stalled, and never ended"
    check_counts(done, watching)
    print("capture:", check_capture(watching))
    assert watching.lost["ring"] == watching.lost["map_full"] == 0, dict(watching.lost)
    assert reused, "no PID was used again"
    assert grown < GROWTH_MAX or SECONDS < 60, samples[::20]
    assert max(descriptors) - min(descriptors) <= 1, descriptors
