/* SPDX-License-Identifier: GPL-2.0-only */
/* One thing about this host that doctor looked at. */
#ifndef SYNWATCH_CORE_FINDING_H
#define SYNWATCH_CORE_FINDING_H

#include <stdbool.h>

enum finding_mark {
	FINDING_OK,   /* there, and all is well */
	FINDING_LESS, /* missing, or not as one would want it: something is lost */
	FINDING_NO,   /* missing, and nothing can be watched without it */
	FINDING_INFO, /* good to know, neither good nor bad */
	FINDING_MARK_COUNT,
};

enum finding_group {
	FINDING_KERNEL,
	FINDING_HOOKS,
	FINDING_PRIVILEGES,
	FINDING_NAMESPACES,
	FINDING_NETWORK,
	FINDING_GROUP_COUNT,
};

#define FINDING_NAME_SIZE    48
#define FINDING_VALUE_SIZE   160
#define FINDING_MEANING_SIZE 320

struct finding {
	enum finding_mark mark;
	enum finding_group group;
	char name[FINDING_NAME_SIZE];
	char value[FINDING_VALUE_SIZE];	    /* from anywhere: any bytes */
	char meaning[FINDING_MEANING_SIZE]; /* for people; may quote what is from anywhere */
};

/* What it all comes to. */
struct diagnosis {
	bool watchable;
	char advice[3 * FINDING_MEANING_SIZE]; /* a sentence: what to do */
	char version[32];
	char host[256];
	char kernel[128];
};

#endif /* SYNWATCH_CORE_FINDING_H */
