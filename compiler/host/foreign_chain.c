/*
 * foreign_chain: keeps the rules of all foreign chains, and walks through them (see
 * foreign_chain.h).
 *
 * From the first rule on that may have let the packet out of a chain, what follows in it may come
 * or not: a doubt stays to the end of the chain that has the hook.
 */
#include "host/foreign_chain.h"

#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/rtnetlink.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/hash.h"
#include "host/foreign_element.h"
#include "host/foreign_packet.h"
#include "kernel/netlink.h"
#include "kernel/nft_foreign.h"
#include "kernel/nft_table.h"

/* The kernel's own limit of jumps (NFT_JUMP_STACK_SIZE). */
enum { DEPTH = 16 };
/* Chains are found by their names; some hosts have thousands. */
enum { BUCKETS = 4096 };

struct kept_rule {
	uint64_t handle;
	const struct nlattr *expressions;
};

struct kept_chain {
	struct kept_chain *next; /* in the same bucket */
	struct nft_foreign_table table;
	struct nft_table_chain chain;
	struct kept_rule *rules;
	size_t rule_count;
};

struct foreign_chains {
	struct arena *arena;
	struct netlink *nft;
	const char *own;
	struct kept_chain *buckets[BUCKETS];
	struct kept_chain *last; /* that was found: the rules of a chain come one after the other */
	struct kept_chain **bases; /* chains with a hook, by priority */
	size_t base_count;
	const char **unfollowed;
	size_t unfollowed_count;
	struct foreign_memory *memory;
	const char *const *empty;
	size_t empty_count;
};

/* ---- reading ---- */

static bool is_foreign(void *user, const struct nft_foreign_table *table)
{
	const struct foreign_chains *chains = user;

	return table->family != NFPROTO_INET || strcmp(table->name, chains->own) != 0;
}

static void begin(void *user)
{
	struct foreign_chains *chains = user;

	memset(chains->buckets, 0, sizeof(chains->buckets));
	chains->last = NULL;
	chains->base_count = chains->unfollowed_count = 0;
}

static bool is_of(const struct nft_foreign_table *a, const struct nft_foreign_table *b)
{
	return a->family == b->family && !strcmp(a->name, b->name);
}

static bool is_named(const struct kept_chain *chain, const struct nft_foreign_table *table,
		     const char *name)
{
	return is_of(&chain->table, table) && !strcmp(chain->chain.name, name);
}

static size_t bucket_of(const struct nft_foreign_table *table, const char *name)
{
	uint64_t sum = hash_words(table->family, table->name, strlen(table->name));

	return hash_words(sum, name, strlen(name)) % BUCKETS;
}

static struct kept_chain *find(const struct foreign_chains *chains,
			       const struct nft_foreign_table *table, const char *name)
{
	struct kept_chain *chain = chains->buckets[bucket_of(table, name)];

	while (chain && !is_named(chain, table, name))
		chain = chain->next;
	return chain;
}

static struct kept_chain *chain_of(struct foreign_chains *chains,
				   const struct nft_foreign_table *table, const char *name)
{
	struct kept_chain *chain = chains->last, **bucket;

	if (chain && is_named(chain, table, name))
		return chain;
	chain = find(chains, table, name);
	if (!chain) {
		bucket = &chains->buckets[bucket_of(table, name)];
		chain = arena_new_of(chains->arena, struct kept_chain);
		*chain = (struct kept_chain){ .next = *bucket, .table = *table };
		chain->table.name = arena_strdup(chains->arena, table->name);
		chain->chain.name = arena_strdup(chains->arena, name);
		*bucket = chain;
	}
	chains->last = chain;
	return chain;
}

static bool is_followed(const struct nft_foreign_table *table)
{
	return table->family == NFPROTO_INET || table->family == NFPROTO_IPV4 ||
	       table->family == NFPROTO_IPV6;
}

static void keep_rule(void *user, const struct nft_foreign_table *table, const char *name,
		      uint64_t handle, const struct nlattr *expressions)
{
	struct foreign_chains *chains = user;
	struct kept_chain *chain;
	struct nlattr *copy;

	if (!is_followed(table))
		return;
	chain = chain_of(chains, table, name);
	copy = arena_alloc(chains->arena, expressions->nla_len);
	memcpy(copy, expressions, expressions->nla_len);
	*arena_append(chains->arena, chain->rules, chain->rule_count) =
		(struct kept_rule){ handle, copy };
}

