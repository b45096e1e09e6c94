/*
 * interface: `in` and `out`, the interfaces a packet comes by and would leave by.
 *
 * Names, not indices, because an interface may not exist yet when the rules load. A trailing '*' is
 * a pattern. `out` is the way the main table would send the packet: in output nft knows it, for
 * what arrives the kernel's fib is asked.
 */
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "match/kinds.h"

bool interface_is_name(const char *text)
{
	size_t length = strlen(text);
	const char *star = strchr(text, '*');

	if (!length || length > INTERFACE_LENGTH || !strcmp(text, ".") || !strcmp(text, ".."))
		return false;
	/* In sysctls these two mean every interface. */
	if (!strcmp(text, "all") || !strcmp(text, "default"))
		return false;
	for (const char *c = text; *c; c++)
		if (*c <= ' ' || *c >= 0x7f || strchr("/:\"'\\{}[](),;$`&|<>!#", *c))
			return false;
	return !star || (star > text && !star[1]);
}

static bool read_interface(struct decode *decode, const struct node *value,
			   struct match_condition *condition)
{
	struct diag_record *record;

	if (value->kind == NODE_SCALAR &&
	    (interface_is_name(value->text) ||
	     (condition->may_be_group && decode_is_name(value->text)))) {
		*arena_append(decode->arena, condition->names, condition->name_count) = value->text;
		return true;
	}
	record = diag_add(decode->diag, DIAG_bad_value, value->span, "this is no interface name");
	diag_help(record,
		  "an interface has up to 15 characters, such as eth0; a group is defined under `interfaces`; "
		  "ppp* stands for all that begin with ppp");
	return false;
}

static const char *nft_word(unsigned int selector)
{
	static const char *const words[] = { "iifname", "oifname", "fib daddr oifname" };

	return words[selector];
}

static void print_interface(const struct ir_match *match, struct buf *out)
{
	buf_printf(out, "%s %s", nft_word(match->selector), match->negated ? "!= " : "");
	if (match->name_count > 1)
		buf_puts(out, "{ ");
	for (size_t i = 0; i < match->name_count; i++)
		buf_printf(out, "%s\"%s\"", i ? ", " : "", match->names[i]);
	if (match->name_count > 1)
		buf_puts(out, " }");
}

static bool name_fits(const char *pattern, const char *name)
{
	size_t length = strlen(pattern);

	if (length && pattern[length - 1] == '*')
		return !strncmp(pattern, name, length - 1);
	return !strcmp(pattern, name);
}

static bool interface_holds(const struct ir_match *match, const struct ir_packet *packet)
{
	const char *name = match->selector == INTERFACE_IN ? packet->in : packet->out;

	if (!*name)
		return false;
	for (size_t i = 0; i < match->name_count; i++)
		if (name_fits(match->names[i], name))
			return !match->negated;
	return match->negated;
}

static bool is_pattern(const char *name)
{
	return strchr(name, '*') != NULL;
}

static void put_single(struct buf *out, struct wide number)
{
	char text[IR_INTERFACE_TEXT];

	buf_printf(out, "\"%s\"", ir_interface_name(number, text));
}

static bool name_members(struct arena *arena, const struct ir_match *match,
			 struct interval_set *out)
{
	if (match->negated)
		return false;
	for (size_t i = 0; i < match->name_count; i++)
		if (is_pattern(match->names[i]))
			return false;
	for (size_t i = 0; out && i < match->name_count; i++) {
		struct wide number = ir_interface_number(match->names[i]);

		interval_add(arena, out, number, number);
	}
	if (out)
		interval_normalise(out);
	return true;
}

static void print_field(const struct ir_match *match, struct buf *out)
{
	buf_puts(out, nft_word(match->selector));
}

static bool name_value(const struct ir_match *match, const struct ir_packet *packet,
		       struct wide *out)
{
	const char *name = match->selector == INTERFACE_IN ? packet->in : packet->out;

	*out = ir_interface_number(name);
	return *name != '\0';
}

static const struct ir_key interface_key = {
	.put = put_single,
	.members = name_members,
	.print = print_field,
	.value = name_value,
};

static const struct ir_match_ops interface_ops = { "interface", print_interface, interface_holds,
						   false, &interface_key };

static unsigned int selector_of(const struct match_condition *condition,
				const struct match_context *context)
{
	if (condition->selector == INTERFACE_OUT && context->scope == SCOPE_FORWARD)
		return INTERFACE_OUT_FIB;
	return condition->selector;
}

/* Plain names share one match; a pattern in an anonymous set would make it an interval set. */
static void lower_interface(const struct match_condition *condition, struct match_context *context,
			    struct match_alternatives *out)
{
	struct match_alternative *all = condition->negated ? match_alternative(context, out) : NULL;
	unsigned int selector = selector_of(condition, context);
	const char **plain = NULL;
	size_t plain_count = 0;

	for (size_t i = 0; i < condition->name_count; i++) {
		if (!is_pattern(condition->names[i])) {
			*arena_append(context->arena, plain, plain_count) = condition->names[i];
			continue;
		}
		*match_append(context, all ? all : match_alternative(context, out),
			      &interface_ops) =
			interface_match(selector, &condition->names[i], 1, condition->negated);
	}
	if (plain_count)
		*match_append(context, all ? all : match_alternative(context, out),
			      &interface_ops) =
			interface_match(selector, plain, plain_count, condition->negated);
}

struct ir_match interface_match(unsigned int selector, const char *const *names, size_t count,
				bool negated)
{
	return (struct ir_match){ .ops = &interface_ops,
				  .selector = selector,
				  .names = names,
				  .name_count = count,
				  .negated = negated };
}

struct ir_match loopback_match(unsigned int selector, bool negated)
{
	static const char *const loopback[] = { "lo" };

	return interface_match(selector, loopback, 1, negated);
}

const struct match_kind match_interface = {
	.noun = "an interface",
	.read = read_interface,
	.lower = lower_interface,
	.scopes = SCOPE_FORWARD,
	.elsewhere = "packets of this host have no incoming interface",
	.names_interfaces = true,
};

const struct match_kind match_interface_out = {
	.noun = "an interface",
	.read = read_interface,
	.lower = lower_interface,
	.may_change = true,
	.names_interfaces = true,
};
