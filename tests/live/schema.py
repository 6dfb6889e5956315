# SPDX-License-Identifier: GPL-2.0-only
"""What every JSON line must look like, whatever it says."""

import ipaddress
import re

ROLES = {"client", "server"}
VERDICTS = {"stalled", "established", "refused", "rejected", "timed_out", "abandoned",
            "local_error", "aborted", "ignored", "unknown"}
QUEUES = {"accept_queue_full", "syn_queue_full"}
DROPS = {"netfilter", "no_listener", "other_drop"}
CAUSES = {
    "client": {"none", "no_answer", "dropped_on_output", "neighbour_unresolved",
               "reply_dropped_on_input", "bad_answer", "dropped_on_path",
               "reply_dropped_on_path", "dropped_by_peer", "rst", "icmp", "no_route", "no_port",
               "denied", "other_error", "syn_lost", "reply_lost"},
    "server": {"none", "no_ack"} | QUEUES | DROPS,
}
# Of a server: what may be wrong with a handshake of that verdict.
SERVER_CAUSES = {
    None: {"none"},
    "stalled": {"no_ack", "accept_queue_full"},
    "established": {"none", "no_ack", "accept_queue_full"},
    "refused": DROPS | {"accept_queue_full"},
    "rejected": {"netfilter", "other_drop"},
    "timed_out": {"no_ack"},
    "abandoned": {"no_ack", "accept_queue_full"},
    "aborted": {"no_ack", "accept_queue_full"},
    "ignored": {"netfilter", "other_drop"} | QUEUES,
}
# What the kernel calls the drops that have a cause of their own.
REASONS = {"netfilter": "NETFILTER_DROP", "no_listener": "NO_SOCKET"}
# Why a join cannot tell.
GAPS = {"no_capture", "no_overlap", "filtered", "records_lost", "crowd", "syncookies",
        "not_recorded", "isn_rewritten", "isn_ambiguous", "isn_unknown", "time_misfit",
        "other_host", "contradiction"}
# Of a crowd: which of its counts a cause is about.
COUNTED = {
    "no_ack": {"half_open"}, "netfilter": {"dropped"}, "no_listener": {"dropped"},
    "other_drop": {"dropped", "ignored"}, "accept_queue_full": {"ignored"},
    "syn_queue_full": {"ignored"},
}
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


def is_any_number(value):
    return is_number(value) or is_number(-value)


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


LISTENER = an_object(backlog=is_u32, limit=is_u32, requests=is_u32, syncookies=is_flag)

HANDSHAKE = {
    "type": is_word, "time": is_time, "id": is_word, "role": one_of(ROLES),
    "verdict": one_of(VERDICTS | {None}), "cause": is_word, "why": or_null(is_word),
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
    "listener": or_null(LISTENER),
    "adopted": is_flag, "owners": or_null(is_count),
}

DROP = or_null(an_object(reason=or_null(is_word), place=or_null(is_word), netns=or_null(is_count)))

PEER = {
    "capture": or_null(is_word), "host": or_null(is_word), "gap": or_null(one_of(GAPS)),
    "seen": is_flag, "syn_seen": or_null(is_count), "synack_sent": or_null(is_count),
}
# With `seen` only.
PEER_SEEN = {
    "verdict": one_of(VERDICTS), "cause": one_of(CAUSES["server"]), "why": is_word,
    "family": one_of({4, 6}), "laddr": is_address, "lport": is_port, "raddr": is_address,
    "rport": is_port, "netns": is_count, "first": is_time, "last": is_time, "drop": DROP,
    "pid": or_null(is_count), "tid": or_null(is_count), "comm": or_null(is_text),
    "uid": or_null(is_u32), "cgroup": or_null(is_count), "listener": or_null(LISTENER),
}

