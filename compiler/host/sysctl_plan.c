/*
 * sysctl_plan: asks the host whether a sysctl that the policy wants matters (see sysctl_plan.h and
 * enum ir_sysctl_when).
 */
#include "host/sysctl_plan.h"

#include <fnmatch.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/names.h"
#include "ir/ir_sysctl.h"
#include "kernel/link.h"
#include "kernel/sysctl.h"
#include "state/record.h"

struct look {
	struct arena *arena;
	struct netlink *netlink;
	const struct record *before;
	struct sysctl_plan found;
};

static struct sysctl_plan_setting *find(const struct look *look, const char *key)
{
	for (size_t i = 0; i < look->found.count; i++)
		if (strcmp(look->found.items[i].key, key) == 0)
			return &look->found.items[i];
	return NULL;
}

/* As it was before the policy changed it, unless another program has written it since. */
static const char *value_before(const struct look *look, const char *key)
{
	const struct record_sysctl *held = record_find_sysctl(look->before, key);
	const char *now = sysctl_read(look->arena, key);

	return held && held->old && now && strcmp(now, held->value) == 0 ? held->old : now;
}

/* The same, where the needs that were found so far are as wanted. */
static const char *value_of(const struct look *look, const char *key)
{
	const struct sysctl_plan_setting *earlier = find(look, key);

	return earlier && earlier->is_wanted ? earlier->wanted->value : value_before(look, key);
}

static int number_of(const struct look *look, const char *pattern, const char *interface)
{
	const char *value = value_of(look, sysctl_key(look->arena, pattern, interface));

	return value ? atoi(value) : 0;
}

/* Of some settings packets meet the greater of conf.all's and the interface's
 * (Documentation/networking/ip-sysctl.rst). */
static int effective(const struct look *look, const char *pattern, const char *interface)
{
	int all = number_of(look, pattern, "all"), own = number_of(look, pattern, interface);

	return own > all ? own : all;
}

static bool is_meant(const struct ir_sysctl *wanted, const char *interface)
{
	for (size_t i = 0; i < wanted->dev_count; i++)
		if (fnmatch(wanted->devs[i], interface, FNM_NOESCAPE) == 0)
			return true;
	return !wanted->dev_count;
}

static bool has_bridge(const struct look *look, const struct ir_sysctl *wanted)
{
	size_t count;
	const char **names = link_of_kind(look->arena, look->netlink, "bridge", &count);

	for (size_t i = 0; i < count; i++)
		if (is_meant(wanted, names[i]))
			return true;
	return false;
}

static int ask(const struct look *look, const struct ir_sysctl *wanted, enum ir_sysctl_asked asked,
	       const char *pattern, const char *interface)
{
	switch (asked) {
	case IR_ASKED_NOTHING:
		break;
	case IR_ASKED_OWN:
		return number_of(look, pattern, interface);
	case IR_ASKED_ALL:
		return number_of(look, pattern, "all");
	case IR_ASKED_EFFECTIVE:
		return effective(look, pattern, interface);
	case IR_ASKED_LOCAL:
		return link_has_address(look->netlink, wanted->via);
	case IR_ASKED_BRIDGE:
		return has_bridge(look, wanted);
	}
	return 0;
}

/* Does it matter for a setting that has another value? `interface` may be `default`. */
static bool matters(const struct look *look, const struct ir_sysctl *wanted, const char *pattern,
		    const char *interface)
{
	const struct ir_sysctl_condition *condition = ir_sysctl_condition(wanted->when);

	for (size_t i = 0; i < sizeof(condition->tests) / sizeof(condition->tests[0]); i++) {
		const struct ir_sysctl_test *test = &condition->tests[i];
		int found =
			ask(look, wanted, test->asked, test->key ? test->key : pattern, interface);

		if ((found == test->value) == test->differs)
			return false;
	}
	return true;
}

static struct sysctl_plan_setting consider(const struct look *look, const struct ir_sysctl *wanted,
					   const char *key)
{
	struct sysctl_plan_setting setting = { .wanted = wanted, .key = key };
	const char *pattern = NULL, *interface = sysctl_interface(look->arena, key, &pattern);
	bool is_absent = interface && strcmp(interface, "all") != 0 &&
			 strcmp(interface, "default") != 0 && !if_nametoindex(interface);
	const char *value =
		value_of(look, is_absent ? sysctl_key(look->arena, pattern, "default") : key);
	bool is_wanted = value && strcmp(value, wanted->value) != 0 &&
			 matters(look, wanted, pattern, is_absent ? "default" : interface);

	if (strncmp(key, "net.ipv6.", strlen("net.ipv6.")) == 0 && !sysctl_has_ipv6(look->arena))
		return setting;
	if (is_absent) {
		setting.absent = is_wanted ? interface : NULL;
		return setting;
	}
	setting.now = sysctl_read(look->arena, key);
	setting.is_wanted = is_wanted;
	setting.is_open = is_wanted && setting.now && strcmp(setting.now, wanted->value) != 0;
	return setting;
}

