/*
 * identity: the user or group of the local process that sends.
 *
 * Names stay names: they are resolved where the policy is loaded. Only sockets of processes have an
 * owner, so what is forwarded never matches, and neither do the last packets of a connection whose
 * process has closed it: a rule with an identity keeps its way per connection.
 */
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "match/kinds.h"

/* The most that names may have: LOGIN_NAME_MAX of useradd(8) is 32. */
enum { NAME_MOST = 32 };

static bool is_account_name(const char *text)
{
	size_t length = strlen(text);

	if (!length || length > NAME_MOST || !strchr("abcdefghijklmnopqrstuvwxyz_", text[0]))
		return false;
	return strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_-.") == length;
}

static bool read_identity(struct decode *decode, const struct node *value,
			  struct match_condition *condition)
{
	const char *what = condition->selector == IDENTITY_GROUP ? "group" : "user";
	uint64_t first, last;

	if (match_read_range(value, UINT32_MAX - 1, &first, &last)) {
		interval_add(decode->arena, &condition->values, wide(first), wide(last));
		return true;
	}
	if (value->kind == NODE_SCALAR && is_account_name(value->text)) {
		*arena_append(decode->arena, condition->names, condition->name_count) = value->text;
		*arena_append(decode->arena, condition->hosted, condition->hosted_count) =
			(struct match_reference){ value->text, value->span };
		return true;
	}
	diag_help(diag_add(decode->diag, DIAG_bad_value, value->span, "this is no %s", what),
		  "write a %s's name, its number, or a range of numbers such as \"1000-1999\"",
		  what);
	return false;
}

static void print_identity(const struct ir_match *match, struct buf *out)
{
	buf_puts(out, match->selector == IDENTITY_GROUP ? "meta skgid" : "meta skuid");
	if (match->name_count)
		buf_printf(out, " %s\"%s\"", match->negated ? "!= " : "", match->names[0]);
	else
		match_put_values(match, out, NULL);
}

/* The number, where it is the same on every host: root, user or group, is 0. */
static bool find_number(const char *account, unsigned long *number)
{
	char *end;

	*number = strtoul(account, &end, 10);
	return (*account && !*end) || !strcmp(account, "root");
}

static const char *sender_of(const struct ir_match *match, const struct ir_packet *packet)
{
	return match->selector == IDENTITY_USER ? packet->user : packet->group;
}

/* A name and a number are only the same account where the policy is loaded: here they are the same
 * when written the same. */
static bool identity_holds(const struct ir_match *match, const struct ir_packet *packet)
{
	const char *sender = sender_of(match, packet);
	unsigned long number, wanted;

	if (!sender)
		return false;
	if (!match->name_count)
		return find_number(sender, &number) ? match_values_hold(match, wide(number))
						    : match->negated;
	if (find_number(sender, &number) && find_number(match->names[0], &wanted))
		return (number == wanted) != match->negated;
	return !strcmp(match->names[0], sender) != match->negated;
}

static const struct ir_match_ops identity_ops = { "identity", print_identity, identity_holds, false,
						  NULL };

bool identity_is_guess(const struct ir_match *match, const struct ir_packet *packet)
{
	const char *sender = match->ops == &identity_ops ? sender_of(match, packet) : NULL;
	bool is_wanted_number, is_number;
	unsigned long number;

	if (!sender)
		return false;
	is_number = find_number(sender, &number);
	is_wanted_number = !match->name_count || find_number(match->names[0], &number);
	return is_number != is_wanted_number;
}

static enum ir_hosted_kind hosted_kind(unsigned int selector)
{
	return selector == IDENTITY_GROUP ? IR_HOSTED_GROUP : IR_HOSTED_USER;
}

/* A name stands alone: two names in one anonymous set might be one account, which nft refuses. */
static void lower_identity(const struct match_condition *condition, struct match_context *context,
			   struct match_alternatives *out)
{
	struct match_alternative *all;

	match_lower_values(condition, context, &identity_ops, out);
	if (condition->negated && !out->count)
		match_alternative(context, out);
	all = condition->negated ? &out->items[0] : NULL;
	for (size_t i = 0; i < condition->name_count; i++) {
		struct ir_match *match = match_append(context,
						      all ? all : match_alternative(context, out),
						      &identity_ops);

		match->selector = condition->selector;
		match->negated = condition->negated;
		match->names = &condition->names[i];
		match->name_count = 1;
		match->hosted = hosted_kind(condition->selector);
	}
}

const struct match_kind match_identity = {
	.noun = "a user or group",
	.read = read_identity,
	.lower = lower_identity,
	.scopes = SCOPE_LOCAL,
	.elsewhere = "packets that are forwarded have no owner on this host",
	.implies_local = true,
	.may_change = true,
	.names_identity = true,
};
