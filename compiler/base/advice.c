/*
 * advice: words that people write where the language has what they mean in another place, or in
 * another form (see suggest.h). Sorted by what they were taken for.
 */
#include "base/suggest.h"

#include <string.h>
#include <strings.h>

static const char no_vrf[] =
	"no policy leads into a VRF: take the uplink out of it (`ip link set IFACE nomaster`) and name it in "
	"`dev`, or apply a policy of its own in a network namespace";

static const struct {
	const char *what, *word, *advice;
} advices[] = {
	{ "action", "log",
	  "write `log: \"TEXT\"` beside `then`; `then: continue` goes on with the next rule" },
	{ "action", "count",
	  "write `count: true` beside `then`; `then: continue` goes on with the next rule" },
	{ "action", "limit", "write `limit: 10/second` beside `then`" },
	{ "action", "masquerade",
	  "a table does that: `tables: {T: {dev: D, masquerade: true}}`, and here `then: {route: T}`" },
	{ "action", "snat",
	  "a table does that: `tables: {T: {dev: D, snat: ADDRESS}}`, and here `then: {route: T}`" },
	{ "action", "nptv6",
	  "a table does that: `tables: {T: {dev: D, nptv6: {inside: PREFIX, outside: PREFIX}}}`, and here `then: {route: T}`" },
	{ "action", "ping", "write `then: answer`, which answers ping in the destination's place" },
	{ "action", "redirect",
	  "a listener does that: `listeners: {L: {redirect: PORT}}`, and here `then: {proxy: L}`" },
	{ "action", "tproxy",
	  "a listener does that: `listeners: {L: {tproxy: PORT}}`, and here `then: {proxy: L}`" },
	{ "action", "dnat",
	  "a listener does that: `listeners: {L: {dnat: \"ADDRESS:PORT\"}}`, and here `then: {proxy: L}`" },
	{ "action", "main", "write `then: direct`, which leaves the packet to the main table" },
	{ "action", "unreachable", "write `then: reject`" },
	{ "action", "prohibit", "write `then: {reject: admin-prohibited}`" },
	{ "action", "table", "write `then: {route: TABLE}`" },
	{ "action", "jump", "rules have no chains to jump to; write the rules in their order" },
	{ "action", "goto", "rules have no chains to jump to; write the rules in their order" },
	{ "key of `then`", "lookup", "write `then: {route: TABLE}`" },
	{ "key of `then`", "listener", "write `then: {proxy: LISTENER}`" },
	{ "key of `then`", "via",
	  "a table does that: `tables: {T: {via: ADDRESS}}`, and here `then: {route: T}`" },
	{ "key of `then`", "dev",
	  "a table does that: `tables: {T: {dev: INTERFACE}}`, and here `then: {route: T}`" },
	{ "key of `rule`", "direct", "write `then: direct`" },
	{ "key of `rule`", "drop", "write `then: drop`" },
	{ "key of `rule`", "reject", "write `then: reject`" },
	{ "key of `rule`", "answer", "write `then: answer`" },
	{ "key of `rule`", "continue", "write `then: continue`" },
	{ "key of `rule`", "route", "write `then: {route: TABLE}`" },
	{ "key of `rule`", "table", "write `then: {route: TABLE}`" },
	{ "key of `rule`", "proxy", "write `then: {proxy: LISTENER}`" },
	{ "key of `rule`", "listener", "write `then: {proxy: LISTENER}`" },
	{ "key of `rule`", "balance", "write `then: {balance: {TABLE: 3, OTHER: 1}}`" },
	{ "key of `rule`", "default", "`default` stands at the top level, beside `rules`" },
	{ "key of `rule`", "not", "write {not: ...} in a condition: `to: {not: SET}`" },
	{ "key of `rule`", "match", "write the conditions into the rule itself, beside `then`" },
	{ "key of `rule`", "if", "write the conditions into the rule itself, beside `then`" },
	{ "key of `rule`", "when", "write the conditions into the rule itself, beside `then`" },
	{ "key of `rule`", "enabled", "a rule is there or it is not: put a # before its lines" },
	{ "key of `rule`", "disabled", "a rule is there or it is not: put a # before its lines" },
	{ "key of `rule`", "domain", "write `sets: {S: {domains: [NAME]}}`, and here `to: S`" },
	{ "key of `rule`", "domains", "write `sets: {S: {domains: [NAME]}}`, and here `to: S`" },
	{ "key of `rule`", "host", "write `sets: {S: {domains: [NAME]}}`, and here `to: S`" },
	{ "key of `rule`", "sni", "write `sets: {S: {domains: [NAME]}}`, and here `to: S`" },
	{ "key of `rule`", "geoip",
	  "write `sets: {S: {geoip: [CN], database: FILE}}`, and here `to: S`" },
	{ "key of `rule`", "country",
	  "write `sets: {S: {geoip: [CN], database: FILE}}`, and here `to: S`" },
	{ "key of `rule`", "kill_switch", "write `fallback: unreachable` in the table" },
	{ "key of `rule`", "masquerade", "write `masquerade: true` in the table" },
	{ "key of `rule`", "nptv6",
	  "write `nptv6: {inside: PREFIX, outside: PREFIX}` in the table" },
	{ "key of `rule`", "vrf", no_vrf },
	{ "key of `table`", "vrf", no_vrf },
	{ "key of `table`", "npt", "write `nptv6: {inside: PREFIX, outside: PREFIX}`" },
	{ "key of `table`", "nat66", "write `nptv6: {inside: PREFIX, outside: PREFIX}`" },
	{ "key of `table`", "netmap", "write `nptv6: {inside: PREFIX, outside: PREFIX}`" },
	{ "key of `table`", "kill_switch", "write `fallback: unreachable`" },
	{ "key of `table`", "killswitch", "write `fallback: unreachable`" },
	{ "key of `table`", "name",
	  "the name stands before it: `tables: {NAME: {dev: INTERFACE}}`" },
	{ "key of `listener`", "port",
	  "write `tproxy: PORT` or `redirect: PORT`, as the proxy takes connections" },
	{ "key of `listener`", "address",
	  "write `tproxy: {port: PORT, address: ADDRESS}`, or for a proxy on another host `dnat: \"ADDRESS:PORT\"`" },
	{ "key of `listener`", "proto", "write `protocols: [tcp, udp]`" },
	{ "key of `listener`", "user", "write `runs_as: {user: USER}`" },
	{ "key of `listener`", "name",
	  "the name stands before it: `listeners: {NAME: {tproxy: PORT}}`" },
	{ "key of `settings`", "vrf", no_vrf },
	{ "key of `settings`", "kill_switch", "write `fallback: unreachable` in the table" },
	{ "key of `settings`", "default", "`default` stands at the top level, beside `rules`" },
	{ "key of `settings`", "name", "`name` stands at the top level, beside `rules`" },
	{ "key of `policy`", "then",
	  "a rule stands under `rules`: `rules: [{to: SET, then: drop}]`" },
	{ "key of `policy`", "to",
	  "a rule stands under `rules`: `rules: [{to: SET, then: drop}]`" },
	{ "key of `policy`", "from",
	  "a rule stands under `rules`: `rules: [{from: SET, then: drop}]`" },
	{ "key of `policy`", "proxy",
	  "listeners stand under `listeners`: `listeners: {L: {tproxy: PORT}}`" },
	{ "key of `policy`", "proxies",
	  "listeners stand under `listeners`: `listeners: {L: {tproxy: PORT}}`" },
	{ "key of `policy`", "routes", "routes stand in a table: `tables: {T: {routes: [...]}}`" },
	{ "key of `policy`", "policy",
	  "rules stand under `rules`: `rules: [{to: SET, then: drop}]`" },
};

const char *suggest_advice(const char *what, const char *word)
{
	for (size_t i = 0; i < sizeof(advices) / sizeof(advices[0]); i++)
		if (!strcmp(advices[i].what, what) && !strcasecmp(advices[i].word, word))
			return advices[i].advice;
	return strcmp(what, "key of `then`") ? NULL : suggest_advice("action", word);
}
