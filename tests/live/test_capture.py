# SPDX-License-Identifier: GPL-2.0-only
"""Captures of the real program: what is read back, and what a disk may do meanwhile."""

import contextlib
import json
import os
import random
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from netlab import TIMEOUT, V4, V6, run
from watch import program

PORT = 80
DROPPED = 81
REJECTED = 82
REFUSED = 83

RETRIES = "net.ipv4.tcp_syn_retries"

# At most a second of what came is lost by a kill; twice that on a machine that is busy.
AT_RISK = 2


def read(path, *options, under=()):
    """Its lines, unparsed, and what it said on standard error."""
    done = subprocess.run([*under, program(), "--json", *map(str, options), "read", str(path)],
                          capture_output=True, text=True, timeout=TIMEOUT)
    return done.returncode, done.stdout.splitlines(), done.stderr


def query(path, sql):
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
        return db.execute(sql).fetchall()


def wait_until(true, what):
    deadline = time.monotonic() + TIMEOUT
    while not true():
        assert time.monotonic() < deadline, f"not in time: {what}"
        time.sleep(0.05)


class Recording:
    """synwatch -w with its lines as bytes: they are compared byte for byte."""

    def __init__(self, lab, tmp_path, *options):
        self.out = tmp_path / "live.jsonl"
        self.err = tmp_path / "stderr"
        self.path = tmp_path / "hang.db"
        chosen = ",".join(each.path for each in lab.namespaces)
        with open(self.out, "wb") as out, open(self.err, "wb") as err:
            self.process = subprocess.Popen(
                [program(), "--json", "--netns", chosen, "-w", str(self.path),
                 *map(str, options)], stdin=subprocess.DEVNULL, stdout=out, stderr=err)
        wait_until(lambda: self.lines() or self.process.poll() is not None, "the session line")
        assert self.lines(), self.stderr

    def lines(self):
        return self.out.read_text().splitlines()

    @property
    def stderr(self):
        return self.err.read_text()

    def stop(self, number=signal.SIGINT):
        self.process.send_signal(number)
        return self.process.wait(TIMEOUT)

    def close(self):
        self.process.kill()
        self.process.wait()
        print(self.stderr)


@pytest.fixture
def record(lab, tmp_path):
    """record(*options): a Recording of this lab."""
    started = []

    def start(*options, place=tmp_path):
        started.append(Recording(lab, place, *options))
        return started[-1]

    yield start
    for recording in started:
        recording.close()


def stage(lab):
    """Some of every end that a handshake can take."""
    for netns in lab.namespaces:
        netns.sysctl(RETRIES, 1)
        netns.sysctl("net.ipv4.tcp_synack_retries", 1)
    for way in V4, V6:
        lab.server.iptables(f"-I INPUT -p tcp --dport {DROPPED} -j DROP", way)
        lab.server.iptables(f"-I INPUT -p tcp --dport {REJECTED} -j REJECT", way)
    lab.server.listen(PORT)
    agents = [lab.client.agent() for _ in range(6)]
    agents[0].start_connect(V4.target, DROPPED)
    agents[1].start_connect(V6.target, DROPPED)
    agents[2].start_connect(V4.target, REJECTED)
    agents[3].start_connect(V6.target, REJECTED)
    agents[4].start_connect(V4.target, DROPPED, name="killed")
    for way in V4, V6:
        healthy = agents[5].connect(way.target, PORT, name=f"healthy {way}")
        refused = agents[5].connect(way.target, REFUSED, name=f"refused {way}")
        assert (healthy["errno"], refused["errno"]) == (None, "ECONNREFUSED")
    assert agents[5].connect("240.0.0.1", PORT, name="far")["errno"] == "ENETUNREACH"
    agents[4].kill()
    for agent in agents[:4]:
        agent.result()


def without_source(lines):
    """The session line says where it is from; everything else must not differ."""
    session = re.sub(r'"source":"(live|capture)"', "", lines[0])
    return [session, *lines[1:]]


@pytest.mark.core("--all")
@pytest.mark.slow(5)
@pytest.mark.parametrize("options", [[], ["--all"], ["-s", "200ms"], ["--all", "-s", "5s"]],
                         ids=" ".join)
