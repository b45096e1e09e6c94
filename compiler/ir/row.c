/*
 * row: which of listeners in a row is handed what comes. In go the reasons why each has no socket,
 * out comes the first without one.
 */
#include "ir/host.h"

void ir_row_choose(struct ir_row *row, ir_why_gone *why_gone, void *user)
{
	size_t first = row->count;

	row->is_asked = true;
	for (size_t i = 0; i < row->count; i++) {
		row->why[i] = why_gone(user, &row->listeners[i]);
		if (!row->why[i] && first == row->count)
			first = i;
	}
	row->chosen = first < row->count ? first : 0;
}
