/*
 * route_ops: routes into the kernel, and those that it does not take.
 *
 * A way that cannot be had now (its link is down, its gateway or `src` is not there) is left out
 * with a warning that says what to look at: the table's fallback holds meanwhile. A link that is
 * down is found before anything changes; what only the kernel can tell is foretold to whoever asks
 * for a plan.
 */
#include <errno.h>
#include <inttypes.h>
#include <net/if.h>
#include <time.h>

#include "apply/apply_state.h"
#include "base/arena.h"
#include "base/report.h"
#include "host/obstacles.h"
#include "ir/ir.h"
#include "kernel/addresses.h"
#include "kernel/link.h"

/* Codes of a kernel without IPv6, and of one where it is switched off for the device. */
bool apply_is_about_ipv6(enum addr_family family, int code)
{
	return family == ADDR_IPV6 &&
	       (code == EAFNOSUPPORT || code == EOPNOTSUPP || code == EACCES);
}

/* What is left out is a warning, or the end where none is wanted. */
static enum diag_severity kind_of_fault(const struct apply *apply)
{
	return apply->job->strict ? SEVERITY_ERROR : SEVERITY_WARNING;
}

bool apply_leave_out_ipv6(struct apply *apply)
{
	report_add(apply->report, kind_of_fault(apply), DIAG_ipv6_off,
		   "IPv6 is disabled here, so the policy's IPv6 routes are left out; write `settings: {ipv6: off}` if that is intended");
	return !apply->job->strict;
}

/* ---- duplicate address detection ---- */

/* The kernel takes a second for it, after a delay of up to one more, for each of its probes
 * (dad_transmits, router_solicitation_delay). */
enum { SETTLE_MOST = 5000, SETTLE_STEP = 50 }; /* milliseconds */

static bool has_carrier(struct apply *apply, unsigned int index, char name[static IF_NAMESIZE])
{
	return if_indextoname(index, name) &&
	       link_state(apply->arena, &apply->kernel.route, name).has_carrier;
}

/* Why the route's `src` is no address of this host yet, or NULL. */
static const char *detection_words(struct apply *apply, const struct ir_route *route)
{
	struct addresses_detection detection =
		addresses_detection(&apply->kernel.route, route->src);
	char text[ADDR_TEXT], device[IF_NAMESIZE] = "?";

	addr_format(route->src, text);
	if (detection.state == ADDRESSES_SETTLED)
		return NULL;
	if (detection.state == ADDRESSES_DUPLICATE)
		return arena_printf(apply->arena,
				    "`src`, %s, is a duplicate: another host has it (duplicate address detection failed, `ip -6 address` says "
				    "dadfailed); give this host another address, then apply again",
				    text);
	if (!has_carrier(apply, detection.index, device))
		return arena_printf(apply->arena,
				    "`src`, %s, is tentative as long as its interface, %s, has no carrier; apply again when it has one",
				    text, device);
	return arena_printf(apply->arena,
			    "`src`, %s, is tentative: the kernel still asks whether another host has it (duplicate address detection); "
			    "apply again in a few seconds",
			    text);
}

/* Will the kernel take it in a moment? Without carrier detection does not begin. */
static bool will_settle(struct apply *apply, const struct ir_route *route)
{
	struct addresses_detection detection;
	char device[IF_NAMESIZE];

	if (!route->has_src || route->type != IR_ROUTE_UNICAST)
		return false;
	detection = addresses_detection(&apply->kernel.route, route->src);
	return detection.state == ADDRESSES_TENTATIVE &&
	       has_carrier(apply, detection.index, device);
}

/* All routes of an apply share the time. */
static void settle(struct apply *apply, const struct ir_route *route)
{
	const struct timespec step = { .tv_nsec = SETTLE_STEP * 1000000L };
	unsigned int before = apply->settled;
	char text[ADDR_TEXT];

	while (apply->settled < SETTLE_MOST && will_settle(apply, route)) {
		nanosleep(&step, NULL);
		apply->settled += SETTLE_STEP;
	}
	if (apply->settled > before)
		report_step(apply->report, "waited %u ms for duplicate address detection of %s",
			    apply->settled - before, addr_format(route->src, text));
}

/* ---- what is wrong ---- */

static bool says_on_link(const struct ir_route *other, const struct ir_route *route,
			 struct addr via)
{
	struct wide host_bits = addr_host_bits(other->to.addr.family, other->to.length);

	return other != route && other->table == route->table && other->type == IR_ROUTE_UNICAST &&
	       other->to.addr.family == via.family && other->hop_count == 1 &&
	       !other->hops[0].has_via && !ir_route_is_open(other) &&
	       wide_equal(wide_or(other->to.addr.bits, host_bits), wide_or(via.bits, host_bits));
}

/* The kernel looks into the route's own table first: does that lead to the gateway now, or will it?
 */
static bool is_told(const struct apply *apply, const struct ir_route *route, struct addr via)
{
	for (size_t i = 0; i < apply->ir->route_count; i++)
		if (says_on_link(&apply->ir->routes[i], route, via))
			return true;
	for (size_t i = 0; i < apply->observed.routes.count; i++)
		if (says_on_link(&apply->observed.routes.items[i].route, route, via))
			return true;
	return false;
}

