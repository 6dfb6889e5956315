# SPDX-License-Identifier: GPL-2.0-only
"""From the figures to tables: for a terminal, the README and docs/architecture.md."""

import statistics

from goals import NOT_MEASURED, measured, median

MIB = 1 << 20


def spread(values):
    """The quartiles, as far as there are enough."""
    if len(values) < 4:
        return min(values), max(values)
    quartiles = statistics.quantiles(values, n=4, method="inclusive")
    return quartiles[0], quartiles[2]


def markdown(header, rows):
    """Readable as it stands, too: every column as wide as its widest cell."""
    table = [header, *[[str(cell) for cell in row] for row in rows]]
    widths = [max(len(row[i]) for row in table) for i in range(len(header))]
    rule = ["-" * widths[0], *["-" * (width - 1) + ":" for width in widths[1:]]]
    return "\n".join("| " + " | ".join(
        cell.ljust(width) if i == 0 else cell.rjust(width)
        for i, (cell, width) in enumerate(zip(row, widths))) + " |"
        for row in [table[0], rule, *table[1:]])


def number(value, form="{:,.0f}", unknown="-"):
    return unknown if value is None else form.format(value)


def mib(value):
    return number(value and value / MIB, "{:.1f} MiB")


def percent(value, digits=1):
    return number(value, "{:." + str(digits) + "%}").replace("%", " %")


def ratio(runs):
    low, high = spread([run["ratio"] for run in runs])
    return f"{median(runs, 'ratio'):.3f} ({low:.3f}-{high:.3f})"


def compared(result):
    """The table that the README shows."""
    figures, kernel = result["compare"], result.get("kernel", {})
    empty = median(kernel.get("empty", []), "kernel_ns")
    rows = [["Nothing attached", f"1 = {median(figures['nothing'], 'ns') / 1e3:.2f} µs",
             *["-"] * 5]]
    for key, title in result["titles"].items():
        runs = figures[key]
        if not runs:
            rows.append([title, *["-"] * 6])
            continue
        inside = median(kernel.get(key, []), "kernel_ns")
        rows.append([title, ratio(runs), number(inside and inside - empty),
                     percent(median(runs, "cpu")), mib(median(runs, "hwm")),
                     number(sum(run["lost"] for run in runs) if runs[0]["lost"] is not None
                            else None),
                     number(median(runs, "start_ms"), "{:,.0f} ms")])
    return markdown(["", "Time per handshake", "In-kernel ns more", "CPU of its own",
                     "Peak memory", "Lost", "Attached after"], rows)


def where(result):
    machine = result["machine"]
    return (f"{result['date']}, {machine['cpus']} CPUs ({machine['cpu']}), Linux "
            f"{machine['kernel']}, {result['versions']['synwatch']}")


def for_readme(result):
    handshakes = sum(run["handshakes"] for run in result["compare"]["synwatch"])
    return (f"{compared(result)}\n\n{where(result)}. Medians of {result['rounds']} rounds, "
            f"with quartiles; {handshakes:,} handshakes for each row.")


def by_program(result):
    """Where the in-kernel time goes, by default and with --all."""
    default, every = (result["kernel"][key] for key in ("synwatch", "all_json"))
    rows = []
    for name in sorted({name for run in (*default, *every) for name in run["programs"]}):
        some, more = ([run["programs"][name] for run in runs if name in run["programs"]]
                      for runs in (default, every))
        rows.append([f"`{name}`", number(median(some, "runs"), "{:.2f}"),
                     number(median(some, "ns")), number(median(more, "runs"), "{:.2f}"),
                     number(median(more, "ns"))])
    return markdown(["Program", "Runs per handshake", "ns per run", "With `--all`: runs",
                     "ns per run"], rows)


def rates(result, key):
    rows = []
    for run in result[key]:
        records = run.get("records")
        per_second = records and records * run["per_second"] / run["generated"]
        rows.append([number(run["asked"]) if run["asked"] else "all there are",
                     number(run["per_second"]), number(per_second), run["lost"],
                     run["missing"], percent(run["cpu"]), mib(run["hwm"])])
    return markdown(["Handshakes/s asked for", "Handshakes/s", "Records/s", "Lost",
                     "Not there", "CPU", "Peak memory"], rows)


