# SPDX-License-Identifier: GPL-2.0-only
"""Names that somebody else chose: of tasks, cgroups and files, and all that a capture says."""

import contextlib
import json
import os
import pty
import re
import shutil
import sqlite3
import subprocess

import pytest

import cgroups
from expect import has
from netlab import TIMEOUT, V4
from serving import fill
from watch import Watch, program

PORT = 80

# Bytes, as Linux takes them: 15 make a task's name.
NAMES = {
    "csi": b"\x1b[2J\x1b[31m",
    "osc": b"\x1b]0;owned\x07",
    "c1": b"\xc2\x9b31m\x9b2J",
    "not-utf8": b"\xff\xfe\xc3(\xed\xa0\x80",
    "bidi": "a\u202etxt.\u2066b".encode(),
    "invisible": "a\u200b\ufeff\U000e0061".encode(),
    "quotes": b"\"'\\\"}{],:",
    "lines": b"a\nb\r\x0b\x0c\x85",
    "format": b"%s%n%1$p%.99d",
}

hostile = pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)


def harmless(output):
    """Asserts that a terminal, or who reads it, cannot be driven or deceived by these bytes."""
    for line in output.decode("utf-8").replace("\r\n", "\n").split("\n"):
        assert line.isprintable(), repr(line)


def run(*arguments, color=False):
    """Exit status and everything said, on a terminal if there is to be colour."""
    master, slave = pty.openpty() if color else (None, None)
    done = subprocess.run([program(), *arguments], stdin=subprocess.DEVNULL, timeout=TIMEOUT,
                          stdout=slave if color else subprocess.PIPE, stderr=subprocess.PIPE)
    if not color:
        return done.returncode, done.stdout, done.stderr
    os.close(slave)
    output = b""
    with contextlib.suppress(OSError), os.fdopen(master, "rb", buffering=0) as terminal:
        while data := terminal.read(65536):
            output += data
    return done.returncode, output, done.stderr


@hostile
def test_listener_and_closer(lab, agent, watch, terminal, name):
    server = lab.server.agent()
    for each in agent, server:
        each.call("comm", hexadecimal=name.hex())
    server.call("listen", address="0.0.0.0", port=PORT, backlog=0)
    watching = watch("--all", "-s", "100ms")
    on_terminal = terminal("--no-color", "--all")

    fill(agent, lab, V4, 1)
    agent.start_connect(V4.target, PORT, blocking=False, name="hanging")
    agent.result()
    # That it is UTF-8, printable, and whole is checked as the lines come.
    has(watching.wait_for(type="end", role="server", pid=server.pid), comm=shown(name))
    watching.wait_for(type="stall", role="client")
    agent.call("close", name="hanging")
    end = watching.wait_for(type="end", role="client", verdict="abandoned")
    has(end["closer"], comm=shown(name), pid=agent.pid)
    on_terminal.wait_for(rb"abandoned")
    harmless(on_terminal.stop())


def shown(name):
    """As a JSON parser hands it out: one U+FFFD for each byte that is no UTF-8."""
    return re.sub("[\udc80-\udcff]", "\ufffd", name.decode("utf-8", "surrogateescape"))


@hostile
def test_owner_found_in_proc(lab, agent, watch, terminal, name):
    """It hangs already: who owns it is read from /proc."""
    agent.call("comm", hexadecimal=name.hex())
    lab.server.iptables(f"-I INPUT -p tcp --dport {PORT} -j DROP")
    agent.start_connect(V4.target, PORT, blocking=False)
    agent.result()
    watching = watch("-s", "1ms")
    on_terminal = terminal("--no-color", "-s", "1ms")

    has(watching.wait_for(type="stall"), pid=agent.pid, comm=shown(name), adopted=True)
    on_terminal.wait_for(str(agent.pid).encode())
    harmless(on_terminal.stop())


@hostile
def test_what_is_typed_is_said_harmlessly(tmp_path, name):
    """Options, files that are not there, files that are something else."""
    missing, foreign = tmp_path / "missing", os.fsencode(tmp_path) + b"/" + name
    with open(foreign, "wb") as file:
        file.write(name * 100)
    unusable = os.fsencode(missing) + b"/" + name
    for arguments, expected in [
        ([b"--" + name], 2), ([name], 2), ([b"--comm", name * 3], 2), ([b"-p", name], 2),
        ([b"--host=" + name], 2), ([b"--cgroup", name], 2), ([b"--netns", name], 2),
        ([b"-u", name], 2), ([b"-d", name], 2), ([b"--since", name, b"read", foreign], 2),
        ([b"--max-size", name], 2), ([b"read", unusable], 1), ([b"read", foreign], 1),
        ([b"read", foreign, name], 2), ([b"-w", unusable], 1), ([b"-w", foreign], 1),
    ]:
        status, output, said = run(*arguments)
        assert (status, output) == (expected, b""), (arguments, said)
        assert said.startswith(b"synwatch: ") and said.count(b"\n") == 1, said
        harmless(said)