LINES = {
    "clock": {
        "type": is_word, "time": is_time, "client": is_word, "server": is_word,
        "by": one_of({"handshakes", "wall"}), "offset_ms": or_null(is_any_number),
        "spread_ms": or_null(is_number), "handshakes": is_count,
    },
    "session": {
        "type": is_word, "schema": exactly(1), "version": is_word, "time": is_time,
        "host": is_word, "kernel": is_word, "boot_id": is_word,
        "source": one_of({"live", "capture"}),
        "filters": is_object, "hooks": is_object,
    },
    "start": HANDSHAKE,
    "stall": HANDSHAKE,
    "end": HANDSHAKE,
    "loss": {
        "type": is_word, "time": is_time, "ring": is_count, "map_full": is_count,
        "suppressed": is_count, "late": is_count, "missed": is_count,
    },
    "crowd": {
        "type": is_word, "time": is_time, "role": exactly("server"), "cause": one_of(COUNTED),
        "why": is_word, "family": one_of({4, 6}), "laddr": is_address, "lport": is_port,
        "netns": is_count, "pid": or_null(is_count), "tid": or_null(is_count),
        "comm": or_null(is_text), "uid": or_null(is_u32), "cgroup": or_null(is_count),
        "owners": or_null(is_count), "half_open": is_count, "dropped": is_count,
        "ignored": is_count, "addresses": or_null(is_count), "reason": or_null(is_word),
        "listener": or_null(LISTENER),
    },
    "summary": {
        "type": is_word, "time": is_time, "duration_s": is_number, "handshakes": is_object,
        "healthy": is_count, "syn_retransmits": is_count, "accepted": is_count,
        "synack_retransmits": is_count, "listen_drops": is_count, "crowded": is_count,
        "lost": is_count, "top": is_list, "latency_us": is_object, "top_untold": is_count,
        "patterns": is_list, "patterns_untold": is_count, "suppressed": is_count,
    },
}


def check(line):
    """Raises AssertionError with what is wrong. Fields may be added, never missing."""
    fields = LINES[line["type"]]
    assert fields.keys() <= line.keys(), f"missing {fields.keys() - line.keys()} in {line}"
    for name, is_right in fields.items():
        assert is_right(line[name]), f"wrong {name} in {line}"
    if fields is HANDSHAKE:
        _check_owner(line)
        _check_handshake(line)
        (_check_server if line["role"] == "server" else _check_client)(line)
    if line.get("peer"):
        _check_peer(line["peer"])
    if line["type"] == "crowd":
        _check_owner(line)
        _check_crowd(line)
    if line["type"] == "session":
        for name, state in line["hooks"].items():
            assert state is True or is_word(state), f"hook {name}: {state!r}"
    if line["type"] == "summary":
        _check_summary(line)


def _check_owner(line):
    """Known or not, but not by half. A cgroup may be unknown on its own."""
    unknown = [line[name] is None for name in ("pid", "tid", "comm", "uid")]
    assert all(unknown) or not any(unknown), line
    if all(unknown):
        assert line["cgroup"] is None, line


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
    assert line["cause"] in CAUSES[line["role"]], f"a cause of the other role: {line}"


def _check_peer(peer):
    wanted = PEER | (PEER_SEEN if peer["seen"] else {})
    assert peer.keys() == wanted.keys(), peer
    for name, is_right in wanted.items():
        assert is_right(peer[name]), f"wrong {name} in {peer}"
    # Without a capture there is nothing that it could have seen.
    assert peer["capture"] or not peer["seen"], peer


def _check_client(line):
    for name in "synack_retransmits", "listener":
        assert line[name] is None, f"{name} has no meaning for a client: {line}"
    assert line["verdict"] != "ignored", line


def _check_server(line):
    for name in "syn_sent", "syn_retransmits", "syn_unsent":
        assert line[name] is None, f"{name} has no meaning for a server: {line}"
    assert line["cause"] in SERVER_CAUSES[line["verdict"]], line
    # Who rejects is this host: it got no ICMP error from anybody.
    assert (line["icmp"] is None) == (line["verdict"] != "rejected"), line
    assert not line["icmp"] or line["icmp"]["from"] is None, line
    if line["verdict"] in ("stalled", "ignored") and line["cause"] in QUEUES:
        assert line["listener"], f"a full queue without its numbers: {line}"
    if line["cause"] in DROPS:
        assert line["drop"], line
    if line["cause"] in REASONS:
        assert line["drop"]["reason"] == REASONS[line["cause"]], line


def _check_crowd(line):
    address = ipaddress.ip_address(line["laddr"])
    assert address.is_unspecified or address.version == line["family"], line
    assert line["why"].isprintable(), line
    assert any(line[name] for name in COUNTED[line["cause"]]), line
    known = line["half_open"] + line["dropped"]
    if known:
        assert line["addresses"] is not None and 1 <= line["addresses"] <= known, line
    else:
        assert line["addresses"] is None, line
    assert line["dropped"] or line["reason"] is None, line
    if line["cause"] in REASONS:
        assert line["reason"] == REASONS[line["cause"]], line


def _check_summary(line):
    for role, verdicts in line["handshakes"].items():
        assert role in ROLES, line
        for verdict, count in verdicts.items():
            assert verdict in VERDICTS and is_count(count), line
    for top in line["top"]:
        assert {"role", "addr", "port", "count", "verdicts"} <= top.keys(), line
        # Only a crowd counts without a verdict.
        told = sum(top["verdicts"].values())
        assert top["count"] >= told if top["role"] == "server" else top["count"] == told, line
