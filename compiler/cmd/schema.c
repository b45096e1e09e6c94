/*
 * schema: `tpc schema` prints the JSON Schema of a policy, which the program carries. With
 * --fields, for the test that compares the two, the keys that the compiler itself reads.
 */
#include "base/buf.h"
#include "cmd/verbs.h"
#include "lang/lang.h"

/* schema/policy.schema.json, from the build. */
extern const char schema_text[];
extern const size_t schema_size;

enum { SCHEMA_FIELDS };

static const struct cmd_option options[] = {
	[SCHEMA_FIELDS] = { "fields", 0, NULL, "the keys that the compiler reads, a line each",
			    NULL, true },
};

static enum cmd_status run(struct cmd_call *call)
{
	struct buf text = { 0 };
	enum cmd_status status;

	if (cmd_given(call, SCHEMA_FIELDS))
		lang_put_fields(&text);
	else
		buf_add(&text, schema_text, schema_size);
	status = cmd_print(call, &text);
	buf_free(&text);
	return status;
}

const struct cmd_verb verb_schema = {
	.name = "schema",
	.usage = "",
	.summary = "print the JSON Schema of a policy",
	.detail = "For editors and validators (JSON Schema 2020-12).",
	.options = options,
	.option_count = sizeof(options) / sizeof(options[0]),
	.run = run,
};
