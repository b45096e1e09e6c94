"""settled: what the kernel still has to do after a command that changed links or addresses has returned.

A worker of the kernel's sees a link's new carrier, and only then are routes by it not `linkdown` any more and
has IPv6 its multicast and link-local routes there; another one gives an IPv6 address its local route. A busy
machine does both late. In: what `ip link` tells, /proc/net/if_inet6 and /proc/net/ipv6_route of one network
namespace. Out: what is to come, in words.
"""
import time

UP, LOWER_UP = 0x1, 0x10000  # of a link's flags: linux/if.h
OPERSTATES = {"UNKNOWN": 0, "DOWN": 2, "LOWERLAYERDOWN": 3, "UP": 6}  # RFC 2863, linux/if.h
TENTATIVE = 0x40  # of an address's: linux/if_addr.h
PATIENCE = 30  # seconds


def late_links(links):
	"""Of (name, flags, operational state), what has not followed the carrier."""
	late = []
	for name, flags, state in links:
		carrier = bool(flags & LOWER_UP)
		if flags & UP and (carrier and state in (2, 3) or not carrier and state == 6):
			late.append(f"{name} {'has' if carrier else 'has lost'} its carrier")
	return late


def late_addresses(links, addresses, routes):
	"""IPv6 addresses, by links with a carrier, that nothing can be sent to yet."""
	ready = {name for name, flags, _ in links if flags & UP and flags & LOWER_UP}
	# Of a route the address and the length of its prefix, and last its device.
	local = {tuple(words[:2]) for words in map(str.split, routes.splitlines())}
	late = []
	for address, _, _, _, flags, device in map(str.split, addresses.splitlines()):
		if device in ready and (int(flags, 16) & TENTATIVE or (address, "80") not in local):
			late.append(f"{device} has {address}")
	return late


def wait(late):
	"""Until nothing is late; whatever still is so is said by the case, which finds it different."""
	end = time.monotonic() + PATIENCE
	while late() and time.monotonic() < end:
		time.sleep(0.005)
