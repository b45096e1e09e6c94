"""kernel_wait: waits for what the kernel still has to do after a change of links or addresses.

A kernel worker handles a link's new carrier. Only after that its routes are no longer `linkdown`, and
IPv6 has its multicast and link-local routes; another worker adds the local route of an IPv6 address. A busy
machine does both late. In: the output of `ip link`, /proc/net/if_inet6 and /proc/net/ipv6_route of one network
namespace. Out: the missing changes, in words.
"""
import time

UP, LOWER_UP = 0x1, 0x10000  # of a link's flags: linux/if.h
OPERSTATES = {"UNKNOWN": 0, "DOWN": 2, "LOWERLAYERDOWN": 3, "UP": 6}  # RFC 2863, linux/if.h
TENTATIVE = 0x40  # of an address's: linux/if_addr.h
PATIENCE = 30  # seconds


def late_links(links):
	"""The links, (name, flags, operational state) each, whose state does not match the carrier yet."""
	late = []
	for name, flags, state in links:
		carrier = bool(flags & LOWER_UP)
		if flags & UP and (carrier and state in (2, 3) or not carrier and state == 6):
			late.append(f"{name} {'has' if carrier else 'has lost'} its carrier")
	return late


def late_addresses(links, addresses, routes):
	"""IPv6 addresses on links with a carrier that are not usable yet."""
	ready = {name for name, flags, _ in links if flags & UP and flags & LOWER_UP}
	# The address, the prefix length and the device of each route.
	local = {tuple(words[:2]) for words in map(str.split, routes.splitlines())}
	late = []
	for address, _, _, _, flags, device in map(str.split, addresses.splitlines()):
		if device in ready and (int(flags, 16) & TENTATIVE or (address, "80") not in local):
			late.append(f"{device} has {address}")
	return late


def wait(late):
	"""Waits until nothing is late. After the timeout the test goes on, and fails where it matters."""
	end = time.monotonic() + PATIENCE
	while late() and time.monotonic() < end:
		time.sleep(0.005)
