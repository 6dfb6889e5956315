/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The running kernel's types by name, in one pass over all of them: libbpf goes through
 * a hundred thousand for each name that it looks for.
 */
#ifndef SYNWATCH_SOURCE_KERNEL_TYPES_H
#define SYNWATCH_SOURCE_KERNEL_TYPES_H

#include <stdint.h>

#include <bpf/btf.h>

struct kernel_types;

/*
 * kernel: all of them, from btf__load_vmlinux_btf(), and the index's from now on, also if
 * this fails. programs: its types are what will be looked for, with or without a flavour
 * (NAME___FLAVOUR); so will the tracepoints' (btf_trace_NAME) and, of functions, those in
 * the list, which a NULL ends. Returns 0 or -ENOMEM.
 */
int kernel_types_index(struct btf *kernel, const struct btf *programs, const char *const *functions,
		       struct kernel_types **ret_types);
void kernel_types_free(struct kernel_types *types);

/* All of them; it belongs to types. */
const struct btf *kernel_types_btf(const struct kernel_types *types);

/* Its number, or -ENOENT. kind: BTF_KIND_*; any name may be asked for, another takes
 * longer. */
int kernel_types_find(const struct kernel_types *types, const char *name, uint32_t kind);

/*
 * Writes BTF with the types that programs names and what these are made of, but for what
 * they point at: all that CO-RE asks for, see bpf_core_calc_relo_insn(). Returns 0 or a
 * negative errno.
 */
int kernel_types_copy(const struct kernel_types *types, int fd);

#endif /* SYNWATCH_SOURCE_KERNEL_TYPES_H */
