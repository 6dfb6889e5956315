# SPDX-License-Identifier: GPL-2.0-only
"""The parts that compare: one handshake after the other, with and without each program."""

import statistics

from rig import WARM_SLICES, program_names, tracing_programs
from variants import Synwatch


def measure(rig, variant, slices, rate=0):
    """One run of one program: its figures."""
    tool = variant.start(rig)
    try:
        tool.generated += rig.generator.loop(WARM_SLICES, rate).handshakes
        before = tool.sample()
        loop = rig.generator.loop(slices, rate)
        after = tool.sample()
        tool.generated += loop.handshakes
        figures = {**loop.figures(), "start_ms": tool.start_ms, "hwm": tool.hwm(), "rss": tool.rss(),
                   "generated": tool.generated,
                   "cpu": (after.cpu_ns - before.cpu_ns) / loop.wall_ns,
                   **in_kernel(before, after, loop.handshakes)}
        tool.stop()
        return {**figures, **tool.told()}
    finally:
        tool.kill()


def measure_if_possible(rig, variant, slices, rate, say):
    """That run, or none of a program that is not ours and fails."""
    try:
        return [measure(rig, variant, slices, rate)]
    except RuntimeError as error:
        if not variant.may_fail:
            raise
        say(f"left out: {error}")
        return []


def in_kernel(before, after, handshakes):
    """ns in its BPF programs for each handshake, if that is measured, and for each run."""
    spent = {number: (time - before.programs.get(number, (0, 0))[0],
                      runs - before.programs.get(number, (0, 0))[1])
             for number, (time, runs) in after.programs.items()}
    if not any(runs for _, runs in spent.values()):
        return {}
    names = program_names()
    return {"kernel_ns": sum(time for time, _ in spent.values()) / handshakes,
            "programs": {names[number]: {"runs": runs / handshakes, "ns": time / runs}
                         for number, (time, runs) in spent.items() if runs}}


def time_per_handshake(rig, variants, rounds, slices, rate, say):
    """Everything against nothing attached, which is measured before and after each."""
    figures = {"nothing": [], **{variant.key: [] for variant in variants}}

    def nothing():
        loop = rig.generator.loop(max(slices // 2, 1), rate)
        figures["nothing"].append({**loop.figures(), "foreign": tracing_programs()})
        return loop.ns

    rig.generator.loop(WARM_SLICES, rate)
    before = nothing()
    for number in range(rounds):
        say(f"time per handshake, round {number + 1} of {rounds}")
        # Each round in another order: nobody is always after the slowest.
        for variant in rotated(variants, number):
            for run in measure_if_possible(rig, variant, slices, rate, say):
                after = nothing()
                run["ratio"] = run["ns"] / statistics.mean((before, after))
                run["round"] = number
                figures[variant.key].append(run)
                before = after
    return figures


def in_kernel_time(rig, variants, rounds, slices, rate, say):
    """ns in BPF programs. Apart from the other, as measuring them takes time itself."""
    figures = {variant.key: [] for variant in variants}
    with rig.attach("bpf_stats"):
        for number in range(rounds):
            say(f"in-kernel time, round {number + 1} of {rounds}")
            for variant in rotated(variants, number):
                figures[variant.key] += measure_if_possible(rig, variant, slices, rate, say)
    return figures


def rotated(variants, by):
    by %= len(variants)
    return [*variants[by:], *variants[:by]]


def at_rates(rig, variant, rates, slices, say):
    """Whether a program has everything, at so many handshakes/s; 0: as many as there are."""
    figures = []
    for rate in rates:
        say(f"{variant.title} at {rate or 'full'} handshakes/s")
        figures.append({"asked": rate, **measure(rig, variant, slices, rate)})
    return figures


def by_filter(rig, counts, rounds, slices, say):
    """The default with so many ports that it looks for, the generator's among them."""
    variants = {"none": Synwatch("none", "none")}
    for count in counts:
        ports = [rig.generator.port, *range(1, 65535, 61)][:count]
        ports = ",".join(map(str, ports))
        variants[str(count)] = Synwatch(str(count), str(count), "--port", ports)
    figures = {key: [] for key in variants}
    with rig.attach("bpf_stats"):
        for number in range(rounds):
            say(f"filters of {', '.join(variants)} ports, round {number + 1} of {rounds}")
            for key, variant in variants.items():
                figures[key].append(measure(rig, variant, slices))
    return figures
