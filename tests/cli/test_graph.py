"""tpc graph: what the picture says, that nothing of a policy becomes syntax, what is written and when."""
import json
import re
import shutil
import subprocess
import xml.etree.ElementTree as ElementTree

import pytest

from cli import PATH, PLAIN, ROOT, SEED, WRONG, expect, needs_the_program_itself

BOTH = """version: 1
name: office
interfaces: {lan: [eth1, eth2]}
sets:
  foreign: [203.0.113.0/24, "2001:db8:113::/48"]
listeners:
  px: {tproxy: 12345, runs_as: {user: "1042"}}
tables:
  vpn: {dev: wg0, fallback: unreachable, masquerade: true}
  isp: {via: [192.0.2.1, "2001:db8::1"], dev: wan0}
rules:
  - {name: first, in: lan, to: {not: foreign}, proto: tcp, port: [80, 443], then: {proxy: px}}
  - {name: second, scope: both, to: foreign, then: {route: [vpn, isp]}}
  - {name: third, scope: local, user: "1000", log: "seen ", count: true, limit: 10/second, then: continue}
  - {name: fourth, scope: both, proto: udp, then: {balance: {vpn: 3, isp: 1}, by: source}}
default: {forward: reject, local: direct}
"""

# What would be syntax of dot, of its HTML-like labels, of SVG, of Mermaid, Markdown or HTML, if it were let.
HOSTILE = [
	"<script>alert(1)</script>", "</TD></TR></TABLE>>]; evil [label=x", '"]:::x', "a & b &amp; &lt;b&gt; &#60;",
	"}; evil -> evil; {", "\\N \\G \\l \\\\", "--> evil", "end", "%%{init: {}}%%", "#quot; #35;",
	"`code` **bold** _it_ [a](javascript:alert)", "<!-- <![CDATA[ ]]> -->", "'\"'\"", "1. list", "- list", "$HOME %s%n",
]
SVG_TAGS = {"svg", "g", "title", "polygon", "path", "text", "polyline", "ellipse"}


def policies():
	"""Every policy of ours that compiles as it lies there."""
	found = [*ROOT.glob("examples/*/policy.yaml"), *ROOT.glob("golden/*/policy.yaml"),
		*ROOT.glob("golden/warnings/*/policy.yaml"), *ROOT.glob("golden/notes/*/policy.yaml")]
	return sorted(path for path in found if not (path.parent / "prepare").exists())


def need_dot():
	if not shutil.which("dot", path=PATH):
		pytest.skip("no Graphviz: packaging/setup check installs it")


def drawn(text):
	"""What dot makes of it, as XML, or a problem as text; complaints of dot's are one."""
	done = subprocess.run(["dot", "-Tsvg"], input=text.encode(), capture_output=True, env=PLAIN, timeout=60,
		check=False)
	said = [line for line in done.stderr.decode().splitlines() if "font" not in line.lower()]
	if done.returncode or said:
		return f"dot: status {done.returncode}: {said}"
	try:
		return ElementTree.fromstring(done.stdout)
	except ElementTree.ParseError as error:
		return f"no XML: {error}"


def tags(root):
	return {element.tag.rpartition("}")[2] for element in root.iter()}


def words(root):
	"""All that a reader of the picture sees, its lines joined."""
	return " ".join(element.text or "" for element in root.iter() if element.tag.endswith("}text"))


LABEL = r'"(?:[^"\\#&<>{}|`*%]|#\d+;|<br/>)*"'
MERMAID = re.compile("|".join((r"  entry[01]\(\[" + LABEL + r"\]\):::link", r"  list[01]\[" + LABEL + r"\]:::list",
	r"  box\d+\[" + LABEL + r"\]:::(?:proxy|route|mark|table|listener|link)", r"  entry([01]) --> list\1",
	r"  list[01] --> box\d+", r'  box\d+ (?:-- "\d+" )?--> box\d+', r"  box\d+ ~~~ box\d+", r"  classDef [a-z]+ [a-z0-9#:,-]+")))


def mermaid_problems(text):
	"""Lines that are none of those that a flowchart of ours has, and arrows to nowhere."""
	lines = text.splitlines()
	assert not [f"no line of ours: {line}" for line in lines[2:] if not MERMAID.fullmatch(line)]
	assert lines[1:2] == ["flowchart LR"], "no flowchart"
	boxes = set(re.findall(r"^  (\w+)[\[(]", text, re.MULTILINE))
	assert not [f"an arrow to {name}, which is not there"
		for name in re.findall(r"--> (\w+)$", text, re.MULTILINE) if name not in boxes]


