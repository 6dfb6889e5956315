# SPDX-License-Identifier: GPL-2.0-only
"""SYNs from everywhere, as fast as one core sends them, and what a process needs meanwhile."""

import re
import subprocess
from pathlib import Path

from netlab import TIMEOUT, V4, mac, run


class Flood:
    """flood.c in the client namespace of a Lab, at a port of its server."""

    def __init__(self, lab, directory, port, seconds):
        program = directory / "flood"
        if not program.exists():
            run("cc", "-O2", "-D_GNU_SOURCE", "-o", program, Path(__file__).with_name("flood.c"))
        self._seconds = seconds
        self._process = subprocess.Popen(
            lab.client.command(program, lab.client.DEVICE, mac(0, 2), V4.raddr, port, seconds),
            stdout=subprocess.PIPE, text=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.kill()
        self._process.wait()
        self._process.stdout.close()

    @property
    def is_running(self):
        return self._process.poll() is None

    def sent(self):
        """How many there were, when they are over."""
        output, _ = self._process.communicate(timeout=TIMEOUT)
        return float(output) * self._seconds


def rss(pid):
    """Bytes resident."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"^VmRSS:\s+(\d+) kB$", status, re.M).group(1)) << 10
