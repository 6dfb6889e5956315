# SPDX-License-Identifier: GPL-2.0-only
"""What synwatch sets itself, and whether a run met it. Nothing fails for time's sake."""

import statistics

MIB = 1 << 20

MET = "met"
NOT_MET = "not met"
NOT_MEASURED = "not measured"

JSON_PER_SECOND = 70000
RECORDS_PER_SECOND = 50000
HANGING = 50000


def median(runs, key):
    """Of the runs that know it, or None."""
    known = [run[key] for run in runs if run.get(key) is not None]
    return statistics.median(known) if known else None


def slowdown(result):
    """Over the empty programs of the same round."""
    # Ours do not fail: there is a run of each in every round.
    pairs = zip(result["compare"]["synwatch"], result["compare"]["empty"])
    value = statistics.median(ours["ratio"] / empty["ratio"] for ours, empty in pairs) - 1
    return f"{value:+.1%}", value <= 0.02


def in_kernel(result):
    kernel = result["kernel"]
    value = median(kernel["synwatch"], "kernel_ns") - median(kernel["empty"], "kernel_ns")
    return f"{value:,.0f} ns", value <= 250


def user_side(result):
    value = median(result["compare"]["synwatch"], "cpu")
    return f"{value:.2%}", value < 0.005


def all_json(result):
    value = median(result["compare"]["all_json"], "ratio") - 1
    return f"{value:+.1%}", value <= 0.10


def all_json_lost(result):
    run = max(result["json_rates"], key=lambda one: one["per_second"])
    return (f"{run['lost']:,} lost at {run['per_second']:,.0f}/s",
            run["lost"] == 0 and run["per_second"] >= JSON_PER_SECOND)


def records_per_second(run):
    return run["records"] * run["per_second"] / run["generated"]


def all_write(result):
    """The fastest run without a loss."""
    complete = [run for run in result["write_rates"] if not run["lost"] + run["missing"]]
    if not complete:
        return "records lost in every run", False
    value = max(map(records_per_second, complete))
    return f"0 lost at {value:,.0f}/s", value >= RECORDS_PER_SECOND


def hanging(result):
    return next((run for run in result["flight"] if run["count"] >= HANGING), None)


def hanging_told(result):
    run = hanging(result)
    return run and (f"{run['stalled']:,} stalled, {run['ended']:,} ended",
                    min(run["stalled"], run["ended"]) >= run["count"])


def hanging_memory(result):
    run = hanging(result)
    return run and (f"{run['rss'] / MIB:.1f} MiB", run["rss"] <= 64 * MIB)


def hanging_cpu(result):
    run = hanging(result)
    return run and run["cpu"] is not None and (f"{run['cpu']:.1%}", run["cpu"] <= 0.05)


def attached(result):
    value = median(result["compare"]["synwatch"], "start_ms")
    return f"{value:,.0f} ms", value <= 150


def resident(result):
    value = median(result["compare"]["synwatch"], "rss")
    return f"{value / MIB:.1f} MiB", value <= 12 * MIB


# Figure, goal, what says whether it is met.
GOALS = (
    ("Default, slowdown of a healthy handshake over the empty programs", "≤ 2 %", slowdown),
    ("Default, in-kernel time per healthy handshake beyond them", "≤ 250 ns", in_kernel),
    ("Default, CPU of the user side at full rate", "< 0.5 %", user_side),
    ("`--all --json`, slowdown over nothing attached", "≤ 10 %", all_json),
    ("`--all --json`, lost", "0 at ≥ 70,000 handshakes/s", all_json_lost),
    ("`--all -w`, lost", "0 at ≥ 50,000 records/s", all_write),
    ("50,000 hanging at once, told", "every one", hanging_told),
    ("50,000 hanging at once, resident", "≤ 64 MiB", hanging_memory),
    ("50,000 hanging at once, CPU between retries", "≤ 5 %", hanging_cpu),
    ("Start to attached", "≤ 150 ms", attached),
    ("Resident memory, default", "≤ 12 MiB", resident),
)


def measured(result):
    """Rows of figure, goal, value, and whether it is met."""
    for text, limit, judge in GOALS:
        try:
            verdict = judge(result)
        except KeyError:  # a part that was not run
            verdict = None
        value, is_met = verdict or ("-", None)
        yield text, limit, value, {None: NOT_MEASURED, True: MET, False: NOT_MET}[is_met]


def failures(result):
    """What no machine excuses: one that hung and was not told, or is missing and was not
    counted as lost."""
    for run in result.get("flight", []):
        if run["stalled"] < run["count"]:
            yield f"{run['stalled']} of {run['count']} handshakes that hang were told"
        if run["ended"] + run["lost"] < run["count"]:
            yield f"{run['ended']} ends of {run['count']} were told, {run['lost']} records lost"
    for key, runs in result.get("compare", {}).items():
        unexplained = sum(max(0, run.get("missing", 0) - (run.get("lost") or 0)) for run in runs)
        if unexplained:
            yield f"{key}: {unexplained} handshakes are missing and not counted as lost"