def mermaid_words(text):
	return re.sub(r"#(\d+);", lambda found: chr(int(found.group(1))), text.replace("<br/>", " "))


def test_all_of_them(shop):
	"""every example and golden policy: dot takes the text, the picture is XML, and every mark, priority and table is in it"""
	need_dot()
	for path in policies():
		name = path.relative_to(ROOT)
		text, said = shop.tpc("graph", path), shop.tpc("compile", path, "--emit", "json")
		root = drawn(text.stdout)
		assert not text.returncode and not said.returncode and not isinstance(root, str), f"{name}: {text.returncode} {said.returncode} {root}"
		seen = words(root)
		wanted = set()
		for way in json.loads(said.stdout)["ways"]:
			wanted.add(f"0x{way['mark']['value']:08x}/0x{way['mark']['mask']:08x}")
			if way["ip_rule"]:
				wanted.add(f"ip rule {way['ip_rule']}")
		assert not [f"{name}: {word} is not in the picture" for word in sorted(wanted) if word not in seen]
		assert not [f"{name}: <{tag}>" for tag in sorted(tags(root) - SVG_TAGS)]
	assert len(policies()) > 80, "where are the policies?"


def test_all_flowcharts(shop):
	"""every example and golden policy as a flowchart: only known lines, arrows between existing nodes"""
	for path in policies():
		done = shop.tpc("graph", path, "--emit", "mermaid")
		expect(done, 0)
		mermaid_problems(done.stdout)


def rows(text, number):
	"""The rows of a list: number, words and action, without markup."""
	part = text.partition(f"list{number} [shape")[2].partition("</TABLE>>];")[0]
	return [tuple(re.sub(r"<[^>]*>", " ", cell).split() for cell in re.findall(r"<TD[^>]*>(.*?)</TD>", line))
		for line in part.splitlines() if 'PORT="r' in line]


def said(row):
	return [" ".join(cell) for cell in row]


def test_the_rules(shop):
	"""the rules of each scope in order, with conditions and verdicts, the default last"""
	shop.write("policy.yaml", BOTH)
	text = shop.tpc("graph", "policy.yaml").stdout
	wanted = [[
		["1", "first in lan, not to foreign, tcp, port 80 or 443", "proxy px"],
		["2", "second to foreign", "route vpn, else isp"],
		["4", "fourth udp", "balance vpn 3 : isp 1 by source"],
		["default", "all else", "reject"],
	], [
		["2", "second to foreign", "route vpn, else isp"],
		["3", "third user 1000 at most 10/second, logged, counted", "continue"],
		["4", "fourth udp", "balance vpn 3 : isp 1 by source"],
		["default", "all else", "direct"],
	]]
	found = [[said(row) for row in rows(text, number)] for number in (0, 1)]
	assert found == wanted, f"{found}, not {wanted}"


def arrows(text):
	"""The arrows as pairs of titles: of a row what it says first."""
	titles = {name: title for name, title in re.findall(r"^  (box\d+) \[.*?label=<<B>(.*?)</B>", text, re.MULTILINE)}
	for number in (0, 1):
		titles |= {f"list{number}:r{index}": f"{number}:{said(row)[0]}" for index, row in enumerate(rows(text, number))}
	found = re.findall(r"^  (\w+(?::r\d+)?):e -> (box\d+):w \[(.*)\];$", text, re.MULTILINE)
	return sorted((titles[one], titles[other], *re.findall(r' (?:head)?label="(\d+)"', more)) for one, other, more in found)


def test_the_arrows(shop):
	"""arrows: from each rule to its way, from there to tables in their order, listeners and links"""
	shop.write("policy.yaml", BOTH)
	found = arrows(shop.tpc("graph", "policy.yaml").stdout)
	row = "route vpn, else isp"
	wanted = sorted([("0:1", "proxy px"), ("0:2", row), ("1:2", row), ("proxy px", "listener px"),
		("0:4", "route vpn", "3"), ("0:4", "route isp", "1"), ("1:4", "route vpn", "3"), ("1:4", "route isp", "1"),
		(row, "table vpn", "1"), (row, "table isp", "2"), ("route vpn", "table vpn"), ("route isp", "table isp"),
		("table vpn", "wg0"), ("table isp", "wan0")])
	assert found == wanted, f"{found}, not {wanted}"


