/*
 * diag_record: makes messages, and knows the codes (see diag_record.h); diag_show.c prints them.
 *
 * Always true: texts are complete when a function returns; everything is the arena's.
 */
#include "base/diag_record.h"

#include <assert.h>

#include "base/arena.h"

enum { NAME_ROOM = 32 };

/* Character i of a code's name, with '-' for '_': the names are spelt out by the compiler, so that
 * they are constants. */
#define DIAG_AT(name, i) ((i) < sizeof(name) ? (name)[(i) < sizeof(name) ? (i) : 0] : '\0')
#define DIAG_LETTER(name, i) (DIAG_AT(name, i) == '_' ? '-' : DIAG_AT(name, i))
#define DIAG_FOUR(name, i)                                                            \
	DIAG_LETTER(name, i), DIAG_LETTER(name, (i) + 1), DIAG_LETTER(name, (i) + 2), \
		DIAG_LETTER(name, (i) + 3)
#define DIAG_SIXTEEN(name, i)                                                   \
	DIAG_FOUR(name, i), DIAG_FOUR(name, (i) + 4), DIAG_FOUR(name, (i) + 8), \
		DIAG_FOUR(name, (i) + 12)

static const struct {
	char name[NAME_ROOM];
	const char *about;
	enum diag_severity severity;
} diag_codes[] = {
#define DIAG_CODE(name, severity, about) \
	{ { DIAG_SIXTEEN(#name, 0), DIAG_SIXTEEN(#name, 16) }, about, severity },
#include "base/codes.def"
#undef DIAG_CODE
};

#define DIAG_CODE(name, severity, about) \
	static_assert(sizeof(#name) <= NAME_ROOM, "the name is too long");
#include "base/codes.def"
#undef DIAG_CODE

struct diag_record *diag_record_new(struct arena *arena, enum diag_code code, const char *format,
				    va_list args)
{
	struct diag_record *record = arena_new_of(arena, struct diag_record);

	record->arena = arena;
	record->code = code;
	record->severity = diag_code_severity(code);
	record->text = arena_vprintf(arena, format, args);
	return record;
}

void diag_also(struct diag_record *record, struct span where, const char *format, ...)
{
	struct diag_note *note = arena_append(record->arena, record->notes, record->note_count);
	va_list args;

	note->where = where;
	va_start(args, format);
	note->text = arena_vprintf(record->arena, format, args);
	va_end(args);
}

void diag_help(struct diag_record *record, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	diag_help_text(record, arena_vprintf(record->arena, format, args));
	va_end(args);
}

void diag_help_text(struct diag_record *record, const char *text)
{
	if (text)
		*arena_append(record->arena, record->helps, record->help_count) = text;
}

const char *diag_code_name(enum diag_code code)
{
	return diag_codes[code].name;
}

const char *diag_code_about(enum diag_code code)
{
	return diag_codes[code].about;
}

enum diag_severity diag_code_severity(enum diag_code code)
{
	return diag_codes[code].severity;
}
