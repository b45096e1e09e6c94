"""tpc compile: what it writes, what it prints, what it leaves alone."""
import json
import os
import re
import shutil
import stat
import sys

from cli import ROOT, SEED, WRONG, expect

KINDS = {"nft": ".nft", "ip": ".ip.batch", "ip6": ".ip6.batch", "sh": ".sh", "sysctl": ".sysctl.conf",
	"json": ".json"}
# IPv4 alone: no second batch.
IPV4 = SEED.replace("version: 1\n", "version: 1\nsettings: {ipv6: off}\n").replace(
	', "2001:db8:113::/48"', "")


def test_masked(shop):
	"""outputs, scripts and folders follow the umask"""
	shop.write("policy.yaml", SEED)
	for mask in 0o022, 0o077, 0o027, 0o002:
		expect(shop.run("sh", "-c", f"umask {mask:o}; exec {shop.program} compile policy.yaml -o out/{mask:o}"), 0)
		expect(shop.run("sh", "-c",
			f"umask {mask:o}; exec {shop.program} graph policy.yaml -o out/{mask:o}/policy.dot"), 0)
		folder = shop.folder / "out" / f"{mask:o}"
		for path in [folder, *folder.iterdir()]:
			wanted = (0o777 if path.is_dir() or path.suffix == ".sh" else 0o666) & ~mask
			assert stat.S_IMODE(path.stat().st_mode) == wanted, \
				f"umask {mask:o}: {path.name} has mode {stat.S_IMODE(path.stat().st_mode):o}"


def test_writes(shop):
	"""writes files with the policy's name, and lists them"""
	shop.write("policy.yaml", SEED)
	done = shop.tpc("compile", "policy.yaml", "-o", "out")
	expect(done, 0, ["out/policy.nft, out/policy.ip.batch", ": 1 rule, 1 set"], None)
	files = shop.listing("out")
	for name in ("policy.nft", "policy.ip.batch", "policy.ip6.batch", "policy.sh", "policy.json"):
		assert files.get(name), f"{name} is missing or empty"
		assert f"out/{name}" in done.stdout, f"{name} is not named"
	for name in files:
		assert bool(os.stat(shop.folder / "out" / name).st_mode & stat.S_IXUSR) == name.endswith(".sh"), f"{name} can be run, or cannot"


def test_parents(shop):
	"""creates the folder with its parents; -q prints nothing; a second run writes the same"""
	shop.write("policy.yaml", SEED)
	expect(shop.tpc("compile", "-q", "policy.yaml", "-o", "a/b/c/"), 0, None, None)
	first = shop.listing("a/b/c")
	expect(shop.tpc("compile", "policy.yaml", "-o", "a/b/c"), 0)
	assert first and shop.listing("a/b/c") == first, f"{list(first)}: not the same again"


def test_from_elsewhere(shop):
	"""outputs do not depend on the working folder"""
	shop.write("sub/policy.yaml", SEED)
	shop.tpc("compile", "sub/policy.yaml", "-o", "one")
	shop.tpc("compile", shop.folder / "sub" / "policy.yaml", "-o", "two")
	same = shop.listing("one") == shop.listing("two") != {}
	assert same, "they differ"


def test_wrong(shop):
	"""an error in the policy: nothing is written, existing files stay"""
	shop.write("policy.yaml", SEED)
	shop.tpc("compile", "policy.yaml", "-o", "out")
	before = shop.listing("out")
	shop.write("policy.yaml", WRONG)
	expect(shop.tpc("compile", "policy.yaml", "-o", "out"), 1, None,
		['policy.yaml:7:', 'error:', '[unknown-name]', 'did you mean "proxy"?'])
	expect(shop.tpc("compile", "policy.yaml", "-o", "new"), 1, None)
	expect(shop.tpc("compile", "policy.yaml", "--emit", "nft"), 1, None)
	assert shop.listing("out") == before and not (shop.folder / "new").exists(), "files were touched"


