/*
 * nft: a policy as one nft transaction.
 *
 * In goes a finished ir, out comes text that can be loaded into a host that has never seen the
 * policy and into one that has an earlier version of it. Only our own table is named. Sets are
 * flushed and filled, chains declared if need be, all rules replaced; named counters, which are
 * objects of the table, keep counting. The two halves, sets and rules, also stand for themselves:
 * an apply fills sets first and commits rules then.
 */
#include "emit/nft.h"

#include <string.h>

#include "base/buf.h"
#include "emit/about.h"
#include "emit/elements.h"
#include "emit/emit.h"
#include "emit/overview.h"
#include "emit/statement.h"
#include "emit/text.h"
#include "ir/ir.h"

static const char *hook_name(enum ir_hook hook)
{
	switch (hook) {
	case IR_HOOK_NONE:
		return "";
	case IR_HOOK_PREROUTING:
		return "prerouting";
	case IR_HOOK_INPUT:
		return "input";
	case IR_HOOK_FORWARD:
		return "forward";
	case IR_HOOK_OUTPUT:
		return "output";
	case IR_HOOK_POSTROUTING:
		return "postrouting";
	}
	return "";
}

static const char *type_name(enum ir_chain_type type)
{
	switch (type) {
	case IR_CHAIN_FILTER:
		return "filter";
	case IR_CHAIN_ROUTE:
		return "route";
	case IR_CHAIN_NAT:
		return "nat";
	}
	return "";
}

bool emit_nft_leads_to(const struct ir *ir, const bool *wanted, const char *chain)
{
	for (size_t i = 0; i < ir->set_count; i++)
		for (size_t k = 0; k < ir->sets[i].target_count && (!wanted || wanted[i]); k++)
			if (ir->sets[i].targets[k].chain &&
			    !strcmp(ir->sets[i].targets[k].chain, chain))
				return true;
	return false;
}

/* What a map leads to has to be there before it is filled. */
static void declare_targets(const struct ir *ir, const bool *wanted, struct buf *out)
{
	for (size_t i = 0; i < ir->chain_count; i++)
		if (emit_nft_leads_to(ir, wanted, ir->chains[i].name))
			buf_printf(out, "\tchain %s {\n\t}\n", ir->chains[i].name);
}

void emit_nft_declare(const struct emit_job *job, const bool *wanted, struct buf *out)
{
	const struct ir *ir = job->ir;

	buf_printf(out, "table inet %s {\n", ir->table);
	declare_targets(ir, wanted, out);
	for (size_t i = 0; i < ir->set_count; i++)
		if (!wanted || wanted[i])
			elements_declare(job, &ir->sets[i], out);
	buf_puts(out, "}\n");
}

static void put_hook(const struct ir_chain *chain, struct buf *out)
{
	if (chain->hook != IR_HOOK_NONE)
		buf_printf(out, "\t\ttype %s hook %s priority %d; policy accept;\n",
			   type_name(chain->type), hook_name(chain->hook), chain->priority);
}

static void declare_chain(const struct ir_chain *chain, struct buf *out)
{
	buf_printf(out, "\tchain %s {\n", chain->name);
	put_hook(chain, out);
	buf_puts(out, "\t}\n");
}

static void declare_counters(const struct ir *ir, struct buf *out)
{
	for (size_t i = 0; i < ir->counter_count; i++)
		buf_printf(out, "\tcounter %s {\n\t}\n", ir->counters[i]);
}

static void declare_rest(const struct ir *ir, struct buf *out)
{
	buf_printf(out, "table inet %s {\n", ir->table);
	declare_counters(ir, out);
	buf_puts(out, "\tchain " ABOUT_CHAIN " {\n\t}\n");
	for (size_t i = 0; i < ir->chain_count; i++)
		declare_chain(&ir->chains[i], out);
	buf_puts(out, "}\n");
}

static bool is_same_remark(const char *a, const char *b)
{
	return a == b || (a && b && !strcmp(a, b));
}

/* What the rule is there for, or the author's rule that it stands for, where that is another than
 * before. Places are not written: they change with every line above them. */
static void put_rule_comment(const struct ir_rule *rule, const struct ir_rule *before,
			     struct buf *out)
{
	bool is_new_place = rule->origin.source &&
			    (!before || before->origin.source != rule->origin.source ||
			     before->origin.begin != rule->origin.begin);
	bool is_new_remark = rule->remark &&
			     (!before || !is_same_remark(rule->remark, before->remark));

	if (!rule->remark || (!is_new_place && !is_new_remark))
		return;
	buf_puts(out, "\t\t# ");
	text_put_comment(out, rule->remark);
	buf_putc(out, '\n');
}

static void put_matches(const struct emit_job *job, const struct ir_rule *rule, struct buf *out)
{
	for (size_t i = 0; i < rule->match_count; i++) {
		const struct ir_match *match = &rule->matches[i];

		buf_puts(out, i ? " " : "\t\t");
		ir_match_put(match, elements_name(job, match->set), out);
	}
}

/* In nft a jump ends its rule: what follows it in ours is another rule with the same matches. */
static bool ends_rule(const struct ir_rule *rule, size_t index)
{
	return rule->statements[index].op == IR_JUMP && index + 1 < rule->statement_count;
}

size_t emit_nft_rule_count(const struct ir_rule *rule)
{
	size_t count = 1;

	for (size_t i = 0; i < rule->statement_count; i++)
		count += ends_rule(rule, i);
	return count;
}

