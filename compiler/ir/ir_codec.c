/*
 * ir_codec: see ir_codec.h. What is read is in the range of its type and leads nowhere outside of
 * the ir, or the codec is broken.
 */
#include "ir/ir_codec.h"

#include <string.h>

/* ---- addresses ---- */

static void address(struct codec *codec, struct addr *item)
{
	CODEC_ENUM(codec, item->family, ADDR_IPV6);
	CODEC_FIELD(codec, item->bits.high);
	CODEC_FIELD(codec, item->bits.low);
}

static void prefix(struct codec *codec, struct addr_prefix *item)
{
	address(codec, &item->addr);
	CODEC_FIELD(codec, item->length);
}

/* ---- sets and chains ---- */

/* Of a set that may have millions: as they lie in memory. */
static void elements(struct codec *codec, struct ir_set *set)
{
	bool is_narrow = set->type == IR_SET_IPV4 || set->type == IR_SET_PORT;
	struct interval_set *all = &set->elements;

	all->count = codec_count(codec, all->count);
	if (!codec->out)
		all->items = arena_alloc(codec->arena, (all->count + 1) * sizeof(*all->items));
	for (size_t i = 0; i < all->count && is_narrow; i++) {
		uint32_t ends[] = { (uint32_t)all->items[i].first.low,
				    (uint32_t)all->items[i].last.low };

		codec_bytes(codec, ends, sizeof(ends));
		all->items[i] = (struct interval){ wide(ends[0]), wide(ends[1]) };
	}
	if (!is_narrow && all->count)
		codec_bytes(codec, all->items, all->count * sizeof(*all->items));
}

void ir_codec_target(struct codec *codec, struct ir_target *item)
{
	CODEC_ENUM(codec, item->verdict, TARGET_JUMP);
	codec_text(codec, &item->chain);
}

void ir_codec_set(struct codec *codec, struct ir_set *item)
{
	struct ir_target *targets = (struct ir_target *)item->targets;
	uint32_t *leads = (uint32_t *)item->leads;
	const char *name = item->base; /* where archives of format 14 have its name in nft */

	codec_word(codec, &item->base);
	codec_word(codec, &name);
	CODEC_ENUM(codec, item->type, IR_SET_FLOW_IPV6);
	elements(codec, item);
	CODEC_FIELD(codec, item->contents);
	CODEC_FIELD(codec, item->dynamic);
	CODEC_FIELD(codec, item->timeout);
	CODEC_FIELD(codec, item->size);
	CODEC_ITEMS(codec, targets, item->target_count, ir_codec_target);
	if (!item->target_count)
		return;
	if (!codec->out)
		leads = arena_alloc(codec->arena, (item->elements.count + 1) * sizeof(*leads));
	codec_bytes(codec, leads, item->elements.count * sizeof(*leads));
	for (size_t i = 0; i < item->elements.count; i++)
		codec->broken |= leads[i] >= item->target_count;
	item->targets = targets;
	item->leads = leads;
}

void ir_codec_chain(struct codec *codec, struct ir_chain *item)
{
	codec_word(codec, &item->name);
	CODEC_ENUM(codec, item->hook, IR_HOOK_POSTROUTING);
	CODEC_ENUM(codec, item->type, IR_CHAIN_NAT);
	CODEC_FIELD(codec, item->priority);
}

static void dispatch(struct codec *codec, struct ir_case *item)
{
	CODEC_FIELD(codec, item->value);
	codec_text(codec, &item->chain);
}

void ir_codec_statement(struct codec *codec, struct ir_statement *item)
{
	CODEC_ENUM(codec, item->op, IR_REMEMBER);
	CODEC_FIELD(codec, item->value);
	CODEC_FIELD(codec, item->mask);
	address(codec, &item->addr);
	CODEC_FIELD(codec, item->port);
	CODEC_FIELD(codec, item->length);
	codec_text(codec, &item->name);
	codec_text(codec, &item->chain);
	CODEC_ENUM(codec, item->reject, REJECT_NO_ROUTE);
	CODEC_ENUM(codec, item->by, IR_BY_SOURCE_DESTINATION);
	CODEC_FIELD(codec, item->on_ct);
	CODEC_ITEMS(codec, item->cases, item->case_count, dispatch);
}