def test_the_flowchart(shop):
	"""the flowchart has the same rules and arrows"""
	shop.write("policy.yaml", BOTH)
	text = shop.tpc("graph", "policy.yaml", "--emit", "mermaid").stdout
	plain = mermaid_words(text)
	titles = dict(re.findall(r"^  (box\d+)\[\"(.*?)(?:<br/>|\"\])", text, re.MULTILINE))
	found = sorted((one, mermaid_words(titles[other])) for one, other in
		re.findall(r"^  (list\d) --> (box\d+)$", text, re.MULTILINE))
	wanted = sorted([("list0", "proxy px"), ("list0", "route vpn, else isp"), ("list1", "route vpn, else isp"),
		("list0", "route vpn"), ("list0", "route isp"), ("list1", "route vpn"), ("list1", "route isp")])
	lines = ["1: first: in lan, not to foreign, tcp, port 80 or 443 → proxy px", "3: third: user 1000 → continue (at most",
		"default: all else → reject", "lan: eth1, eth2", "rules: 2; this host's: 2", "tproxy to 127.0.0.1:12345, [::1]:12345", "masquerade"]
	mermaid_problems(text)
	assert not [f"{line} is missing in {plain}" for line in lines if line not in plain]
	assert found == wanted, f"{found}, not {wanted}"


def test_runs(shop):
	"""a way names its rules, consecutive ones as a range"""
	rules = "".join(f"  - {{to: [192.0.2.{n}], then: {'drop' if n in (4, 6) else '{mark: 5}'}}}\n" for n in range(1, 10))
	shop.write("policy.yaml", f"version: 1\nsettings: {{ipv6: off}}\nrules:\n{rules}default: {{forward: {{mark: 5}}}}\n")
	expect(shop.tpc("graph", "policy.yaml"), 0, "<I>rules: 1-3, 5, 7-9, default</I>")
	expect(shop.tpc("graph", "policy.yaml", "--emit", "mermaid"), 0, "<br/>rules: 1-3, 5, 7-9, default\"]")


def hostile_policy(names):
	rules = "".join("  - {to: 192.0.2.%d, name: %s, payload: {contains: %s}, proto: udp, then: drop}\n"
		% (number, json.dumps(name), json.dumps(name)) for number, name in enumerate(names, 1))
	return "version: 1\nsettings: {ipv6: off}\nrules:\n" + rules


def test_hostile(shop):
	"""hostile names and keywords are escaped, in the SVG and in the flowchart"""
	need_dot()
	name = 'a"<b>&]; evil.yaml'
	shop.write(name, hostile_policy(HOSTILE))
	text = shop.tpc("graph", name)
	root = drawn(text.stdout)
	assert not text.returncode and not isinstance(root, str), f"{text} {root}"
	assert not [f"<{tag}>" for tag in sorted(tags(root) - SVG_TAGS)]
	seen = " ".join(words(root).split())
	flowchart = shop.tpc("graph", name, "--emit", "mermaid").stdout
	plain = " ".join(mermaid_words(flowchart).split())
	for wanted in [*HOSTILE, name]:
		wanted = " ".join(wanted.split())
		assert wanted in seen, f"{wanted} is not in the picture: {seen}"
		assert wanted in plain or wanted == name, f"{wanted} is not in {plain}"
	titles = {element.text for element in root.iter() if element.tag.endswith("}title")}
	assert not [f"a node {title}" for title in titles if not re.fullmatch(r"policy|[a-z]+\d(:\w+)*(->\w+(:\w+)*)?", title)]
	mermaid_problems(flowchart)


def test_hidden(shop):
	"""characters that hide or reverse text are shown as '?', control characters as escapes"""
	need_dot()
	shop.write("policy.yaml", hostile_policy(["a\u202eb\u200bc", "x\ty\n"]).replace('name: "x\\ty\\n", ', ""))
	text = shop.tpc("graph", "policy.yaml").stdout
	root = drawn(text)
	assert not isinstance(root, str), root
	assert not [f"{wanted} is not in {text}" for wanted in ("<B>a?b?c</B>", "contains &quot;x\\ty\\n&quot;")
		if wanted not in text]
	assert not [f"{code!r} is there" for code in "\u202e\u200b\t" if code in text]