static void add(struct look *look, const struct sysctl_plan_setting *setting)
{
	struct sysctl_plan_setting *earlier = find(look, setting->key);

	if (!earlier)
		*arena_append(look->arena, look->found.items, look->found.count) = *setting;
	else if (setting->is_wanted)
		*earlier = *setting;
}

static void add_for(struct look *look, const struct ir_sysctl *wanted, const char *interface)
{
	struct sysctl_plan_setting setting =
		consider(look, wanted, sysctl_key(look->arena, wanted->key, interface));

	if (setting.is_wanted)
		add(look, &setting);
}

/* ---- settings of which the greater of conf.all's and the interface's counts ---- */

static bool is_one_of(const char *const *names, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(names[i], name) == 0)
			return true;
	return false;
}

static const char *pattern_of(const struct look *look, const struct ir_sysctl *wanted)
{
	const char *pattern = wanted->key;

	if (!strchr(wanted->key, '*'))
		sysctl_interface(look->arena, wanted->key, &pattern);
	return pattern;
}

/* The interface that it is about, or NULL where there is none such. */
static const char *interface_of(const struct look *look, const struct ir_sysctl *wanted)
{
	const char *interface = wanted->has_via
					? link_towards(look->arena, look->netlink, wanted->via)
					: sysctl_interface(look->arena, wanted->key, NULL);

	return interface && if_nametoindex(interface) && is_meant(wanted, interface) ? interface : NULL;
}

static void add_value(struct look *look, const struct ir_sysctl *wanted, const char *pattern,
		      const char *interface, int value, const char *why)
{
	const char *key = sysctl_key(look->arena, pattern, interface);
	struct ir_sysctl *one = arena_new_of(look->arena, struct ir_sysctl);
	struct sysctl_plan_setting setting = { .wanted = one, .key = key };

	*one = *wanted;
	one->value = arena_printf(look->arena, "%d", value);
	one->why = why;
	setting.now = sysctl_read(look->arena, key);
	setting.is_wanted = number_of(look, pattern, interface) != value;
	setting.is_open = setting.now && strcmp(setting.now, one->value) != 0;
	if (setting.is_wanted || setting.is_open || !value)
		add(look, &setting);
}

/* Every other interface keeps what counts there. */
static void add_others(struct look *look, const struct ir_sysctl *wanted, const char *pattern,
		       const char *const *meant, size_t meant_count)
{
	size_t count;
	const char **names = sysctl_interfaces(look->arena, pattern, &count);
	int all = number_of(look, pattern, "all");
	const char *why =
		arena_printf(look->arena,
			     "%s has to be 0, and this keeps what it was (%d) for what it does not "
			     "concern",
			     sysctl_key(look->arena, pattern, "all"), all);

	*arena_append(look->arena, names, count) = "default";
	for (size_t i = 0; i < count; i++)
		if (!is_one_of(meant, meant_count, names[i]))
			add_value(look, wanted, pattern, names[i],
				  effective(look, pattern, names[i]), why);
}

/* The interface for which it is wanted of the pattern; NULL: it is not. */
static const char *effective_interface(const struct look *look, const struct ir_sysctl *wanted,
				       const char *pattern)
{
	if (wanted->when != IR_SYSCTL_IF_EFFECTIVE ||
	    strcmp(pattern_of(look, wanted), pattern) != 0)
		return NULL;
	return interface_of(look, wanted);
}

/* Those before conf.all's, so that no interface is without for a moment. */
static void add_effective(struct look *look, const struct ir_sysctl *sysctls, size_t count,
			  const char *pattern)
{
	const struct ir_sysctl **meant = NULL;
	const char **names = NULL;
	size_t meant_count = 0, name_count = 0;
	bool is_on = false;

	for (size_t i = 0; i < count; i++) {
		const char *interface = effective_interface(look, &sysctls[i], pattern);

		if (!interface)
			continue;
		*arena_append(look->arena, meant, meant_count) = &sysctls[i];
		*arena_append(look->arena, names, name_count) = interface;
		is_on |= effective(look, pattern, interface) != 0;
	}
	if (!meant_count)
		return;
	if (is_on && number_of(look, pattern, "all") != 0)
		add_others(look, meant[0], pattern, names, name_count);
	add_value(look, meant[0], pattern, "all", 0, meant[0]->why);
	for (size_t i = 0; i < meant_count; i++)
		add_value(look, meant[i], pattern, names[i], 0, meant[i]->why);
}