/* ---- routing ---- */

void ir_codec_ip_rule(struct codec *codec, struct ir_ip_rule *item)
{
	CODEC_ENUM(codec, item->family, ADDR_IPV6);
	CODEC_FIELD(codec, item->priority);
	CODEC_FIELD(codec, item->mark);
	CODEC_FIELD(codec, item->mask);
	CODEC_ENUM(codec, item->action, IR_RULE_BLACKHOLE);
	CODEC_FIELD(codec, item->table);
	CODEC_FIELD(codec, item->shortest);
	codec_text(codec, &item->iif);
	codec_text(codec, &item->oif);
}

/* One that is learnt is the host's, and no part of what is asked for. */
static void via(struct codec *codec, bool learnt, struct addr *addr)
{
	struct addr given = learnt ? (struct addr){ .family = addr->family } : *addr;

	address(codec, &given);
	if (!codec->out)
		*addr = given;
}

void ir_codec_nexthop(struct codec *codec, struct ir_nexthop *item)
{
	enum { NONE, GIVEN, LEARNT };
	uint8_t kind = item->learnt != IR_GIVEN ? LEARNT : item->has_via ? GIVEN : NONE;

	codec_bytes(codec, &kind, sizeof(kind));
	codec->broken |= kind > LEARNT;
	via(codec, kind == LEARNT, &item->via);
	if (!codec->out) {
		item->learnt = kind == LEARNT ? IR_TO_LEARN : IR_GIVEN;
		item->has_via = kind == GIVEN;
	}
	codec_text(codec, &item->dev);
	CODEC_FIELD(codec, item->weight);
	CODEC_FIELD(codec, item->onlink);
}

void ir_codec_route(struct codec *codec, struct ir_route *item)
{
	CODEC_ENUM(codec, item->family, ADDR_IPV6);
	CODEC_FIELD(codec, item->table);
	CODEC_ENUM(codec, item->type, IR_ROUTE_THROW);
	prefix(codec, &item->to);
	CODEC_ITEMS(codec, item->hops, item->hop_count, ir_codec_nexthop);
	CODEC_FIELD(codec, item->has_src);
	address(codec, &item->src);
	CODEC_FIELD(codec, item->masquerades);
	CODEC_FIELD(codec, item->metric);
	CODEC_FIELD(codec, item->mtu);
}

void ir_codec_fill(struct codec *codec, struct ir_fill *item)
{
	uint8_t kind = (uint8_t)item->kind;

	codec_word(codec, &item->set);
	codec_word(codec, &item->name);
	codec_word(codec, &item->dev);
	codec_bytes(codec, &kind, sizeof(kind));
	codec->broken |= kind > IR_FILL_PREFIXES;
	via(codec, kind == IR_FILL_LEARNT, &item->via);
	if (!codec->out) {
		item->kind = (enum ir_fill_kind)kind;
		item->has_via = kind == IR_FILL_GIVEN;
	}
}

/* ---- sysctls ---- */

bool ir_codec_is_key(const char *key)
{
	return key && strncmp(key, "net.", 4) == 0 && !strstr(key, "..") && !strstr(key, ".//.");
}

void ir_codec_key(struct codec *codec, const char **key)
{
	codec_text(codec, key);
	codec->broken |= !ir_codec_is_key(*key);
}

void ir_codec_sysctl(struct codec *codec, struct ir_sysctl *item)
{
	ir_codec_key(codec, &item->key);
	codec_word(codec, &item->value);
	codec_text(codec, &item->why);
	CODEC_ENUM(codec, item->when, IR_SYSCTL_IF_DEFAULT);
	codec_texts(codec, &item->devs, &item->dev_count);
	CODEC_FIELD(codec, item->has_via);
	address(codec, &item->via);
}

/* ---- what was allocated, and what the host has to have ---- */

