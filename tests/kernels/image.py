# SPDX-License-Identifier: GPL-2.0-only
"""What a guest boots from and finds in its file system.

An initramfs per kernel brings up the disk and the overlay. The root is this host's
own packages, those that the live tests need: what they do here they do there,
with the same tools. On top of it come the kernel's modules and what is tested.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
REPOSITORY = HERE.parents[1]

# Where the tests and the program are, in the guest.
INSIDE = Path("/mnt/synwatch")

# With all that they depend on.
PACKAGES = ("dash", "bash", "coreutils", "sed", "grep", "util-linux", "mount", "procps", "kmod",
            "libc-bin", "iproute2", "iptables", "nftables", "tcpdump", "curl", "wrk", "bpftool",
            "python3", "python3-pytest", "python3-pytest-xdist", "python3-scapy")

# What finds and mounts the root; all else is loaded by those who use it.
EARLY_MODULES = ("virtio_pci", "virtio_blk", "ext4", "overlay")

NEEDLESS = ("/usr/share/doc", "/usr/share/man", "/usr/share/locale", "/usr/share/info",
            "/usr/share/perl", "/usr/lib/x86_64-linux-gnu/perl", "/usr/share/lintian",
            "/usr/share/bash-completion", "/usr/lib/systemd", "/lib/systemd")

ALTERNATIVES = Path("/etc/alternatives")

# Of /etc, that no package owns.
ETC = ("passwd", "group", "ld.so.cache", "ld.so.conf", "protocols", "services", "nsswitch.conf")


def root_disk(cache):
    """The packages' files, as an ext4 image. Made anew when a package changes."""
    packages = _closure(PACKAGES)
    versions = subprocess.run(["dpkg-query", "-W", *packages], check=True, capture_output=True)
    key = hashlib.sha256(versions.stdout + Path(__file__).read_bytes()).hexdigest()[:16]
    disk = cache / f"root-{key}.ext4"
    if not disk.exists():
        for old in cache.glob("root-*"):
            old.unlink()
        _make_disk(disk, _files_of(packages))
    return disk


def kernel_disk(unpacked):
    """The kernel's modules, to lie under /lib/modules."""
    disk = unpacked.root.with_name(f"{unpacked.root.name}.ext4")
    if not disk.exists():
        modules = unpacked.root / "lib/modules"
        with tempfile.TemporaryDirectory() as stage:
            target = Path(stage, "usr/lib/modules")
            shutil.copytree(modules.resolve(), target, symlinks=True)
            _make_ext4(disk, stage)
    return disk