def test_long_ones(shop):
	"""long names and long lists: lines are broken, the rest of a list is counted"""
	name, word = "a name of many words " * 5, "w" * 128
	shop.write("policy.yaml", "version: 1\nsettings: {ipv6: off}\nrules:\n"
		f"  - {{name: {name}, to: [{', '.join(f'192.0.2.{n}' for n in range(200))}], then: drop}}\n"
		f"  - {{name: {word}, in: eth0, proto: udp, payload: {{contains: {'k' * 60}}}, then: drop}}\n")
	text = shop.tpc("graph", "policy.yaml").stdout
	lines = re.split(r"<[^>]*>|\n", text)
	assert not [f"a line of {len(line)}: {line}" for line in lines if len(line) > 70 and "=" not in line]
	cells = " ".join(" ".join(said(row)) for row in rows(text, 0))
	for wanted in (" ".join(name.split()), "192.0.2.5 or 194 more", "k" * 48 + "..."):
		assert wanted in cells, f"{wanted} is not in {cells}"
	assert word in cells.replace(" ", ""), f"{word} is cut: {cells}"


def large_policy():
	"""The last table is no rule's, and answers all the same."""
	text = ["version: 1", "settings: {mark_mask: 0x7fffff00}", "listeners: {px: {tproxy: 12345}}", "tables:"]
	text += [f"  way{n}: {{dev: wan{n}, masquerade: true}}" for n in range(11)]
	text.append("rules:")
	for n in range(60):
		then = ("direct", "{proxy: px}", f"{{route: way{n % 10}}}", f"{{route: [way{n % 7}, way{n % 9 + 1 - (n % 7 == n % 9 + 1)}]}}",
			f"{{balance: {{way{n % 5}: 2, way{5 + n % 5}: 1}}}}")[n % 5]
		text.append(f"  - {{name: rule of number {n + 1}, in: lan{n % 3}, to: [198.51.100.{n}, '2001:db8::{n + 1}'], then: {then}}}")
	return "\n".join(text) + "\n"


def test_large(shop):
	"""sixty rules and ten tables: all rules in order, every way names its rules, and dot takes it"""
	need_dot()
	shop.write("policy.yaml", large_policy())
	text = shop.tpc("graph", "policy.yaml").stdout
	root = drawn(text)
	assert not isinstance(root, str), root
	numbers = [said(row)[0] for row in rows(text, 0)]
	assert numbers == [str(n) for n in range(1, 61)] + ["default"], f"the order is {numbers}"
	px = re.search(r"<B>proxy px</B>.*rules: (.*)</I>", text)
	assert px and re.sub(r"<[^>]*>", " ", px.group(1)).replace("  ", " ").replace("  ", " ") == ", ".join(str(n) for n in range(2, 61, 5)), \
		f"px is sent to by {px}"
	flowchart = shop.tpc("graph", "policy.yaml", "--emit", "mermaid").stdout
	assert re.search(r"  box\d+ ~~~ box\d+\n", flowchart), "the table that only answers stands where it likes"
	mermaid_problems(flowchart)


def test_deterministic(shop):
	"""the same bytes in any locale, time zone and folder; standard input as well"""
	shop.write("sub/policy.yaml", BOTH)
	one = shop.tpc("graph", "sub/policy.yaml")
	two = shop.tpc("graph", shop.folder / "sub" / "policy.yaml",
		environment={"LC_ALL": "tr_TR.UTF-8", "TZ": "Pacific/Kiritimati"})
	three = shop.tpc("graph", "-", stdin=BOTH)
	expect(one, 0, "digraph policy {")
	expect(three, 0, "policy office, from standard input")
	assert one.stdout == two.stdout, "they differ"


def test_outputs(shop):
	"""-o: the end of the name chooses the format, --emit overrides it; no folder is created; -q is quiet"""
	need_dot()
	shop.write("policy.yaml", SEED)
	expect(shop.tpc("graph", "policy.yaml", "-o", "new/folder/a.svg"), 3, None, ['no folder "new/folder"', "nothing was written"])
	assert not (shop.folder / "new").exists(), "a folder was made"
	(shop.folder / "new/folder").mkdir(parents=True)
	begins = {"a.dot": b"digraph", "a.gv": b"digraph", "a.mmd": b"%%{init", "a.mermaid": b"%%{init", "a.svg": b"<?xml",
		"a.png": b"\x89PNG"}
	for name, begin in begins.items():
		expect(shop.tpc("graph", "policy.yaml", "-o", f"new/folder/{name}"), 0, f"{name}: 1 rule\n", ())
		assert (shop.folder / "new/folder" / name).read_bytes().startswith(begin), f"{name} is something else"
	expect(shop.tpc("graph", "policy.yaml", "-q", "-o", "b.svg", "--emit", "dot"), 0, None)
	expect(shop.tpc("graph", "policy.yaml", "--format", "json", "-o", "b.dot"), 0, '{"files":["b.dot"],"rules":1}')
	assert (shop.folder / "b.svg").read_bytes().startswith(b"digraph"), "--emit was not heard"
	expect(shop.tpc("graph", "policy.yaml", "--emit", "svg"), 0, ["<?xml", "</svg>"])


