# SPDX-License-Identifier: GPL-2.0-only
"""Many healthy handshakes: all counted, all shown if asked for, none lost.

SYNWATCH_MANY=100000 raises how many are many.
"""

import os

MANY = int(os.environ.get("SYNWATCH_MANY", 2000))


def handshakes(agent):
    agent.call("handshakes", address="127.0.0.1", port=80, count=MANY)


def test_healthy_ones_are_counted_and_not_shown(agent, watch):
    watching = watch("--role", "client")
    handshakes(agent)
    summary = watching.stop()
    assert watching.lines == []
    assert summary["healthy"] == MANY
    assert summary["lost"] == 0


def test_with_all_each_one_has_its_start_and_its_end(agent, watch):
    watching = watch("--all", "--role", "client")
    handshakes(agent)
    summary = watching.stop()
    starts = {line["id"]: line for line in watching.of_type("start")}
    ends = {line["id"]: line for line in watching.of_type("end")}
    assert watching.of_type("loss") == []
    assert len(watching.lines) == 2 * MANY
    assert len(starts) == MANY
    assert starts.keys() == ends.keys()
    assert {(line["verdict"], line["cause"], line["pid"]) for line in ends.values()} == \
        {("established", "none", agent.pid)}
    assert summary["lost"] == 0
    assert summary["handshakes"]["client"] == {"established": MANY}
