/* SPDX-License-Identifier: GPL-2.0-only */
#include "source/totals.h"

#include <errno.h>
#include <stdlib.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

int totals_read(int map_fd, struct sw_totals *ret_totals)
{
	int cpus = libbpf_num_possible_cpus();
	struct sw_totals *per_cpu;
	__u32 key = 0;
	int err = 0;

	if (cpus < 0)
		return cpus;
	per_cpu = calloc(cpus, sizeof(*per_cpu));
	if (!per_cpu)
		return -ENOMEM;
	if (bpf_map_lookup_elem(map_fd, &key, per_cpu)) {
		err = -errno;
		goto out;
	}
	*ret_totals = (struct sw_totals){};
	for (int cpu = 0; cpu < cpus; cpu++) {
		ret_totals->accepted += per_cpu[cpu].accepted;
		for (int i = 0; i < SW_LATENCY_SLOTS; i++)
			ret_totals->latency[i] += per_cpu[cpu].latency[i];
		ret_totals->races_lost += per_cpu[cpu].races_lost;
		ret_totals->syn_retransmits += per_cpu[cpu].syn_retransmits;
		ret_totals->ring_full += per_cpu[cpu].ring_full;
		ret_totals->map_full += per_cpu[cpu].map_full;
		ret_totals->suppressed += per_cpu[cpu].suppressed;
		ret_totals->synack_retransmits += per_cpu[cpu].synack_retransmits;
		ret_totals->listen_drops += per_cpu[cpu].listen_drops;
		ret_totals->missed += per_cpu[cpu].missed;
	}
out:
	free(per_cpu);
	return err;
}

bool totals_counts(const struct sw_totals *now, const struct sw_totals *then,
		   struct sw_counts *ret_counts)
{
	*ret_counts = (struct sw_counts){
		.healthy = now->races_lost - then->races_lost,
		.syn_retransmits = now->syn_retransmits - then->syn_retransmits,
		.accepted = now->accepted - then->accepted,
		.synack_retransmits = now->synack_retransmits - then->synack_retransmits,
		.listen_drops = now->listen_drops - then->listen_drops,
	};
	for (int i = 0; i < SW_LATENCY_SLOTS; i++) {
		ret_counts->latency[i] = now->latency[i] - then->latency[i];
		ret_counts->healthy += ret_counts->latency[i];
	}
	return ret_counts->healthy || ret_counts->syn_retransmits || ret_counts->accepted ||
	       ret_counts->synack_retransmits || ret_counts->listen_drops;
}

bool totals_loss(const struct sw_totals *now, const struct sw_totals *then,
		 struct sw_loss *ret_loss)
{
	*ret_loss = (struct sw_loss){
		.ring = now->ring_full - then->ring_full,
		.map_full = now->map_full - then->map_full,
		.suppressed = now->suppressed - then->suppressed,
		.missed = now->missed - then->missed,
	};
	return ret_loss->ring || ret_loss->map_full || ret_loss->suppressed || ret_loss->missed;
}
