# SPDX-License-Identifier: GPL-2.0-only
"""Live tests: real sockets, real kernel, each test in a lab of its own.

Where BPF may not be loaded they are skipped, by name; with
SYNWATCH_DEMAND_LIVE=1 they fail instead. SYNWATCH names the program to test.

Some hosts leave out a BPF program now and then. A test that failed while its
watch itself reported such a run as missed shows nothing: it is skipped, saying
so. A run that has more than a few of them fails, for then it is synwatch that
misses.
"""

import contextlib
import fcntl
import os
import subprocess
import tempfile
import uuid
from pathlib import Path

import pytest

import cgroups
from confined import behind, everybodys, place  # noqa: F401
from netlab import Lab, Way
from privileges import why_no_live
from watch import SPOILT, TerminalWatch, Watch, program

# Of the live tests of one run, this many may be spoilt by the host.
SPOILT_MAX = 12

_no_live = pytest.StashKey()
_watches = pytest.StashKey()
_spoilt = []


def pytest_addoption(parser):
    parser.addoption("--core", action="store_true",
                     help="only the core: every verdict and cause at least once")


def pytest_configure(config):
    config.addinivalue_line("markers", "slow(seconds): waits that long, so it starts early")
    config.addinivalue_line("markers", "role(role): every watch shows that side only")
    config.addinivalue_line("markers", "core(*ids): of the core; of its parameters only these")
    config.addinivalue_line("markers", "alone: shows in every watch of this host, so no other "
                                       "live test runs meanwhile")
    # Asked once, by the process that starts the workers.
    worker_input = getattr(config, "workerinput", None)
    config.stash[_no_live] = worker_input["no_live"] if worker_input else why_no_live()


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node):
    node.workerinput["no_live"] = node.config.stash[_no_live]


def pytest_collection_modifyitems(config, items):
    if config.getoption("core"):
        outside = [item for item in items if not _is_core(item)]
        items[:] = [item for item in items if _is_core(item)]
        config.hook.pytest_deselected(items=outside)
    items.sort(key=lambda item: -next((mark.args[0] for mark in item.iter_markers("slow")), 0))


def _is_core(item):
    mark = item.get_closest_marker("core")
    return mark and (not mark.args or item.callspec.id in mark.args)


def pytest_runtest_setup(item):
    reason = item.config.stash[_no_live]
    if not reason:
        return
    if os.environ.get("SYNWATCH_DEMAND_LIVE") == "1":
        pytest.fail(f"SYNWATCH_DEMAND_LIVE=1, but {reason}", pytrace=False)
    pytest.skip(reason)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    report = (yield).get_result()
    if not (call.when == "call" and report.failed):
        return
    missed = sum(_missed(watching) for watching in item.stash.get(_watches, []))
    if missed:
        path, line, _ = item.location
        report.outcome = "skipped"
        report.longrepr = str(path), line, f"{SPOILT}: {missed} missed\n{report.longreprtext}"


def pytest_runtest_logreport(report):
    if report.skipped and SPOILT in report.longreprtext:
        _spoilt.append(report.nodeid)


def pytest_sessionfinish(session):
    if len(_spoilt) > SPOILT_MAX:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter):
    if len(_spoilt) > SPOILT_MAX:
        terminalreporter.write_line(f"FAILED: {len(_spoilt)} tests were spoilt by missed runs, "
                                    f"more than {SPOILT_MAX} is not the host's doing")


@pytest.fixture(autouse=True)
def company(request):
    """Tests run side by side, but for those that are marked `alone`."""
    alone = request.node.get_closest_marker("alone")
    with open(Path(tempfile.gettempdir(), "synwatch-live.lock"), "a+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        yield


@pytest.fixture
def lab():
    with Lab() as new:
        yield new


@pytest.fixture
def agent(lab):
    """The application in the client namespace."""
    return lab.client.agent()


@pytest.fixture
def watch(lab, request):
    """watch(*options, netns=...): a Watch of this lab; its lines are shown if the test fails."""
    role = request.node.get_closest_marker("role")
    always = ("--role", *role.args) if role else ()
    yield from _starter(lab, Watch, request.node.stash.setdefault(_watches, []), always)


@pytest.fixture
def terminal(lab):
    """The same on a terminal: terminal(*options, columns=80)."""
    yield from _starter(lab, TerminalWatch, [])


@pytest.fixture
def cgroup():
    """A cgroup v2 with a child; removed after the processes in them are gone."""
    mounts = [line.split() for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    points = [fields[4] for fields in mounts if fields[fields.index("-") + 1] == "cgroup2"]
    if not points:
        pytest.skip("no cgroup v2 is mounted here")
    group = Path(points[0], f"synwatch-{uuid.uuid4()}")
    child = group / "child"
    group.mkdir()
    child.mkdir()
    yield group
    cgroups.remove(child)
    cgroups.remove(group)


def _starter(lab, kind, started, always=()):
    def start(*options, netns=None, **arguments):
        options = *always, *options
        chosen = [lab.client, lab.server] if netns is None else netns
        if chosen:
            options = "--netns", ",".join(each.path for each in chosen), *options
        process = kind(options, **arguments)
        started.append(process)
        process.attached()
        return process

    yield start
    for process in started:
        process.close()
        _show(process)


def _missed(watching):
    """Runs that a failed test's watch knows it missed: it is told by its last lines."""
    with contextlib.suppress(AssertionError, ProcessLookupError, subprocess.TimeoutExpired):
        watching.stop()
    return sum(line["missed"] for line in watching.of_type("loss"))


def _show(process):
    """Captured, so it appears only in the report of a failed test."""
    print("$", program(), *process.options)
    if isinstance(process, Watch):
        print(process.session, *process.lines, process.summary, sep="\n")
    print(*process.drain(), sep="\n")
    print("stderr:", process.stderr or "(empty)")


def pytest_make_parametrize_id(val):
    return val.name if isinstance(val, Way) else None
