/*
 * address: `from` and `to`: set names, addresses, prefixes, ranges, addresses under a bit mask, and
 * the destinations that are decided when the packet arrives.
 *
 * Packets to this host, to broadcast, multicast and link-local addresses meet only rules that name
 * them, so they have a chain of their own (context->host), where of a `to` only those names are
 * asked for, the addresses that are meant as such, and sets of this host's own; in the other chain
 * the names match nothing.
 */
#include <string.h>

#include "addr/builtin.h"
#include "base/arena.h"
#include "base/buf.h"
#include "match/kinds.h"

static const struct {
	const char *name;
	enum match_special special;
} specials[] = {
	{ "local", SPECIAL_LOCAL },
	{ "broadcast", SPECIAL_BROADCAST },
	{ "multicast", SPECIAL_MULTICAST },
	{ "link-local", SPECIAL_LINK_LOCAL },
};

enum { SPECIALS = sizeof(specials) / sizeof(specials[0]) };

/* ---- reading ---- */

static bool bad_address(struct decode *decode, const struct node *value, const char *why)
{
	diag_help(diag_add(decode->diag, DIAG_bad_address, value->span,
			   "\"%s\" is no address, prefix or range", value->text),
		  "%s", why);
	return false;
}

static bool read_masked(struct decode *decode, const struct node *value, const char *slash,
			struct match_condition *condition)
{
	struct addr bits, mask;
	const char *why;
	struct match_masked *masked;

	if (!addr_read_mask(decode->arena, value->text, (size_t)(slash - value->text), &bits,
			    &why) ||
	    !addr_read_mask(decode->arena, slash + 1, strlen(slash + 1), &mask, &why))
		return bad_address(decode, value, why);
	if (bits.family != mask.family || !wide_is_zero(wide_and(bits.bits, wide_not(mask.bits))))
		return bad_address(
			decode, value,
			"after the slash stands a mask of the same family that covers all bits set before it");
	masked = arena_append(decode->arena, condition->masked, condition->masked_count);
	*masked = (struct match_masked){ bits.family, bits.bits, mask.bits };
	return true;
}

/* RFC 5771, RFC 4291 section 2.7; RFC 3927, RFC 4291 section 2.5.6 */
static const struct addr_prefix multicast[] = { { { ADDR_IPV4, { 0, 0xe0000000u } }, 4 },
						{ { ADDR_IPV6, { 0xff00ull << 48, 0 } }, 8 } };
static const struct addr_prefix link_local[] = { { { ADDR_IPV4, { 0, 0xa9fe0000u } }, 16 },
						 { { ADDR_IPV6, { 0xfe80ull << 48, 0 } }, 10 } };
static const struct addr_prefix loopback[] = { { { ADDR_IPV4, { 0, 127u << 24 } }, 8 },
					       { { ADDR_IPV6, { 0, 1 } }, 128 } };

/* Does it lie inside the prefix, and is it not all of it? */
static bool is_part(const struct addr_range *range, const struct addr_prefix *prefix)
{
	struct wide first = prefix->addr.bits;
	struct wide last = wide_or(first, addr_host_bits(prefix->addr.family, prefix->length));

	return !wide_less(range->first, first) && !wide_less(last, range->last) &&
	       (wide_less(first, range->first) || wide_less(range->last, last));
}

/* Is it narrow enough to be meant as such, whatever it is: one address, or a part of the loopback,
 * multicast or link-local ones? */
static bool is_meant(const struct addr_range *range)
{
	return wide_equal(range->first, range->last) || is_part(range, &loopback[range->family]) ||
	       is_part(range, &multicast[range->family]) ||
	       is_part(range, &link_local[range->family]);
}

static bool read_literal(struct decode *decode, const struct node *value,
			 struct match_condition *condition)
{
	const char *slash = strchr(value->text, '/');
	struct addr_range range;
	const char *why;