def in_flight(result):
    rows = [[number(run["count"]), number(run["stalled"]), number(run["ended"]), run["lost"],
             percent(run["cpu"], 2), number(run["busy_ns"] / 1e6, "{:,.0f} ms"), mib(run["rss"]),
             mib(run["hwm"])] for run in result["flight"]]
    return markdown(["Hang at once", "Told as stalled", "Ends told", "Lost",
                     "CPU between retries", "CPU until the last", "Resident", "Peak"], rows)


def by_filter(result):
    rows = [[key, number(median(runs, "kernel_ns")), number(median(runs, "ns")),
             number(median(runs, "start_ms"), "{:,.0f} ms"), mib(median(runs, "hwm"))]
            for key, runs in result["filter"].items()]
    return markdown(["Ports in the filter", "In-kernel ns", "ns per handshake",
                     "Attached after", "Peak memory"], rows)


def by_sockets(result):
    rows = [[number(run["count"]), number(median(run["starts"], "start_ms"), "{:,.0f} ms"),
             number(median(run["starts"], "cpu_ms"), "{:,.0f} ms"),
             mib(median(run["starts"], "hwm"))] for run in result["sockets"]]
    return markdown(["Idle sockets", "Attached after", "CPU until then", "Peak memory"], rows)


def with_flood(result):
    titles = {"nothing": "Nothing attached", "synwatch": "`synwatch`"}
    rows = [[titles[key], number(median(runs, "ns")), number(median(runs, "dropped_per_second")),
             percent(median(runs, "cpu")), number(median(runs, "lost")),
             number(median(runs, "suppressed")), mib(median(runs, "hwm"))]
            for key, runs in result["flood"].items()]
    return markdown(["Beside a flood", "ns per handshake", "SYNs dropped/s", "CPU", "Lost",
                     "Suppressed", "Peak memory"], rows)


def sizes(result):
    size = result["size"]["default"]
    more = {one["name"]: one["bytes"] for one in result["size"]["all"]["maps"]}
    programs = [[f"`{one['name']}`", number(one["instructions"]), number(one["jited_bytes"]),
                 number(one["verified"])] for one in size["programs"]]
    maps = [[f"`{one['name']}`", one["type"], number(one["entries"]), number(one["bytes"]),
             number(more.get(one["name"]))] for one in size["maps"]]
    maps.append(["Together", "", "", number(sum(one["bytes"] for one in size["maps"])),
                 number(sum(more.values()))])
    return "\n\n".join((
        markdown(["Program", "Instructions", "JITed, bytes", "Verified"], programs),
        markdown(["Map", "Type", "Entries", "Memory, bytes", "With `--all`"], maps)))


def against_goals(result):
    return markdown(["Figure", "Goal", "Measured", ""], measured(result))


TABLES = {
    "compare": ("One handshake after the other", compared),
    "kernel": ("In-kernel time by program", by_program),
    "json_rates": ("`--all --json` into a pipe", lambda result: rates(result, "json_rates")),
    "write_rates": ("`--all -w`", lambda result: rates(result, "write_rates")),
    "flight": ("Handshakes that hang", in_flight),
    "filter": ("The filter's size", by_filter),
    "sockets": ("Sockets on the host", by_sockets),
    "flood": ("Beside a flood of dropped SYNs", with_flood),
    "size": ("Sizes", sizes),
}


def cautions(result):
    """What somebody who reads the figures should know of the machine."""
    nothing = result.get("compare", {}).get("nothing", [])
    disturbed = sum(run["disturbed"] for run in nothing)
    if disturbed:
        yield f"{disturbed} of {len(nothing)} runs with nothing attached were disturbed."
    if any(run["waits"] for run in nothing):
        yield "The generator had to wait for its own SYN: softirqs ran elsewhere."
    foreign = max((run["foreign"] for run in nothing), default=0)
    if foreign:
        yield f"Up to {foreign} tracing programs of others were loaded meanwhile."
    for title in result["versions"]["left_out"]:
        yield f"Not measured: {title}."


def everything(result):
    parts = [f"# What synwatch costs\n\n{where(result)}"]
    parts += [f"## {title}\n\n{table(result)}" for part, (title, table) in TABLES.items()
              if part in result]
    if any(verdict != NOT_MEASURED for _, _, _, verdict in measured(result)):
        parts.append(f"## Goals\n\n{against_goals(result)}")
    parts += cautions(result)
    return "\n\n".join(parts)