/* ---- sysctls for several interfaces ---- */

/* What the policy has changed for it already, and would change again, stays. */
static void add_held(struct look *look, const struct ir_sysctl *wanted)
{
	for (size_t i = 0; look->before && i < look->before->sysctl_count; i++) {
		const struct record_sysctl *held = &look->before->sysctls[i];
		const char *pattern = NULL;
		const char *interface = sysctl_interface(look->arena, held->key, &pattern);

		if (held->old && interface && strcmp(pattern, wanted->key) == 0 &&
		    is_meant(wanted, interface) && if_nametoindex(interface))
			add_for(look, wanted, interface);
	}
}

/* Is IPv6 forwarding about to be switched on, or was it by us? */
static bool begins_to_forward(const struct look *look, const struct ir_sysctl *sysctls,
			      size_t count)
{
	const struct record_sysctl *held = record_find_sysctl(look->before, NEEDS_FORWARDING_IPV6);

	for (size_t i = 0; i < count; i++)
		if (strcmp(sysctls[i].key, NEEDS_FORWARDING_IPV6) == 0 &&
		    consider(look, &sysctls[i], NEEDS_FORWARDING_IPV6).is_open)
			return true;
	return held && held->old;
}

static void add_advertised(struct look *look, const struct ir_sysctl *wanted)
{
	size_t count;
	const char **names = link_advertised(look->arena, look->netlink, &count);

	for (size_t i = 0; i < count; i++)
		add_for(look, wanted, names[i]);
	add_held(look, wanted);
}

/* A default route that has gone with its link comes back with it. */
static void add_defaults(struct look *look, const struct ir_sysctl *wanted)
{
	bool is_ipv6 = strncmp(wanted->key, "net.ipv6.", strlen("net.ipv6.")) == 0;
	size_t count;
	const char **names =
		link_defaults(look->arena, look->netlink, is_ipv6 ? ADDR_IPV6 : ADDR_IPV4, &count);

	for (size_t i = 0; i < count; i++)
		add_for(look, wanted, names[i]);
	add_held(look, wanted);
}

static void add_each(struct look *look, const struct ir_sysctl *wanted)
{
	size_t count;
	const char **names = sysctl_interfaces(look->arena, wanted->key, &count);

	for (size_t i = 0; i < count; i++)
		if (is_meant(wanted, names[i]))
			add_for(look, wanted, names[i]);
}

static void add_towards(struct look *look, const struct ir_sysctl *wanted)
{
	const char *interface = link_towards(look->arena, look->netlink, wanted->via);
	struct ir_sysctl *one = arena_new_of(look->arena, struct ir_sysctl);

	if (!interface)
		return;
	*one = *wanted;
	one->devs = NULL;
	one->dev_count = 0;
	*arena_append(look->arena, one->devs, one->dev_count) = interface;
	add_each(look, one);
}

static void add_wanted(struct look *look, const struct ir_sysctl *sysctls, size_t count,
		       const struct ir_sysctl *wanted)
{
	struct sysctl_plan_setting setting;

	if (!strchr(wanted->key, '*')) {
		setting = consider(look, wanted, wanted->key);
		add(look, &setting);
	} else if (wanted->has_via) {
		add_towards(look, wanted);
	} else if (wanted->when == IR_SYSCTL_IF_DEFAULT) {
		add_defaults(look, wanted);
	} else if (wanted->when != IR_SYSCTL_IF_ADVERTISED) {
		add_each(look, wanted);
	} else if (begins_to_forward(look, sysctls, count)) {
		add_advertised(look, wanted);
	}
}

struct sysctl_plan sysctl_plan_find(struct arena *arena, struct netlink *netlink,
				    const struct ir_sysctl *sysctls, size_t count,
				    const struct record *before)
{
	struct look look = { .arena = arena, .netlink = netlink, .before = before };
	const char **patterns = NULL;
	size_t pattern_count = 0;

	for (size_t i = 0; i < count; i++)
		if (sysctls[i].when == IR_SYSCTL_IF_EFFECTIVE)
			names_add(arena, &patterns, &pattern_count, pattern_of(&look, &sysctls[i]));
	for (size_t i = 0; i < pattern_count; i++)
		add_effective(&look, sysctls, count, patterns[i]);
	for (size_t i = 0; i < count; i++)
		if (sysctls[i].when != IR_SYSCTL_IF_EFFECTIVE ||
		    (!sysctls[i].has_via && !interface_of(&look, &sysctls[i])))
			add_wanted(&look, sysctls, count, &sysctls[i]);
	return look.found;
}
