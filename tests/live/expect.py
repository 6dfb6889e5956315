# SPDX-License-Identifier: GPL-2.0-only
"""What a line has to say about a handshake that the test knows all about."""

from datetime import datetime, timezone


def client_of(agent, lab, way, port):
    """Who connects whence and where, in every line about it."""
    return {"role": "client", "pid": agent.pid, "tid": agent.pid, "comm": agent.COMM, "uid": 0,
            "netns": lab.client.inode, "family": way.family, "laddr": way.laddr,
            "raddr": way.raddr, "rport": port, "adopted": False}


def on_wire(syn):
    """What was unknown before the first SYN left."""
    return {"lport": syn.sport, "isn": syn.seq}


def has(line, **fields):
    """Asserts these values; says which ones differ."""
    wrong = {name: f"{line.get(name)!r}, not {value!r}" for name, value in fields.items()
             if line.get(name, has) != value}
    assert not wrong, f"{wrong} in {line}"


def seconds(line):
    """When the thing happened, since the epoch."""
    time = datetime.strptime(line["time"], "%Y-%m-%dT%H:%M:%S.%fZ")
    return time.replace(tzinfo=timezone.utc).timestamp()