def test_missing(shop):
	"""a missing policy"""
	expect(shop.tpc("compile", "nothing.yaml", "-o", "out"), 1, None,
		["nothing.yaml", "[file-unreadable]"])
	assert not (shop.folder / "out").exists(), "out is there"


def test_stale(shop):
	"""outputs that are no longer needed are removed, other files stay"""
	shop.write("policy.yaml", SEED)
	shop.write("out/other.ip6.batch", "somebody's")
	shop.tpc("compile", "policy.yaml", "-o", "out")
	assert "policy.ip6.batch" in shop.listing("out"), "no IPv6 batch to begin with"
	shop.write("policy.yaml", IPV4)
	expect(shop.tpc("compile", "policy.yaml", "-o", "out"), 0)
	files = shop.listing("out")
	assert "policy.ip6.batch" not in files and "other.ip6.batch" in files, f"there are {list(files)}"


def test_standard_input(shop):
	"""standard input is a policy called policy"""
	expect(shop.tpc("compile", "-", "-o", "out", stdin=SEED), 0, "out/policy.nft")
	assert "policy.nft" in shop.listing("out"), "no policy.nft"


def test_emit(shop):
	"""--emit prints what -o writes, for every kind that the help names"""
	shop.write("policy.yaml", SEED)
	shop.tpc("compile", "policy.yaml", "-o", "out")
	usage = shop.tpc("compile", "--help").stdout
	for kind, suffix in KINDS.items():
		assert f" {kind}" in usage, f"the help does not name {kind}"
		done = shop.tpc("compile", "policy.yaml", "--emit", kind)
		expect(done, 0, (), None)
		path = shop.folder / "out" / f"policy{suffix}"
		assert not path.exists() or done.stdout == path.read_text(encoding="utf-8"), f"{kind}: not what is in the file"


FLAT = """version: 1
settings: {ipv6: off}
sets: {near: [198.51.100.0/24], far: [203.0.113.0/24]}
rules:
  - {to: near, then: drop}
  - {to: far, then: reject}
"""


def test_levels(shop):
	"""-O0 writes an nft rule for each rule of the policy, -O1, the default, a map; other levels are refused"""
	shop.write("policy.yaml", FLAT)
	expect(shop.tpc("compile", "-O0", "policy.yaml", "--emit", "nft"), 0,
		["ip daddr @near_v4 drop", "ip daddr @far_v4 goto refuse"], None)
	for level in (), ("-O1",), ("--optimize", "1"):
		done = shop.tpc("compile", *level, "policy.yaml", "--emit", "nft")
		expect(done, 0, ["ip daddr vmap @prerouting.ip_daddr", "198.51.100.0/24 : drop",
			"203.0.113.0/24 : goto refuse"], None)
		assert "near_v4" not in done.stdout, "a set that no rule asks for is there"
	expect(shop.tpc("compile", "-O2", "policy.yaml", "--emit", "nft"), 2, None, "0, 1")


def test_neither(shop):
	"""neither -o nor --emit, or both: the message names them"""
	shop.write("policy.yaml", SEED)
	expect(shop.tpc("compile", "policy.yaml"), 2, None, ["-o DIR", "--emit nft", "usage:"])
	expect(shop.tpc("compile", "policy.yaml", "--check"), 2, None, "-o DIR")
	expect(shop.tpc("compile", "policy.yaml", "--emit", "nft", "-o", "x"), 2, None, "leave out -o")
	expect(shop.tpc("compile", "policy.yaml", "-o", ""), 2, None, "name of a folder")
	expect(shop.tpc("compile", "policy.yaml", "--emit", "nt"), 2, None,
		["did you mean `--emit nft`?", "ip6"])


