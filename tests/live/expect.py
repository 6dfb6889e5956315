# SPDX-License-Identifier: GPL-2.0-only
"""What a line has to say about a handshake that the test knows all about."""

from datetime import datetime, timezone

import pytest


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


def seen(watching, cause):
    """A cause that rests on a drop: claimed only where this kernel tells of drops."""
    return cause if watching.session["hooks"].get("kfree_skb") is True else "no_answer"


def needs(watching, *hooks):
    """Skips where this kernel cannot tell what the test is about."""
    missing = [name for name in hooks if watching.session["hooks"].get(name) is not True]
    if missing:
        pytest.skip(f"no evidence on this kernel: {', '.join(missing)}")


def dropped(line, netns, reason, *places):
    """Asserts what was thrown away, where; places: any, if none is given."""
    assert line["drop"], f"no drop in {line}"
    has(line["drop"], reason=reason, netns=netns.inode)
    assert line["drop"]["place"], line
    if places:
        assert line["drop"]["place"] in places, line