size_t emit_nft_chain_length(const struct ir_chain *chain)
{
	size_t count = 0;

	for (size_t i = 0; i < chain->rule_count; i++)
		count += emit_nft_rule_count(&chain->rules[i]);
	return count;
}

void emit_nft_put_nth(const struct emit_job *job, const struct ir_rule *rule, size_t n,
		      struct buf *out)
{
	bool is_begun = rule->match_count > 0;
	size_t at = 0;

	put_matches(job, rule, out);
	for (size_t i = 0; i < rule->statement_count; i++) {
		if (at == n) {
			buf_puts(out, is_begun ? " " : "\t\t");
			is_begun = true;
			statement_put(&rule->statements[i],
				      elements_name(job, rule->statements[i].map), out);
		}
		at += ends_rule(rule, i);
	}
	buf_putc(out, '\n');
}

void emit_nft_put_rule(const struct emit_job *job, const struct ir_rule *rule, struct buf *out)
{
	size_t count = emit_nft_rule_count(rule);

	for (size_t i = 0; i < count; i++)
		emit_nft_put_nth(job, rule, i, out);
}

static void put_chain(const struct emit_job *job, const struct ir_chain *chain, bool is_first,
		      struct buf *out)
{
	if (chain->remark) {
		buf_puts(out, "\t# ");
		text_put_comment(out, chain->remark);
		buf_putc(out, '\n');
	}
	buf_printf(out, "\tchain %s {\n", chain->name);
	if (is_first)
		put_hook(chain, out);
	for (size_t i = 0; i < chain->rule_count; i++) {
		put_rule_comment(&chain->rules[i], i ? &chain->rules[i - 1] : NULL, out);
		emit_nft_put_rule(job, &chain->rules[i], out);
	}
	buf_puts(out, "\t}\n");
}

void emit_nft_commit(const struct emit_job *job, struct buf *out)
{
	const struct ir *ir = job->ir;

	declare_rest(ir, out);
	buf_printf(out, "flush table inet %s\n", ir->table);
	buf_printf(out, "table inet %s {\n", ir->table);
	buf_puts(out,
		 "\t# Nothing jumps here: the comments say what was loaded.\n\tchain " ABOUT_CHAIN
		 " {\n");
	about_put(job, out);
	buf_puts(out, "\t}\n");
	for (size_t i = 0; i < ir->chain_count; i++) {
		if (ir->chains[i].rule_count == 0)
			continue;
		buf_putc(out, '\n');
		put_chain(job, &ir->chains[i], false, out);
	}
	buf_puts(out, "}\n");
}

/* That it is created says that it was not there. */
static void create_about(const struct emit_job *job, struct buf *out)
{
	const char *table = job->ir->table;
	struct buf rules = { 0 };

	buf_printf(out, "add table inet %s\ncreate chain inet %s " ABOUT_CHAIN "\n", table, table);
	about_put(job, &rules);
	for (const char *rule = buf_text(&rules); *rule; rule = strchrnul(rule, '\n') + 1) {
		rule += strspn(rule, "\t");
		buf_printf(out, "add rule inet %s " ABOUT_CHAIN " %.*s\n", table,
			   (int)strcspn(rule, "\n"), rule);
	}
	buf_free(&rules);
}

void emit_nft_first(const struct emit_job *job, struct buf *out)
{
	const struct ir *ir = job->ir;

	create_about(job, out);
	buf_printf(out, "table inet %s {\n", ir->table);
	declare_counters(ir, out);
	for (size_t i = 0; i < ir->chain_count; i++)
		put_chain(job, &ir->chains[i], true, out);
	buf_puts(out, "}\n");
}

static void put_zone_notes(const struct emit_job *job, struct buf *out)
{
	size_t times = 0;

	for (size_t i = 0; i < job->ir->set_count; i++)
		times += job->ir->sets[i].type == IR_SET_TIME;
	if (!times)
		return;
	buf_puts(out,
		 "# Times are local ones, in the zone that TZ names where it is set, else /etc/localtime. What begins or\n"
		 "# ends within hours of a daylight-saving change nft moves by too much or too little, and a window as\n"
		 "# short as that it may refuse: `tpc apply` and ");
	text_put_comment(out, job->stem);
	buf_puts(out, ".sh get all of it right.\n");
}

static void put_head(const struct emit_job *job, struct buf *out)
{
	overview_put_origin(job, ".nft", out);
	buf_puts(out,
		 "# Load it with `nft -f`, as often as you like; it touches no foreign table.\n");
	if (job->ir->ip_rule_count) {
		buf_puts(out, "# The routes and ip rules that belong to it are in ");
		text_put_comment(out, job->stem);
		buf_puts(out, ".ip.batch.\n");
	}
	put_zone_notes(job, out);
	buf_puts(out, "#\n");
	overview_put(job->ir, out);
}

void emit_nft_put(const struct emit_job *job, struct buf *out)
{
	put_head(job, out);
	if (job->ir->set_count) {
		buf_puts(out, "\n# ---- sets ----\n");
		emit_nft_declare(job, NULL, out);
		for (size_t i = 0; i < job->ir->set_count; i++)
			elements_fill(&job->ir->sets[i], job->ir->table, out);
	}
	buf_puts(out, "\n# ---- rules ----\n");
	emit_nft_commit(job, out);
}