def test_check(shop):
	"""--check: no output if equal, else a diff with status 5; writes nothing"""
	shop.write("policy.yaml", SEED)
	shop.tpc("compile", "policy.yaml", "-o", "out")
	expect(shop.tpc("compile", "--check", "policy.yaml", "-o", "out"), 0, None, None)
	shop.write("policy.yaml", SEED.replace("198.51.100.7", "198.51.100.8"))
	before = shop.listing("out")
	expect(shop.tpc("compile", "--check", "policy.yaml", "-o", "out"), 5,
		["--- out/policy.nft\n+++ out/policy.nft\n@@ ", "\n-\t198.51.100.7", "\n+\t198.51.100.8"], None)
	expect(shop.tpc("compile", "-q", "--check", "policy.yaml", "-o", "out"), 5, None, None)
	assert shop.listing("out") == before, "it wrote"


def goldens(shop):
	"""Each of the golden policies in a folder of its own, compiled at -O0: one nft rule for each of the policy's."""
	for policy in sorted((ROOT / "golden").glob("**/policy.yaml")):
		if "errors" in policy.parts:
			continue
		folder = shop.folder / policy.parent.relative_to(ROOT / "golden")
		shutil.copytree(policy.parent, folder, ignore=shutil.ignore_patterns("expected"), dirs_exist_ok=True)
		shop.tpc("compile", "-O0", folder / "policy.yaml", "-o", folder / "out")
		yield folder, policy.read_text(encoding="utf-8")


def test_lines_above(shop):
	"""--check: comments and blank lines above a rule change no output"""
	for folder, text in goldens(shop):
		(folder / "policy.yaml").write_text(f"# one more line\n\n{text}", encoding="utf-8")
		done = shop.tpc("compile", "-O0", "--check", folder / "policy.yaml", "-o", folder / "out")
		assert (done.returncode, done.stdout) == (0, ""), f"{folder.name}: {done.returncode}, {done.stdout[:300]}"


def test_rule_above(shop):
	"""--check: a new rule at the top changes no line of other rules"""
	new = "{proto: udp, port: 9, name: new, count: true, then: continue}"
	tried = 0
	for folder, text in goldens(shop):
		changed = re.sub(r"^rules:\n( *)- ", rf"rules:\n\1- {new}\n\1- ", text, flags=re.M)
		(folder / "policy.yaml").write_text(changed, encoding="utf-8")
		done = shop.tpc("compile", "-O0", "--check", folder / "policy.yaml", "-o", folder / "out")
		gone = [line for line in done.stdout.splitlines() if re.match("-[^-]", line)
			and "digest" not in line and line != '-  "counters": []']
		tried += changed != text
		assert changed == text or done.returncode == 5 and not gone, f"{folder.name}: {done.returncode}, {gone[:9]}"
	assert tried > 50, f"only {tried} policies were tried"


NAMED = """version: 1
rules:
  - {in: lan0, port: 25, proto: tcp, name: no mail, count: true, then: drop}
  - {in: lan0, port: 26, proto: tcp, name: twice, count: true, then: drop}
  - {in: lan0, port: 27, proto: tcp, name: twice, count: true, then: drop}
  - {in: lan0, port: 28, proto: tcp, name: "πύλη; drop }", count: true, then: drop}
  - {in: lan0, port: 29, proto: tcp, name: "%s", count: true, then: drop}
  - {in: lan0, proto: tcp, port: 30, count: true, then: drop}
  - {in: lan0, proto: tcp, port: 30, count: true, then: drop} # allow: shadowed-rule
""" % ("long " * 20)


def test_counter_names(shop):
	"""counters are named after the rule's name, else its words; each once"""
	shop.write("policy.yaml", NAMED)
	done = shop.tpc("compile", "policy.yaml", "--emit", "json")
	expect(done, 0)
	found = json.loads(done.stdout)["counters"]
	wanted = ("rule_no_mail", "rule_twice[.][0-9a-f]{8}", "rule_twice[.][0-9a-f]{8}", "rule_drop[.][0-9a-f]{8}",
		"rule_long_long_long_long[.][0-9a-f]{8}", *["rule_in_lan0_tcp_port_30[.][0-9a-f]{8}"] * 2)
	for name, pattern in zip(found, wanted, strict=True):
		assert re.fullmatch(pattern, name), f"{name} where {pattern} should be"
	assert len(set(found)) == len(found), f"not each once: {found}"