	if (slash && strpbrk(slash, ":."))
		return read_masked(decode, value, slash, condition);
	if (!addr_parse_range(decode->arena, value->text, value->length, &range, &why))
		return bad_address(decode, value, why);
	addr_set_add(decode->arena, &condition->addresses, range);
	if (condition->selector == ADDRESS_TO && is_meant(&range))
		addr_set_add(decode->arena, &condition->meant, range);
	return true;
}

static void refuse_source(struct decode *decode, const struct node *value,
			  enum match_special special)
{
	if (special == SPECIAL_MULTICAST)
		diag_help(diag_add(decode->diag, DIAG_impossible, value->span,
				   "a multicast address is the source of no packet"),
			  "write `to: multicast` for what goes to one");
	else
		diag_help(diag_add(decode->diag, DIAG_impossible, value->span,
				   "`from: %s` is known only of destinations", value->text),
			  "use `scope: local` for what this host sends");
}

static bool read_special(struct decode *decode, const struct node *value,
			 struct match_condition *condition, bool *is_one)
{
	for (size_t i = 0; i < SPECIALS; i++) {
		if (strcmp(specials[i].name, value->text))
			continue;
		*is_one = condition->selector == ADDRESS_TO ||
			  specials[i].special <= SPECIAL_MULTICAST;
		if (condition->selector == ADDRESS_TO) {
			condition->specials |= specials[i].special;
			return true;
		}
		if (!*is_one)
			return true;
		refuse_source(decode, value, specials[i].special);
		return false;
	}
	return true;
}

/* "192.0.2.1:80", "[2001:db8::1]:80" */
static bool has_port(const char *text)
{
	const char *colon = strrchr(text, ':');

	return colon && colon[1] && !colon[1 + strspn(colon + 1, "0123456789")] &&
	       ((strchr(text, ':') == colon && strchr(text, '.')) || colon[-(colon > text)] == ']');
}

static bool read_address(struct decode *decode, const struct node *value,
			 struct match_condition *condition)
{
	struct match_reference *reference;
	bool is_special = false;

	if (value->kind != NODE_SCALAR) {
		diag_add(decode->diag, DIAG_wrong_type, value->span,
			 "`%s` takes addresses, prefixes, ranges and names of sets, not %s",
			 condition->key, node_describe(value));
		return false;
	}
	if (!read_special(decode, value, condition, &is_special))
		return false;
	if (is_special)
		return true;
	if (has_port(value->text)) {
		const char *colon = strrchr(value->text, ':');
		bool has_brackets = *value->text == '[';

		diag_help(diag_add(decode->diag, DIAG_bad_address, value->span,
				   "a port follows the address"),
			  "write `%s: \"%.*s\"` and `%s: %s`", condition->key,
			  (int)(colon - value->text) - 2 * has_brackets, value->text + has_brackets,
			  condition->selector == ADDRESS_TO ? "port" : "sport", colon + 1);
		return false;
	}
	if (addr_looks_like(value->text, value->length))
		return read_literal(decode, value, condition);
	if (addr_looks_like_domain(value->text)) {
		diag_help(diag_add(decode->diag, DIAG_bad_address, value->span,
				   "\"%s\" is a domain, and domains stand in sets", value->text),
			  "write `sets: {NAME: {domains: [%s]}}`, and here `%s: NAME`", value->text,
			  condition->key);
		return false;
	}
	if (!decode_is_name(value->text))
		return bad_address(decode, value,
				   "write an address, a prefix, a range first-last, or the name of a set");
	reference = arena_append(decode->arena, condition->references, condition->reference_count);
	*reference = (struct match_reference){ value->text, value->span };
	return true;
}

/* ---- in the ir ---- */

static void print_field(const struct ir_match *match, struct buf *out)
{
	buf_printf(out, "%s%s %s", match->tracked ? "ct original " : "",
		   addr_nft_word(match->family),
		   match->selector == ADDRESS_FROM ? "saddr" : "daddr");
}

/* Is a part of the address compared alone? */
static bool has_bits(const struct ir_match *match)
{
	return !wide_is_zero(match->bits);
}