static void note_unfollowed(struct foreign_chains *chains, const struct nft_foreign_table *table)
{
	const char *name = arena_printf(chains->arena, "%s %s", nft_foreign_family(table->family),
					table->name);

	for (size_t i = 0; i < chains->unfollowed_count; i++)
		if (!strcmp(chains->unfollowed[i], name))
			return;
	*arena_append(chains->arena, chains->unfollowed, chains->unfollowed_count) = name;
}

static void keep_chain(void *user, const struct nft_foreign_table *table,
		       const struct nlattr *const *attributes)
{
	struct foreign_chains *chains = user;
	struct nft_table_chain read = { 0 };
	struct kept_chain *chain;

	nft_table_read_chain(chains->arena, attributes, &read);
	if (is_followed(table) && (!attributes[NFTA_CHAIN_HOOK] || read.hook != IR_HOOK_NONE)) {
		chain = chain_of(chains, table, read.name);
		chain->chain = read;
		if (read.hook != IR_HOOK_NONE)
			*arena_append(chains->arena, chains->bases, chains->base_count) = chain;
	} else if (attributes[NFTA_CHAIN_HOOK]) {
		note_unfollowed(chains, table);
	}
}

/*
 * Chains that translate are all called at one place of their hook, NF_IP_PRI_NAT_DST or
 * NF_IP_PRI_NAT_SRC (nf_nat_register_fn): their own priorities only say in which order. So those
 * far from it count as the first, or the last, of the few places around it that the policy's own
 * can have.
 */
enum { NAT_DST = -100, NAT_SRC = 100, NAT_AROUND = 6 };

static int place_of(const struct nft_table_chain *chain)
{
	bool is_source = chain->hook == IR_HOOK_POSTROUTING || chain->hook == IR_HOOK_INPUT;
	int place = is_source ? NAT_SRC : NAT_DST;

	if (chain->type != IR_CHAIN_NAT)
		return chain->priority;
	if (chain->priority < place - NAT_AROUND)
		return place - NAT_AROUND;
	return chain->priority > place ? place : chain->priority;
}

static int compare(int a, int b)
{
	return (a > b) - (a < b);
}

static int compare_chains(const void *a, const void *b)
{
	const struct nft_table_chain *left = &(*(struct kept_chain *const *)a)->chain;
	const struct nft_table_chain *right = &(*(struct kept_chain *const *)b)->chain;
	int order = compare(place_of(left), place_of(right));

	return order ? order : compare(left->priority, right->priority);
}

struct foreign_chains *foreign_chains_read(struct arena *arena, struct netlink *nft,
					   const char *own, struct netlink_error *error)
{
	struct foreign_chains *chains = arena_new_of(arena, struct foreign_chains);
	const struct nft_foreign_reader reader = { is_foreign, begin, keep_rule, keep_chain,
						   chains };
	struct nft_foreign_tables tables;

	chains->arena = arena;
	chains->nft = nft;
	chains->own = own;
	if (!nft_foreign_read(arena, nft, &reader, &tables, error))
		return NULL;
	if (chains->base_count)
		qsort(chains->bases, chains->base_count, sizeof(struct kept_chain *),
		      compare_chains);
	return chains;
}

void foreign_chains_empty(struct foreign_chains *chains, const char *const *names, size_t count)
{
	chains->empty = names;
	chains->empty_count = count;
}

void foreign_chains_remember(struct foreign_chains *chains)
{
	chains->memory = foreign_memory_new(chains->arena);
}

static bool sees(const struct kept_chain *chain, enum addr_family family)
{
	return chain->table.family == NFPROTO_INET || chain->table.family == netlink_family(family);
}

const char *foreign_chains_names(const struct foreign_chains *chains, struct arena *arena,
				 enum addr_family family)
{
	enum { MOST = 12 };
	struct buf text = { 0 };
	const char *kept;
	size_t count = 0;

	for (size_t i = 0; i < chains->base_count; i++) {
		const struct kept_chain *chain = chains->bases[i];

		if (sees(chain, family) && ++count <= MOST)
			buf_printf(&text, "%s%s %s %s", text.length ? ", " : "",
				   nft_foreign_family(chain->table.family), chain->table.name,
				   chain->chain.name);
	}
	if (count > MOST)
		buf_printf(&text, " and %zu more", count - MOST);
	kept = count ? arena_strdup(arena, buf_text(&text)) : NULL;
	buf_free(&text);
	return kept;
}

