/* SPDX-License-Identifier: GPL-2.0-only */
#include "core/cells.h"

#include <stdlib.h>

void cells_clear(struct cells *cells)
{
	free(cells->cells);
	*cells = (struct cells){};
}

static struct cell *find(const struct cells *cells, unsigned int row, unsigned int column)
{
	for (unsigned int i = 0; i < cells->count; i++) {
		struct cell *cell = &cells->cells[i];

		if (cell->row == row && cell->column == column)
			return cell;
	}
	return NULL;
}

static struct cell *add(struct cells *cells, unsigned int row, unsigned int column)
{
	struct cell *more = reallocarray(cells->cells, cells->count + 1, sizeof(*more));

	if (!more)
		return NULL;
	cells->cells = more;
	more[cells->count] = (struct cell){.row = (uint8_t)row, .column = (uint8_t)column};
	return &more[cells->count++];
}

uint64_t cells_add(struct cells *cells, unsigned int row, unsigned int column, int by)
{
	struct cell *cell = find(cells, row, column);

	if (!cell && by > 0)
		cell = add(cells, row, column);
	if (!cell)
		return 0;
	if (by < 0 && cell->count < -(uint64_t)by)
		cell->count = 0;
	else
		cell->count += (uint64_t)by;
	return cell->count;
}

uint64_t cells_get(const struct cells *cells, unsigned int row, unsigned int column)
{
	const struct cell *cell = find(cells, row, column);

	return cell ? cell->count : 0;
}
