# SPDX-License-Identifier: GPL-2.0-only
"""How large the BPF programs and maps of a running synwatch are."""

from rig import Tool, bpftool, fdinfos
from variants import SummaryTool

INSTRUCTION_BYTES = 8


def sizes(program):
    """Of each program and map, by default and with --all."""
    return {"default": of_options(program), "all": of_options(program, "--all")}


def of_options(program, *options):
    tool = SummaryTool([program, "--json", *options], ready=Tool.said_on_stdout)
    try:
        return {"programs": programs(tool.pid), "maps": maps(tool.pid),
                "rss": tool.rss(), "hwm": tool.hwm()}
    finally:
        tool.kill()


def programs(pid):
    found = []
    for number, info in fdinfos(pid, "prog_id").items():
        shown = bpftool("prog", "show", "id", number)
        found.append({"name": shown["name"],
                      "instructions": shown["bytes_xlated"] // INSTRUCTION_BYTES,
                      "jited_bytes": shown.get("bytes_jited"),
                      # 5.16, aba64c7da983 ("bpf: Add verified_insns to bpf_prog_info")
                      "verified": int(info["verified_insns"]) if "verified_insns" in info
                      else None})
    return sorted(found, key=lambda one: -one["instructions"])


def maps(pid):
    found = []
    for number, info in fdinfos(pid, "map_id").items():
        shown = bpftool("map", "show", "id", number)
        found.append({"name": shown.get("name", "?"), "type": shown["type"],
                      "entries": shown["max_entries"], "bytes": int(info["memlock"])})
    return sorted(found, key=lambda one: -one["bytes"])