def test_a_capture_says_what_the_live_watch_said(lab, record, options):
    recording = record(*options)
    stage(lab)
    assert recording.stop() == 0
    live = recording.lines()
    verdicts = {line.get("verdict") for line in map(json.loads, live)}
    # One of them the host may have kept from the program, see conftest.py.
    assert len({"timed_out", "refused", "abandoned", "local_error"} & verdicts) >= 3, verdicts

    status, lines, stderr = read(recording.path)
    assert (status, stderr) == (0, "")
    assert json.loads(lines[0])["source"] == "capture"
    assert without_source(lines) == without_source(live)
    # Asked for again it changes nothing.
    assert read(recording.path, *options)[1] == lines


def test_other_options_at_reading(lab, record):
    recording = record("--all")
    stage(lab)
    assert recording.stop() == 0
    _, everything, _ = read(recording.path)
    _, patient, _ = read(recording.path, "-s", "1h")
    assert '"type":"stall"' in "".join(everything)
    assert '"type":"stall"' not in "".join(patient)
    _, of_one_port, _ = read(recording.path, "--rport", REFUSED)
    ends = [line for line in map(json.loads, of_one_port) if line["type"] == "end"]
    assert ends and {line["rport"] for line in ends} == {REFUSED}
    assert json.loads(of_one_port[0])["filters"]["rport"] == [str(REFUSED)]
    _, two, _ = read(recording.path, "-c", "2")
    assert sum(json.loads(line)["type"] == "end" for line in two) == 2
    _, later, _ = read(recording.path, "--since", "2100-01-01")
    assert later == []
    _, recent, _ = read(recording.path, "--since=-1h")
    assert recent == everything


def test_anybody_may_read_from_where_nothing_can_be_written(lab, record, tmp_path):
    recording = record()
    stage(lab)
    assert recording.stop() == 0
    assert recording.path.stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in tmp_path.iterdir()) == ["hang.db", "live.jsonl", "stderr"]
    _, lines, _ = read(recording.path)

    place = Path("/dev/shm", f"synwatch-read-{os.getpid()}")
    place.mkdir(mode=0o755)
    try:
        binary = shutil.copy(program(), place / "synwatch")
        copy = shutil.copy(recording.path, place / "copy.db")
        os.chmod(copy, 0o444)
        done = subprocess.run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
                               "--bounding-set=-all", binary, "--json", "read", copy],
                              capture_output=True, text=True, timeout=TIMEOUT)
    finally:
        shutil.rmtree(place)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == lines


def test_a_second_recorder_is_refused_and_a_reader_is_not(lab, agent, record):
    recording = record()
    second = subprocess.run([program(), "-w", recording.path], capture_output=True, text=True,
                            timeout=TIMEOUT)
    assert second.returncode == 1
    assert second.stderr == (f"synwatch: cannot record into {recording.path}: "
                             "another synwatch records into it\n")
    assert agent.connect(V4.target, REFUSED)["errno"] == "ECONNREFUSED"
    wait_until(lambda: '"refused"' in "".join(read(recording.path)[1]), "the line")
    assert recording.stop() == 0


def test_sessions_are_appended(lab, agent, record):
    for number in 1, 2:
        recording = record("--role", "client")
        assert agent.connect(V4.target, REFUSED)["errno"] == "ECONNREFUSED"
        assert recording.stop() == 0
    with contextlib.closing(sqlite3.connect(recording.path)) as db, db:
        # As if the machine had been started anew between them.
        db.execute("UPDATE session SET boot_id = 'another' WHERE id = 1")
    _, lines, _ = read(recording.path)
    # What the whole host drops meanwhile may be a loss line.
    types = [json.loads(line)["type"] for line in lines]
    assert [kind for kind in types if kind != "loss"] == ["session", "end", "summary"] * 2
    assert number == 2 and json.loads(lines[0])["boot_id"] == "another"


@pytest.fixture
def small(tmp_path):
    """A file system of 1 MiB."""
    place = tmp_path / "small"
    place.mkdir()
    run("mount", "-t", "tmpfs", "-o", "size=1m", "none", place)
    yield place
    run("umount", "-l", place)