const char *const *foreign_chains_unfollowed(const struct foreign_chains *chains, size_t *count)
{
	*count = chains->unfollowed_count;
	return chains->unfollowed;
}

/* ---- walking ---- */

struct walk {
	const struct foreign_chains *chains;
	struct arena *arena;
	struct foreign_packet *packet;
	struct foreign_effects *out;
	const char *doubt; /* why the packet may not come here; NULL: it does */
	const char *left;  /* why it may have left the base chain; NULL: it has not */
	int depth;
	bool is_ended; /* surely, and not accepted */
	/* Where a packet stands for many: the chain is that of a jump which some of them take, and
	 * which of them are gone, from the base chain and from the chain that is gone through. */
	bool assumes;
	struct foreign_packet *gone, *back;
	size_t gone_count, back_count;
};

/* The rest of the chain, back to who jumped, or the end of the base chain. */
enum step { STEP_NEXT, STEP_RETURN, STEP_END };

static struct foreign_effect *add(struct walk *walk, const struct kept_chain *chain,
				  const struct kept_rule *rule, const char *doubt)
{
	struct foreign_effect *effect =
		arena_append(walk->arena, walk->out->items, walk->out->count);
	const char *family = nft_foreign_family(chain->table.family);

	*effect = (struct foreign_effect){ .doubt = doubt,
					   .table = chain->table,
					   .is_policy = !rule };
	if (walk->packet->is_any) {
		struct foreign_packet *packet = arena_new_of(walk->arena, struct foreign_packet);

		*packet = *walk->packet;
		effect->packet = packet;
	}
	effect->place = rule ? arena_printf(walk->arena, "table %s %s, chain %s, handle %" PRIu64,
					    family, chain->table.name, chain->chain.name,
					    rule->handle)
			     : arena_printf(walk->arena, "table %s %s, chain %s", family,
					    chain->table.name, chain->chain.name);
	effect->command = arena_printf(walk->arena, "nft -a list chain %s %s %s", family,
				       chain->table.name, chain->chain.name);
	return effect;
}

const char *foreign_effect_target(struct arena *arena, const struct foreign_effect *effect,
				  enum addr_family family)
{
	char text[ADDR_TEXT];
	const char *port = effect->port ? arena_printf(arena, " port %u", effect->port) : "";

	if (effect->is_redirect)
		return arena_printf(arena, "this host%s", port);
	if (!effect->has_to)
		return arena_printf(arena, "another address%s", port);
	return arena_printf(arena, "%s%s", addr_format((struct addr){ family, effect->to }, text),
			    port);
}

static enum step walk_chain(struct walk *walk, const struct kept_chain *chain);

/* Have all packets that this one stands for gone elsewhere before? */
static bool is_gone(const struct walk *walk)
{
	for (size_t i = 0; i < walk->gone_count; i++)
		if (foreign_covers(&walk->gone[i], walk->packet))
			return true;
	for (size_t i = 0; i < walk->back_count; i++)
		if (foreign_covers(&walk->back[i], walk->packet))
			return true;
	return false;
}

enum { GONE_MOST = 256 };

/* The packets that the rule takes, of those that this one stands for, leave the chain, or the base
 * chain; the others go on. */
static void leave(struct walk *walk, enum step step)
{
	/* Thousands of services would be compared with one another: what is forgotten only leaves
	 * a rule in that nothing comes to. */
	if (walk->gone_count >= GONE_MOST || walk->back_count >= GONE_MOST)
		return;
	if (step == STEP_END)
		*arena_append(walk->arena, walk->gone, walk->gone_count) = *walk->packet;
	else
		*arena_append(walk->arena, walk->back, walk->back_count) = *walk->packet;
}

/* What the packet may have left in a chain that it came back from counts no more. */
static enum step enter(struct walk *walk, const struct kept_chain *from,
		       const struct foreign_outcome *outcome, const char *doubt)
{
	const struct kept_chain *chain = find(walk->chains, &from->table, outcome->chain);
	const char *before = walk->doubt;
	enum step step = STEP_NEXT;

	if (!chain || walk->depth >= DEPTH)
		return STEP_NEXT;
	walk->doubt = doubt;
	walk->depth++;
	step = walk_chain(walk, chain);
	walk->depth--;
	walk->doubt = walk->left ? walk->left : before;
	if (step == STEP_END)
		return STEP_END;
	if (outcome->verdict == FOREIGN_JUMP)
		return STEP_NEXT;
	if (!doubt)
		return STEP_RETURN;
	/* What was left by goto does not come back. */
	walk->doubt = doubt;
	return STEP_NEXT;
}

