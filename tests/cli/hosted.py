"""hosted: cases that need a host of their own, and what differs between two states of one."""
from cli import case
from host import Host


def live(name):
	"""A case with a Host beside the Shop."""
	def add(function):
		@case(name)
		def _(shop):
			with Host(shop) as host:
				return function(shop, host)
		return function
	return add


def differs(before, after, what):
	"""What differs, but for the order in which nft and ip tell it."""
	if sorted(before.splitlines()) == sorted(after.splitlines()):
		return []
	gone = [f"- {line}" for line in before.splitlines() if line not in after.splitlines()]
	new = [f"+ {line}" for line in after.splitlines() if line not in before.splitlines()]
	return [what, *gone, *new]