def refuse_some(agent, count):
    for _ in range(count):
        assert agent.connect(V4.target, REFUSED)["errno"] == "ECONNREFUSED"


def test_a_full_disk_stops_neither_the_watch_nor_for_ever_the_recording(lab, agent, small,
                                                                        tmp_path):
    recording = None
    try:
        link = tmp_path / "hang.db"
        link.symlink_to(small / "hang.db")
        recording = Recording(lab, tmp_path)
        refuse_some(agent, 1)
        wait_until(lambda: query(small / "hang.db", "SELECT count(*) FROM handshake") != [(0,)],
                   "the first handshake")
        ballast = small / "ballast"
        with contextlib.suppress(OSError), open(ballast, "wb", buffering=0) as file:
            while True:
                file.write(bytes(4096))
        shown = len(recording.lines())
        # 300 of them do not fit into what the log may still have.
        refuse_some(agent, 300)
        wait_until(lambda: "interrupted: No space left on device" in recording.stderr,
                   "the warning")
        refuse_some(agent, 5)
        wait_until(lambda: len(recording.lines()) >= shown + 305, "the live lines")
        ballast.unlink()
        wait_until(lambda: "goes on" in recording.stderr, "the recording")
        refuse_some(agent, 5)
        assert recording.stop() == 0
        assert recording.stderr.count("interrupted") == 1
        assert query(small / "hang.db", "PRAGMA integrity_check") == [("ok",)]
        _, lines, _ = read(small / "hang.db")
        assert without_source(lines) == without_source(recording.lines())
    finally:
        if recording:
            recording.close()


TROUBLE = """
import random, socket, sys, time
begin = time.monotonic()
done = 0
while True:
    while done < (time.monotonic() - begin) * 500:
        done += 1
        with socket.socket() as one:
            one.connect_ex((sys.argv[1], int(sys.argv[2])))
    time.sleep(0.002)
"""


@pytest.mark.slow(15)
def test_a_kill_costs_the_last_second_at_most(lab, record, tmp_path):
    trouble = subprocess.Popen(lab.client.command(sys.executable, "-IS", "-c", TROUBLE, V4.target,
                                                  REFUSED))
    try:
        for number in range(4):
            place = tmp_path / str(number)
            place.mkdir()
            recording = record(place=place)
            time.sleep(random.uniform(2.5, 4))
            recording.process.kill()
            recording.process.wait()
            # What had been shown that long before the last line.
            lines = [json.loads(line) for line in recording.lines()[1:] if line.endswith("}")]
            ends = [line for line in lines if line["type"] == "end"]
            status, replayed, stderr = read(recording.path)
            assert (status, stderr) == (0, "")
            assert query(recording.path, "PRAGMA integrity_check") == [("ok",)]
            there = {json.loads(line).get("id") for line in replayed}
            newest = seconds(ends[-1]["time"])
            due = {line["id"] for line in ends if seconds(line["time"]) < newest - AT_RISK}
            assert due <= there
    finally:
        trouble.kill()
        trouble.wait()


def seconds(text):
    hours, minutes, rest = text[11:-1].split(":")
    return int(hours) * 3600 + int(minutes) * 60 + float(rest)


DOCUMENT = Path(__file__).parents[2] / "docs/records.md"


def test_the_documented_queries_run(lab, record, tmp_path):
    """In the shell, as they stand there."""
    queries = re.findall(r'^sqlite3 -box hang\.db ".*?"$', DOCUMENT.read_text(), re.M | re.S)
    if not queries:
        pytest.skip("docs/records.md has no queries")
    recording = record()
    stage(lab)
    assert recording.stop() == 0
    for text in queries:
        done = subprocess.run(["sh", "-c", text], cwd=tmp_path, capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (0, ""), text


@pytest.mark.parametrize("content", [b"", b"root:x:0:0:root:/root:/bin/sh\n", b"\x7fELF\x02\x01"])
def test_a_file_of_another_kind_is_one_sentence(tmp_path, content):
    path = tmp_path / "foreign"
    path.write_bytes(content)
    status, lines, said = read(path)
    assert (status, lines) == (1, [])
    assert said == f"synwatch: {path} is neither a capture nor records as text\n"
