# SPDX-License-Identifier: GPL-2.0-only
"""Removing cgroups."""

import os
import select

from netlab import TIMEOUT


def remove(path):
    """Once it is empty: a process that has been waited for may yet be in it for a moment
    (the kernel takes it out when it is switched away from for the last time)."""
    with open(os.path.join(os.fsencode(path), b"cgroup.events"), encoding="ascii") as events:
        change = select.poll()
        change.register(events, select.POLLPRI)
        while "populated 1" in events.read():
            assert change.poll(TIMEOUT * 1000), f"there is still a process in {path}"
            events.seek(0)
    os.rmdir(path)
