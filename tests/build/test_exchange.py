# SPDX-License-Identifier: GPL-2.0-only
"""Atomic exchanges are where user/source/exchange.c can leave them out for old kernels."""

import struct
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

# Called only by programs that kernels without exchanges (before 5.12) never load.
NEWER = {"connect_failed"}  # sys_exit_connect_alone, 5.15

STX = 0x03
ATOMIC = 0xc0
ADD = 0
SYMBOL = struct.Struct("<IBBHQQ")  # Elf64_Sym
FUNCTION = 2


@pytest.fixture(scope="module")
def kernel_side(tmp_path_factory):
    out = tmp_path_factory.mktemp("out")
    name = out / "bpf/synwatch.bpf.o"
    subprocess.run(["make", "-s", f"O={out}", str(name)], cwd=ROOT, check=True)
    return name.read_bytes()


def sections(elf):
    """(name, number, content) of each."""
    start, = struct.unpack_from("<Q", elf, 40)
    size, count, names = struct.unpack_from("<HHH", elf, 58)
    headers = [struct.unpack_from("<IIQQQQ", elf, start + i * size) for i in range(count)]
    texts = headers[names][4]
    for number, (name, _, _, _, offset, length) in enumerate(headers):
        text = elf[texts + name:elf.index(b"\0", texts + name)].decode()
        yield text, number, elf[offset:offset + length]


def functions(elf, section):
    """{name: (begin, end)} of a section, in bytes."""
    by_name = {name: (number, content) for name, number, content in sections(elf)}
    number, _ = by_name[section]
    _, symbols = by_name[".symtab"]
    _, texts = by_name[".strtab"]
    return {texts[name:texts.index(b"\0", name)].decode(): (value, value + size)
            for name, info, _, where, value, size in SYMBOL.iter_unpack(symbols)
            if info & 15 == FUNCTION and where == number}


def has_exchange(code):
    for opcode, _, _, operation in struct.iter_unpack("<BBhi", code):
        if opcode & 7 == STX and opcode & 0xe0 == ATOMIC and operation != ADD:
            return True
    return False


def with_exchange(elf, section):
    code = next(content for name, _, content in sections(elf) if name == section)
    return {name for name, (begin, end) in functions(elf, section).items()
            if has_exchange(code[begin:end])}


def test_functions_apart_from_the_programs_hold_none(kernel_side):
    assert with_exchange(kernel_side, ".text") <= NEWER


def test_the_programs_hold_some(kernel_side):
    """Else this test would not see them."""
    assert with_exchange(kernel_side, "tp_btf/inet_sock_set_state") == {"inet_sock_set_state"}