def test_check_missing(shop):
	"""--check: missing and additional files"""
	shop.write("policy.yaml", SEED)
	expect(shop.tpc("compile", "--check", "policy.yaml", "-o", "out"), 5,
		["--- /dev/null\n+++ out/policy.nft\n"], None)
	assert not (shop.folder / "out").exists(), "the folder was made"
	shop.tpc("compile", "policy.yaml", "-o", "out")
	shop.write("policy.yaml", IPV4)
	expect(shop.tpc("compile", "--check", "policy.yaml", "-o", "out"), 5,
		"--- out/policy.ip6.batch\n+++ /dev/null\n", None)


def test_check_unreadable(shop):
	"""--check: an unreadable file is no difference"""
	shop.write("policy.yaml", SEED)
	shop.tpc("compile", "policy.yaml", "-o", "out")
	(shop.folder / "out" / "policy.nft").unlink()
	(shop.folder / "out" / "policy.nft").mkdir()
	expect(shop.tpc("compile", "--check", "policy.yaml", "-o", "out"), 3, (), "cannot read out/policy.nft")


def test_itself(shop):
	"""an output never overwrites the policy itself"""
	shop.write("policy.json", json.dumps({"version": 1, "sets": {"a": ["203.0.113.1"]},
		"rules": [{"to": "a", "then": "drop"}]}))
	before = shop.listing()
	expect(shop.tpc("compile", "policy.json", "-o", "."), 2, None,
		['the output "./policy.json" would overwrite the policy itself', "[overwrites-input]"])
	expect(shop.tpc("graph", "policy.json", "-o", "policy.json", "--emit", "dot"), 2, None,
		"would overwrite the policy itself")
	expect(shop.run("sh", "-c", f"{shop.program} graph - -o policy.json --emit dot <policy.json"), 2, None,
		"would overwrite the policy itself")
	assert shop.listing() == before, "files were touched"
	expect(shop.tpc("compile", "policy.json", "-o", "out"), 0)


# What a policy reads, and the output that is the same file. The last is one that this policy does not need.
READ = {
	"an include": ("include: [policy.json]", "policy.json"),
	"a list": ("sets: {a: [{file: policy.nft}]}", "policy.nft"),
	"a list in a set of others": ("sets: {a: {include: [192.0.2.0/24], exclude: [{file: ./policy.sh}]}}", "policy.sh"),
	"a database": ("sets: {a: {geoip: CN, database: policy.ip.batch}}", "policy.ip.batch"),
	"a link to an output": ("sets: {a: [{file: link}]}", "policy.nft"),
	"another name of an output": ("sets: {a: [{file: twin}]}", "policy.nft"),
	"what an earlier compile may have left": ("sets: {a: [{file: policy.dnsmasq.conf}]}", "policy.dnsmasq.conf"),
}


def test_inputs(shop):
	"""an output never replaces or removes an input of this run"""
	for what, (reads, output) in READ.items():
		for folder in ".", "../" + (shop.folder / "x").name:
			work = shop.folder / "x"
			shutil.rmtree(work, ignore_errors=True)
			rule = "{to: %s, then: drop}" % ("a" if "sets" in reads else "192.0.2.1")
			shop.write("x/policy.yaml", f"version: 1\n{reads}\nrules: [{rule}]\n")
			shop.write(f"x/{output}", "{}" if output.endswith("json") else "192.0.2.1\n")
			if "database" in what:
				shop.run(sys.executable, ROOT / "tests" / "mmdb.py", work / output, "192.0.2.0/24=CN")
			if "link" in what:
				(work / "link").symlink_to(output)
			if "name" in what:
				(work / "twin").hardlink_to(work / output)
			before = shop.listing()
			expect(shop.run("env", "-C", work, shop.program, "compile", "policy.yaml", "-o", folder), 2, None,
				["policy.yaml:2:", f'the output "{folder}/{output}" would overwrite the file that is read here'])
			expect(shop.run("env", "-C", work, shop.program, "graph", "policy.yaml", "-o", output, "--emit", "dot"),
				2, None, "would overwrite the file that is read here")
			assert shop.listing() == before, "files were touched"