static void print_address(const struct ir_match *match, struct buf *out)
{
	char text[ADDR_TEXT];

	print_field(match, out);
	if (has_bits(match)) {
		buf_printf(out, " & %s",
			   addr_format((struct addr){ match->family, match->bits }, text));
		buf_puts(out, match->negated ? "" : " ==");
	}
	buf_puts(out, match->negated ? " != " : " ");
	if (!match->set)
		addr_put_interval(out, match->family, match->values.items[0]);
}

static bool address_value(const struct ir_match *match, const struct ir_packet *packet,
			  struct wide *out)
{
	bool is_source = match->selector == ADDRESS_FROM;

	*out = is_source ? packet->from : packet->to;
	return match->family == packet->family && (is_source ? packet->has_from : packet->has_to);
}

/* What a set that is filled at run time holds is asked of the packet's host, where there is one. */
static bool is_asked(const struct ir_match *match, const struct ir_packet *packet)
{
	return match->set && match->set->dynamic && packet->held;
}

static bool set_contains(const struct ir_match *match, const struct ir_packet *packet,
			 struct wide value)
{
	struct interval element;

	if (is_asked(match, packet))
		return packet->held->find(packet->held, match->set, value, &element);
	return interval_contains(&match->set->elements, value);
}

static bool address_holds(const struct ir_match *match, const struct ir_packet *packet)
{
	struct wide value;

	if (!address_value(match, packet, &value))
		return match->unless && match->family == packet->family;
	if (match->set)
		return set_contains(match, packet, value) != match->negated;
	return match_values_hold(match, has_bits(match) ? wide_and(value, match->bits) : value);
}

static enum ir_set_type field_type(const struct ir_match *match)
{
	return match->family == ADDR_IPV4 ? IR_SET_IPV4 : IR_SET_IPV6;
}

/* What a set that is filled at run time holds is not known. */
static bool address_members(struct arena *arena, const struct ir_match *match,
			    struct interval_set *out)
{
	if (has_bits(match) || match->unless || (match->set && match->set->dynamic))
		return false;
	if (out)
		*out = match_members(arena, match, addr_last(match->family));
	return true;
}

static const struct ir_key address_key = {
	.type = field_type,
	.members = address_members,
	.print = print_field,
	.value = address_value,
};

static const struct ir_match_ops address_ops = { "address", print_address, address_holds, true,
						 &address_key };

bool address_put_element(const struct ir_match *match, const struct ir_packet *packet,
			 struct buf *out)
{
	struct wide value = match->selector == ADDRESS_FROM ? packet->from : packet->to;
	const struct interval *element;
	struct interval held;

	if (match->ops != &address_ops || match->negated || has_bits(match) ||
	    match->family != packet->family)
		return false;
	if (is_asked(match, packet))
		element = packet->held->find(packet->held, match->set, value, &held) ? &held : NULL;
	else
		element = match_element(match, value);
	if (element)
		addr_put_interval(out, match->family, *element);
	return element != NULL;
}

struct ir_match address_match(struct arena *arena, unsigned int selector, struct addr_prefix prefix)
{
	struct ir_match match = { .ops = &address_ops,
				  .selector = selector,
				  .family = prefix.addr.family };

	interval_add(arena, &match.values, prefix.addr.bits,
		     wide_or(prefix.addr.bits, addr_host_bits(prefix.addr.family, prefix.length)));
	return match;
}

/* ---- lowering ---- */

static struct addr_prefix special_prefix(enum match_special special, enum addr_family family)
{
	return special == SPECIAL_MULTICAST ? multicast[family] : link_local[family];
}

static void lower_specials(const struct match_condition *condition, struct match_context *context,
			   struct match_alternatives *out)
{
	for (size_t i = 0; i < SPECIALS; i++) {
		enum match_special special = specials[i].special;
		struct ir_match *match;

		if (!(condition->specials & special) || condition->negated)
			continue;
		match = match_append(context, match_alternative(context, out), &address_ops);
		if (special == SPECIAL_LOCAL || special == SPECIAL_BROADCAST)
			*match = fib_match(special == SPECIAL_LOCAL ? FIB_LOCAL : FIB_BROADCAST);
		else
			*match = address_match(context->arena, condition->selector,
					       special_prefix(special, context->family));
	}
}

