/*
 * build: runs libyaml over a text and makes a tree of its events.
 *
 * In comes a text that encoding_check has passed, out comes a tree with spans. Where libyaml gives
 * up at an IPv6 address with a colon at its edge, the address is reported, covered with letters in
 * a copy of the text (of the same length, so that places stay) and the text is read again: one run
 * finds all of them, and everything else too. Depth is limited at the events, as libyaml reads
 * ahead by a kilobyte at most. Memory is the arena's; libyaml's own goes before the return.
 */
#include "yaml/build.h"

#include <stdarg.h>
#include <string.h>

#include <yaml.h>

#include "base/arena.h"
#include "base/utf8.h"
#include "yaml/encoding.h"
#include "yaml/mistake.h"

/*
 * How much deeper than NODE_DEPTH reading goes on, to look at what is after: each level makes
 * libyaml slower, and a hundred thousand take it half a minute.
 */
enum { BUILD_BURIED = 200 };

enum outcome { OUTCOME_DONE, OUTCOME_FAILED, OUTCOME_AGAIN };

/* The byte of a libyaml mark. Marks come nearly in order, so walking from the last one is cheap. */
static size_t offset_of(struct build *build, yaml_mark_t mark)
{
	const char *text = build->text;
	size_t size = build->source->size;
	size_t at = build->char_offset, index = build->char_index;

	for (; index < mark.index && at < size; index++) {
		at++;
		while (at < size && !utf8_begins(text[at]))
			at++;
	}
	for (; index > mark.index; index--) {
		at--;
		while (!utf8_begins(text[at]))
			at--;
	}
	build->char_offset = at;
	build->char_index = index;
	return at;
}

/* ---- nodes ---- */

static void take_key(struct build *build, struct build_frame *frame, const struct node *node)
{
	frame->has_key = true;
	frame->drop = !node || node->kind != NODE_SCALAR;
	frame->merge = false;
	if (!node)
		return;
	if (frame->drop) {
		struct diag_record *record = build_report(build, DIAG_wrong_type, node->span,
							  "a key is one word, not %s",
							  node_describe(node));
		if (record)
			diag_help(record, "write `key: value`");
		return;
	}
	frame->key = node->text;
	frame->key_span = node->span;
	frame->key_quoted = node->quoted;
	frame->merge = !node->quoted && !strcmp(node->text, "<<");
	if (frame->merge)
		feature_merge_key(build, node->span);
}

static void take_value(struct build *build, struct build_frame *frame, const struct node *node)
{
	struct node_entry *entry;

	frame->has_key = false;
	if (frame->drop || !node)
		return;
	if (frame->merge) {
		frame->merged = *node;
		return;
	}
	repair_entry(build, frame, node);
	entry = arena_append(build->arena, frame->node.entries, frame->node.count);
	entry->key = frame->key;
	entry->key_span = frame->key_span;
	entry->value = *node;
}

/* Puts a finished node where it belongs. NULL: what stood there is refused and has no meaning. */
static void attach(struct build *build, const struct node *node)
{
	struct build_frame *frame = build->depth ? &build->frames[build->depth - 1] : NULL;

	build->nodes++;
	if (!frame) {
		build->has_root = node != NULL;
		if (node)
			build->root = *node;
	} else if (frame->node.kind == NODE_LIST) {
		if (node)
			*arena_append(build->arena, frame->node.items, frame->node.count) = *node;
	} else if (frame->has_key) {
		take_value(build, frame, node);
	} else {
		take_key(build, frame, node);
	}
	/* Block collections end where their last part does: libyaml's mark is at the next token. */
	if (frame && node && node->span.end > frame->node.span.end)
		frame->node.span.end = node->span.end;
}

/* ---- scalars ---- */

static void check_size(struct build *build, const struct node *node)
{
	struct diag_record *record;

	if (node->length <= NODE_SCALAR_LIMIT)
		return;
	record = build_report(build, DIAG_yaml_scalar_size, node->span, "a value of %zu bytes",
			      node->length);
	if (record)
		diag_help(record,
			  "a value has at most %d bytes; a long list of addresses belongs in a file: "
			  "`{file: NAME}`",
			  NODE_SCALAR_LIMIT);
}

/* Escapes can write what encoding_check has refused in plain sight. Takes it out of `text`. */
static void check_escapes(struct build *build, const struct node *node, char *text)
{
	size_t length;

	for (size_t at = 0; at < node->length; at += length) {
		struct diag_record *record;
		uint32_t c = 0;

		length = utf8_decode(text + at, node->length - at, &c);
		if (!encoding_refuses(c))
			continue;
		record = build_report(build, DIAG_encoding, node->span,
				      "U+%04X is %s, also when it is written as an escape",
				      (unsigned int)c, encoding_refuses(c));
		if (record)
			diag_help(record, "remove the escape");
		memset(text + at, '?', length);
	}
}

