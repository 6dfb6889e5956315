/* SPDX-License-Identifier: GPL-2.0-only */
/* A capture that is only read, wherever it lies and whatever became of it. */
#ifndef SYNWATCH_STORE_READONLY_H
#define SYNWATCH_STORE_READONLY_H

#include <sqlite3.h>

/*
 * Opens it, also while another process writes it, where nothing can be written, and
 * where its end is missing. Errors as database_check(). Nothing that may be in the file
 * is run.
 */
int readonly_open(const char *path, sqlite3 **ret_db);

#endif /* SYNWATCH_STORE_READONLY_H */
