"""What apply and its kin say, and with which exit status: lost reports, refusals as JSON, commands to copy."""
import re

from cli import SEED, differs, expect, needs_the_program_itself

VPN = """version: 1
tables:
  vpn: {dev: wg0, fallback: unreachable}
rules:
  - {to: 203.0.113.0/24, family: ipv4, then: {route: vpn}}
"""


def shell(host, text):
	"""What a shell makes of the text; host.program stands for the program."""
	return host.run("sh", "-c", text, environment={"TPC": host.program}, check=False)


def test_lost(shop, host):
	"""a report that cannot be printed: the change is done and not reported as refused; JSON has the status in-doubt"""
	needs_the_program_itself(shop, "a watchdog closes files that the other one has open")
	shop.write("p.yaml", SEED)
	expect(shell(host, "$TPC apply p.yaml >/dev/full"), 0, None,
		["tpc: warning: the policy tpc is applied, but standard output could not be written", "`tpc status tpc`"])
	expect(host.tpc("apply", "p.yaml"), 0, "nothing to change")
	expect(shell(host, "$TPC remove >/dev/full"), 0, None, "the policy tpc is removed, but")
	expect(shell(host, "$TPC apply --confirm 50 p.yaml >/dev/full"), 0, None, "unless you run: tpc confirm tpc")
	expect(shell(host, "$TPC confirm >/dev/full"), 0, None, "the policy tpc is confirmed, but")
	expect(shell(host, "$TPC rollback >/dev/full"), 0, None, "the policy tpc is rolled back, but")
	expect(shell(host, "$TPC apply --format json p.yaml >/dev/full"), 4, None, '"severity":"error","code":"output-write","file":null')
	expect(shell(host, "$TPC apply --format json p.yaml >/dev/full"), 3, None, "cannot write to standard output")


def test_closed(shop, host):
	"""closed streams: the policy is applied, and nothing is printed into files that got their numbers"""
	needs_the_program_itself(shop, "it opens its files where closed streams were")
	shop.write("p.yaml", SEED)
	expect(shell(host, "$TPC apply p.yaml >&- 2>&- <&-"), 0, None, None)
	expect(host.tpc("apply", "p.yaml"), 0, "nothing to change")
	expect(shell(host, "$TPC remove >&-"), 0, None, "is removed, but")
	expect(shell(host, "$TPC apply p.yaml 2>&-"), 0, "applied", None)


def test_elsewhere(shop, host):
	"""a listener's port on another address: status says which socket listens there"""
	shop.write("p.yaml", SEED.replace("tproxy: 12345", "tproxy: {port: 12345, address: 127.0.0.1}, protocols: [tcp]"))
	host.run("ip", "address", "add", "192.0.2.7/32", "dev", "lo")
	expect(host.tpc("apply", "p.yaml"), 0)
	expect(host.tpc("status"), 0, "no socket listens on 127.0.0.1:12345/tcp (listener proxy) [no-socket]\n")
	listener = host.start("/usr/bin/python3", "-c", "import socket, time\n"
		"a = socket.create_server(('192.0.2.7', 12345)); print('up', flush=True); time.sleep(60)")
	listener.stdout.readline()
	expect(host.tpc("status"), 0,
		"no socket listens on 127.0.0.1:12345/tcp (listener proxy); what listens on that port is bound to 192.0.2.7:12345 [no-socket]\n")
	listener.kill()
	listener.communicate()


UPLINKS = """version: 1
tables:
  isp2: {routes: [{via: 192.0.2.1, dev: wan1, metric: 5}, {via: 192.0.2.2, dev: wan1, metric: 50}], fallback: unreachable}
rules:
  - {to: 203.0.113.0/24, family: ipv4, then: {route: isp2}}
"""


def test_lost_route(shop, host):
	"""a missing route: status has the policy's name of the table, and the route; no command while its link is down"""
	shop.write("p.yaml", UPLINKS)
	host.link("wan1")
	host.run("ip", "address", "add", "192.0.2.9/24", "dev", "wan1")
	expect(host.tpc("apply", "p.yaml"), 0)
	table = host.json("status")["policies"][0]["tables"][0]
	host.run("ip", "route", "del", "default", "table", str(table), "metric", "50")
	expect(host.tpc("status"), 5, [f"table isp2 ({table}) lacks the route `default via 192.0.2.2 dev wan1 metric 50`",
		f"ip -4 route add default via 192.0.2.2 dev wan1 table {table}"])
	host.run("ip", "link", "set", "wan1", "down")
	done = host.tpc("status")
	expect(done, 5, [f"the interface wan1 is down, so table isp2 ({table}) has no route `default via 192.0.2.1 dev wan1 metric 5`"])
	assert "ip -4 route add" not in done.stdout, f"a command that fails: {done.stdout}"


