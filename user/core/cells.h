/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Counts in a table of which few cells are ever used: what went wrong at one place
 * went wrong in one way, or in two. As an array the table would have 2 KiB.
 */
#ifndef SYNWATCH_CORE_CELLS_H
#define SYNWATCH_CORE_CELLS_H

#include <stdint.h>

struct cell {
	uint64_t count;
	uint8_t row;
	uint8_t column;
};

/* Starts zeroed. A cell that is not in it is 0; one that is 0 again stays. */
struct cells {
	struct cell *cells;
	unsigned int count;
};

/* Frees what it holds; it is zeroed then. */
void cells_clear(struct cells *cells);

/* by: may be negative. Returns what is there then. Without memory for a new cell
 * nothing is counted, and 0 is returned; below 0 it never gets. */
uint64_t cells_add(struct cells *cells, unsigned int row, unsigned int column, int by);

uint64_t cells_get(const struct cells *cells, unsigned int row, unsigned int column);

#endif /* SYNWATCH_CORE_CELLS_H */
