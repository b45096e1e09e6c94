/*
 * known: the lists of known.def; see known.h.
 */
#include "lang/ast/known.h"

#define KNOWN_MARK(program, value, mask)
#define KNOWN_TABLE(program, first, last)
#define KNOWN_PRIORITY(program, first, last)

#undef KNOWN_MARK
#define KNOWN_MARK(program, value, mask) { program, value, mask },
static const struct known_mark marks[] = {
#include "lang/ast/known.def"
};
#undef KNOWN_MARK
#define KNOWN_MARK(program, value, mask)

#undef KNOWN_TABLE
#define KNOWN_TABLE(program, first, last) { program, first, last },
static const struct known_range tables[] = {
#include "lang/ast/known.def"
};
#undef KNOWN_TABLE
#define KNOWN_TABLE(program, first, last)

#undef KNOWN_PRIORITY
#define KNOWN_PRIORITY(program, first, last) { program, first, last },
static const struct known_range priorities[] = {
#include "lang/ast/known.def"
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

const struct known_mark *known_marks(size_t *count)
{
	*count = COUNT(marks);
	return marks;
}

bool known_takes(const struct known_mark *known, uint32_t value, uint32_t mask)
{
	if (known->mask & ~mask)
		return false;
	return known->value ? (value & known->mask) == known->value : (value & known->mask) != 0;
}

static const struct known_range *find(const struct known_range *ranges, size_t count,
				      uint32_t number)
{
	for (size_t i = 0; i < count; i++)
		if (number >= ranges[i].first && number <= ranges[i].last)
			return &ranges[i];
	return NULL;
}

const struct known_range *known_table(uint32_t id)
{
	return find(tables, COUNT(tables), id);
}

const struct known_range *known_priority(uint32_t priority)
{
	return find(priorities, COUNT(priorities), priority);
}
