/*
 * nft_load_error: finds the rule of a line of nft text, and asks the kernel which of the
 * features in it is missing.
 *
 * The text is emit_nft_commit's: after the line that flushes the table each chain is a block, and
 * in it each line that is no comment is the next of the chain's rules, or goes on with the one
 * before.
 */
#include "kernel/nft_load_error.h"

#include <stdbool.h>
#include <stdio.h>
#include <errno.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/report.h"
#include "emit/emit.h"
#include "ir/ir.h"
#include "kernel/nft_load.h"

struct feature {
	const char *word; /* in a rule's text */
	const char *what, *module, *option;
	const char *type, *hook, *rule; /* the smallest chain that needs it */
};

static const struct feature features[] = {
	{ "tproxy ", "tproxy", "nft_tproxy", "CONFIG_NFT_TPROXY", "filter", "prerouting",
	  "meta l4proto tcp tproxy ip to :1" },
	{ "socket ", "socket matches", "nft_socket", "CONFIG_NFT_SOCKET", "filter", "prerouting",
	  "socket transparent 1" },
	{ "fib ", "fib lookups", "nft_fib_inet", "CONFIG_NFT_FIB_INET", "filter", "prerouting",
	  "fib daddr type local" },
	{ "ct ", "connection tracking in rules", "nft_ct", "CONFIG_NFT_CT", "filter", "prerouting",
	  "ct mark 1" },
	{ "redirect ", "redirect", "nft_redir", "CONFIG_NFT_REDIR", "nat", "prerouting",
	  "meta l4proto tcp redirect to :1\n" },
	{ "masquerade", "masquerade", "nft_masq", "CONFIG_NFT_MASQ", "nat", "postrouting",
	  "masquerade" },
	{ "dnat ", "address translation", "nft_nat", "CONFIG_NFT_NAT", "nat", "prerouting",
	  "dnat ip to 192.0.2.1" },
	{ "snat ", "address translation", "nft_nat", "CONFIG_NFT_NAT", "nat", "postrouting",
	  "snat ip to 192.0.2.1" },
	{ "type nat ", "address translation", "nft_chain_nat", "CONFIG_NF_NAT", "nat", "prerouting",
	  "accept" },
	{ "type route ", "chains of type route", "nf_tables", "CONFIG_NF_TABLES_INET", "route",
	  "output", "accept" },
	{ "reject", "reject", "nft_reject_inet", "CONFIG_NFT_REJECT_INET", "filter", "input",
	  "reject" },
	{ "log ", "log", "nft_log", "CONFIG_NFT_LOG", "filter", "prerouting", "log prefix \"x\"" },
};

/* ---- which rule ---- */

/* Moves *text after its first line, which comes back without its end. */
static const char *next_line(struct arena *arena, const char **text)
{
	size_t length = strcspn(*text, "\n");
	const char *line = arena_strndup(arena, *text, length);

	*text += length + ((*text)[length] == '\n');
	return line;
}

/* The chain's rule that its n-th line of nft text, from 0, belongs to, or NULL. */
static const struct ir_rule *rule_of_line(const struct ir_chain *chain, size_t n)
{
	for (size_t i = 0; i < chain->rule_count; i++) {
		size_t lines = emit_nft_rule_count(&chain->rules[i]);

		if (n < lines)
			return &chain->rules[i];
		n -= lines;
	}
	return NULL;
}

static bool is_rule(const char *words)
{
	return strncmp(words, "\t\t", 2) == 0 && words[2] != '#' &&
	       strncmp(words, "\t\ttype ", 7) != 0;
}

/* A line of a map that the rule before it has begun, or the map's end. */
static bool goes_on(const char *words)
{
	return strncmp(words, "\t\t\t", 3) == 0 || strncmp(words, "\t\t}", 3) == 0;
}

/* The words of a line, from 1, and the ir's rule that stands in it, or NULL. */
static const char *find_line(struct arena *arena, const struct ir *ir, const char *text,
			     unsigned int line, const struct ir_rule **rule)
{
	const struct ir_chain *chain = NULL;
	const char *words = "";
	size_t next = 0;

	*rule = NULL;
	for (unsigned int i = 0; i < line && *text; i++) {
		char name[128];

		words = next_line(arena, &text);
		if (goes_on(words))
			continue;
		*rule = NULL;
		if (sscanf(words, "\tchain %127s {", name) == 1) {
			chain = ir_chain_find(ir, name);
			next = 0;
		} else if (chain && is_rule(words)) {
			*rule = rule_of_line(chain, next++);
		}
	}
	return words;
}

