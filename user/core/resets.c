/* SPDX-License-Identifier: GPL-2.0-only */
#include "core/resets.h"

void resets_note(struct resets *resets, const struct sw_handshake *facts)
{
	if (facts->header.kind != SW_CLOSE || !(facts->flags & SW_F_RESET) ||
	    !(facts->flags & SW_F_ISN))
		return;
	resets->last[resets->next].time_ns = facts->header.time_ns;
	resets->last[resets->next].isn = facts->isn;
	resets->last[resets->next].lport = facts->tuple.lport;
	resets->last[resets->next].rport = facts->tuple.rport;
	resets->next = (resets->next + 1) % RESETS_MAX;
}

bool resets_has(const struct resets *resets, const struct sw_handshake *dropped, uint64_t within_ns)
{
	uint64_t time_ns = dropped->header.time_ns;

	for (unsigned int i = 0; i < RESETS_MAX; i++) {
		uint64_t at = resets->last[i].time_ns;

		if (at && resets->last[i].isn == dropped->isn &&
		    (resets->last[i].lport == dropped->tuple.rport ||
		     resets->last[i].rport == dropped->tuple.lport) &&
		    (at > time_ns ? at - time_ns : time_ns - at) <= within_ns)
			return true;
	}
	return false;
}
