/*
 * diag_input: the files that a policy was read from, which no output may replace. A file is known
 * by its device and inode: through a symbolic link, or by another of its names, it is the same.
 */
#include <sys/stat.h>

#include "base/arena.h"
#include "base/diag_list.h"

static const struct diag_input *diag_find_input(const struct diag *diag, const struct stat *info)
{
	for (size_t i = 0; i < diag->input_count; i++)
		if (diag->inputs[i].device == info->st_dev && diag->inputs[i].inode == info->st_ino)
			return &diag->inputs[i];
	return NULL;
}

void diag_note_input(struct diag *diag, const struct stat *info, struct span named_by)
{
	if (!diag_find_input(diag, info))
		*arena_append(diag->arena, diag->inputs, diag->input_count) =
			(struct diag_input){ info->st_dev, info->st_ino, named_by };
}

bool diag_refuse_output(const struct diag *diag, struct diag *refusals, const char *path)
{
	const struct diag_input *input;
	struct diag_record *record;
	struct stat info;

	if (stat(path, &info))
		return false;
	input = diag_find_input(diag, &info);
	if (!input)
		return false;
	record = diag_add(refusals, DIAG_overwrites_input, input->named_by,
			  "the output \"%s\" would overwrite %s", path,
			  input->named_by.source ? "the file that is read here"
						 : "the policy itself");
	diag_help(record, "choose another folder or name for the output; nothing was written");
	return true;
}
