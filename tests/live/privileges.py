# SPDX-License-Identifier: GPL-2.0-only
"""Whether BPF programs may be loaded here."""

import os
import subprocess

import pytest

from watch import program

# What synwatch names when it is the privileges that are missing.
PRIVILEGE = "CAP_BPF"


def why_no_live():
    """One sentence, or None if the live tests can run."""
    if os.geteuid() != 0:
        return "live tests need root: they load BPF programs and make network namespaces"
    if not os.path.exists("/sys/kernel/btf/vmlinux"):
        return "this kernel has no BTF (/sys/kernel/btf/vmlinux), without which BPF CO-RE is blind"
    if not os.access(program(), os.X_OK):
        raise pytest.UsageError(f"there is no {program()} to test: run make first")
    probe = subprocess.run([program(), "--json", "-d", "1ms"], text=True,
                           stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    if probe.returncode and PRIVILEGE in probe.stderr:
        return f"BPF may not be loaded here: {probe.stderr.strip()}"
    return None