@hostile
def test_filters_are_repeated_harmlessly(lab, watch, terminal, name):
    watching, on_terminal = watch("--comm", name[:15]), terminal("--no-color", "--comm", name[:15])
    assert watching.session["filters"]["comm"] == [shown(name)]
    harmless(on_terminal.stop())


@hostile
def test_cgroup(cgroup, lab, watch, terminal, name):
    path = os.fsencode(cgroup) + b"/" + name.replace(b"\n", b" ")  # the kernel's only taboo
    os.mkdir(path)
    try:
        agent = lab.client.agent()
        with open(path + b"/cgroup.procs", "w") as procs:
            procs.write(str(agent.pid))
        watching, on_terminal = watch("--cgroup", path), terminal("--no-color", "--cgroup", path)
        assert agent.connect(V4.target, PORT)["errno"] == "ECONNREFUSED"
        has(watching.wait_for(type="end"), pid=agent.pid, cgroup=os.stat(path).st_ino)
        assert watching.session["filters"]["cgroup"] == [shown(path)]
        on_terminal.wait_for(rb"refused")
        harmless(on_terminal.stop())
        agent.kill()
    finally:
        cgroups.remove(path)


@pytest.fixture
def capture(lab, tmp_path):
    """Of a few handshakes, one of them dropped with a reason and at a place by name."""
    path = tmp_path / "hang.db"
    watching = Watch(["--netns", f"{lab.client.path},{lab.server.path}", "-w", path])
    watching.attached()
    lab.server.iptables(f"-I INPUT -p tcp --dport {PORT} -j DROP")
    agent = lab.client.agent()
    assert agent.connect(V4.target, 81)["errno"] == "ECONNREFUSED"
    agent.start_connect(V4.target, PORT, blocking=False, name="hanging")
    agent.result()
    watching.wait_for(type="stall", rport=PORT)
    agent.call("close", name="hanging")
    watching.wait_for(type="end", rport=PORT)
    watching.stop()
    watching.close()
    return path


# Of each table what is text, and where a record has some.
TEXT = [
    "UPDATE session SET host = :text", "UPDATE session SET kernel = :text",
    "UPDATE session SET boot_id = :text", "UPDATE session SET version = :text",
    "UPDATE session_hook SET name = :text", "UPDATE session_hook SET why_not = :text",
    "INSERT INTO session_filter VALUES (1, :text, :text)",
    "UPDATE record SET body = put(body, :text)", "UPDATE handshake SET comm = :text",
]


def put(body, text, known=(b"live-agent", b"NETFILTER_DROP", b"nf_hook_slow", b"NO_SOCKET")):
    """A record in which each name is another, as long as there is room for."""
    for name in known:
        at = body.find(name)
        if at >= 0:
            end = at + len(name)
            body = body[:at] + text[:len(name)].ljust(len(name), b"\0") + body[end:]
    return body


@pytest.mark.slow(2)
def test_capture(capture, tmp_path):
    """Somebody else's file: every name in it may be anything."""
    before = [json.loads(line) for line in run("--json", "read", str(capture))[1].splitlines()]
    for text in NAMES.values():
        path = tmp_path / "edited.db"
        shutil.copyfile(capture, path)
        with contextlib.closing(sqlite3.connect(path)) as db:
            db.create_function("put", 2, lambda body, text: put(body, bytes(text)))
            for sql in TEXT:
                sql = sql.replace(":text", "CAST(:text AS TEXT)") if "put" not in sql else sql
                db.execute(sql, {"text": text})
            db.commit()
        status, output, said = run("--json", "read", str(path))
        assert (status, said) == (0, b""), said
        harmless(output)
        lines = [json.loads(line) for line in output.decode("utf-8").splitlines()]
        assert [line["type"] for line in lines] == [line["type"] for line in before]
        assert lines[0]["host"] == shown(text)
        status, output, said = run("read", str(path))
        assert (status, said) == (0, b""), said
        harmless(output)
        status, output, said = run("-v", "read", str(path), color=True)
        harmless(re.sub(rb"\x1b\[[0-9;]*m", b"", output) + said)