static bool is_far(struct apply *apply, const struct ir_route *route, const struct ir_nexthop *hop)
{
	return hop->has_via && !hop->onlink && !is_told(apply, route, hop->via) &&
	       link_is_far(&apply->kernel.route, hop->via, hop->dev);
}

/* What a person should look at where the kernel takes a route for wrong, or NULL. */
static const char *find_fault(struct apply *apply, const struct ir_route *route)
{
	const char *detection = route->has_src ? detection_words(apply, route) : NULL;
	char text[ADDR_TEXT];

	if (detection)
		return detection;
	if (route->has_src && !link_has_address(&apply->kernel.route, route->src))
		return arena_printf(apply->arena,
				    "`src`, %s, is no address of this host: give it to an interface, or write another one; then apply again",
				    addr_format(route->src, text));
	for (size_t i = 0; route->type == IR_ROUTE_UNICAST && i < route->hop_count; i++) {
		const struct ir_nexthop *hop = &route->hops[i];

		if (is_far(apply, route, hop))
			return arena_printf(apply->arena,
					    "the gateway, %s, is on no network of %s: check the "
					    "interface's addresses, or write `onlink: true` if "
					    "it is reachable even so; then apply again",
					    addr_format(hop->via, text),
					    hop->dev ? hop->dev : "this host's interfaces");
	}
	return NULL;
}

/* ---- before anything changes ---- */

static bool is_left_out(struct apply *apply, const struct op *op)
{
	const struct ir_route *route = op->route;
	const char *down = diff_down_device(&apply->kernel.route, route), *fault = NULL;
	const char *bare = route->family == ADDR_IPV4
				   ? obstacles_bare_device(&apply->kernel.route, apply->ir, route)
				   : NULL;
	struct diag_record *line;

	if (!down && apply->job->dry_run && !will_settle(apply, route))
		fault = find_fault(apply, route);
	if (!down && !fault && !bare)
		return false;
	if (bare && !down)
		line = report_add(apply->report, SEVERITY_WARNING, DIAG_no_masquerade_address,
				  "the interface %s has no IPv4 address to masquerade with, so its IPv4 routes in table %" PRIu32
				  " are left out",
				  bare, route->table);
	else if (down)
		line = report_add(apply->report, SEVERITY_WARNING, DIAG_interface_down,
				  "the interface %s is down, so its routes in table %" PRIu32
				  " are left out",
				  down, route->table);
	else
		line = report_add(apply->report, SEVERITY_WARNING, DIAG_kernel_refused,
				  "the kernel would refuse `%s`; the route would be left out",
				  op_command(apply->arena, op));
	line->where = route->origin;
	diag_help_text(line,
		       down ? "apply again when it is up"
		       : bare ? "apply again when it has one; or write `snat` with an address in place of `masquerade`"
			      : fault);
	return true;
}

/* The one in its place leads another way than the policy's now, so it goes, too. */
static void leave_out(struct apply *apply, struct op *op)
{
	op->state = OP_LEFT_OUT;
	if (op->kind == OP_ROUTE_REPLACE)
		op_add_route(apply->arena, &apply->ops, OP_ROUTE_REMOVE, op->route_before,
			     op->protocol_before);
}

void apply_sift_routes(struct apply *apply)
{
	for (struct op *op = apply->ops.first; op; op = op->next)
		if (op_is_at(op, STAGE_ROUTES) && is_left_out(apply, op))
			leave_out(apply, op);
}

/* ---- the change ---- */

/* A way that cannot be taken now; the table's fallback holds meanwhile. */
static bool is_about_way(const struct ir_route *route, int code)
{
	if (route->type != IR_ROUTE_UNICAST)
		return false;
	return code == ENODEV || code == ENETDOWN || code == ENETUNREACH || code == EHOSTUNREACH ||
	       (code == EINVAL && route->has_src);
}

static bool refuse(struct apply *apply, struct op *op, const struct netlink_error *error)
{
	bool is_soft = is_about_way(op->route, error->code);
	const char *fault = is_soft ? find_fault(apply, op->route) : NULL;
	struct diag_record *line;

	if (apply_is_about_ipv6(op->route->family, error->code))
		return apply_leave_out_ipv6(apply);
	line = report_add(apply->report, is_soft ? kind_of_fault(apply) : SEVERITY_ERROR,
			  DIAG_kernel_refused, "the kernel refuses `%s`: %s%s",
			  op_command(apply->arena, op), error->text,
			  is_soft ? "; the route is left out" : "");
	line->where = op->route->origin;
	diag_help_text(line, is_soft && !fault ? "apply again when its link is up" : fault);
	if (is_soft)
		leave_out(apply, op);
	return is_soft && !apply->job->strict;
}

static bool put_route(struct apply *apply, struct op *op)
{
	struct netlink_error error;

	return apply_run(apply, op, &error) || refuse(apply, op, &error);
}

/* A table without the route has its fallback: the rules need not wait. One that has another route
 * in its place must not be used by the new rules. */
bool apply_put_route(struct apply *apply, struct op *op)
{
	if (!will_settle(apply, op->route))
		return put_route(apply, op);
	if (op->kind != OP_ROUTE_REPLACE && !apply->job->strict) {
		op->stage = STAGE_LATE_ROUTES;
		return true;
	}
	settle(apply, op->route);
	return put_route(apply, op);
}

bool apply_put_late_route(struct apply *apply, struct op *op)
{
	settle(apply, op->route);
	return put_route(apply, op);
}