/* Where the matches of one more value go: beside the others when negated, into an alternative of
 * their own otherwise. */
static struct match_alternative *place(const struct match_condition *condition,
				       struct match_context *context,
				       struct match_alternatives *out)
{
	return condition->negated ? &out->items[0] : match_alternative(context, out);
}

static struct ir_match *append(const struct match_condition *condition,
			       struct match_context *context, struct match_alternatives *out)
{
	struct ir_match *match =
		match_append(context, place(condition, context, out), &address_ops);

	match->selector = condition->selector;
	match->negated = condition->negated;
	match->family = context->family;
	match->tracked = context->tracked;
	return match;
}

/* False: the condition as a whole can hold for no packet of this family. */
static bool lower_extent(const struct match_condition *condition, struct match_context *context,
			 enum match_extent extent, const struct ir_set *set,
			 struct match_alternatives *out)
{
	if (extent == EXTENT_SOME)
		append(condition, context, out)->set = set;
	else if (extent == EXTENT_ALL && !condition->negated)
		place(condition, context, out);
	return !(extent == EXTENT_ALL && condition->negated);
}

static void lower_own(const struct match_condition *condition, struct match_context *context,
		      struct match_alternatives *out)
{
	for (size_t i = 0; i < condition->reference_count && context->means_own; i++) {
		const struct match_reference *reference = &condition->references[i];
		const struct ir_set *set = NULL;
		enum match_extent extent;

		if (!reference->is_own)
			continue;
		extent = context->named_set(context, reference->name, &set);
		lower_extent(condition, context, extent, set, out);
	}
}

/* `all`: the condition's addresses, or those of them that are meant in spite of what they are. */
static bool lower_literals(const struct match_condition *condition, struct match_context *context,
			   const struct interval_set *all, struct match_alternatives *out)
{
	bool is_part = !interval_covers(all, &condition->addresses.family[context->family]);
	const char *base;

	if (!all->count)
		return true;
	if (addr_is_whole(context->family, all->items[0]))
		return lower_extent(condition, context, EXTENT_ALL, NULL, out);
	if (all->count == 1) {
		append(condition, context, out)->values = *all;
		return true;
	}
	base = arena_printf(context->arena, "%s.%s%s_%s", context->rule, condition->key,
			    is_part ? "_own" : "", context->family == ADDR_IPV4 ? "v4" : "v6");
	append(condition, context, out)->set =
		context->make_set(context, base,
				  context->family == ADDR_IPV4 ? IR_SET_IPV4 : IR_SET_IPV6, all);
	return true;
}

static void lower_masked(const struct match_condition *condition, struct match_context *context,
			 struct match_alternatives *out)
{
	for (size_t i = 0; i < condition->masked_count; i++) {
		struct ir_match *match;

		if (condition->masked[i].family != context->family)
			continue;
		match = append(condition, context, out);
		match->bits = condition->masked[i].mask;
		interval_add(context->arena, &match->values, condition->masked[i].bits,
			     condition->masked[i].bits);
	}
}

static void lower_address(const struct match_condition *condition, struct match_context *context,
			  struct match_alternatives *out)
{
	bool possible = true;

	if (context->host && condition->selector == ADDRESS_TO) {
		lower_specials(condition, context, out);
		lower_own(condition, context, out);
		lower_literals(condition, context, &context->meant->family[context->family], out);
		return;
	}
	if (condition->negated)
		match_alternative(context, out);
	for (size_t i = 0; i < condition->reference_count; i++) {
		const struct ir_set *set = NULL;
		enum match_extent extent =
			context->named_set(context, condition->references[i].name, &set);

		possible &= lower_extent(condition, context, extent, set, out);
	}
	possible &= lower_literals(condition, context,
				   &condition->addresses.family[context->family], out);
	lower_masked(condition, context, out);
	if (!possible)
		out->count = 0;
}

const struct match_kind match_address = {
	.noun = "an address or set",
	.read = read_address,
	.lower = lower_address,
	.by_family = true,
};