/* A '|' or '>' scalar ends after its last line, and libyaml's mark may be after comments. */
static size_t trim(const struct build *build, size_t begin, size_t end)
{
	while (end > begin && strchr(" \t\r\n", build->text[end - 1]))
		end--;
	return end;
}

static void on_scalar(struct build *build, const yaml_event_t *event)
{
	size_t end = offset_of(build, event->end_mark);
	size_t begin = offset_of(build, event->start_mark);
	const char *anchor = (const char *)event->data.scalar.anchor;
	size_t nodes = build->nodes;
	struct node node = { .kind = NODE_SCALAR, .length = event->data.scalar.length };
	char *text;

	begin = feature_properties(build, begin, end, anchor != NULL,
				   event->data.scalar.tag != NULL);
	node.span = build_span(build, begin, trim(build, begin, end));
	node.quoted = event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
	text = arena_strndup(build->arena,
			     repair_is_covered(build, &node)
				     ? build->source->text + begin
				     : (const char *)event->data.scalar.value,
			     node.length);
	check_size(build, &node);
	if (node.quoted)
		check_escapes(build, &node, text);
	node.text = text;
	attach(build, &node);
	if (anchor)
		feature_remember(build, anchor, &node, build->nodes - nodes);
}

static void on_alias(struct build *build, const yaml_event_t *event)
{
	size_t begin = offset_of(build, event->start_mark);
	size_t end = offset_of(build, event->end_mark);
	struct node node;
	bool found = feature_alias(build, build_span(build, begin, end),
				   (const char *)event->data.alias.anchor, &node);

	attach(build, found ? &node : NULL);
}

/* ---- lists and mappings ---- */

static void refuse_depth(struct build *build, size_t begin)
{
	struct diag_record *record = build_report(build, DIAG_yaml_depth,
						  build_span(build, begin, begin + 1),
						  "this is nested deeper than %d", NODE_DEPTH);

	if (record)
		diag_help(record, "no policy needs that: is there a bracket too many?");
	build->buried = 1;
}

static void on_start(struct build *build, const yaml_event_t *event)
{
	bool is_map = event->type == YAML_MAPPING_START_EVENT;
	const char *anchor = (const char *)(is_map ? event->data.mapping_start.anchor
						   : event->data.sequence_start.anchor);
	bool has_tag = (is_map ? event->data.mapping_start.tag : event->data.sequence_start.tag) !=
		       NULL;
	bool is_flow = is_map ? event->data.mapping_start.style == YAML_FLOW_MAPPING_STYLE
			      : event->data.sequence_start.style == YAML_FLOW_SEQUENCE_STYLE;
	size_t begin = offset_of(build, event->start_mark);
	size_t end = offset_of(build, event->end_mark);
	struct build_frame *frame;

	begin = feature_properties(build, begin, end, anchor != NULL, has_tag);
	if (build->depth == NODE_DEPTH) {
		refuse_depth(build, begin);
		return;
	}
	frame = &build->frames[build->depth++];
	*frame = (struct build_frame){ .nodes_before = build->nodes };
	frame->node.kind = is_map ? NODE_MAP : NODE_LIST;
	frame->node.span = build_span(build, begin, begin + 1);
	/* "[a: b]" holds a mapping that has no braces of its own */
	frame->flow = is_flow && build->text[begin] == (is_map ? '{' : '[');
	if (anchor)
		frame->anchor = arena_strdup(build->arena, anchor);
}

static void on_end(struct build *build, const yaml_event_t *event)
{
	struct build_frame *frame = &build->frames[--build->depth];
	struct node *node = &frame->node;

	if (frame->flow)
		node->span.end = (uint32_t)offset_of(build, event->end_mark);
	if (node->kind == NODE_MAP) {
		twice_check(build, node);
		feature_merge(build, node, &frame->merged);
		repair_collapse(node);
	}
	attach(build, node);
	if (frame->anchor)
		feature_remember(build, frame->anchor, node, build->nodes - frame->nodes_before);
}

/* ---- the run ---- */

static void on_document(struct build *build, const yaml_event_t *event)
{
	size_t begin = offset_of(build, event->start_mark);
	size_t end = offset_of(build, event->end_mark);

	if (build->has_root) {
		feature_document(build, begin, end);
		build->stopped = true;
		return;
	}
	feature_directives(build, begin, end);
}

static bool is_start(const yaml_event_t *event)
{
	return event->type == YAML_SEQUENCE_START_EVENT || event->type == YAML_MAPPING_START_EVENT;
}

static bool is_end(const yaml_event_t *event)
{
	return event->type == YAML_SEQUENCE_END_EVENT || event->type == YAML_MAPPING_END_EVENT;
}