def test_tentative(shop, host):
	"""a `src` that stays tentative: apply waits, the rest is in force, and the message says to apply again"""
	shop.write("p.yaml", """version: 1
tables:
  v: {dev: wan1, src: "2001:db8:5::9", fallback: unreachable}
rules:
  - {to: "2001:db8:113::/48", then: {route: v}}
""")
	host.run("ip", "link", "add", "wan1", "type", "veth", "peer", "name", "far1")  # a dummy detects no duplicates
	host.run("sysctl", "-qw", "net.ipv6.conf.wan1.accept_dad=1", "net.ipv6.conf.wan1.dad_transmits=60")
	host.run("ip", "link", "set", "far1", "up")
	host.run("ip", "link", "set", "wan1", "up")
	host.run("ip", "address", "add", "2001:db8:5::9/64", "dev", "wan1")
	assert "tentative" in host.run("ip", "address", "show", "dev", "wan1").stdout, "the address is not tentative here"
	expect(host.tpc("plan", "p.yaml"), 5, "ip -6 route add default", ())
	done = host.tpc("apply", "-v", "p.yaml")
	expect(done, 0, "waited 5000 ms for duplicate address detection of 2001:db8:5::9",
		["the route is left out", "2001:db8:5::9, is tentative", "apply again in a few seconds"])
	assert done.stdout.index("table inet tpc") <= done.stdout.index("waited"), "the rules waited, too"


GIVEN = """version: 1
listeners:
  px: {tproxy: 12345, mark: 100, table: 100}
rules:
  - {to: 203.0.113.0/24, family: ipv4, then: {proxy: px}}
"""


def test_given_numbers(shop, host):
	"""explicit numbers in conflict: the caret at the number, a free number as help"""
	shop.write("p.yaml", GIVEN)
	host.run("ip", "rule", "add", "fwmark", "100", "lookup", "7", "priority", "99")
	done = host.tpc("apply", "p.yaml")
	expect(done, 3, None, ["p.yaml:3:29: error: the mark of px", "help: write another mark, such as {value: 0x01000000, mask: 0x7f000000}"])
	assert "mark_mask" not in done.stderr, "the default is advised"
	host.run("ip", "rule", "del", "priority", "99")
	host.run("ip", "route", "add", "blackhole", "198.51.100.0/24", "table", "100")
	done = host.tpc("apply", "p.yaml")
	expect(done, 3, None, ["p.yaml:3:41: error: the routing table 100 holds", "help: write another table id, such as 7101"])
	assert "table_ids" not in done.stderr, "the default is advised"
	shop.write("p.yaml", GIVEN.replace("table: 100", "table: 7101"))
	expect(host.tpc("apply", "p.yaml"), 0)


def test_renamed(shop, host):
	"""a renamed policy: one error that says what to remove"""
	shop.write("p.yaml", "name: old\n" + SEED)
	expect(host.tpc("apply", "p.yaml"), 0)
	shop.write("p.yaml", "name: new\n" + SEED)
	for verb in "plan", "apply":
		done = host.tpc(verb, "p.yaml")
		expect(done, 3, None, ["this file is applied as the policy old", "run `tpc remove old`, then apply again"])
		assert done.stderr.count(": error:") <= 2, done.stderr
	expect(host.tpc("remove", "old"), 0)
	expect(host.tpc("apply", "p.yaml"), 0)


def test_refusal(shop, host):
	"""a refusal as JSON: plan's and apply's errors have the place in the policy, the code and the help, once"""
	shop.write("p.yaml", SEED)
	host.run("ip", "rule", "add", "fwmark", "100", "lookup", "7", "priority", "99")
	for verb in "plan", "apply":
		expect(host.tpc(verb, "p.yaml", "--format", "json"), 3, '"number-conflict"', None)
		result = host.json(verb, "p.yaml", status=3)
		errors = result["errors"]
		assert errors and not result["warnings"], f"{verb}: {result}"
		first = errors[0]
		assert (first["file"], first["line"], first["code"], first["command"]) == ("p.yaml", 5, "number-conflict", None), f"{verb}: {first}"
		assert first["column"] >= 3 and "mark" in first["message"] and "write another mark" in str(first["help"]), f"{verb}: {first}"


def suggested(host):
	"""The command of status after a chain was emptied by hand."""
	host.run("nft", "flush", "chain", "inet", "tpc", "prerouting")
	said = [problem["command"] for policy in host.json("status", status=5)["policies"] for problem in policy["problems"]]
	return [text for text in said if text]