/* A verdict that may come leaves the rest in doubt. */
static enum step end(struct walk *walk, const char *doubt, enum step step)
{
	if (!doubt)
		return step;
	walk->doubt = doubt;
	if (step == STEP_END)
		walk->left = doubt;
	return STEP_NEXT;
}

static void take_mark(struct walk *walk, const struct kept_chain *chain,
		      const struct kept_rule *rule, const struct foreign_outcome *outcome,
		      const char *doubt)
{
	struct foreign_effect *effect;

	if (outcome->ct_marks && !doubt)
		walk->packet->ct_mark = outcome->ct_mark;
	if (!outcome->marks || (outcome->is_mark_known && outcome->mark == walk->packet->mark))
		return;
	effect = add(walk, chain, rule, doubt);
	effect->is_mark_known = outcome->is_mark_known;
	effect->before = walk->packet->mark;
	effect->after = outcome->mark;
	if (!doubt && outcome->is_mark_known)
		walk->packet->mark = outcome->mark;
}

static void move(struct walk *walk, const struct kept_chain *chain, const struct kept_rule *rule,
		 const struct foreign_outcome *outcome, const char *doubt)
{
	struct foreign_effect *effect = add(walk, chain, rule, doubt);

	effect->verdict = FOREIGN_TRANSLATE;
	effect->has_to = outcome->has_to;
	effect->is_redirect = outcome->is_redirect;
	effect->to = outcome->to;
	effect->port = outcome->port;
	if (doubt || walk->assumes)
		return;
	walk->packet->is_translated = true;
	walk->packet->has_to = outcome->has_to;
	walk->packet->to = outcome->to;
	walk->packet->port = outcome->port ? outcome->port : walk->packet->port;
	walk->packet->type = outcome->is_redirect ? RTN_LOCAL : 0;
}

/* What a program does, and whether a socket is there, only they know. */
static enum step be_handed(struct walk *walk, const struct kept_chain *chain,
			   const struct kept_rule *rule, const struct foreign_outcome *outcome,
			   const char *doubt)
{
	bool is_offered = !doubt;
	struct foreign_effect *effect;

	if (!doubt)
		doubt = outcome->verdict == FOREIGN_QUEUE
				? "a program decides (queue)"
				: "whether a socket takes it is not known (tproxy)";
	effect = add(walk, chain, rule, doubt);
	effect->verdict = outcome->verdict;
	effect->is_offered = is_offered;
	return end(walk, doubt, STEP_END);
}

/* The first chain that gives one has given it. */
static void take_source(struct walk *walk, const struct foreign_outcome *outcome, const char *doubt)
{
	if (!outcome->source || walk->packet->source)
		return;
	walk->packet->source = doubt ? FOREIGN_SOURCE_UNKNOWN : outcome->source;
	walk->packet->given = outcome->given;
	walk->packet->given_last = outcome->given_last;
}

static enum step act(struct walk *walk, const struct kept_chain *chain,
		     const struct kept_rule *rule, const struct foreign_outcome *outcome,
		     const char *doubt)
{
	take_mark(walk, chain, rule, outcome, doubt);
	take_source(walk, outcome, doubt);
	if (outcome->is_moved)
		move(walk, chain, rule, outcome, doubt);
	switch (outcome->verdict) {
	case FOREIGN_NEXT:
		return STEP_NEXT;
	case FOREIGN_ACCEPT:
		return end(walk, doubt, STEP_END);
	case FOREIGN_RETURN:
		return end(walk, doubt, STEP_RETURN);
	case FOREIGN_JUMP:
	case FOREIGN_GOTO:
		return enter(walk, chain, outcome, doubt);
	case FOREIGN_TRANSLATE:
		move(walk, chain, rule, outcome, doubt);
		return end(walk, doubt, STEP_END);
	case FOREIGN_DROP:
	case FOREIGN_REJECT:
		/* What goes on was not dropped: of that the rest is as sure as before. */
		add(walk, chain, rule, doubt)->verdict = outcome->verdict;
		walk->is_ended |= !doubt && !walk->assumes;
		return doubt ? STEP_NEXT : STEP_END;
	case FOREIGN_QUEUE:
	case FOREIGN_TAKE:
		return be_handed(walk, chain, rule, outcome, doubt);
	}
	return STEP_NEXT;
}