/* Inside of what is too deep; the value that holds it has no meaning. */
static void on_buried(struct build *build, const yaml_event_t *event)
{
	build->buried += is_start(event);
	build->buried -= is_end(event);
	if (!build->buried)
		attach(build, NULL);
	build->stopped |= build->buried > BUILD_BURIED;
}

static void on_event(struct build *build, const yaml_event_t *event)
{
	if (build->buried) {
		on_buried(build, event);
		return;
	}
	switch (event->type) {
	case YAML_DOCUMENT_START_EVENT:
		on_document(build, event);
		break;
	case YAML_ALIAS_EVENT:
		on_alias(build, event);
		break;
	case YAML_SCALAR_EVENT:
		on_scalar(build, event);
		break;
	case YAML_SEQUENCE_START_EVENT:
	case YAML_MAPPING_START_EVENT:
		on_start(build, event);
		break;
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		on_end(build, event);
		break;
	case YAML_NO_EVENT:
	case YAML_STREAM_START_EVENT:
	case YAML_STREAM_END_EVENT:
	case YAML_DOCUMENT_END_EVENT:
		break;
	}
}

/* What a run keeps track of that only looks for more addresses to repair. */
static void on_probe(struct build *build, const yaml_event_t *event)
{
	build->depth += is_start(event);
	build->depth -= is_end(event);
	if (event->type == YAML_DOCUMENT_END_EVENT)
		build->has_root = true;
	if (event->type == YAML_DOCUMENT_START_EVENT && build->has_root)
		build->stopped = true;
	build->stopped |= build->depth > NODE_DEPTH + BUILD_BURIED;
}

static bool innermost_bracket(const struct build *build, uint32_t *begin)
{
	for (unsigned int i = build->depth; i-- > 0;) {
		if (build->frames[i].flow) {
			*begin = build->frames[i].node.span.begin;
			return true;
		}
	}
	return false;
}

static enum outcome on_failure(struct build *build, const yaml_parser_t *parser)
{
	const char *problem = parser->problem ? parser->problem : "there is no memory left";
	size_t at = offset_of(build, parser->problem_mark);
	size_t begin, end;
	struct mistake mistake = { .arena = build->arena,
				   .diag = build->diag,
				   .source = build->source,
				   .problem = problem,
				   .context = parser->context,
				   .at = (uint32_t)at,
				   .from = (uint32_t)at };

	if (repair_find(build, problem, at, &begin, &end)) {
		repair_cover(build, begin, end);
		return repair_may_repeat(build) ? OUTCOME_AGAIN : OUTCOME_FAILED;
	}
	if (build->probing)
		return OUTCOME_DONE; /* it comes again in the run that builds */
	if (parser->context)
		mistake.from = (uint32_t)offset_of(build, parser->context_mark);
	mistake.has_opener = innermost_bracket(build, &mistake.opener);
	mistake_report(&mistake);
	return OUTCOME_FAILED;
}

static enum outcome run(struct build *build)
{
	enum outcome outcome = OUTCOME_DONE;
	bool is_over = false;
	yaml_parser_t parser;
	yaml_event_t event;

	if (!yaml_parser_initialize(&parser))
		return OUTCOME_FAILED;
	yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&parser, (const unsigned char *)build->text,
				     build->source->size);
	while (!is_over && !build->stopped) {
		if (!yaml_parser_parse(&parser, &event)) {
			outcome = on_failure(build, &parser);
			break;
		}
		build->event++;
		(build->probing ? on_probe : on_event)(build, &event);
		is_over = event.type == YAML_STREAM_END_EVENT;
		yaml_event_delete(&event);
	}
	yaml_parser_delete(&parser);
	return outcome;
}

/* Back to the beginning, with what the runs so far have found out. */
static void restart(struct build *build, bool probing)
{
	struct build fresh = { .arena = build->arena,
			       .diag = build->diag,
			       .source = build->source,
			       .text = build->text,
			       .repaired = build->repaired,
			       .repairs = build->repairs,
			       .quiet = build->quiet,
			       .probing = probing };

	*build = fresh;
}

/*
 * One run when all is well. Otherwise runs that build nothing until there is no more address to
 * repair, and a last one that builds, and is quiet of what the first has reported.
 */
struct node *build_document(struct arena *arena, struct diag *diag, const struct source *source)
{
	struct build *build = arena_new_of(arena, struct build);
	enum outcome outcome;

	*build = (struct build){
		.arena = arena, .diag = diag, .source = source, .text = source->text
	};
	outcome = run(build);
	if (outcome == OUTCOME_AGAIN) {
		build->quiet = build->event;
		do {
			restart(build, true);
		} while ((outcome = run(build)) == OUTCOME_AGAIN);
		if (outcome == OUTCOME_DONE) {
			restart(build, false);
			outcome = run(build);
		}
	}
	return outcome == OUTCOME_DONE && build->depth == 0 && build->has_root ? &build->root
									       : NULL;
}
