# SPDX-License-Identifier: GPL-2.0-only
"""The kernels to test on, from Debian's suites.

apt fetches them and checks their signatures and checksums, with sources, lists
and a cache of its own: nothing of this host's apt is changed.
"""

import contextlib
import lzma
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

DEBIAN = "http://deb.debian.org/debian"
SECURITY = "http://deb.debian.org/debian-security"
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"

# Depends on the newest cloud kernel of its suite.
PACKAGE = "linux-image-cloud-amd64"


@dataclass(frozen=True)
class Kernel:
    """One column of the table. sources: (URL, suite) as in sources.list."""

    name: str
    sources: tuple


# A new one is a line here: docs/architecture.md, "Testing on other kernels".
KERNELS = (
    Kernel("5.10", ((DEBIAN, "bullseye"), (SECURITY, "bullseye-security"))),
    Kernel("6.1", ((DEBIAN, "bookworm"), (SECURITY, "bookworm-security"))),
    Kernel("6.12", ((DEBIAN, "trixie"), (SECURITY, "trixie-security"))),
)


class Unpacked:
    """A kernel package's files, not installed."""

    def __init__(self, root):
        self.root = root
        self.image = next((root / "boot").glob("vmlinuz-*"))
        self.release = self.image.name.removeprefix("vmlinuz-")

    def modules_for(self, *names):
        """(file name, content) of the modules to insert for these, in order."""
        found = {}
        for name in names:
            done = subprocess.run(["modprobe", "-d", self.root, "-S", self.release,
                                   "--show-depends", name],
                                  check=True, capture_output=True, text=True)
            for line in done.stdout.splitlines():
                word, _, path = line.partition(" ")
                if word == "insmod":  # and not "builtin"
                    path = Path(path.split()[0])
                    found.setdefault(path.name.removesuffix(".xz"), path)
        return [(name, _content(path)) for name, path in found.items()]


def unpack(kernel, cache):
    """The newest package of this kernel, downloaded unless the cache has it."""
    apt = _Apt(kernel, cache / kernel.name)
    package = apt.newest()
    unpacked = apt.home / package
    if not unpacked.exists():
        part = apt.home / "part"
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir()
        _run("dpkg-deb", "-x", apt.download(package), part)
        # Older packages have no merged /usr.
        if not (part / "lib").exists():
            (part / "lib").symlink_to("usr/lib")
        _run("depmod", "-b", part, Unpacked(part).release)
        part.rename(unpacked)
        for old in apt.home.glob("linux-image-*"):
            if old != unpacked and old.is_dir():
                shutil.rmtree(old)
    return Unpacked(unpacked)


class _Apt:
    def __init__(self, kernel, home):
        self.home = home
        for directory in "lists/partial", "cache/archives/partial":
            (home / directory).mkdir(parents=True, exist_ok=True)
        self._sources = home / "sources.list"
        self._sources.write_text("".join(f"deb [signed-by={KEYRING}] {url} {suite} main\n"
                                         for url, suite in kernel.sources))
        self._options = [word for setting in (
            f"Dir::Etc::SourceList={self._sources}", "Dir::Etc::SourceParts=-",
            f"Dir::State::Lists={home}/lists", f"Dir::Cache={home}/cache",
            "Dir::State::Status=/dev/null", "APT::Architecture=amd64", "APT::Architectures=amd64",
            "APT::Sandbox::User=root", "Acquire::Languages=none", "Acquire::Retries=3",
        ) for word in ("-o", setting)]

    def newest(self):
        # A list that cannot be fetched need not be the one that matters.
        with contextlib.suppress(RuntimeError):
            _run("apt-get", *self._options, "-q", "update")
        said = _run("apt-cache", *self._options, "depends", PACKAGE)
        names = [line.split()[-1] for line in said.splitlines() if "Depends:" in line]
        if not names:
            raise RuntimeError(f"no {PACKAGE} in {self._sources.read_text().strip()}: {said}")
        return names[0]

    def download(self, package):
        _run("apt-get", *self._options, "-q", "download", package, cwd=self.home / "cache")
        return next((self.home / "cache").glob(f"{package}_*.deb"))


def _content(path):
    return lzma.decompress(path.read_bytes()) if path.suffix == ".xz" else path.read_bytes()


def _run(*argv, cwd=None):
    done = subprocess.run(list(map(str, argv)), cwd=cwd, text=True, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode:
        raise RuntimeError(f"{' '.join(map(str, argv))}: {done.stdout}")
    return done.stdout