def test_command(shop, host):
	"""the command of status can be copied: the options of the apply, and a path with a space and quotes"""
	host.link("wg0")
	name = "a b/it's.yaml"
	policy = VPN.replace("dev: wg0", "dev: wg0, id: 777")
	shop.write(name, policy)
	for options in [], ["-O0"], ["--allow-foreign"], ["-O0", "--allow-foreign"]:
		expect(host.tpc("apply", *options, name), 0)
		if "--allow-foreign" in options:
			host.run("ip", "route", "replace", "198.51.100.0/24", "dev", "wg0", "table", "777")
		commands = suggested(host)
		assert len(set(commands)) == 1 and all(option in commands[0] for option in options), f"{options}: {commands}"
		done = host.run("sh", "-c", f'tpc() {{ "$TPC" "$@"; }}; {commands[0]}', environment={"TPC": shop.program}, check=False)
		expect(done, 0, ["applied", "the chain prerouting holds 0 rules"])
		assert "ip rules" not in done.stdout and "another one" not in done.stdout, f"{commands[0]} makes another policy of it: {done}"
	expect(host.tpc("apply", name), 3)
	shop.write(name, policy.replace("203", "202"))
	expect(host.tpc("apply", "--allow-foreign", name), 0)
	expect(host.tpc("rollback"), 0)
	commands = suggested(host)
	assert commands and "-O0" in commands[0], f"behind a rollback: {commands}"


def test_warnings(shop, host):
	"""warnings about the host are printed with -q too; with --strict they are errors before anything changes"""
	shop.write("p.yaml", VPN)
	before = host.state()
	words = ["p.yaml:3:3: ", "there is no interface wg0"]
	expect(host.tpc("apply", "--strict", "p.yaml"), 3, None, [*words, "error", "nothing changed"])
	expect(host.tpc("plan", "--strict", "p.yaml"), 3, None, words)
	differs(before, host.state(), "what was refused:")
	expect(host.tpc("apply", "-q", "p.yaml"), 0, None, [*words, "warning"])
	host.link("wg0")
	expect(host.tpc("apply", "--strict", "-q", "p.yaml"), 0, None, None)
	expect(host.tpc("remove"), 0)
	before = host.state()
	shop.write("p.yaml", VPN.replace("dev: wg0", "dev: wg0, via: 172.31.0.1"))
	refused = ["the kernel refuses", "Nexthop has invalid gateway", "is on no network of wg0"]
	expect(host.tpc("apply", "--strict", "p.yaml"), 3, None, ["error: the kernel refuses", *refused])
	differs(before, host.state(), "what was refused:")
	done = host.tpc("apply", "-q", "p.yaml")
	expect(done, 0, None, ["warning: the kernel refuses", *refused])
	assert "link is up" not in done.stderr, f"the link is up: {done}"


def test_strict_beside(shop, host):
	"""--strict accepts what --allow-foreign allows"""
	host.link("wg0")
	shop.write("p.yaml", VPN.replace("dev: wg0", "dev: wg0, id: 777"))
	host.run("ip", "route", "add", "198.51.100.0/24", "dev", "wg0", "table", "777")
	expect(host.tpc("apply", "--strict", "--allow-foreign", "p.yaml"), 0, "applied", "warning: the policy's table 777 holds")


def test_numbers(shop, host):
	"""foreign numbers: the help has free ones that no known program uses"""
	host.link("wg0")
	shop.write("p.yaml", VPN)
	table = re.search(r"table (\d+)", host.tpc("plan", "p.yaml").stdout).group(1)
	first = host.json("plan", "p.yaml", status=5)["changes"]
	words = [change["what"].split() for change in first if change["kind"] == "ip_rule"][0]
	mark, priority = words[words.index("fwmark") + 1], words[words.index("priority") + 1]
	host.run("ip", "rule", "add", "fwmark", mark, "lookup", "7", "priority", "99")
	host.run("ip", "rule", "add", "to", "192.0.2.77", "lookup", "7", "priority", priority)
	host.run("ip", "route", "add", "198.51.100.0/24", "dev", "wg0", "table", table)
	done = host.tpc("plan", "p.yaml")
	expect(done, 3)
	settings = [re.search(rf"write `settings: {{({key}: [0-9][^}}]*)}}`", done.stderr) for key in ("mark_mask", "priority", "table_ids")]
	assert all(settings), f"no numbers: {done}"
	text = ", ".join(found.group(1) for found in settings)
	shop.write("p.yaml", VPN.replace("version: 1", f"version: 1\nsettings: {{{text}}}"))
	done = host.tpc("plan", "p.yaml")
	expect(done, 5)
	assert "known-number" not in done.stderr, f"it warns: {done}"
