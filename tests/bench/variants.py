# SPDX-License-Identifier: GPL-2.0-only
"""What is compared: nothing, empty programs, synwatch, and what else people would use."""

import contextlib
import json
import os
import shutil
import sqlite3
import subprocess
from pathlib import Path

from rig import UNUSED_PORT, Tool, kernel_losses

SYSCALLS = ("sys_enter_connect", "sys_exit_connect")

LOSSES_ONLY = ("grep", "-E", '^{"type":"(loss|summary)"')

TRACEFS = Path("/sys/kernel/tracing")

# Some of the others find tracepoints only where tracefs is mounted.
MOUNTED = ("unshare", "--mount", "--", "sh", "-c",
           f'mount -t tracefs nodev {TRACEFS} && exec "$@"', "sh")

BPFTRACE = "tracepoint:sock:inet_sock_set_state { @[args->newstate] = count(); }"
SYN_SENT = 2


class Variant:
    """key: its name in the figures; title: in the tables."""

    # Of what is not ours a run may fail, and is then left out.
    may_fail = False

    def __init__(self, key, title):
        self.key = key
        self.title = title

    def is_there(self):
        return True


class Empty(Variant):
    """Programs that do nothing, where synwatch has programs that do something."""

    def __init__(self, key, title, with_syscalls):
        super().__init__(key, title)
        self._with_syscalls = with_syscalls

    def start(self, rig):
        names = [name for name in rig.hooks if self._with_syscalls or name not in SYSCALLS]
        tool = EmptyTool([rig.programs / "attach", *names], ready=Tool.said_on_stdout)
        if int(tool.stdout) != len(names):
            tool.kill()
            raise RuntimeError(f"no empty program for each of {names}: {tool.stderr}")
        return tool


class EmptyTool(Tool):
    def stop(self):
        self.kill()

    def told(self):
        """It tells nothing, so it loses nothing."""
        return {"lost": None}


class Synwatch(Variant):
    def __init__(self, key, title, *options):
        super().__init__(key, title)
        self._options = options

    def start(self, rig):
        return SummaryTool([rig.program, "--json", *self._options], ready=Tool.said_on_stdout)


class SummaryTool(Tool):
    """Its last line says what was lost."""

    @property
    def summary(self):
        return json.loads(self.stdout.splitlines()[-1])

    def told(self):
        return losses(self, self.stdout)


class Unmatched(Synwatch):
    """With a filter that lets nothing through."""

    def start(self, rig):
        return UnmatchedTool([rig.program, "--json", *self._options], ready=Tool.said_on_stdout)


class UnmatchedTool(SummaryTool):
    def told(self):
        told = super().told()
        del told["missing"]
        return told


class Discarded(Synwatch):
    """All JSON lines to /dev/null; what was lost the kernel side has counted."""

    def start(self, rig):
        with open(os.devnull, "wb") as null:
            return DiscardedTool([rig.program, "--json", *self._options], stdout=null)


class DiscardedTool(Tool):
    def stop(self):
        self._losses = kernel_losses(self.pid)
        super().stop()

    def told(self):
        return {"lost": sum(self._losses.values()), "missed": self._losses["missed"]}


class Piped(Synwatch):
    """All JSON lines into a pipe, for the sake of those that tell of losses."""

    def start(self, rig):
        reader = subprocess.Popen(LOSSES_ONLY, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                  text=True)
        with reader.stdin:
            tool = PipedTool([rig.program, "--json", *self._options], stdout=reader.stdin)
        tool.reader = reader
        return tool


class PipedTool(Tool):
    def told(self):
        with self.reader.stdout:
            output = self.reader.stdout.read()
        self.reader.wait()
        return losses(self, output)


class Captured(Synwatch):
    """A capture, and nothing on stdout; what was lost is in the capture."""

    def start(self, rig):
        path = rig.directory / "bench.db"
        remove_capture(path)
        with open(os.devnull, "wb") as null:
            tool = CapturedTool([rig.program, *self._options, "-w", path], stdout=null)
        tool.program, tool.path = rig.program, path
        return tool