static void class(struct codec *codec, struct ir_class *item)
{
	CODEC_ENUM(codec, item->kind, IR_CLASS_MEMBER);
	codec_text(codec, &item->name);
	CODEC_FIELD(codec, item->mark);
	CODEC_FIELD(codec, item->mask);
	CODEC_FIELD(codec, item->table);
	CODEC_FIELD(codec, item->priority);
	codec_text(codec, &item->listener_mode);
	CODEC_FIELD(codec, item->port);
}

static void let_go(struct codec *codec, struct ir_let_go *item)
{
	codec_word(codec, &item->listener);
	CODEC_FIELD(codec, item->value);
}

void ir_codec_listener(struct codec *codec, struct ir_listener *item)
{
	codec_word(codec, &item->name);
	codec_word(codec, &item->mode);
	for (int i = 0; i < ADDR_FAMILIES; i++)
		address(codec, &item->addr[i]);
	for (int i = 0; i < ADDR_FAMILIES; i++)
		CODEC_FIELD(codec, item->has[i]);
	CODEC_FIELD(codec, item->port);
	CODEC_FIELD(codec, item->tcp);
	CODEC_FIELD(codec, item->udp);
	CODEC_FIELD(codec, item->on_this_host);
	CODEC_FIELD(codec, item->ways);
	CODEC_ITEMS(codec, item->ins, item->in_count, codec_size);
}

static void row(struct codec *codec, struct ir_row *item)
{
	CODEC_ITEMS(codec, item->listeners, item->count, ir_codec_listener);
	codec_size(codec, &item->chosen);
	codec->broken |= item->chosen >= item->count;
}

static void asked(struct codec *codec, struct ir_asked *item)
{
	codec_word(codec, &item->key);
	CODEC_FIELD(codec, item->negated);
	codec_texts(codec, &item->names, &item->name_count);
}

static void hosted(struct codec *codec, struct ir_hosted *item)
{
	codec_text(codec, &item->name);
}

/* ---- all of it, but for sets and chains ---- */

void ir_codec_head(struct codec *codec, struct ir *ir)
{
	codec_text(codec, &ir->name);
	codec_text(codec, &ir->table);
	CODEC_FIELD(codec, ir->protocol);
	CODEC_FIELD(codec, ir->mark_mask);
	CODEC_FIELD(codec, ir->ct_mask);
	CODEC_FIELD(codec, ir->priority_first);
	CODEC_FIELD(codec, ir->priority_last);
	CODEC_ENUM(codec, ir->sysctl_policy, IR_SYSCTL_IGNORE);
	CODEC_FIELD(codec, ir->main_copy);
	for (int i = 0; i < ADDR_FAMILIES; i++)
		CODEC_FIELD(codec, ir->sends_local[i]);
	CODEC_FIELD(codec, ir->keeps_connections);
}

void ir_codec_routing(struct codec *codec, struct ir *ir)
{
	CODEC_ITEMS(codec, ir->ip_rules, ir->ip_rule_count, ir_codec_ip_rule);
	CODEC_ITEMS(codec, ir->routes, ir->route_count, ir_codec_route);
	CODEC_ITEMS(codec, ir->sysctls, ir->sysctl_count, ir_codec_sysctl);
	CODEC_ITEMS(codec, ir->fills, ir->fill_count, ir_codec_fill);
	CODEC_ITEMS(codec, ir->classes, ir->class_count, class);
	CODEC_ITEMS(codec, ir->given, ir->given_count, prefix);
	CODEC_ITEMS(codec, ir->let_go, ir->let_go_count, let_go);
	CODEC_ITEMS(codec, ir->listeners, ir->listener_count, ir_codec_listener);
	CODEC_ITEMS(codec, ir->rows, ir->row_count, row);
	CODEC_ITEMS(codec, ir->users, ir->user_count, hosted);
	CODEC_ITEMS(codec, ir->groups, ir->group_count, hosted);
	CODEC_ITEMS(codec, ir->cgroups, ir->cgroup_count, hosted);
	CODEC_ITEMS(codec, ir->asked, ir->asked_count, asked);
	codec_size(codec, &ir->policy_rules);
}
