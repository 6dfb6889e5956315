# SPDX-License-Identifier: GPL-2.0-only
"""One booted kernel: a virtual machine without KVM, so that it runs everywhere."""

import subprocess
import time

# A guest that hangs is ended after so long; FULL takes the longest.
LIMIT_S = 3600


class Guest:
    """Runs the tests inside; console and results go to files."""

    def __init__(self, name, unpacked, disks, directory):
        self.name = name
        self.release = unpacked.release
        self.console = directory / f"{name}.log"
        self.results = directory / f"{name}.xml"
        self.began = time.monotonic()
        self.took_s = None
        drives = [word for disk in disks for word in (
            "-drive", f"file={disk},format=raw,if=virtio,readonly=on,cache=unsafe")]
        # Without what emulation makes no safer, and much slower. The clock is the one
        # whose rate is known: measured on a busy host the others run too fast.
        words = ["console=ttyS0", "quiet", "panic=-1", "mitigations=off",
                 "clocksource=acpi_pm", "random.trust_cpu=on",
                 "init_on_alloc=0", "audit=0", "lsm=", "rcupdate.rcu_expedited=1",
                 "nowatchdog"]
        self._process = subprocess.Popen(
            ["qemu-system-x86_64", "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "1",
             "-m", "1024", "-nodefaults", "-no-user-config", "-no-reboot", "-display", "none",
             "-serial", f"file:{self.console}", "-serial", f"file:{self.results}",
             *drives, "-kernel", unpacked.image, "-initrd", directory / f"{name}.cpio",
             "-append", " ".join(words)],
            stdin=subprocess.DEVNULL)

    def is_running(self):
        if self._process.poll() is None and time.monotonic() - self.began < LIMIT_S:
            return True
        if self.took_s is None:
            self.close()
            self.took_s = time.monotonic() - self.began
        return False

    def close(self):
        self._process.kill()
        self._process.wait()

    def said(self):
        """Its console: the kernel's words, then pytest's."""
        return self.console.read_text(errors="replace").replace("\r", "")
