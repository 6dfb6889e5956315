/* SPDX-License-Identifier: GPL-2.0-only */
#include "core/session.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct session_hook *session_find_hook(const struct session *session, const char *name)
{
	for (unsigned int i = 0; i < session->hook_count; i++) {
		if (!strcmp(session->hooks[i].name, name))
			return &session->hooks[i];
	}
	return NULL;
}

bool session_add_hook(struct session *session, const char *name, const char *why_not)
{
	struct session_hook *hook = &session->hooks[session->hook_count];

	if (session->hook_count == SESSION_HOOKS_MAX)
		return false;
	(void)snprintf(hook->name, sizeof(hook->name), "%s", name);
	(void)snprintf(hook->why_not, sizeof(hook->why_not), "%s", why_not);
	session->hook_count++;
	return true;
}

int session_add_filter(struct session *session, const char *name, const char *values)
{
	struct session_filter *filter = &session->filters[session->filter_count];

	if (session->filter_count == SESSION_FILTERS_MAX)
		return 0;
	filter->values = strdup(values);
	if (!filter->values)
		return -ENOMEM;
	(void)snprintf(filter->name, sizeof(filter->name), "%s", name);
	session->filter_count++;
	return 0;
}

void session_forget_filters(struct session *session)
{
	while (session->filter_count)
		free(session->filters[--session->filter_count].values);
}