def tests_disk(disk, program, arguments):
    """What is tested, and by what; arguments: pytest's."""
    with tempfile.TemporaryDirectory() as stage:
        inside = Path(stage, INSIDE.relative_to("/"))
        shutil.copytree(REPOSITORY / "tests/live", inside / "tests/live",
                        ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(HERE / "inside", inside)
        (inside / "arguments").write_text("".join(f"{word}\n" for word in arguments))
        _compile_tests(inside, program)
        (inside / "build").mkdir()
        shutil.copy(program, inside / "build/synwatch")
        nginx = program.parent / "nginx/usr/sbin/nginx"
        binaries = [program]
        if nginx.exists():
            shutil.copytree(program.parent / "nginx", inside / "build/nginx", symlinks=True,
                            ignore=shutil.ignore_patterns("deb"))
            binaries.append(nginx)
        for binary in binaries:
            for library in _libraries(binary):
                # /lib is a link to usr/lib, here and there.
                target = Path(stage, "usr", str(library).removeprefix("/usr").lstrip("/"))
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(library, target)
        _make_ext4(disk, stage)


# A mount namespace of its own in which INSIDE is what is staged for it.
THERE = ('mount -t tmpfs none /mnt && mkdir "$0" && mount --bind "$1" "$0" && cd "$0" && shift && '
         'exec "$@"')


def _compile_tests(inside, program):
    """As pytest rewrites them: to do so in the guest takes it as long as many a test. They
    know where they are, so it is done there."""
    environment = {**os.environ, "SYNWATCH": str(program)}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    subprocess.run(["unshare", "--mount", "sh", "-c", THERE, INSIDE, inside, sys.executable, "-m",
                    "pytest", "-q", "-p", "no:cacheprovider", "--collect-only", "tests/live"],
                   env=environment, check=True, stdout=subprocess.DEVNULL)


def initramfs(path, unpacked):
    """busybox, the script `init` and the early modules, as cpio (newc)."""
    with open(path, "wb") as archive:
        for directory in "bin", "dev", "proc", "sys", "modules", "lower", "upper", "root":
            _cpio(archive, directory, 0o40755, b"")
        _cpio(archive, "init", 0o100755, (HERE / "init").read_bytes())
        _cpio(archive, "bin/busybox", 0o100755, Path(shutil.which("busybox")).read_bytes())
        modules = unpacked.modules_for(*EARLY_MODULES)
        for number, (name, content) in enumerate(modules):
            _cpio(archive, f"modules/{number:02}-{name}", 0o100644, content)
        _cpio(archive, "TRAILER!!!", 0, b"")


# --- the root's files ---

def _closure(packages):
    done = subprocess.run(["apt-cache", "depends", "--recurse", "--installed", "--no-recommends",
                           "--no-suggests", "--no-conflicts", "--no-breaks", "--no-replaces",
                           "--no-enhances", *packages], check=True, capture_output=True, text=True)
    names = {line for line in done.stdout.splitlines() if line[:1].isalnum()}
    status = subprocess.run(["dpkg-query", "-W", "-f", "${db:Status-Status} ${Package}\n"],
                            check=True, capture_output=True, text=True)
    installed = {line.split()[1] for line in status.stdout.splitlines()
                 if line.startswith("installed")}
    return sorted(names & installed)


def _files_of(packages):
    done = subprocess.run(["dpkg-query", "-L", *packages], check=True, capture_output=True,
                          text=True)
    paths = {Path(line) for line in done.stdout.splitlines()
             if line.startswith("/") and not line.startswith(NEEDLESS)}
    # What an installation adds: compiled Python, and who is called `iptables`.
    for path in list(paths):
        if path.suffix == ".py":
            paths.update((path.parent / "__pycache__").glob(f"{path.stem}.cpython-*.pyc"))
    for directory in "/usr/bin", "/usr/sbin":
        paths.update(link for link in Path(directory).iterdir()
                     if link.is_symlink() and ALTERNATIVES in link.readlink().parents)
    paths.update(ALTERNATIVES.iterdir())
    paths.add(Path("/bin/sh"))
    paths.update(Path("/etc", name) for name in ETC)
    return sorted(path for path in paths if os.path.lexists(path) and
                  (path.is_symlink() or not path.is_dir()))


def _make_disk(disk, files):
    with tempfile.TemporaryDirectory(dir=disk.parent) as stage:
        for directory in "usr/bin", "usr/sbin", "usr/lib", "usr/lib64":
            Path(stage, directory).mkdir(parents=True)
            Path(stage, directory.removeprefix("usr/")).symlink_to(directory)
        for directory in "dev", "proc", "sys", "run", "tmp", "root", "var/lib", "mnt", "opt":
            Path(stage, directory).mkdir(parents=True)
        names = "".join(f"{str(path).lstrip('/')}\0" for path in files)
        packer = subprocess.Popen(["tar", "-C", "/", "--null", "-T", "-", "-c"],
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        unpacker = subprocess.Popen(["tar", "-C", stage, "--keep-directory-symlink", "-x"],
                                    stdin=packer.stdout)
        packer.stdout.close()
        packer.stdin.write(names.encode())
        packer.stdin.close()
        if packer.wait() | unpacker.wait():
            raise RuntimeError("cannot copy the files of the guest's root")
        _make_ext4(disk, stage)


def _libraries(binary):
    done = subprocess.run(["ldd", binary], check=True, capture_output=True, text=True)
    words = [word for line in done.stdout.splitlines() for word in line.split()]
    return [Path(word) for word in words if word.startswith("/")]


def _make_ext4(disk, stage):
    """Never written to, so without a journal and with no more room than it needs."""
    used = sum(path.lstat().st_size + 4096 for path in Path(stage).rglob("*"))
    part = disk.with_name(f"{disk.name}.part")
    part.unlink(missing_ok=True)
    subprocess.run(["mke2fs", "-q", "-t", "ext4", "-O", "^has_journal", "-m", "0", "-d", stage,
                    part, str((used * 5 // 4 >> 10) + 8192) + "k"], check=True,
                   stdout=subprocess.DEVNULL,
                   env={**os.environ, "PATH": os.environ["PATH"] + ":/sbin:/usr/sbin"})
    part.rename(disk)


def _cpio(archive, name, mode, content):
    encoded = name.encode() + b"\0"
    fields = (0, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(encoded), 0)
    header = b"070701" + b"".join(b"%08X" % field for field in fields)
    archive.write(header + encoded + b"\0" * (-(len(header) + len(encoded)) % 4))
    archive.write(content + b"\0" * (-len(content) % 4))
