/* SPDX-License-Identifier: GPL-2.0-only */
#include "source/exchange.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <linux/bpf.h>

#include <bpf/bpf.h>

/* 5.12, 5ffa25502b5a ("bpf: Add instructions for atomic_[cmp]xchg") */
bool exchange_is_there(void)
{
	static const struct bpf_insn insns[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0},
		{.code = BPF_STX | BPF_MEM | BPF_DW,
		 .dst_reg = BPF_REG_10,
		 .src_reg = BPF_REG_0,
		 .off = -8},
		{.code = BPF_STX | BPF_ATOMIC | BPF_DW,
		 .dst_reg = BPF_REG_10,
		 .src_reg = BPF_REG_0,
		 .off = -8,
		 .imm = BPF_CMPXCHG},
		{.code = BPF_JMP | BPF_EXIT},
	};
	int fd = bpf_prog_load(BPF_PROG_TYPE_SOCKET_FILTER, NULL, "GPL", insns,
			       sizeof(insns) / sizeof(*insns), NULL);

	if (fd < 0)
		return false;
	(void)close(fd);
	return true;
}

int exchange_leave_out(struct bpf_object *object)
{
	struct bpf_program *program;
	int err = 0;

	bpf_object__for_each_program (program, object) {
		size_t count = bpf_program__insn_cnt(program);
		struct bpf_insn *insns = malloc(count * sizeof(*insns));

		if (!insns)
			return -ENOMEM;
		memcpy(insns, bpf_program__insns(program), count * sizeof(*insns));
		for (size_t i = 0; i < count; i++)
			/* A plain addition, BPF_XADD once, has always been there. */
			if (BPF_CLASS(insns[i].code) == BPF_STX &&
			    BPF_MODE(insns[i].code) == BPF_ATOMIC && insns[i].imm != BPF_ADD)
				insns[i] = (struct bpf_insn){.code = BPF_ALU64 | BPF_MOV | BPF_K};
		err = bpf_program__set_insns(program, insns, count);
		free(insns);
		if (err)
			return err;
	}
	return 0;
}