static bool leads_to(const struct ir_rule *rule, const char *chain)
{
	for (size_t i = 0; i < rule->statement_count; i++) {
		const struct ir_statement *statement = &rule->statements[i];

		if (statement->chain && strcmp(statement->chain, chain) == 0)
			return true;
		for (size_t k = 0; k < statement->case_count; k++)
			if (statement->cases[k].chain &&
			    strcmp(statement->cases[k].chain, chain) == 0)
				return true;
	}
	return false;
}

/* The author's first rule that packets come by to this chain, not over more than `depth` others. */
static const struct ir_rule *author_of(const struct ir *ir, const char *chain, unsigned int depth)
{
	for (size_t i = 0; i < ir->chain_count; i++) {
		const struct ir_chain *from = &ir->chains[i];

		for (size_t k = 0; k < from->rule_count; k++) {
			const struct ir_rule *rule = &from->rules[k];

			if (!leads_to(rule, chain))
				continue;
			if (!rule->origin.source && depth)
				rule = author_of(ir, from->name, depth - 1);
			if (rule && rule->origin.source)
				return rule;
		}
	}
	return NULL;
}

/* A rule that stands for a guarantee has no place of its own: it is there for the rules that lead
 * to it. */
static struct span origin_of(const struct ir *ir, const struct ir_rule *rule)
{
	struct span none = { 0 };

	if (!rule || rule->origin.source)
		return rule ? rule->origin : none;
	for (size_t i = 0; i < ir->chain_count; i++) {
		const struct ir_chain *chain = &ir->chains[i];

		if (rule < chain->rules || rule >= chain->rules + chain->rule_count)
			continue;
		rule = author_of(ir, chain->name, 4);
		return rule ? rule->origin : none;
	}
	return none;
}

/* ---- which feature ---- */

static bool is_missing(struct arena *arena, const struct feature *feature)
{
	struct nft_load loader = { 0 };
	struct nft_load_error error;
	struct buf text = { 0 };
	bool works;

	buf_printf(&text,
		   "table inet tpc_probe {\n\tchain probe {\n\t\ttype %s hook %s priority 0\n\t\t%s\n\t}\n}\n",
		   feature->type, feature->hook, feature->rule);
	works = nft_load_run(arena, &loader, &text, NFT_LOAD_CHECK, &error);
	nft_load_close(&loader);
	buf_free(&text);
	return !works;
}

static const struct feature *missing_feature(struct arena *arena, const char *words)
{
	for (size_t i = 0; i < sizeof(features) / sizeof(features[0]); i++)
		if (strstr(words, features[i].word) && is_missing(arena, &features[i]))
			return &features[i];
	return NULL;
}

void nft_load_error_text(struct arena *arena, struct report *report, const struct ir *ir,
			 const struct buf *text, const struct nft_load_error *error)
{
	const struct ir_rule *rule;
	const char *words = find_line(arena, ir, buf_text(text), error->line, &rule);
	const struct feature *feature = missing_feature(arena, words);
	struct diag_record *line;

	words += strspn(words, "\t ");
	if (feature) {
		line = report_add(report, SEVERITY_ERROR, DIAG_kernel_feature,
				  "this kernel has no %s (module %s, %s), which this needs: %s",
				  feature->what, feature->module, feature->option, words);
		line->command = arena_printf(arena, "modprobe %s", feature->module);
	} else if (strstr(error->text, strerror(EMSGSIZE))) {
		line = report_add(report, SEVERITY_ERROR, DIAG_transaction_size,
				  "the rules exceed one netlink transaction: inside a user namespace the socket buffer cannot be enlarged");
		line->command = "sysctl -w net.core.wmem_max=16777216   # on the machine itself";
	} else if (*words) {
		line = report_add(report, SEVERITY_ERROR, DIAG_kernel_refused,
				  "nft refuses the rule `%s`: %s", words, error->text);
	} else {
		line = report_add(report, SEVERITY_ERROR, DIAG_kernel_refused,
				  "nft refuses the rules: %s", error->text);
	}
	line->where = origin_of(ir, rule);
}
