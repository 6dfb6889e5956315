# SPDX-License-Identifier: GPL-2.0-only
"""A BPF program that refuses whatever it is asked: on a cgroup, or on a device (tc)."""

import contextlib
import ctypes
import os
import socket
import struct

# include/uapi/linux/bpf.h: (program type, attach type, what refuses)
EGRESS = {4: (8, 1, 0), 6: (8, 1, 0)}  # CGROUP_SKB, CGROUP_INET_EGRESS
CONNECT = {4: (18, 10, 0), 6: (18, 11, 0)}  # CGROUP_SOCK_ADDR, CGROUP_INET4_CONNECT, 6
SCHED_CLS = (3, 0, 2)  # TC_ACT_SHOT

TC_INGRESS, TC_EGRESS = 1, 2  # enum bpf_tc_attach_point of libbpf


@contextlib.contextmanager
def refusing_cgroup(group, kind):
    """Attached to the cgroup (a path) for as long as the block lasts."""
    with _program(kind) as (libbpf, program):
        directory = os.open(group, os.O_RDONLY)
        try:
            _check(libbpf.bpf_prog_attach(program, directory, kind[1], 0))
            yield
            _check(libbpf.bpf_prog_detach(directory, kind[1]))
        finally:
            os.close(directory)


def refuse_device(netns, device, direction):
    """Attached to the device, TC_INGRESS or TC_EGRESS, until it is gone."""
    with _program(SCHED_CLS) as (libbpf, program), netns.entered():
        # struct bpf_tc_hook: sz, ifindex, attach_point, parent
        hook = struct.pack("=Qiiixxxx", 24, socket.if_nametoindex(device), direction, 0)
        _check(libbpf.bpf_tc_hook_create(hook))
        # struct bpf_tc_opts: sz, prog_fd, flags, prog_id, handle, priority; written to
        options = ctypes.create_string_buffer(struct.pack("=QiIIIIxxxx", 32, program, 0, 0, 0, 0))
        _check(libbpf.bpf_tc_attach(hook, options))


@contextlib.contextmanager
def _program(kind):
    libbpf = ctypes.CDLL("libbpf.so.1", use_errno=True)
    program_type, attach_type, result = kind
    # r0 = result; exit
    code = struct.pack("=BBhiBBhi", 0xb7, 0, 0, result, 0x95, 0, 0, 0)
    # struct bpf_prog_load_opts: sz, attempts, expected_attach_type
    options = struct.pack("=QII", 16, 0, attach_type)
    program = _check(libbpf.bpf_prog_load(program_type, b"refuse", b"GPL", code, 2, options))
    try:
        yield libbpf, program
    finally:
        os.close(program)


def _check(result):
    """libbpf returns negative errno."""
    if result < 0:
        raise OSError(-result, os.strerror(-result))
    return result
