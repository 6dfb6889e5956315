# SPDX-License-Identifier: GPL-2.0-only
"""Dependencies point one way: who may include what, and who may call what."""

import re
from pathlib import Path, PurePosixPath

import pytest

ROOT = Path(__file__).resolve().parents[2]
TREES = ("bpf", "include", "user", "vmlinux")

# Headers of the C library that know neither files nor sockets nor clocks.
# stdio.h is there for snprintf(); CALLS watches the rest of it.
PURE_LIBC = (
    "assert.h", "ctype.h", "errno.h", "inttypes.h", "limits.h", "signal.h", "stdarg.h",
    "stdbool.h", "stddef.h", "stdint.h", "stdio.h", "stdlib.h", "string.h", "arpa/inet.h",
    "netinet/in.h", "netinet/tcp.h", "linux/types.h", "uthash.h", "utlist.h",
)

# Room: what its files may include, and nothing else.
MAY_INCLUDE = {
    "include/synwatch/*": ("synwatch/*",),
    "vmlinux/*": (),
    "bpf/*": ("vmlinux.h", "*.bpf.h", "synwatch/*", "bpf/bpf_*.h"),
    "user/core/*": ("core/*", "synwatch/record.h", *PURE_LIBC),
    "user/store/*": (
        "store/*", "core/*", "synwatch/record.h", "source/source.h", "cli/log.h", "cli/filter.h",
        "sqlite3.h", "fcntl.h", "poll.h", "pthread.h", "unistd.h", "sys/eventfd.h", "sys/file.h",
        "sys/stat.h", *PURE_LIBC,
    ),
}

# Where the rooms are put together.
WIRING = "user/*.[ch]"

# Header: the only rooms that may include it.
INCLUDED_BY = {
    "bpf/*": ("bpf/*", "user/source/*"),
    "*.skel.h": ("user/source/*",),
    "sqlite3.h": ("user/store/*",),
    "store/*": ("user/store/*", WIRING),
    "source/*": ("user/source/*", "user/store/*", WIRING),
    "sink/*": ("user/sink/*", WIRING),
    "cli/*": ("user/cli/*", "user/source/*", "user/store/*", WIRING),
}

# What code calls: the only rooms that may.
CALLED_BY = {
    r"\b(clock_gettime|clock_nanosleep|gettimeofday|time)\s*\(": ("user/source/*",),
    r"\b(v?printf|puts|putchar)\s*\(|\bf\w+\s*\(\s*stdout\b": ("user/sink/*", "user/cli/*"),
}


def matches(name, patterns):
    return any(PurePosixPath(name).match(pattern) for pattern in patterns)


def without_comments(text):
    """The code alone: no comments, and strings emptied."""
    token = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"', re.DOTALL)
    return token.sub(lambda m: '""' if m[0][0] == '"' else " ", text)


def violations(root):
    """One sentence for each thing that a file may not do."""
    for path in sorted(p for tree in TREES for p in (root / tree).rglob("*.[ch]")):
        name = path.relative_to(root).as_posix()
        text = path.read_text(encoding="utf-8")
        for header in re.findall(r'^[ \t]*#[ \t]*include[ \t]*[<"]([^>"]+)', text, re.MULTILINE):
            for room, headers in MAY_INCLUDE.items():
                if matches(name, [room]) and not matches(header, headers):
                    yield f"{name} includes {header}: not for {room}"
            for pattern, rooms in INCLUDED_BY.items():
                if matches(header, [pattern]) and not matches(name, rooms):
                    yield f"{name} includes {header}: only for {', '.join(rooms)}"
        code = without_comments(text)
        for pattern, rooms in CALLED_BY.items():
            if not matches(name, rooms):
                for call in re.finditer(pattern, code):
                    yield f"{name} calls {call[0]}: only for {', '.join(rooms)}"


def test_the_tree_keeps_the_rules():
    assert list(violations(ROOT)) == []


@pytest.mark.parametrize("room", [*MAY_INCLUDE, "user/cli/*", "user/sink/*", "user/source/*"])
def test_every_room_is_looked_at(room):
    assert any(matches(p.relative_to(ROOT).as_posix(), [room]) for p in ROOT.rglob("*.[ch]"))


