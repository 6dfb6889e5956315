#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""What synwatch costs, beside what people would use instead.

Measures in network namespaces of its own and leaves DIR/bench.json with every figure,
DIR/bench.md with the tables and DIR/bench.svg. Exit status: 0 everything was measured
and nothing that must be there was missing, 1 not. Time decides nothing.
"""

import argparse
import json
import os
import platform
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import compare
import goals
import growth
import plot
import size
import tables
from rig import ROOT, Rig
from variants import ALL_PIPED, ALL_WRITE, OURS, PEERS

# Handshakes/s, 0: as many as there are. With -w each is three records.
JSON_RATES = (10000, 0)
WRITE_RATES = (17500, 35000, 0)
HANGING = (1, 1000, 10000, 50000)
PORTS = (1, 64, 1024)
SOCKETS = (0, 20000)


def say(text):
    print(f"bench: {text}", file=sys.stderr, flush=True)


# Part: what it measures, given the rig and the options.
PARTS = {
    "compare": lambda rig, o: compare.time_per_handshake(
        rig, o.variants, o.rounds, o.slices, o.rate, say),
    "kernel": lambda rig, o: compare.in_kernel_time(
        rig, o.variants, max(o.rounds // 2, 1), o.slices, o.rate, say),
    "json_rates": lambda rig, o: compare.at_rates(rig, ALL_PIPED, o.json_rates, 3 * o.slices, say),
    "write_rates": lambda rig, o: compare.at_rates(rig, ALL_WRITE, o.write_rates, 3 * o.slices, say),
    "flight": lambda rig, o: growth.in_flight(rig, o.hanging, say),
    "filter": lambda rig, o: compare.by_filter(
        rig, PORTS, max(o.rounds // 2, 1), o.slices, say),
    "sockets": lambda rig, o: growth.by_sockets(rig, o.sockets, o.rounds, say),
    "flood": lambda rig, o: growth.with_flood(rig, max(o.rounds // 2, 1), o.slices, say),
    "size": lambda rig, o: size.sizes(rig.program),
}


def numbers(text):
    return [int(word) for word in text.split(",")]


def arguments(words):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--parts", default=",".join(PARTS),
                        help="only these, of %(default)s")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--slices", type=int, default=100, help="of 10 ms, to a run")
    parser.add_argument("--rate", type=int, default=0, help="handshakes/s; as many as there are")
    parser.add_argument("--json-rates", type=numbers, default=JSON_RATES)
    parser.add_argument("--write-rates", type=numbers, default=WRITE_RATES)
    parser.add_argument("--hanging", type=numbers, default=HANGING)
    parser.add_argument("--sockets", type=numbers, default=SOCKETS)
    parser.add_argument("--no-peers", action="store_true", help="only synwatch's own")
    parser.add_argument("--out", type=Path, default=Path("build/bench"), metavar="DIR")
    parser.add_argument("--programs", type=Path, default=Path("build/tests/bench"), metavar="DIR",
                        help="where those of tests/bench are built")
    parser.add_argument("--markdown", type=Path, metavar="FILE",
                        help="measure nothing, print the README's table of a bench.json")
    options = parser.parse_args(words)
    options.parts = options.parts.split(",")
    if unknown := set(options.parts) - set(PARTS):
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    peers = () if options.no_peers else [peer for peer in PEERS if peer.is_there()]
    options.variants = [*OURS, *peers]
    return options


def machine():
    """Where it was measured."""
    model = re.search(r"^(?:model name|Model)\s*:\s*(.*)$", Path("/proc/cpuinfo").read_text(),
                      re.M)
    return {"cpu": model.group(1) if model else platform.machine(), "cpus": os.cpu_count(),
            "kernel": platform.release(), "load": os.getloadavg()[0]}


def versions(program, variants):
    shown = subprocess.run([program, "--version"], stdout=subprocess.PIPE, text=True)
    return {"synwatch": shown.stdout.strip(),
            "left_out": [peer.title for peer in PEERS if peer not in variants]}


def measure(options):
    program = os.environ.get("SYNWATCH", str(ROOT / "build/synwatch"))
    begin = time.monotonic()
    options.out.mkdir(parents=True, exist_ok=True)
    result = {"date": time.strftime("%Y-%m-%d"), "machine": machine(),
              "versions": versions(program, options.variants),
              "titles": {variant.key: variant.title for variant in options.variants},
              "rounds": options.rounds, "slices": options.slices}
    with Rig(program, options.programs, options.out) as rig:
        for part in options.parts:
            result[part] = PARTS[part](rig, options)
    result["seconds"] = time.monotonic() - begin
    return result


def main():
    options = arguments(sys.argv[1:])
    if options.markdown:
        result = json.loads(options.markdown.read_text(encoding="utf-8"))
        print(tables.for_readme(result))
        return 0
    if os.geteuid() != 0:
        sys.exit("the benchmark needs root: it loads BPF programs and makes network namespaces")
    # Ended by a signal, the namespaces still have to go.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    result = measure(options)
    text = tables.everything(result)
    print(text)
    for name, content in (("json", json.dumps(result, indent=1)), ("md", text),
                          ("svg", plot.draw(result))):
        Path(options.out, f"bench.{name}").write_text(content + "\n", encoding="utf-8")
    say(f"{options.out}/bench.json, bench.md and bench.svg, in {result['seconds']:.0f} s")
    failures = list(goals.failures(result))
    for failure in failures:
        say(f"failed: {failure}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