class CapturedTool(Tool):
    def told(self):
        """What the capture holds; it is then removed."""
        read = subprocess.Popen([self.program, "--json", "read", self.path],
                                stdout=subprocess.PIPE)
        told = subprocess.run(LOSSES_ONLY, stdin=read.stdout, stdout=subprocess.PIPE, text=True)
        read.stdout.close()
        if read.wait():
            raise RuntimeError(f"cannot read {self.path}")
        with contextlib.closing(sqlite3.connect(self.path)) as capture:
            records, = capture.execute("SELECT count(*) FROM record").fetchone()
        size = os.stat(self.path).st_size
        remove_capture(self.path)
        return {**losses(self, told.stdout), "records": records, "bytes": size}


def losses(tool, text):
    """From its JSON lines: records lost, runs that the host left out among them, and
    handshakes that it does not have at all."""
    lines = [json.loads(line) for line in text.splitlines()]
    summary = lines[-1]
    seen = summary["healthy"] + sum(summary["handshakes"]["client"].values())
    return {"lost": summary["lost"],
            "missed": sum(line["missed"] for line in lines if line["type"] == "loss"),
            "missing": max(0, tool.generated - seen)}


def remove_capture(path):
    for suffix in "", "-wal", "-shm":
        Path(f"{path}{suffix}").unlink(missing_ok=True)


class Peer(Variant):
    """Another program, where it is installed: what it prints goes to /dev/null."""

    may_fail = True

    def __init__(self, key, title, *command):
        super().__init__(key, title)
        self._command = command

    def is_there(self):
        return bool(shutil.which(self._command[0]))

    def start(self, rig):
        with open(os.devnull, "wb") as null:
            return PerfTool([*mounted(), *self._command], stdout=null)


class PerfTool(Tool):
    """Says on stderr how many events a perf buffer has lost."""

    def told(self):
        return {"lost": sum(int(line.split()[1]) for line in self.stderr.splitlines()
                            if line.lower().startswith("lost "))}


class Bpftrace(Peer):
    def start(self, rig):
        return BpftraceTool([*mounted(), *self._command])


class BpftraceTool(Tool):
    """Counts in a map: what is missing there was lost."""

    # It forgets a SIGINT that comes while it still attaches.
    STOP_S = (10, 10)

    def told(self):
        counts = dict(line[2:].split("]: ") for line in self.stdout.splitlines()
                      if line.startswith("@["))
        return {"lost": max(0, self.generated - int(counts[str(SYN_SENT)]))}


class Tcpdump(Peer):
    def start(self, rig):
        with open(os.devnull, "wb") as null:
            return TcpdumpTool(rig.lab.client.command(*self._command), stdout=null,
                               ready=Tool.said_on_stderr)


class TcpdumpTool(Tool):
    def told(self):
        for line in self.stderr.splitlines():
            if line.endswith("dropped by kernel"):
                return {"lost": int(line.split()[0])}
        raise RuntimeError(f"tcpdump does not say what it lost: {self.stderr}")


def mounted():
    """How a command begins that wants tracefs mounted."""
    return () if (TRACEFS / "events").is_dir() else MOUNTED


EMPTY = Empty("empty", "Empty programs on the same TCP tracepoints", with_syscalls=False)
EMPTY_SYSCALLS = Empty("empty_syscalls", "Empty programs, on connect(2) too", with_syscalls=True)
DEFAULT = Synwatch("synwatch", "`synwatch`")
UNMATCHED = Unmatched("unmatched", "`synwatch`, a filter that matches nothing",
                      "--port", UNUSED_PORT)
ALL_JSON = Discarded("all_json", "`synwatch --all --json >/dev/null`", "--all")
ALL_WRITE = Captured("all_write", "`synwatch --all -w FILE >/dev/null`", "--all")
ALL_PIPED = Piped("all_piped", "`synwatch --all --json`, into a pipe", "--all")

OURS = (EMPTY, EMPTY_SYSCALLS, DEFAULT, UNMATCHED, ALL_JSON, ALL_WRITE)
PEERS = (
    Bpftrace("bpftrace", "bpftrace, one that counts", "bpftrace", "-e", BPFTRACE),
    Tcpdump("tcpdump", "`tcpdump -w /dev/null`, SYNs only", "tcpdump", "-i", "lo", "-nw",
            os.devnull, "tcp[tcpflags] & tcp-syn != 0"),
    Peer("tcplife", "libbpf-tools `tcplife >/dev/null`", "tcplife"),
    Peer("tcpstates", "libbpf-tools `tcpstates >/dev/null`", "tcpstates"),
)

