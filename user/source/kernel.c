/* SPDX-License-Identifier: GPL-2.0-only */
#include "source/kernel.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

const char kernel_refuses_entries[] = "this kernel refuses fentry programs";

bool kernel_has_type(const struct kernel *kernel, const char *name, uint32_t kind)
{
	return kernel_types_find(kernel->types, name, kind) >= 0;
}

/* Its type is declared as
 * typedef void (*btf_trace_NAME)(void *, ...), include/trace/bpf_probe.h. */
int kernel_tracepoint_args(const struct kernel *kernel, const char *name)
{
	const struct btf *btf = kernel_types_btf(kernel->types);
	const struct btf_type *type;
	char typedef_name[128];
	int id;

	(void)snprintf(typedef_name, sizeof(typedef_name), "btf_trace_%s", name);
	id = kernel_types_find(kernel->types, typedef_name, BTF_KIND_TYPEDEF);
	if (id < 0)
		return -ENOENT;
	type = btf__type_by_id(btf, id);
	type = btf__type_by_id(btf, type->type);
	if (!btf_is_ptr(type))
		return -ENOENT;
	type = btf__type_by_id(btf, type->type);
	if (!btf_is_func_proto(type) || !btf_vlen(type))
		return -ENOENT;
	return btf_vlen(type) - 1;
}

/* 5.15, dd6e10fbd9fb ("bpf: Add bpf_task_pt_regs() helper"), on an architecture whose
 * registers bpf/connect.bpf.h knows. */
static bool has_registers(const struct kernel_types *types)
{
	static const char *const syscall_number[] = {"orig_ax", "syscallno"};
	const struct btf *btf = kernel_types_btf(types);
	int id = kernel_types_find(types, "pt_regs", BTF_KIND_STRUCT);
	const struct btf_type *type;

	if (id < 0 ||
	    libbpf_probe_bpf_helper(BPF_PROG_TYPE_TRACEPOINT, BPF_FUNC_task_pt_regs, NULL) != 1)
		return false;
	type = btf__type_by_id(btf, id);
	for (unsigned int i = 0; i < btf_vlen(type); i++) {
		const char *member = btf__name_by_offset(btf, btf_members(type)[i].name_off);

		for (size_t at = 0; at < sizeof(syscall_number) / sizeof(*syscall_number); at++)
			if (!strcmp(member, syscall_number[at]))
				return true;
	}
	return false;
}

/*
 * Why nothing is to be attached to the entry of functions, NULL if it is. A kernel may
 * have all types and refuse any such program, as one does whose text nobody may change:
 * so the smallest is loaded. What such programs tell is told with the reason of a drop.
 */
static const char *why_no_entries(const struct kernel *kernel)
{
	const struct bpf_insn program[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0},
		{.code = BPF_JMP | BPF_EXIT},
	};
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = BPF_TRACE_FENTRY);
	int fd, id = kernel_types_find(kernel->types, "nf_ct_attach", BTF_KIND_FUNC);

	if (id < 0)
		return "it takes nf_ct_attach";
	if (kernel_tracepoint_args(kernel, "kfree_skb") < KERNEL_KFREE_SKB_REASON)
		return "it takes a kfree_skb with a reason";
	opts.attach_btf_id = id;
	fd = bpf_prog_load(BPF_PROG_TYPE_TRACING, "has_entries", "GPL", program,
			   sizeof(program) / sizeof(*program), &opts);
	if (fd < 0)
		return kernel_refuses_entries;
	(void)close(fd);
	return NULL;
}

/*
 * 5.12, c5dbb89fc2ac ("bpf: Expose bpf_get_socket_cookie to tracing programs"). The
 * kernel's list of helpers does not say which programs may call them, so one that
 * does is loaded. What fails for another reason fails the real programs, too.
 */
static bool has_cookies(const struct kernel_types *types)
{
	const struct bpf_insn program[] = {
		{.code = BPF_LDX | BPF_MEM | BPF_DW, .dst_reg = BPF_REG_1, .src_reg = BPF_REG_1},
		{.code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_get_socket_cookie},
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0},
		{.code = BPF_JMP | BPF_EXIT},
	};
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = BPF_TRACE_RAW_TP,
		    .attach_btf_id = kernel_types_find(types, "btf_trace_inet_sock_set_state",
						       BTF_KIND_TYPEDEF));
	int fd = bpf_prog_load(BPF_PROG_TYPE_TRACING, "has_cookies", "GPL", program,
			       sizeof(program) / sizeof(*program), &opts);

	if (fd < 0)
		return fd != -EINVAL;
	(void)close(fd);
	return true;
}

int kernel_open(struct kernel *ret_kernel, const struct btf *programs)
{
	static const char *const functions[] = {"nf_ct_attach", "__icmp_send", "icmp6_send", NULL};
	struct btf *btf = btf__load_vmlinux_btf();
	struct kernel kernel = {};
	int err;

	if (!btf)
		return -ENOENT;
	err = kernel_types_index(btf, programs, functions, &kernel.types);
	if (err)
		return err;
	kernel.has_registers = has_registers(kernel.types);
	kernel.has_cookies = has_cookies(kernel.types);
	kernel.no_entries = why_no_entries(&kernel);
	*ret_kernel = kernel;
	return 0;
}

void kernel_close(struct kernel *kernel)
{
	kernel_types_free(kernel->types);
}