/*
 * Some of the packets that one stands for take the rule: it acts on those, and the others go on.
 * Conditions on unknown keys leave in doubt which others those are.
 */
static enum step act_for_some(struct walk *walk, const struct kept_chain *chain,
			      const struct kept_rule *rule, const struct foreign_outcome *outcome)
{
	static const char loose[] = "a rule before it takes some packets";
	struct foreign_packet *all = walk->packet,
			      some = outcome->assumed ? *outcome->assumed : *all;
	const char *doubt = outcome->doubt ? outcome->doubt : walk->doubt;
	bool assumed = walk->assumes, is_part = outcome->assumed || outcome->is_loose;
	enum step step;

	walk->packet = &some;
	walk->assumes |= is_part;
	step = is_gone(walk) ? STEP_NEXT : act(walk, chain, rule, outcome, doubt);
	if (step != STEP_NEXT && !outcome->is_loose)
		leave(walk, step);
	if (!is_part)
		*all = some;
	walk->packet = all;
	walk->assumes = assumed;
	if (step != STEP_NEXT && outcome->is_loose && !walk->doubt)
		walk->doubt = loose;
	if (step == STEP_END && assumed && !is_part)
		return STEP_RETURN;
	return is_part ? STEP_NEXT : step;
}

static enum step act_on(struct walk *walk, const struct kept_chain *chain,
			const struct kept_rule *rule, const struct foreign_outcome *outcome)
{
	if (walk->packet->is_any)
		return act_for_some(walk, chain, rule, outcome);
	return act(walk, chain, rule, outcome, outcome->doubt ? outcome->doubt : walk->doubt);
}

static enum step walk_chain(struct walk *walk, const struct kept_chain *chain)
{
	const struct foreign_asked asked = { walk->arena, walk->chains->nft, walk->chains->memory,
					     walk->chains->empty, walk->chains->empty_count };
	size_t back_count = walk->back_count;
	enum step step = STEP_NEXT;

	for (size_t i = 0; i < chain->rule_count; i++) {
		const struct kept_rule *rule = &chain->rules[i];
		struct foreign_outcome outcome =
			foreign_rule(&asked, &chain->table, walk->packet, rule->expressions);

		step = outcome.fits ? act_on(walk, chain, rule, &outcome) : STEP_NEXT;
		if (step != STEP_NEXT)
			break;
	}
	walk->back_count = back_count;
	return step == STEP_END ? STEP_END : STEP_NEXT;
}

static void walk_base(struct walk *walk, const struct kept_chain *chain)
{
	walk->doubt = walk->left = NULL;
	walk->gone_count = walk->back_count = 0;
	if (walk_chain(walk, chain) == STEP_END || !chain->chain.drops)
		return;
	add(walk, chain, NULL, walk->doubt)->verdict = FOREIGN_DROP;
	walk->is_ended |= !walk->doubt;
}

/* Where one chain has translated a packet, no other of this type is asked. */
static bool is_asked(const struct kept_chain *chain, const struct foreign_packet *packet)
{
	bool gives_source = packet->hook == IR_HOOK_POSTROUTING || packet->hook == IR_HOOK_INPUT;

	if (chain->chain.hook != packet->hook || !sees(chain, packet->packet->family))
		return false;
	return chain->chain.type != IR_CHAIN_NAT ||
	       (packet->packet->state == STATE_NEW &&
		(gives_source ? !packet->source : !packet->is_translated && !packet->is_pinned));
}

bool foreign_chains_walk(const struct foreign_chains *chains, struct arena *arena,
			 struct foreign_packet *packet, int least, int most,
			 struct foreign_effects *out)
{
	struct walk walk = { .chains = chains, .arena = arena, .packet = packet, .out = out };

	for (size_t i = 0; i < chains->base_count && !walk.is_ended; i++) {
		const struct kept_chain *chain = chains->bases[i];

		if (place_of(&chain->chain) >= least && place_of(&chain->chain) <= most &&
		    is_asked(chain, packet))
			walk_base(&walk, chain);
	}
	return !walk.is_ended;
}
