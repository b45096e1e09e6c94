"""lists: what `tpc compile` takes for a list of a million prefixes, in its plainest form and in others, and for domains.

The peer is iprange, which reads, sorts and merges such a list and does nothing else. Both run in turns,
each writing a file that is not there yet, and their medians are compared: what else the machine does hits
both. Lists in other forms are compared with the plain one in the same way.
"""
import random
import shutil
import statistics

POLICY = """\
version: 1
sets:
  foreign: {file: prefixes.txt}
listeners:
  proxy: {tproxy: 12345, mark: 100, table: 100}
rules:
  - {to: foreign, proto: tcp, then: {proxy: proxy}}
"""
TURNS = 7
# Of the time of iprange; MiB.
PEER_SHARE, MEMORY_MIB = 0.25, 120
# A list in another form may cost as much more than the plain one as it has more bytes, times this. The numbers of
# IPv6 are four times as long, in text and where they are sorted and digested.
FORM_SHARE, IPV6_SHARE = 1.3, 2
# As many domains as the largest published lists have, in one set, and in as many; of the time that one set takes.
DOMAINS, DOMAIN_SETS, DOMAIN_SHARE = 110_000, 100, 2


def number(line):
	address, length = line.split("/")
	a, b, c, d = map(int, address.split("."))
	return a << 24 | b << 16 | c << 8 | d, int(length)


def text(value):
	return f"{value >> 24}.{value >> 16 & 255}.{value >> 8 & 255}.{value & 255}"


def ranges(lines):
	"""first-last, each without the last address, so that no two touch."""
	for line in lines:
		first, length = number(line)
		yield f"{text(first)}-{text(first + (1 << (32 - length)) - 2)}"


def overlapping(lines):
	"""A half of the addresses of the prefix before, too."""
	for line in lines:
		first, length = number(line)
		yield f"{text(max(0, first - (1 << (31 - length))))}-{text(first + (1 << (32 - length)) - 1)}"


def forms(plain):
	"""Name, text, share: the same number of lines each."""
	lines = plain.splitlines()
	chance = random.Random(2)
	yield "in order", "\n".join(sorted(lines, key=number)) + "\n", FORM_SHARE
	yield "as ranges", "\n".join(ranges(lines)) + "\n", FORM_SHARE
	yield "overlapping", "\n".join(overlapping(lines)) + "\n", FORM_SHARE
	yield "with remarks and CRLF", "".join(f"{line} # {n:x}\r\n" for n, line in enumerate(lines)), FORM_SHARE
	yield "of IPv6", "".join(f"2{chance.randrange(1 << 12):03x}:{chance.randrange(1 << 16):x}:"
		f"{chance.randrange(1 << 16):x}::/48\n" for _ in lines), IPV6_SHARE


def domains(sets):
	"""A policy with DOMAINS names, a tenth of them below another one, dealt out to so many sets."""
	names = [f"{'www.' if n % 10 == 9 else ''}n{n - n % 10:06}{n % 10 % 9}.example" for n in range(DOMAINS)]
	return "version: 1\nsets:\n" \
		+ "".join(f"  s{n}: {{domains: [{', '.join(names[n::sets])}]}}\n" for n in range(sets)) \
		+ "rules:\n" \
		+ "".join(f"  - {{to: s{n}, proto: tcp, port: {n + 1}, then: drop}}\n" for n in range(sets))


def compile_list(bench, folder):
	shutil.rmtree(folder / "out", ignore_errors=True)
	found = bench.measure(1, bench.tpc, "compile", folder / "policy.yaml", "-o", folder / "out")
	if isinstance(found, str):
		raise SystemExit(f"tpc compile failed: {found}")
	return found


def iprange(bench, folder):
	(folder / "merged").unlink(missing_ok=True)
	return bench.measure(1, "sh", "-c", 'exec iprange --optimize "$1" >"$2"', "sh",
		folder / "prefixes.txt", folder / "merged")


def in_turns(first, second, most):
	"""Medians of both and the most memory of the first, of the first batch whose share is below `most`, or of the best
	of three; a text instead of the second's where that does not work."""
	batches = []
	while len(batches) < 3 and not any(ours / theirs <= most for ours, theirs, _ in batches):
		ours, theirs = [], []
		for _ in range(TURNS):
			ours.append(first())
			theirs.append(second())
			if isinstance(theirs[-1], str):
				return ours[-1][0], theirs[-1], ours[-1][1]
		batches.append((statistics.median(run[0] for run in ours), statistics.median(run[0] for run in theirs),
			max(run[1] for run in ours)))
	return min(batches, key=lambda batch: batch[0] / batch[1])


def make_folder(folder, prefixes):
	folder.mkdir()
	(folder / "policy.yaml").write_text(POLICY, encoding="utf-8")
	(folder / "prefixes.txt").write_text(prefixes, encoding="utf-8")
	return folder


def against_peer(bench, folder, count):
	what = f"{count} prefixes"
	ours, theirs, memory = in_turns(lambda: compile_list(bench, folder), lambda: iprange(bench, folder), PEER_SHARE)
	if isinstance(theirs, str):
		print(f"{what}, time {ours:.0f} ms: not compared, for iprange does not run here"
			" (packaging/setup check installs it)")
		bench.over += 1
	else:
		bench.bound(f"{what}, of iprange's time", ours / theirs, PEER_SHARE, "",
			f", {ours:.0f} ms and {theirs:.0f} ms")
	bench.bound(f"{what}, memory", memory, MEMORY_MIB, "MiB")


def against_plain(bench, name, folder, plain, share):
	compile_list(bench, folder)
	sizes = [sum(file.stat().st_size for file in (place / "prefixes.txt", place / "out" / "policy.nft"))
		for place in (folder, plain)]
	most = share * max(1, sizes[0] / sizes[1])
	ours, theirs, memory = in_turns(lambda: compile_list(bench, folder), lambda: compile_list(bench, plain), most)
	bench.bound(f"  {name}, of the plain one's", ours / theirs, round(most, 2), "", f", {ours:.0f} ms")
	bench.bound(f"  {name}, memory", memory, MEMORY_MIB, "MiB")


def many_domains(bench, folder):
	folders = []
	for sets in (DOMAIN_SETS, 1):
		folders.append(folder / f"domains-in-{sets}")
		folders[-1].mkdir()
		(folders[-1] / "policy.yaml").write_text(domains(sets), encoding="utf-8")
	ours, theirs, memory = in_turns(lambda: compile_list(bench, folders[0]), lambda: compile_list(bench, folders[1]),
		DOMAIN_SHARE)
	bench.bound(f"{DOMAINS} domains in {DOMAIN_SETS} sets, of one's", ours / theirs, DOMAIN_SHARE, "",
		f", {ours:.0f} ms and {theirs:.0f} ms")
	bench.bound(f"{DOMAINS} domains, memory", memory, MEMORY_MIB, "MiB")


def run(bench, folder, prefixes):
	"""The policies' folder and the text of the plain list."""
	folder.mkdir()
	plain = make_folder(folder / "plain", prefixes)
	against_peer(bench, plain, prefixes.count("\n"))
	for name, other, share in forms(prefixes):
		against_plain(bench, name, make_folder(folder / name.replace(" ", "-"), other), plain, share)
	many_domains(bench, folder)
