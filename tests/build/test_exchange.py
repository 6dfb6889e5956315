# SPDX-License-Identifier: GPL-2.0-only
"""Atomic exchanges are where user/source/exchange.c can leave them out for old kernels."""

import io
import struct
import subprocess
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile

ROOT = Path(__file__).resolve().parents[2]

# Called only by programs that kernels without exchanges (before 5.12) never load.
NEWER = {"connect_failed"}  # sys_exit_connect_alone, 5.15

STX = 0x03
ATOMIC = 0xc0
ADD = 0


@pytest.fixture(scope="module")
def kernel_side(tmp_path_factory):
    out = tmp_path_factory.mktemp("out")
    name = out / "bpf/synwatch.bpf.o"
    subprocess.run(["make", "-s", f"O={out}", str(name)], cwd=ROOT, check=True)
    return ELFFile(io.BytesIO(name.read_bytes()))


def has_exchange(code):
    for opcode, _, _, operation in struct.iter_unpack("<BBhi", code):
        if opcode & 7 == STX and opcode & 0xe0 == ATOMIC and operation != ADD:
            return True
    return False


def with_exchange(elf, section):
    """The functions of a section that hold one."""
    number, code = next((number, one.data()) for number, one in enumerate(elf.iter_sections())
                        if one.name == section)
    return {symbol.name for symbol in elf.get_section_by_name(".symtab").iter_symbols()
            if symbol["st_info"]["type"] == "STT_FUNC" and symbol["st_shndx"] == number
            and has_exchange(code[symbol["st_value"]:symbol["st_value"] + symbol["st_size"]])}


def test_functions_apart_from_the_programs_hold_none(kernel_side):
    assert with_exchange(kernel_side, ".text") <= NEWER


def test_the_programs_hold_some(kernel_side):
    """Else this test would not see them."""
    assert with_exchange(kernel_side, "tp_btf/inet_sock_set_state") == {"inet_sock_set_state"}
