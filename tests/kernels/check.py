# SPDX-License-Identifier: GPL-2.0-only
"""The live tests on Debian's kernels, booted under QEMU, beside this host's own.

check.py [--full] [--host RESULTS] [KERNEL...]

Without --full the core: every verdict and cause. --host takes a run of the host's
live tests, as JUnit's XML, into the table instead of running them here.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import debian
import guest
import image
import table

# Guests at a time: each has one CPU, and waits now and then.
ABREAST = max(3, os.cpu_count() or 1)

# Tests wait more than they compute, also where everything is slow.
WORKERS = 3

ROOT = image.REPOSITORY
PROGRAM = Path(os.environ.get("SYNWATCH", ROOT / "build/synwatch")).resolve()


def main():
    arguments = _arguments()
    if not shutil.which("apt-get"):
        print("the kernels are Debian's: apt-get has to be there to fetch them", file=sys.stderr)
        return 1
    try:
        return _check(arguments)
    except (RuntimeError, ValueError, subprocess.CalledProcessError) as error:
        print(error, file=sys.stderr)
        return 1


def _check(arguments):
    began = time.monotonic()
    cache = Path(os.environ.get("SYNWATCH_KERNELS", PROGRAM.parent / "kernels"))
    cache.mkdir(parents=True, exist_ok=True)
    chosen = [kernel for kernel in debian.KERNELS
              if not arguments.kernels or kernel.name in arguments.kernels]
    with tempfile.TemporaryDirectory(prefix="synwatch-kernels-") as directory:
        guests = _run(chosen, cache, Path(directory), arguments.full)
        columns, troubles = _columns(guests)
        host = arguments.host or (None if arguments.kernels else _host(Path(directory), arguments))
        if host:
            columns, more = _with_host(columns, host, arguments.host)
            troubles += more
    print("\n".join(table.show(columns)))
    for one in guests:
        print(f"{one.name} is {one.release}, took {one.took_s:.0f} s")
    print(f"all in all {time.monotonic() - began:.0f} s")
    print("\n".join(troubles), file=sys.stderr)
    _total(columns, troubles)
    failed = any(result.outcome == "FAILED" for name, results in columns.items()
                 for result in results.values())
    return int(failed or bool(troubles))


def _arguments():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--full", action="store_true", help="all live tests, not the core")
    parser.add_argument("--host", type=Path, help="results of this host's own run")
    parser.add_argument("kernels", nargs="*", choices=[[], *(k.name for k in debian.KERNELS)],
                        metavar="KERNEL", help="of " + ", ".join(k.name for k in debian.KERNELS))
    return parser.parse_args()


def _selection(full):
    return ["-n", str(WORKERS), *([] if full else ["--core"])]


def _run(kernels, cache, directory, full):
    """Boots each, as many at a time as fit. The guests, ended."""
    tests = directory / "tests.ext4"
    image.tests_disk(tests, PROGRAM, _selection(full))
    root = image.root_disk(cache)
    waiting, running, ended = list(kernels), [], []
    try:
        while waiting or running:
            while waiting and len(running) < ABREAST:
                unpacked = debian.unpack(kernel := waiting.pop(0), cache)
                image.initramfs(directory / f"{kernel.name}.cpio", unpacked)
                disks = root, image.kernel_disk(unpacked), tests
                running.append(guest.Guest(kernel.name, unpacked, disks, directory))
            time.sleep(0.2)
            for one in [one for one in running if not one.is_running()]:
                running.remove(one)
                ended.append(one)
                print(f"{one.name}: ended after {one.took_s:.0f} s", flush=True)
    finally:
        for one in running:
            one.close()
    return ended


def _columns(guests):
    columns, troubles = {}, []
    for one in sorted(guests, key=lambda one: [k.name for k in debian.KERNELS].index(one.name)):
        try:
            columns[one.name] = table.read(one.results)
        except ValueError as error:
            troubles.append(f"{one.name} ({one.release}) did not get to its end: {error}")
        if one.name not in columns or any(result.outcome == "FAILED"
                                          for result in columns[one.name].values()):
            sys.stderr.write(f"== console of {one.name}\n{one.said()}\n")
    return columns, troubles


def _with_host(columns, path, only_beside):
    """only_beside: that run had more tests, and they have been counted elsewhere."""
    try:
        results = table.read(path)
    except ValueError as error:
        return columns, [f"this host did not get to its end: {error}"]
    if only_beside:
        results = {test: result for test, result in results.items()
                   if any(test in guest for guest in columns.values())}
    return {**columns, f"{os.uname().release.partition('-')[0]} here": results}, []


def _host(directory, arguments):
    """This host's own run of the same tests."""
    results = directory / "host.xml"
    subprocess.run([sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-rfs",
                    f"--junitxml={results}", *_selection(arguments.full), "tests/live"], cwd=ROOT)
    return results


def _total(columns, troubles):
    """As tests/run wants to find it: what ran in the guests, the host counts its own."""
    outcomes = [result.outcome for results in columns.values() for result in results.values()]
    print(f"{outcomes.count('passed')} passed, {outcomes.count('FAILED') + len(troubles)} failed, "
          f"{outcomes.count('skipped')} skipped")


if __name__ == "__main__":
    os.environ["PATH"] += ":/usr/local/sbin:/usr/sbin:/sbin"
    os.environ.setdefault("SYNWATCH", str(PROGRAM))
    sys.exit(main())
