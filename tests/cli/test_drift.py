#!/usr/bin/python3
"""tpc status --drift: silent where all is as apply left it, and says what is not. What plan would do is drift,
and apply mends it."""
import sys

from cli import ROOT, expect, main
from hosted import differs, live

UPLINKS = {"wan0": ("192.0.2.2/24", "2001:db8:1::2/64"), "wan1": ("198.51.100.2/24", "2001:db8:2::2/64"),
	"wg0": ("10.99.0.2/24", "fd00:99::2/64")}
# One that names control groups needs a host that has them: tests/lab loads it.
EXAMPLES = [path for path in sorted(ROOT.glob("examples/*/policy.yaml")) if "cgroup:" not in path.read_text(encoding="utf-8")]
MAPS = """version: 1
sets: {s: {dynamic: true}}
rules:
  - {from: s, then: drop}
  - {in: lan0, to: 203.0.113.0/24, then: drop}
  - {in: lan0, to: 203.0.114.0/24, then: reject}
"""
MORE = "rules:\n  - {to: 203.0.113.99, proto: tcp, port: 4242, then: drop}\n"


def uplinks(host):
	for name, addresses in UPLINKS.items():
		host.must("ip", "link", "add", name, "type", "veth", "peer", "name", f"far-{name}")
		for end in name, f"far-{name}":
			host.must("ip", "link", "set", end, "addrgenmode", "none")
		host.must("ip", "link", "set", f"far-{name}", "up")
		host.must("ip", "link", "set", name, "up")
		for address in addresses:
			host.must("ip", "address", "add", address, "dev", name, *["nodad"] * (":" in address))


def in_order(host, policy, when):
	"""Nothing is to be said, nothing to be done, and nothing is."""
	problems = expect(host.tpc("status", "--drift"), 0, None, None)
	problems += expect(host.tpc("plan", policy), 0, "nothing to change\n")
	before = host.state()
	problems += expect(host.tpc("apply", policy), 0, "nothing to change\n")
	return [f"{when}:"] * bool(problems) + problems + differs(before, host.state(), f"{when}: a second apply:")


def there_and_back(host, path, text):
	"""Applied, changed, rolled back, confirmed: nothing of it is drift."""
	path.write_text(text, encoding="utf-8")
	problems = expect(host.tpc("apply", path.name), 0)
	problems += expect(host.tpc("status", "--drift"), 0, None, None)
	problems += in_order(host, path.name, "applied")
	path.write_text(text.replace("rules:\n", MORE, 1), encoding="utf-8")
	problems += expect(host.tpc("apply", "--confirm", "60", path.name), 0)
	problems += expect(host.tpc("status", "--drift"), 0, None, None)
	problems += expect(host.tpc("confirm"), 0)
	problems += in_order(host, path.name, "changed")
	problems += expect(host.tpc("rollback"), 0)
	problems += expect(host.tpc("status", "--drift"), 0, None, None)
	path.write_text(text, encoding="utf-8")
	return problems + in_order(host, path.name, "rolled back")


def example(path):
	@live(f"no drift: {path.parent.name}: applied, changed with --confirm, rolled back; apply again changes nothing")
	def _(shop, host):
		uplinks(host)
		for other in path.parent.iterdir():
			shop.write(other.name, other.read_text(encoding="utf-8"))
		return there_and_back(host, shop.folder / "policy.yaml", path.read_text(encoding="utf-8"))


for _path in EXAMPLES:
	example(_path)


@live("no drift: rules of nft over several lines are kept as they are, at every -O; plan -v shows nothing but the change")
def maps(shop, host):
	problems = []
	for level in "-O0", "-O1":
		shop.write("policy.yaml", MAPS)
		problems += expect(host.tpc("apply", level, "policy.yaml"), 0)
		problems += expect(host.tpc("status", "--drift"), 0, None, None)
		problems += expect(host.tpc("apply", level, "policy.yaml"), 0, "nothing to change\n")
		shop.write("policy.yaml", MAPS.replace("reject", "drop"))
		done = host.tpc("plan", "-v", level, "policy.yaml")
		text = [line.strip()[1:].strip() for line in done.out.splitlines() if line.strip()[:1] in "+-"]
		problems += [f"only its indentation differs, {level}: {line}" for line in set(text) if text.count(line) > 1]
		problems += expect(done, 5, "reject")
	return problems


if __name__ == "__main__":
	sys.exit(main())
