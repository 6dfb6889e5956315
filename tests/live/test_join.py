# SPDX-License-Identifier: GPL-2.0-only
"""Two recordings of one network, joined: where each handshake died, through NAT, with clocks
that differ, and where the records do not tell."""

import contextlib
import json
import re
import signal
import sqlite3
import struct
import subprocess
import time

import pytest

import schema
from expect import has
from netlab import FAR_V4, FAR_V6, TIMEOUT, RoutedLab
from serving import listener_queue, until
from watch import SPOILT, TerminalWatch, program

PORT = 80
SERVED = 8080  # the port that DNAT makes of it

RETRIES = "net.ipv4.tcp_syn_retries"

SNAT = f"POSTROUTING -t nat -o {RoutedLab.FAR_DEVICE} -p tcp -j MASQUERADE --to-ports 5000-5099"
DNAT = f"PREROUTING -t nat -p tcp --dport {PORT} -j DNAT --to-destination {FAR_V4.raddr}:{SERVED}"

# way, NAT rules, the port that the server sees
PATHS = {
    "v4": (FAR_V4, [], PORT),
    "v6": (FAR_V6, [], PORT),
    "snat": (FAR_V4, [SNAT], PORT),
    "dnat": (FAR_V4, [DNAT], SERVED),
    "both": (FAR_V4, [SNAT, DNAT], SERVED),
}
every_path = pytest.mark.parametrize("path", PATHS)

# 90 s, and a boot of its own: the monotonic clock of another host began at another time.
AHEAD_NS = 90_000_000_000
BOOTED_NS = 7_654_321_987_654


