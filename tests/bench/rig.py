# SPDX-License-Identifier: GPL-2.0-only
"""What measures: the generator, the programs under test, what the kernel says of them.

The generator has a core of its own, everything else another one.
"""

import collections
import contextlib
import functools
import json
import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/live"))

from netlab import TIMEOUT, Lab  # noqa: E402

# Nobody listens there and nobody asks for it: discard.
UNUSED_PORT = 9

# Hooks of a session that fire for no handshake: iterators, what is attached on demand, and
# what a firewall answers with.
NOT_IN_THE_WAY = ("bpf_map_elem", "tcp_iter", "consume_skb", "get_socket_cookie",
                  "nf_ct_attach", "icmp6_send", "other_netns", "owners", "places")

SLICE_MS = 10
WARM_SLICES = 15

# A run whose mean is so far above its median shared its core with something else.
DISTURBED = 1.15

# A program that has attached nothing more for so long is ready, if it does not say so itself.
SETTLE_S = 0.25
LOOK_S = 0.002

ATTACHED = ("anon_inode:bpf_link", "anon_inode:bpf-link", "anon_inode:[perf_event]")
TRACING = ("kprobe", "tracepoint", "raw_tracepoint", "raw_tracepoint_writable", "perf_event",
           "tracing")


class Loop:
    """What the generator did: so many handshakes, one after the other."""

    def __init__(self, lines):
        rows = [[int(word) for word in line.split()] for line in lines]
        self.handshakes = sum(row[0] for row in rows)
        self.wall_ns = sum(row[1] for row in rows)
        self.cpu_ns = sum(row[2] for row in rows)
        self.waits = sum(row[3] for row in rows)
        # A slice that lost its core for a moment does not count in a median.
        self.ns = statistics.median(row[1] / max(row[0], 1) for row in rows)

    @property
    def mean_ns(self):
        return self.wall_ns / self.handshakes

    @property
    def seconds(self):
        return self.wall_ns / 1e9

    def figures(self):
        return {"handshakes": self.handshakes, "ns": self.ns, "mean_ns": self.mean_ns,
                "cpu_ns": self.cpu_ns / self.handshakes, "waits": self.waits,
                "per_second": self.handshakes / self.seconds,
                "disturbed": self.mean_ns > DISTURBED * self.ns}


class Server:
    """A program that does what its stdin says and answers line by line; ends with its stdin."""

    def __init__(self, command):
        self._process = subprocess.Popen(list(map(str, command)), stdin=subprocess.PIPE,
                                         stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                         text=True)
        self.pid = self._process.pid
        self.greeting = self.line()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        try:
            self._process.wait(TIMEOUT)
        finally:
            self._process.kill()
            self._process.stdout.close()

    def ask(self, *words):
        self._process.stdin.write(" ".join(map(str, words)) + "\n")
        self._process.stdin.flush()

    def line(self):
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self._process.args} ended: {self._process.wait()}")
        return line.strip()


class Generator(Server):
    """handshakes.c in a namespace."""

    def __init__(self, programs, netns, cpu=None):
        super().__init__(netns.command(programs / "handshakes"))
        self.port = int(self.greeting)
        if cpu is not None:
            os.sched_setaffinity(self.pid, {cpu})
            with contextlib.suppress(PermissionError):
                os.setpriority(os.PRIO_PROCESS, self.pid, -20)

    def loop(self, slices, rate=0):
        self.ask("loop", slices, SLICE_MS, rate)
        return Loop([self.line() for _ in range(slices)])

    def hang(self, count, address, port):
        self.ask("hang", count, address, port)
        return self._reply()

    def idle(self, connections):
        self.ask("idle", connections)
        return self._reply()

    def close_all(self):
        self.ask("close")
        return self._reply()

    def _reply(self):
        """Seconds that it took."""
        return int(self.line().split()[1]) / 1e9


class Rig:
    """The namespaces, the generator, and the cores for it and for the others."""

    def __init__(self, program, programs, directory):
        cpus = sorted(os.sched_getaffinity(0))
        self.program = program
        self.programs = programs  # those of tests/bench
        self.directory = directory
        self.cpus = cpus[0], cpus[-1]
        self._undo = contextlib.ExitStack()

    def __enter__(self):
        with contextlib.ExitStack() as undo:
            before = os.sched_getaffinity(0)
            undo.callback(os.sched_setaffinity, 0, before)
            os.sched_setaffinity(0, {self.cpus[1]})
            self.lab = undo.enter_context(Lab())
            # Enough ports for all that hang at once.
            self.lab.client.sysctl("net.ipv4.ip_local_port_range", "1024 65535")
            self.generator = undo.enter_context(
                Generator(self.programs, self.lab.client, self.cpus[0]))
            self._undo = undo.pop_all()
        return self

    def __exit__(self, *_):
        self._undo.close()

    @functools.cached_property
    def hooks(self):
        """The tracepoints that synwatch attaches to here."""
        done = subprocess.run([self.program, "--json", "--port", str(UNUSED_PORT), "-d", "1ms"],
                              stdout=subprocess.PIPE, text=True, check=True)
        session = json.loads(done.stdout.splitlines()[0])
        return [name for name, state in session["hooks"].items()
                # After a colon, what a hook has more than an older kernel's.
                if state is True and name not in NOT_IN_THE_WAY and ":" not in name]

    def attach(self, *names):
        """Empty programs, or with the name bpf_stats the kernel's own measurement."""
        return Server([self.programs / "attach", *names])


