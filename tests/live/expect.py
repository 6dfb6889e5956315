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
    return cause if tells_of(watching, "kfree_skb") else "no_answer"


def tells_of(watching, hook):
    """Whether this kernel has it, as the session line says."""
    return watching.session["hooks"].get(hook) is True


def needs(watching, *hooks):
    """Skips where this kernel cannot tell what the test is about, and says why not."""
    missing = [f"{name} ({watching.session['hooks'].get(name, 'not known')})" for name in hooks
               if not tells_of(watching, name)]
    if missing:
        pytest.skip(f"no evidence on this kernel: {', '.join(missing)}")


def dropped(line, netns, reason, *places):
    """Asserts what was thrown away, where; places: any, if none is given."""
    assert line["drop"], f"no drop in {line}"
    has(line["drop"], reason=reason, netns=netns.inode)
    assert line["drop"]["place"], line
    if places:
        assert line["drop"]["place"] in places, line