class Recording:
    """synwatch -w of one namespace, as if it ran on a host of its own."""

    def __init__(self, netns, path, *options):
        self.path = path
        self.netns = netns
        self.process = subprocess.Popen(
            [program(), "--json", "--netns", netns.path, "-w", str(path), *options],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        first = self.process.stdout.readline()
        assert first, self.process.stderr.read().decode()
        hooks = json.loads(first)["hooks"]
        missing = [name for name in ("kfree_skb", "tcp_retransmit_synack", "consume_skb")
                   if hooks.get(name) is not True]
        if missing:
            self.close()
            pytest.skip(f"no evidence on this kernel: {', '.join(missing)}")

    def stop(self):
        self.process.send_signal(signal.SIGINT)
        _, stderr = self.process.communicate(timeout=TIMEOUT)
        assert self.process.returncode == 0, stderr.decode()

    def needs_all(self):
        """Other tests may flood this host, whose drops are then not all looked at: a join says
        that it does not know, and shows nothing."""
        with contextlib.closing(sqlite3.connect(self.path)) as db:
            [(losses,)] = db.execute("SELECT count(*) FROM record WHERE kind = 13").fetchall()
        if losses:
            pytest.skip(f"{SPOILT}: {losses} losses in {self.path.name}")

    def close(self):
        self.process.kill()
        self.process.communicate()


F_DROP = 1 << 15
# Offsets in struct sw_handshake.
TIME, START, SYN, FLAGS, DROP_NETNS = 8, 24, 32, 40, 260


def rewrite(path, change):
    """change(body): each record of a handshake, as a bytearray."""
    with contextlib.closing(sqlite3.connect(path)) as db, db:
        for seq, kind, body in db.execute("SELECT seq, kind, body FROM record").fetchall():
            body = bytearray(body)
            change(kind, body)
            db.execute("UPDATE record SET body = ? WHERE seq = ?", (bytes(body), seq))


def get(form, body, at):
    return struct.unpack_from(form, body, at)[0]


def alone(recording):
    """One kernel saw both ends, and the client's records have the drops of other namespaces.
    A host sees only its own."""

    def change(kind, body):
        if kind <= 10 and get("<I", body, FLAGS) & F_DROP and \
                get("<I", body, DROP_NETNS) != recording.netns.inode:
            struct.pack_into("<I", body, FLAGS, get("<I", body, FLAGS) & ~F_DROP)

    rewrite(recording.path, change)


def shift(recording, ahead_ns=AHEAD_NS, booted_ns=BOOTED_NS):
    """As recorded by a host that was booted at another time and whose clock is wrong."""

    def change(kind, body):
        fields = [TIME] + ([START, SYN] if kind <= 10 else [16] if kind == 11 else [])
        for at in fields:
            if time_ns := get("<Q", body, at):
                struct.pack_into("<Q", body, at, time_ns + booted_ns)
        if kind == 14:
            struct.pack_into("<q", body, 16, get("<q", body, 16) + ahead_ns - booted_ns)

    rewrite(recording.path, change)
    with contextlib.closing(sqlite3.connect(recording.path)) as db, db:
        db.execute("UPDATE session SET boot_id = 'another', host = 'server', start_ns = start_ns +"
                   " ?1, end_ns = end_ns + ?1, wall_offset_ns = wall_offset_ns + ?2 - ?1",
                   (booted_ns, ahead_ns))
        db.execute("UPDATE handshake SET start_ns = start_ns + ?1, start_us = start_us + ?2 / 1000,"
                   " last_us = last_us + ?2 / 1000", (booted_ns, ahead_ns))
        db.execute("UPDATE record SET time_ns = time_ns + ?", (booted_ns,))


def join(*paths, options=()):
    done = subprocess.run([program(), "--json", *options, "join", *map(str, paths)],
                          capture_output=True, text=True, timeout=TIMEOUT)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    for line in lines:
        schema.check(line)
    return lines


class Pair:
    """The two recordings, and what is between them."""

    def __init__(self, lab, tmp_path, *options, server_options=()):
        self.lab = lab
        self.client = Recording(lab.client, tmp_path / "client.db", *options)
        self.server = Recording(lab.server, tmp_path / "server.db", *options, *server_options)
        # What comes within the clocks' tolerance of the beginning is not covered.
        time.sleep(0.5)

    def stop(self):
        # Time itself is waited for: a recording covers a SYN if it goes on for so long after
        # it that a lost answer would have been sent again.
        time.sleep(3)
        self.client.stop()
        self.server.stop()
        for recording in self.client, self.server:
            recording.needs_all()

    def close(self):
        self.client.close()
        self.server.close()


@pytest.fixture
def lab():
    with RoutedLab() as new:
        new.client.sysctl(RETRIES, 1)
        yield new


@pytest.fixture
def record(lab, tmp_path):
    started = []

    def start(*options, **more):
        started.append(Pair(lab, tmp_path, *options, **more))
        return started[-1]

    yield start
    for pair in started:
        pair.close()


def translate(lab, path):
    way, rules, port = PATHS[path]
    for rule in rules:
        lab.router.iptables(f"-A {rule}", way)
    return way, port


def fill(lab, port):
    """A listener whose accept queue is full for good."""
    listener = lab.server.listen(port)
    listener.listen(0)
    return listener


def of_type(lines, *types):
    return [line for line in lines if line["type"] in types]


# rule (namespace, chain; P: the port before NAT, S: after it), cause, the peer's own
TROUBLE = {
    "syn": ("router", "FORWARD -p tcp --dport {S} -j DROP", "syn_lost", None),
    "syn-ack": ("router", "FORWARD -p tcp --sport {S} -j DROP", "reply_lost", "no_ack"),
    "input": ("server", "INPUT -p tcp --dport {S} -j DROP", "dropped_by_peer", "netfilter"),
}


@pytest.mark.slow(14)
@every_path
@pytest.mark.parametrize("case", TROUBLE)
def test_where_it_died(lab, record, path, case):
    way, port = translate(lab, path)
    where, rule, cause, own = TROUBLE[case]
    lab.server.listen(port)
    agent = lab.client.agent()
    pair = record("--all")
    for number in range(4):
        assert agent.connect(way.target, PORT, name=f"healthy {number}")["errno"] is None
    getattr(lab, where).iptables("-I " + rule.format(P=PORT, S=port), way)
    for number in range(2):
        assert agent.connect(way.target, PORT, name=f"lost {number}")["errno"] == "ETIMEDOUT"
    pair.stop()
    # With what the client's host saw of the other namespaces, too, the causes are the same.
    check(pair, way, port, path, cause, own, 2)
    alone(pair.client)
    check(pair, way, port, path, cause, own, 2)
    # And with a clock of its own, 90 s ahead.
    shift(pair.server)
    lines = check(pair, way, port, path, cause, own, 2)
    clock = next(line for line in lines if line["type"] == "clock")
    has(clock, by="handshakes")
    assert abs(clock["offset_ms"] - 90000) < 20 and clock["spread_ms"] < 100, clock
    assert clock["handshakes"] >= 4


def check(pair, way, port, path, cause, own, count):
    lines = join(pair.client.path, pair.server.path)
    # The order does not matter.
    swapped = join(pair.server.path, pair.client.path)
    for one, other in zip(of_type(lines, "end"), of_type(swapped, "end"), strict=True):
        has(one, **other)
    ends = of_type(lines, "end", "stall")
    assert len(ends) == count, lines
    for end in ends:
        has(end, type="end", role="client", verdict="timed_out", cause=cause, raddr=way.raddr,
            rport=PORT)
        peer = end["peer"]
        has(peer, capture=str(pair.server.path), gap=None, seen=own is not None)
        if own:
            has(peer, cause=own, laddr=way.raddr, lport=port)
            assert (peer["rport"] == end["lport"]) == (SNAT not in PATHS[path][1]), end
            assert abs(seconds(peer["first"]) - (seconds(end["time"]) - end["elapsed_ms"] / 1000)
                       ) < 0.2, end
        else:
            has(peer, syn_seen=0, synack_sent=0)
    summary = lines[-1]["join"]
    has(summary, unanswered=count, causes={cause: count})
    return lines


def seconds(text):
    hours, minutes, rest = text[11:-1].split(":")
    return int(hours) * 3600 + int(minutes) * 60 + float(rest)


@pytest.mark.slow(12)
@every_path
def test_full_accept_queue_names_the_listener(lab, record, path):
    way, port = translate(lab, path)
    fill(lab, port)
    agent = lab.client.agent()
    pair = record()  # without --all: the trouble itself is recorded
    assert agent.connect(way.target, PORT, name="taken")["errno"] is None
    # It listens for both families.
    until(lambda: listener_queue(lab.server, FAR_V6, port) == 1)
    for number in range(2):
        result = agent.connect(way.target, PORT, name=f"full {number}")
    assert result["errno"] == "ETIMEDOUT"
    pair.stop()
    alone(pair.client)
    shift(pair.server)
    lines = join(pair.client.path, pair.server.path)
    ends = of_type(lines, "end")
    assert ends
    for end in ends:
        has(end, cause="dropped_by_peer")
        has(end["peer"], cause="accept_queue_full", lport=port)
        assert end["peer"]["listener"]["limit"] == 0
        assert "accept queue" in end["why"], end
    assert "accept queue of" in lines[-1]["join"]["text"], lines[-1]


@pytest.mark.slow(4)
@every_path
def test_healthy_ones_are_no_news(lab, record, path):
    way, port = translate(lab, path)
    lab.server.listen(port)
    agent = lab.client.agent()
    pair = record("--all")
    for number in range(3):
        assert agent.connect(way.target, PORT, name=f"healthy {number}")["errno"] is None
    pair.stop()
    alone(pair.client)
    shift(pair.server)
    lines = join(pair.client.path, pair.server.path)
    assert [line["type"] for line in lines] == ["session", "session", "clock", "summary"]
    assert lines[-1]["join"]["unanswered"] == 0
    everything = join(pair.client.path, pair.server.path, options=["--all"])
    ends = of_type(everything, "end")
    assert len(ends) == 3
    for end in ends:
        has(end, cause="none", verdict="established")
        has(end["peer"], verdict="established", lport=port)


@pytest.mark.slow(8)
@pytest.mark.parametrize("path", ["v4", "v6", "snat"])
def test_a_server_without_a_record_is_known_by_its_addresses(lab, record, path):
    """Nothing but the trouble itself is recorded, and the server has none."""
    way, port = translate(lab, path)
    lab.server.listen(port)
    agent = lab.client.agent()
    pair = record()
    lab.router.iptables(f"-I FORWARD -p tcp --dport {port} -j DROP", way)
    assert agent.connect(way.target, PORT, name="lost")["errno"] == "ETIMEDOUT"
    # Nobody's, as far as the captures know.
    nobody_there = "2001:2:0:77::7" if way is FAR_V6 else "198.18.77.7"
    lab.router.ip(f"route add blackhole {nobody_there}")
    assert agent.connect(nobody_there, PORT, name="nobody")["errno"] == "ETIMEDOUT"
    pair.stop()
    alone(pair.client)
    shift(pair.server, ahead_ns=0)
    lines = join(pair.client.path, pair.server.path)
    [clock] = of_type(lines, "clock")
    has(clock, by="wall", handshakes=0, offset_ms=None)
    lost, nobody = of_type(lines, "end")
    has(lost, cause="syn_lost", raddr=way.raddr)
    has(lost["peer"], gap=None, seen=False, syn_seen=0, host="server")
    has(nobody, cause="no_answer", raddr=nobody_there)
    has(nobody["peer"], gap="no_capture", capture=None)


@pytest.mark.slow(10)
@pytest.mark.parametrize("columns", [80, 160])
def test_both_sides_are_shown_to_people(lab, record, tmp_path, monkeypatch, columns):
    way, port = translate(lab, "both")
    lab.server.listen(port)
    agent = lab.client.agent()
    pair = record("--all")
    for number in range(3):
        assert agent.connect(way.target, PORT, name=f"healthy {number}")["errno"] is None
    lab.router.iptables(f"-I FORWARD -p tcp --sport {port} -j DROP", way)
    assert agent.connect(way.target, PORT, name="lost")["errno"] == "ETIMEDOUT"
    pair.stop()
    alone(pair.client)
    shift(pair.server)
    monkeypatch.chdir(tmp_path)  # the name of a file is not wrapped
    shown = TerminalWatch(["-v", "join", "client.db", "server.db"], columns=columns)
    with contextlib.closing(shown):
        shown.finish()
    rows = shown.rows()
    assert [row for row in rows if len(row) > columns] == []
    text = "\n".join(rows)
    assert re.search(rf"client, port \d+ +\|  server\n.*from 198\.18\.1\.1:50\d\d\n"
                     rf".*to {re.escape(way.raddr)}:{port}\n", text), text
    assert re.search(r"\bSYN +\|\n.*\|  SYN, SYN-ACK sent\n", text), text
    assert re.search(r"SYN again \(2\) +\|\n", text), text
    assert "of 1 stalled handshake 1 reply_lost" in text
    assert re.search(r"healthy: 3\b", text), text


@pytest.mark.slow(10)
@pytest.mark.parametrize("missing", ["filtered", "no_overlap", "records_lost", "no_capture",
                                     "not_recorded"])
def test_missing_records_are_not_taken_for_lost_syns(lab, record, missing):
    """The server throws all SYNs away, and says so; then its records of that are taken."""
    way, port = translate(lab, "v4")
    lab.server.listen(port)
    agent = lab.client.agent()
    options = {"filtered": ["--port", "1-79"]}.get(missing, [])
    pair = record("--all", server_options=options)
    if missing == "filtered":
        lab.server.listen(79)
        agent.connect(way.target, 79, name="other")
    for number in range(4):
        assert agent.connect(way.target, PORT, name=f"healthy {number}")["errno"] is None
    lab.server.iptables(f"-I INPUT -p tcp --dport {PORT} -j DROP", way)
    assert agent.connect(way.target, PORT, name="lost")["errno"] == "ETIMEDOUT"
    pair.stop()
    alone(pair.client)
    with contextlib.closing(sqlite3.connect(pair.server.path)) as db, db:
        mutilate(db, missing)
    lines = join(pair.client.path, pair.server.path)
    [end] = of_type(lines, "end")
    has(end, cause="no_answer", verdict="timed_out")
    has(end["peer"], gap=missing)
    has(lines[-1]["join"], causes={"no_answer": 1}, gaps={missing: 1})


DROPPED = "(SELECT id FROM handshake WHERE state = 'dropped')"


def mutilate(db, how):
    if how == "no_capture":
        db.execute("DELETE FROM session_address")
        db.execute("DELETE FROM record WHERE kind <= 10")
        db.execute("DELETE FROM handshake")
        return
    if how == "records_lost":
        [(when, seq)] = db.execute(
            f"SELECT time_ns, seq FROM record WHERE handshake IN {DROPPED}").fetchall()
        body = struct.pack("<HBBIQQQQQ", 48, 13, 3, 0, when, 1, 0, 0, 0)
        db.execute("UPDATE record SET kind = 13, handshake = NULL, body = ? WHERE seq = ?",
                   (body, seq))
    if how == "no_overlap":
        db.execute("UPDATE session SET end_ns = (SELECT max(time_ns) FROM record WHERE kind = 8)")
    if how == "not_recorded":
        db.execute("UPDATE session_hook SET why_not = 'refused' WHERE name = 'kfree_skb'")
    db.execute(f"DELETE FROM record WHERE handshake IN {DROPPED}")
    db.execute("DELETE FROM handshake WHERE state = 'dropped'")
