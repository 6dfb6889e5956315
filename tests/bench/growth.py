# SPDX-License-Identifier: GPL-2.0-only
"""The parts that ask how the costs grow: with what hangs, what is idle, what floods."""

import contextlib
import json
import resource
import time

from flooding import Flood
from netlab import V4
from rig import SLICE_MS, WARM_SLICES, Generator, Tool
from variants import SummaryTool

# A /16 behind the server, where a rule drops what comes for it.
NET = "10.99.0.0/16"
PORT = 80
FLOODED_PORT = 81

# Standard input and output, the listener, and room for a libc.
OTHER_FILES = 64

# Between retries: while none is made, and for one look after the last. Many at once fill
# the queue between the namespaces, and what found no room comes again each half second; so
# it is not known beforehand when. Before 3.5 s the first are told, at 15 s comes the fourth.
QUIET_FROM_S = 3.5
QUIET_TO_S = 14.8
QUIET_LOOK_S = 0.25
QUIET_ENOUGH_S = 1.0


def files_max():
    """Descriptors that one process may have for this."""
    return resource.getrlimit(resource.RLIMIT_NOFILE)[1] - OTHER_FILES


@contextlib.contextmanager
def generators(rig, files):
    """As many as are needed for so many descriptors, and how many each is to have."""
    with contextlib.ExitStack() as stack:
        shares = []
        while files > 0:
            share = min(files, files_max())
            generator = stack.enter_context(
                Generator(rig.programs, rig.lab.client, rig.cpus[0]))
            shares.append((generator, share))
            files -= share
        yield shares


@contextlib.contextmanager
def unanswered(lab):
    """The /16 that swallows every SYN, and the retries far apart."""
    linear = "net.ipv4.tcp_syn_linear_timeouts"
    if lab.client.has_sysctl(linear):
        lab.client.sysctl(linear, 0)
    lab.client.ip(f"route add {NET} via {V4.raddr}")
    lab.server.ip(f"route add local {NET} dev lo")
    with lab.server.rule(f"INPUT -d {NET} -j DROP"):
        yield
    lab.client.ip(f"route del {NET}")
    lab.server.ip(f"route del local {NET} dev lo")


def in_flight(rig, counts, say):
    """The default, with so many handshakes that hang at once."""
    figures = []
    with unanswered(rig.lab):
        for count in counts:
            say(f"{count} handshakes that hang")
            with generators(rig, count) as shares:
                figures.append(hang(rig, count, shares))
    return figures


def hang(rig, count, shares):
    tool = SummaryTool([rig.program, "--json"], ready=Tool.said_on_stdout)
    try:
        begin = time.monotonic()
        before = tool.sample()
        first = 0
        for generator, share in shares:
            generator.hang(share, address(first), PORT)
            first += share
        opened_s = time.monotonic() - begin
        quiet = between_retries(rig, tool, begin)
        busy_ns = tool.sample().cpu_ns - before.cpu_ns - quiet["cpu_ns"]
        for generator, _ in shares:
            generator.close_all()
        figures = {"count": count, "opened_s": opened_s, "hwm": tool.hwm(), **quiet,
                   "busy_ns": busy_ns}
        tool.stop()
        return {**figures, **reported(tool), "lost": tool.summary["lost"]}
    finally:
        tool.kill()


def address(number):
    return f"10.99.{number >> 8}.{number & 255}"


def between_retries(rig, tool, begin):
    """What the tool needs while nothing happens; unknown if something always did."""
    def look():
        # SYNs sent again, and nothing else is sent there.
        retries = rig.lab.client.counters()["RetransSegs"]
        return time.monotonic(), tool.sample().cpu_ns, retries

    quiet_ns = quiet_s = 0
    was_quiet, rss = False, tool.rss()
    time.sleep(max(0, begin + QUIET_FROM_S - time.monotonic()))
    since, before_ns, made = look()
    while quiet_s < QUIET_ENOUGH_S and since - begin < QUIET_TO_S:
        time.sleep(QUIET_LOOK_S)
        now, now_ns, count = look()
        is_quiet = count == made
        if is_quiet and was_quiet:
            quiet_ns += now_ns - before_ns
            quiet_s += now - since
            rss = tool.rss()
        since, before_ns, made, was_quiet = now, now_ns, count, is_quiet
    return {"cpu": quiet_ns / 1e9 / quiet_s if quiet_s else None, "cpu_ns": quiet_ns, "rss": rss}


def reported(tool):
    """How many of them it told as stalled, and how they ended."""
    prefix = address(0).rsplit(".", 2)[0] + "."
    stalled, ended = set(), set()
    for line in map(json.loads, tool.stdout.splitlines()):
        if line.get("role") == "client" and (line["raddr"] or "").startswith(prefix):
            if line["type"] == "stall":
                stalled.add(line["id"])
            elif line["type"] == "end" and line["verdict"] == "abandoned":
                ended.add(line["id"])
    return {"stalled": len(stalled), "ended": len(ended)}


def by_sockets(rig, counts, rounds, say):
    """The default's start, with so many idle connections' ends on the host."""
    figures = []
    for count in counts:
        say(f"starts with {count} idle sockets")
        with generators(rig, count) as shares:
            for generator, share in shares:
                generator.idle(share // 2)
            figures.append({"count": count, "starts": [start(rig) for _ in range(rounds)]})
    return figures


def start(rig):
    tool = SummaryTool([rig.program, "--json"], ready=Tool.said_on_stdout)
    try:
        figures = {"start_ms": tool.start_ms, "cpu_ms": tool.sample().cpu_ns / 1e6,
                   "hwm": tool.hwm()}
        tool.stop()
        return figures
    finally:
        tool.kill()


def with_flood(rig, rounds, slices, say):
    """The generator and the default beside SYNs that a rule drops, as many as a core sends."""
    figures = {"nothing": [], "synwatch": []}
    with rig.lab.server.rule(f"INPUT -p tcp --dport {FLOODED_PORT} -j DROP"):
        for number in range(rounds):
            say(f"a flood of dropped SYNs, round {number + 1} of {rounds}")
            figures["nothing"].append(flooded(rig, slices))
            tool = SummaryTool([rig.program, "--json"], ready=Tool.said_on_stdout)
            try:
                before = tool.sample()
                run = flooded(rig, slices)
                run["cpu"] = (tool.sample().cpu_ns - before.cpu_ns) / 1e9 / run["seconds"]
                run["hwm"] = tool.hwm()
                tool.stop()
                summary = tool.summary
                run.update(lost=summary["lost"], suppressed=summary["suppressed"])
                figures["synwatch"].append(run)
            finally:
                tool.kill()
    return figures


def flooded(rig, slices):
    # Longer than the generator's part of it.
    seconds = 1 + (slices + WARM_SLICES) * SLICE_MS // 1000
    begin = time.monotonic()
    with Flood(rig.lab, rig.directory, FLOODED_PORT, seconds) as flood:
        rig.generator.loop(WARM_SLICES)
        loop = rig.generator.loop(slices)
        sent = flood.sent()
    return {**loop.figures(), "dropped_per_second": sent / seconds,
            "seconds": time.monotonic() - begin}