Sample = collections.namedtuple("Sample", "cpu_ns programs")


class Tool:
    """A program under test, started and attached. RuntimeError if it does not do what it
    should."""

    # Seconds to wait for its end after each SIGINT.
    STOP_S = (TIMEOUT,)

    def __init__(self, command, stdout=None, ready=None):
        self._stdout = stdout or tempfile.TemporaryFile()
        self._stderr = tempfile.TemporaryFile()
        begin = time.monotonic()
        self._process = subprocess.Popen(list(map(str, command)), stdin=subprocess.PIPE,
                                         stdout=self._stdout, stderr=self._stderr)
        self.pid = self._process.pid
        self.generated = 0
        try:
            self.start_ms = ((ready or Tool._settled)(self) - begin) * 1e3
        except BaseException:
            self.kill()
            raise

    def sample(self):
        return Sample(cpu_ns(self.pid), program_times(self.pid))

    def hwm(self):
        """Bytes resident at most up to now."""
        return status_bytes(self.pid, "VmHWM")

    def rss(self):
        return status_bytes(self.pid, "VmRSS")

    def stop(self):
        """Ends it, in good order."""
        try:
            status = self._interrupt()
        finally:
            self.kill()
        if status:
            raise RuntimeError(f"{self._process.args} ended with {status}: {self.stderr}")

    def _interrupt(self):
        for patience in self.STOP_S:
            self._process.send_signal(signal.SIGINT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                return self._process.wait(patience)
        raise RuntimeError(f"{self._process.args} does not end")

    def kill(self):
        self._process.kill()
        self._process.wait()
        self._process.stdin.close()

    @property
    def stdout(self):
        return _content(self._stdout)

    @property
    def stderr(self):
        return _content(self._stderr)

    def said_on_stdout(self):
        """Ready when it has written a line."""
        return self._wait(lambda: b"\n" in os.pread(self._stdout.fileno(), 1 << 16, 0))

    def said_on_stderr(self):
        return self._wait(lambda: os.fstat(self._stderr.fileno()).st_size)

    def _wait(self, condition):
        deadline = time.monotonic() + TIMEOUT
        while not condition():
            self._check(deadline)
            time.sleep(LOOK_S)
        return time.monotonic()

    def _settled(self):
        """Ready when it had attached what it has attached."""
        deadline = time.monotonic() + TIMEOUT
        last, since = 0, time.monotonic()
        while not last or time.monotonic() < since + SETTLE_S:
            self._check(deadline)
            count = attached_fds(self.pid)
            if count != last:
                last, since = count, time.monotonic()
            time.sleep(LOOK_S)
        return since

    def _check(self, deadline):
        if self._process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"{self._process.args} does not start: {self.stderr}")


def _content(file):
    return os.pread(file.fileno(), os.fstat(file.fileno()).st_size, 0).decode(errors="replace")


def cpu_ns(pid):
    """Time on a core, of all threads."""
    total = 0
    for path in Path(f"/proc/{pid}/task").glob("*/schedstat"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            total += int(path.read_text().split()[0])
    return total


def status_bytes(pid, name):
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.search(rf"^{name}:\s+(\d+) kB$", status, re.M).group(1)) << 10


def attached_fds(pid):
    """How many links of BPF programs and perf events it holds."""
    count = 0
    for path in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            count += os.readlink(path).startswith(ATTACHED)
    return count


def fdinfos(pid, key):
    """What the kernel says of each descriptor that has the key, by the key's value."""
    found = {}
    for path in Path(f"/proc/{pid}/fdinfo").iterdir():
        with contextlib.suppress(FileNotFoundError):
            info = dict(re.findall(r"^(\w+):\s*(\S+)$", path.read_text(), re.M))
            if key in info and "link_id" not in info:
                found[int(info[key])] = info
    return found


def program_times(pid):
    """ns in each BPF program, and its runs, by its number; 0 unless they are measured."""
    return {number: (int(info["run_time_ns"]), int(info["run_cnt"]))
            for number, info in fdinfos(pid, "prog_id").items()}


def bpftool(*words):
    tool = subprocess.run([ROOT / ".ci/deps", "bpftool"], stdout=subprocess.PIPE, text=True,
                          check=True).stdout.strip()
    done = subprocess.run([tool, "-j", *map(str, words)], stdout=subprocess.PIPE, text=True,
                          check=True)
    return json.loads(done.stdout)


def program_names():
    """Of all BPF programs on this host, by number."""
    return {program["id"]: program.get("name", "?") for program in bpftool("prog", "show")}


def tracing_programs():
    """How many tracing programs there are on this host, whoever loaded them."""
    return sum(program["type"] in TRACING for program in bpftool("prog", "show"))


def kernel_losses(pid):
    """What synwatch's kernel side has counted as lost up to now, by kind."""
    for number in fdinfos(pid, "map_id"):
        if bpftool("map", "show", "id", number).get("name") == "totals":
            entry, = bpftool("map", "dump", "id", number)
            cpus = [cpu["value"] for cpu in entry["formatted"]["values"]]
            return {kind: sum(cpu[kind] for cpu in cpus)
                    for kind in ("ring_full", "map_full", "missed")}
    raise RuntimeError(f"process {pid} has no map of totals")