FORBIDDEN = {
    "the ABI includes something": ("include/synwatch/record.h", "#include <linux/types.h>"),
    "vmlinux.h includes something": ("vmlinux/vmlinux.h", '#include "synwatch/record.h"'),
    "the kernel side includes libc": ("bpf/sock.bpf.h", "#include <stdint.h>"),
    "the kernel side includes libbpf": ("bpf/sock.bpf.h", "#include <bpf/libbpf.h>"),
    "the kernel side includes the user side": ("bpf/a.bpf.c", '#include "core/names.h"'),
    "core includes a sink": ("user/core/a.c", '#include "sink/sink.h"'),
    "core includes the options": ("user/core/a.h", '#include "cli/options.h"'),
    "core includes the kernel side's knobs": ("user/core/a.c", '#include "synwatch/config.h"'),
    "core includes a clock": ("user/core/a.c", "#include <time.h>"),
    "core includes libbpf": ("user/core/a.c", "  #  include <bpf/libbpf.h>"),
    "core reads the clock": ("user/core/a.c", "int f(void) { return time(0); }"),
    "core prints": ("user/core/a.c", 'void f(void) { printf("x"); }'),
    "core prints to stdout": ("user/core/a.c", 'void f(void) { fprintf( stdout, "x"); }'),
    "a sink includes a source": ("user/sink/a.c", '#include "source/live.h"'),
    "a sink includes the options": ("user/sink/a.c", '#include "cli/options.h"'),
    "a sink includes the skeleton": ("user/sink/a.c", '#include "synwatch.skel.h"'),
    "a sink reads the clock": ("user/sink/a.c", "void f(void) { clock_gettime(1, &t); }"),
    "the options include a sink": ("user/cli/a.c", '#include "sink/sink.h"'),
    "a source includes a sink": ("user/source/a.c", '#include "sink/sink.h"'),
    "a source includes SQLite": ("user/source/a.c", "#include <sqlite3.h>"),
    "a source prints": ("user/source/a.c", 'void f(void) { puts("x"); }'),
    "a source includes the store": ("user/source/a.c", '#include "store/capture.h"'),
    "the options include the store": ("user/cli/a.c", '#include "store/capture.h"'),
    "the store includes the live source": ("user/store/a.c", '#include "source/live.h"'),
    "the store includes the options": ("user/store/a.c", '#include "cli/options.h"'),
    "the store includes a sink": ("user/store/a.c", '#include "sink/sink.h"'),
    "the store reads the clock": ("user/store/a.c", "void f(void) { clock_gettime(1, &t); }"),
    "main includes SQLite": ("user/main.c", "#include <sqlite3.h>"),
    "main includes libbpf": ("user/main.c", "#include <bpf/bpf.h>"),
    "main includes the skeleton": ("user/main.c", '#include "bpf/synwatch.skel.h"'),
    "main reads the clock": ("user/main.c", "void f(void) { gettimeofday(&t, 0); }"),
}

ALLOWED = {
    "the border's headers include each other": (
        "include/synwatch/config.h",
        '#include "synwatch/record.h"',
    ),
    "the kernel side includes its own": (
        "bpf/a.bpf.c",
        '#include "vmlinux.h"\n#include <bpf/bpf_helpers.h>\n#include "sock.bpf.h"',
    ),
    "core includes the ABI": ("user/core/a.h", '#include "synwatch/record.h"'),
    "core formats": ("user/core/a.c", "void f(void) { snprintf(b, 1, m); vsnprintf(b, 1, m, a); }"),
    "core speaks of printing": ("user/core/a.c", '/* printf(), time() */ char *s = "puts(1)";'),
    "core has names that end alike": ("user/core/a.c", "void f(void) { uptime(0); a_puts(1); }"),
    "a sink prints": ("user/sink/a.c", 'void f(void) { fprintf(stdout, "x"); }'),
    "a source includes libbpf": ("user/source/a.c", "#include <bpf/libbpf.h>"),
    "a source includes the skeleton": ("user/source/a.c", '#include "synwatch.skel.h"'),
    "a source includes the filter": ("user/source/a.c", '#include "cli/filter.h"'),
    "a source reads the clock": ("user/source/a.c", "void f(void) { clock_gettime(1, &t); }"),
    "the store includes SQLite": ("user/store/a.c", "#include <sqlite3.h>"),
    "the store is a source": ("user/store/a.h", '#include "source/source.h"'),
    "main includes every room": (
        "user/main.c",
        '#include "cli/options.h"\n#include "sink/sink.h"\n#include "source/live.h"\n'
        '#include "store/capture.h"',
    ),
}


def violations_of(tmp_path, path, text):
    (tmp_path / path).parent.mkdir(parents=True)
    (tmp_path / path).write_text(text + "\n", encoding="utf-8")
    return list(violations(tmp_path))


@pytest.mark.parametrize("path, text", FORBIDDEN.values(), ids=FORBIDDEN)
def test_caught(tmp_path, path, text):
    found = violations_of(tmp_path, path, text)
    assert found and all(sentence.startswith(path) for sentence in found)


@pytest.mark.parametrize("path, text", ALLOWED.values(), ids=ALLOWED)
def test_not_caught(tmp_path, path, text):
    assert violations_of(tmp_path, path, text) == []