def test_usage(shop):
	"""wrong usage says what to write: an unknown end, an unknown format, the policy itself, a folder"""
	shop.write("policy.dot", SEED)
	expect(shop.tpc("graph", "policy.dot", "-o", "picture"), 2, None, ["end it in .svg", "--emit"])
	expect(shop.tpc("graph", "policy.dot", "--emit", "jpeg"), 2, None, "dot, mermaid, svg, png")
	expect(shop.tpc("graph", "policy.dot", "-o", "policy.dot"), 2, None, "the policy itself")
	expect(shop.tpc("graph", "policy.dot", "-o", "new/"), 2, None, "name of a file")
	expect(shop.tpc("graph"), 2, None, "POLICY is missing")
	files = shop.listing()
	assert files == {"policy.dot": SEED.encode()}, f"there is {list(files)}"


def untouched(shop, done, status, err):
	"""The call failed, and neither the old picture nor anything beside it has changed."""
	expect(done, status, None, err)
	files = shop.listing("out")
	assert files == {"old.svg": b"old\n"}, f"there is {list(files)}"


def test_without_dot(shop):
	"""without dot: exit 3 with the package's name, nothing written; text formats need no dot"""
	needs_the_program_itself(shop, "a vfork that is a fork there does not say that dot is not here")
	shop.write("policy.yaml", SEED)
	shop.write("out/old.svg", "old\n")
	nowhere = {"PATH": str(shop.folder / "empty")}
	for more in (["-o", "out/old.svg"], ["-o", "out/new.png"], ["--emit", "svg"]):
		untouched(shop, shop.tpc("graph", "policy.yaml", *more, environment=nowhere), 3,
			["install the package graphviz", "--emit mermaid"])
	expect(shop.tpc("graph", "policy.yaml", environment=nowhere), 0, "digraph")
	expect(shop.tpc("graph", "policy.yaml", "-o", "a.mmd", environment=nowhere), 0)


def test_dot_fails(shop):
	"""dot fails, is killed, draws nothing or does not read: exit 3 with its output, nothing written"""
	shop.write("policy.yaml", SEED)
	shop.write("out/old.svg", "old\n")
	for script, word in (("echo '<svg>'; echo 'no such thing' >&2; echo more >&2; exit 1", "dot failed: no such thing;"),
			("echo '<svg>'; kill -9 $$", "signal 9"), ("exit 0", "dot failed;"), ("head -c 200000 /dev/zero >&2; exit 7", "dot failed")):
		shop.write("bin/dot", f"#!/bin/sh\n{script}\n").chmod(0o755)
		untouched(shop, shop.tpc("graph", "policy.yaml", "-o", "out/old.svg",
			environment={"PATH": f"{shop.folder}/bin:{PATH}"}), 3, word)


def test_dot_call(shop):
	"""dot runs without a shell, and gets all of a large text while it draws"""
	shop.write("policy.yaml", large_policy())
	shop.write("bin/dot", '#!/bin/sh\nprintf "%s" "$#:$*:" >args\nhead -c 3000000 /dev/zero\ncat >text\n').chmod(0o755)
	done = shop.tpc("graph", "policy.yaml", "-o", "a.svg", environment={"PATH": f"{shop.folder}/bin:{PATH}"})
	expect(done, 0, "a.svg: 60 rules")
	files = shop.listing()
	assert files.get("args") == b"1:-Tsvg:" and files.get("text", b"").decode() == shop.tpc("graph", "policy.yaml").stdout, \
		f"it was called otherwise: {files.get('args')}"
	assert len(files.get("a.svg", b"")) == 3000000, "not all it drew was written"


def test_wrong(shop):
	"""a wrong policy: its errors, exit 1, nothing written"""
	shop.write("policy.yaml", WRONG)
	shop.write("out/old.svg", "old\n")
	untouched(shop, shop.tpc("graph", "policy.yaml", "-o", "out/old.svg"), 1, 'did you mean "proxy"?')


def test_refused(shop):
	"""an output that cannot be written: exit 3"""
	shop.write("policy.yaml", SEED)
	shop.write("file", "")
	done = shop.tpc("graph", "policy.yaml", "-o", "file/a.dot")
	full = shop.run("sh", "-c", f"{shop.program} graph policy.yaml >/dev/full")
	expect(done, 3, None, "nothing was written")
	expect(full, 3, None, "standard output")
