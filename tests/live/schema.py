# SPDX-License-Identifier: GPL-2.0-only
"""What every JSON line must look like, whatever it says."""

import ipaddress
import re

ROLES = {"client", "server"}
VERDICTS = {"stalled", "established", "refused", "rejected", "timed_out", "abandoned",
            "local_error", "aborted", "ignored", "unknown"}
CAUSES = {"none", "no_answer", "dropped_on_output", "neighbour_unresolved",
          "reply_dropped_on_input", "bad_answer", "dropped_on_path", "reply_dropped_on_path",
          "dropped_by_peer", "rst", "icmp", "no_route", "no_port", "denied", "other_error",
          "no_ack"}
HOWS = {"close", "exit", "signal"}

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")


def is_time(value):
    return isinstance(value, str) and TIME.fullmatch(value)


def is_word(value):
    return isinstance(value, str) and value


def is_text(value):
    return isinstance(value, str)


def is_flag(value):
    return isinstance(value, bool)


def is_count(value):
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool) and value >= 0


def is_list(value):
    return isinstance(value, list)


def is_object(value):
    return isinstance(value, dict)


def is_port(value):
    return is_count(value) and 0 < value < 65536


def is_address(value):
    """In its canonical spelling."""
    return isinstance(value, str) and str(ipaddress.ip_address(value)) == value


def is_u32(value):
    return is_count(value) and value < 1 << 32


def is_errno(value):
    return isinstance(value, str) and re.fullmatch(r"E[A-Z0-9]+", value)


def one_of(words):
    return lambda value: value in words


def exactly(value):
    return lambda other: other == value


def or_null(check):
    return lambda value: value is None or check(value)


def an_object(**fields):
    def is_such_object(value):
        return is_object(value) and value.keys() == fields.keys() and \
            all(check(value[name]) for name, check in fields.items())

    return is_such_object


HANDSHAKE = {
    "type": is_word, "time": is_time, "id": is_word, "role": one_of(ROLES),
    "verdict": one_of(VERDICTS | {None}), "cause": one_of(CAUSES), "why": or_null(is_word),
    "family": one_of({4, 6}), "laddr": or_null(is_address), "lport": or_null(is_port),
    "raddr": is_address, "rport": or_null(is_port), "netns": is_count, "isn": or_null(is_u32),
    "pid": or_null(is_count), "tid": or_null(is_count), "comm": or_null(is_text),
    "uid": or_null(is_u32), "cgroup": or_null(is_count),
    "elapsed_ms": or_null(is_number),
    "syn_sent": or_null(is_count), "syn_retransmits": or_null(is_count),
    "syn_unsent": or_null(is_count), "synack_retransmits": or_null(is_count),
    "retry_limit": or_null(is_count), "next_retry_ms": or_null(is_number),
    "give_up_ms": or_null(is_number),
    "errno": or_null(is_errno),
    "icmp": or_null(an_object(type=is_count, code=or_null(is_count), name=or_null(is_word),
                              **{"from": or_null(is_address)})),
    "drop": or_null(an_object(reason=or_null(is_word), place=or_null(is_word),
                              netns=or_null(is_count))),
    "closer": or_null(an_object(pid=is_count, tid=is_count, comm=is_text, how=one_of(HOWS))),
    "listener": or_null(is_object),
    "adopted": is_flag, "owners": or_null(is_count),
}

LINES = {
    "session": {
        "type": is_word, "schema": exactly(1), "version": is_word, "time": is_time,
        "host": is_word, "kernel": is_word, "boot_id": is_word, "source": exactly("live"),
        "filters": is_object, "hooks": is_object,
    },
    "start": HANDSHAKE,
    "stall": HANDSHAKE,
    "end": HANDSHAKE,
    "loss": {
        "type": is_word, "time": is_time, "ring": is_count, "map_full": is_count,
        "suppressed": is_count, "late": is_count,
    },
    "summary": {
        "type": is_word, "time": is_time, "duration_s": is_number, "handshakes": is_object,
        "healthy": is_count, "syn_retransmits": is_count, "lost": is_count, "top": is_list,
        "top_untold": is_count, "patterns": is_list, "patterns_untold": is_count,
    },
}


def check(line):
    """Raises AssertionError with what is wrong. Fields may be added, never missing."""
    fields = LINES[line["type"]]
    assert fields.keys() <= line.keys(), f"missing {fields.keys() - line.keys()} in {line}"
    for name, is_right in fields.items():
        assert is_right(line[name]), f"wrong {name} in {line}"
    if fields is HANDSHAKE:
        _check_handshake(line)
    if line["type"] == "session":
        for name, state in line["hooks"].items():
            assert state is True or is_word(state), f"hook {name}: {state!r}"
    if line["type"] == "summary":
        _check_summary(line)


def _check_handshake(line):
    for name in "laddr", "raddr":
        if line[name]:
            assert ipaddress.ip_address(line[name]).version == line["family"], line
    # At its start nothing can be said about a handshake.
    assert (line["verdict"] is None) == (line["type"] == "start"), line
    assert (line["verdict"] == "stalled") == (line["type"] == "stall"), line
    if line["type"] != "start":
        assert line["why"] and line["why"].isprintable(), line
    if line["type"] == "end":
        assert line["next_retry_ms"] is None and line["give_up_ms"] is None, line
    other = "synack_retransmits" if line["role"] == "client" else "syn_sent"
    assert line[other] is None, f"{other} has no meaning for this role: {line}"


def _check_summary(line):
    for role, verdicts in line["handshakes"].items():
        assert role in ROLES, line
        for verdict, count in verdicts.items():
            assert verdict in VERDICTS and is_count(count), line
    for top in line["top"]:
        assert {"role", "addr", "port", "count", "verdicts"} <= top.keys(), line