def test_no_folder(shop):
	"""a folder that cannot be created: status 3 and no file changed"""
	shop.write("policy.yaml", SEED)
	shop.write("file", "not a folder")
	expect(shop.tpc("compile", "policy.yaml", "-o", "file"), 3, None, ["tpc: error:", "file"])
	expect(shop.tpc("compile", "policy.yaml", "-o", "/proc/none"), 3, None,
		"no file was changed")


def test_full_disk(shop):
	"""a full disk: status 3, existing files are whole, nothing else is left"""
	shop.write("policy.yaml", SEED)
	shop.write("list", "".join(f"10.{i >> 8}.{i & 255}.0/28\n" for i in range(9000)))
	shop.write("big.yaml", SEED.replace("[203.0.113.0/24,", "[{file: list},"))
	script = r"""
mkdir out && mount -t tmpfs -o size=96k none out
"$0" compile -q policy.yaml -o out || exit 9
mv big.yaml policy.yaml
sha256sum out/* >before
"$0" compile policy.yaml -o out
echo "status $?"
sha256sum out/* | cmp - before && echo unchanged
"""
	done = shop.run("unshare", "-Urm", "sh", "-c", script, shop.program)
	expect(done, 0, ["status 3", "unchanged"], "cannot write \"out/policy.nft\": the disk is full; no file was changed")


def test_as_json(shop):
	"""--format json: the summary is an object, each error an object in a line"""
	shop.write("policy.yaml", SEED)
	done = shop.tpc("compile", "--format", "json", "policy.yaml", "-o", "out")
	expect(done, 0, (), None)
	summary = json.loads(done.stdout)
	assert summary["rules"] == 1 and "out/policy.nft" in summary["files"], done.stdout
	shop.write("policy.yaml", WRONG)
	done = shop.tpc("compile", "--format", "json", "policy.yaml", "-o", "out")
	objects = [json.loads(line) for line in done.stderr.splitlines()]
	errors = [(item["code"], item["line"]) for item in objects if item["severity"] == "error"]
	assert done.returncode == 1 and errors == [("unknown-name", 7)], str(done)


def test_warnings(shop):
	"""warnings are printed, also with -q, and do not fail"""
	shop.write("policy.yaml", SEED.replace("sets:\n", "sets:\n  idle: [192.0.2.1]\n"))
	expect(shop.tpc("compile", "-q", "policy.yaml", "-o", "out"), 0, None, ["warning:", "[unused]"])


def test_hostile_name(shop):
	"""the name of a policy file is never syntax"""
	name = "a'b $(touch gone) `touch gone`\ntable ip x {}\n.yaml"
	shop.write(name, SEED)
	expect(shop.tpc("compile", "-q", name, "-o", "out"), 0, None)
	script = r"""
set -e
cd out
for file in *.nft; do nft -f "$file"; done
nft list tables
for file in *.ip.batch; do ip -batch "$file"; done
for file in *.sh; do sh "$file" status >/dev/null || [ $? = 5 ]; done
"""
	done = shop.run("unshare", "-Urnm", "sh", "-c", script)
	expect(done, 0)
	assert done.stdout == "table inet tpc\n", f"loaded were {done.stdout}"
	assert not any(path.name == "gone" for path in shop.folder.rglob("*")), "a command in the name was run"

