#!/usr/bin/python3
"""tpc apply --confirm, confirm and rollback: what comes back by itself, when, and whatever becomes of who applied."""
import os
import pty
import signal
import subprocess
import sys
import time

import snapshots
from cli import KILLAT, TPC, Skip, case, expect, main
from hosted import differs, live

# Two policies of one name that differ in everything; the second is large enough to be caught half way.
ONE = """version: 1
name: work
sets:
  foreign: [203.0.113.0/24, 198.51.100.7, "2001:db8:113::/48"]
  learned: {dynamic: true, timeout: 1h}
listeners:
  proxy: {tproxy: 12345, mark: 100, table: 100}
rules:
  - {to: learned, then: drop}
  - {to: foreign, proto: tcp, count: true, name: seen, then: {proxy: proxy}}
"""
MANY = "\n".join(f"    - 10.{n >> 7}.{(n & 127) * 2}.0/24\n    - \"2001:db8:{n:x}::/48\"" for n in range(6000))
TWO = f"""version: 1
name: work
sets:
  foreign:
{MANY}
tables:
  vpn: {{id: 100, dev: lo, fallback: unreachable}}
rules:
  - {{to: foreign, then: {{route: vpn}}}}
  - {{to: 192.0.2.1, then: drop}}
"""
LIMIT = 30  # seconds until it is back, where two were given: a busy machine may be late, but comes


def write(shop):
	shop.write("one.yaml", ONE)
	shop.write("two.yaml", TWO.replace("    - ", "  - "))
	shop.write("third.yaml", "version: 1\nname: work\nrules: [{to: 192.0.2.3, then: drop}]\n")


def files(shop):
	"""The names of what is in the run folder; a folder in it may go while it is read."""
	return sorted(name for _, _, names in os.walk(shop.folder / "run") for name in names)


def wait(condition, limit=60.0):
	until = time.monotonic() + limit
	while time.monotonic() < until:
		if condition():
			return True
		time.sleep(0.002)
	return False


def is_half_way(shop):
	"""The journal is written, and the apply has not come to its end."""
	return any(snapshots.is_half_way(path.read_bytes()) for path in (shop.folder / "run").glob("*/work"))


def watchdogs(host):
	"""The processes of this host that wait."""
	return host.processes("tpc-watchdog")


def is_over(host):
	"""Whether nothing waits any more, a moment later: who is ended goes when the kernel has time for it."""
	return wait(lambda: not watchdogs(host))


def returns(shop, host, before, began, limit=LIMIT):
	"""What does not hold of: all is back in time, and nobody waits any more."""
	problems = []
	if not wait(lambda: "work.pending" not in files(shop) and not watchdogs(host)):
		problems.append(f"still waiting: {files(shop)}, {watchdogs(host)}")
	took = time.monotonic() - began
	if took > limit:
		problems.append(f"it took {took:.1f} s")
	return problems + differs(before, host.state(), f"after {took:.1f} s:")


def start(shop, host):
	"""The first policy is applied; the state to come back to."""
	write(shop)
	host.must(TPC, "apply", "one.yaml")
	host.must("nft", "add element inet tpc_work learned_v4 { 192.0.2.99 timeout 1d expires 1d }")
	return steady(host.state())


def steady(text):
	"""Without the time that elements have left."""
	return "\n".join(line for line in text.splitlines() if "192.0.2.99" not in line)


def check(shop, host, before, began):
	now = host.state
	host.state = lambda: steady(now())
	problems = returns(shop, host, before, began)
	if "192.0.2.99" not in host.must("nft", "list set inet tpc_work learned_v4"):
		problems.append("what was added at run time is gone")
	return problems


@live("a confirmation that never comes: the policy before is back in time, counters and dynamic sets with what they hold")
def unconfirmed(shop, host):
	before = start(shop, host)
	problems = expect(host.tpc("apply", "--confirm", "4", "two.yaml"), 0,
		["work: applied", "taken back in 4 s", "tpc confirm work", "tpc rollback work"],
		"learned_v4 goes when the policy is confirmed, with 1 element")
	began = time.monotonic()
	if len(watchdogs(host)) != 1:
		problems.append(f"watchdogs: {watchdogs(host)}")
	told = host.json("status")["policies"][0]
	if not told["confirm_within"] or told["problems"]:
		problems.append(f"status: {told}")
	problems += check(shop, host, before, began)
	told = host.json("status")["policies"][0]
	if not told["returned"] or not told["unconfirmed"] or not told["file"].endswith("one.yaml"):
		problems.append(f"status afterwards: {told}")
	problems += expect(host.tpc("status"), 0, "because a later apply was not confirmed")
	return problems + expect(host.tpc("rollback"), 3, None, "nobody confirmed it")


@live("a confirmation in time: it stays, the watchdog is gone at once, and so is what was kept")
def confirmed(shop, host):
	start(shop, host)
	host.must(TPC, "apply", "two.yaml")
	plain = host.must("nft", "list table inet tpc_work")
	host.must(TPC, "apply", "one.yaml")
	problems = expect(host.tpc("apply", "--confirm", "60", "two.yaml"), 0)
	kept = host.must("nft", "list table inet tpc_work")
	for word in "kept=foreign_v4", "kept=learned_v4", "counter rule_seen":
		if word not in kept:
			problems.append(f"no {word} while it waits")
	problems += expect(host.tpc("confirm"), 0, "work: confirmed", None)
	if not is_over(host) or "work.pending" in files(shop):
		problems.append("somebody still waits")
	now = host.must("nft", "list table inet tpc_work")
	if sorted(now.replace(".2", "").split()) != sorted(plain.replace(".2", "").split()):
		problems.append("confirmed is not what a plain apply leaves:")
		problems += differs(plain, now, "confirmed:")
	problems += expect(host.tpc("apply", "two.yaml"), 0, "nothing to change")
	problems += expect(host.tpc("confirm"), 3, None, "nothing waits for a confirmation")
	return problems + expect(host.tpc("confirm", "work"), 3, None, "work waits for no confirmation")


# ---- in whatever way who applied ends ----

def applying(host, *before, **more):
	return subprocess.Popen([*host.words(*before, TPC, "apply", "--confirm", "2", "two.yaml")], stdin=subprocess.DEVNULL,
		stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={**os.environ, **host.environment}, **more)


def signalled(name, number, half_way):
	@live(f"--confirm 2, and who applies gets {name} {'half way' if half_way else 'behind it'}: back when the time is over")
	def _(shop, host):
		before = start(shop, host)
		for _ in range(10):
			process = applying(host, start_new_session=True)
			if not wait(lambda: is_half_way(shop) if half_way else process.poll() is not None):
				return "it was never half way"
			began = time.monotonic()
			if half_way:
				process.send_signal(number)
			process.wait()
			for watchdog in watchdogs(host):
				if number != signal.SIGKILL:
					os.kill(watchdog, number)
			if number != signal.SIGKILL or is_half_way(shop) or not half_way:
				break
			check(shop, host, before, began)
		else:
			return "it was faster than the signal, ten times"
		if number != signal.SIGKILL:
			began = time.monotonic()
		return check(shop, host, before, began)


for _name, _number in (("SIGHUP", signal.SIGHUP), ("SIGTERM", signal.SIGTERM), ("SIGKILL", signal.SIGKILL)):
	for _half_way in (True, False):
		signalled(_name, _number, _half_way)


@live("--confirm 2 from a terminal that is closed: back when the time is over")
def terminal(shop, host):
	before = start(shop, host)
	pid, master = pty.fork()
	if pid == 0:
		signal.signal(signal.SIGHUP, signal.SIG_DFL)  # nohup's children ignore it
		words = host.words("sh", "-c", f"{TPC} apply --confirm 2 two.yaml; exec sleep 30")
		os.execvpe(words[0], words, {**os.environ, **host.environment})
	problems = [] if wait(lambda: "work.pending" in files(shop) and not is_half_way(shop)) else ["never applied"]
	time.sleep(0.2)
	os.close(master)
	began = time.monotonic()
	os.waitpid(pid, 0)
	return problems + check(shop, host, before, began)


@live("--confirm 2, and the leader of the session is killed with all its processes: back when the time is over")
def leader(shop, host):
	before = start(shop, host)
	shell = subprocess.Popen(host.words("sh", "-c", f"{TPC} apply --confirm 2 two.yaml; exec sleep 30"), start_new_session=True,
		stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, env={**os.environ, **host.environment})
	problems = [] if wait(lambda: "work.pending" in files(shop) and not is_half_way(shop)) else ["never applied"]
	os.killpg(shell.pid, signal.SIGKILL)
	began = time.monotonic()
	shell.wait()
	return problems + check(shop, host, before, began)


@live("who waits holds nobody's pipe: a caller that reads to the end is not kept waiting")
def pipes(shop, host):
	write(shop)
	began = time.monotonic()
	problems = expect(host.tpc("apply", "--confirm", "30", "one.yaml"), 0)
	if time.monotonic() - began > 25:
		problems.append("the pipe stayed open")
	held = host.run("sh", "-c", f"ls -l /proc/{watchdogs(host)[0]}/fd; cat /proc/{watchdogs(host)[0]}/status").out
	if "pipe:" in held or str(shop.folder) in held:
		problems.append(held)
	host.must(TPC, "remove")
	return problems + ([] if is_over(host) else [f"still there: {watchdogs(host)}"])


# ---- one after the other ----

@live("while one waits, another apply is refused and says what to run; a dry run and status are not")
def second(shop, host):
	before = start(shop, host)
	host.must(TPC, "apply", "--confirm", "60", "two.yaml")
	state = steady(host.state())
	problems = []
	for words in (("apply", "one.yaml"), ("apply", "--confirm", "5", "one.yaml"), ("apply", "two.yaml")):
		problems += expect(host.tpc(*words), 3, None, ["waits for its confirmation", "tpc confirm work", "tpc rollback work"])
	problems += differs(state, steady(host.state()), "refused:")
	problems += expect(host.tpc("apply", "--dry-run", "one.yaml"), 0, "would change")
	if len(watchdogs(host)) != 1:
		problems.append(f"watchdogs: {watchdogs(host)}")
	problems += expect(host.tpc("rollback"), 0, ["work: rolled back", "one.yaml"], None)
	return problems + check(shop, host, before, time.monotonic())


@live("nothing to change, a wrong policy, a refused one: nobody waits, nothing is left")
def nothing_to_confirm(shop, host):
	start(shop, host)
	shop.write("wrong.yaml", ONE.replace("drop", "dorp"))
	shop.write("refused.yaml", ONE.replace("mark: 100, table: 100", "mark: 200, table: 200").replace("12345", "12346"))
	host.must("ip", "rule", "add", "fwmark", "200", "lookup", "main")
	problems = expect(host.tpc("apply", "--confirm", "5", "one.yaml"), 0, "nothing to change", None)
	problems += expect(host.tpc("apply", "--confirm", "5", "wrong.yaml"), 1)
	problems += expect(host.tpc("apply", "--confirm", "5", "refused.yaml"), 3, None, "nothing changed")
	if not is_over(host) or "work.pending" in files(shop):
		problems.append("somebody waits")
	host.must("nft", "flush", "chain", "inet", "tpc_work", "prerouting")
	problems += expect(host.tpc("apply", "--confirm", "5", "one.yaml"), 0, "work: applied", None)
	if not is_over(host):
		problems.append("a repair of what is applied waits for a confirmation")
	return problems


@live("--confirm takes 1 to 86400 seconds, or a duration as the language has it; a policy in its place is told from a missing one")
def bounds(shop, host):
	write(shop)
	problems = []
	for text in "0", "86401", "-1", "2x", "s", "", "99999999999999999999", "+5", " 5", "1d1s", "0m", "5m1h":
		problems += expect(host.tpc("apply", f"--confirm={text}", "one.yaml"), 2, None, "--confirm takes a time from 1s to 1d")
	problems += expect(host.tpc("apply", "--confirm", "one.yaml"), 2, None, ["such as 300 (seconds), 90s or 5m", 'not "one.yaml"'])
	if (shop.folder / "run").exists():
		problems.append("something was applied")
	problems += expect(host.tpc("apply", "--confirm", "5m", "one.yaml"), 0, "taken back in 300 s")
	problems += expect(host.tpc("rollback"), 0, "nothing was applied before, so it is removed", None)
	problems += expect(host.tpc("apply", "--confirm", "86400", "one.yaml"), 0, "taken back in 86400 s")
	problems += expect(host.tpc("rollback"), 0, "nothing was applied before, so it is removed", None)
	return problems + files(shop)


@live("rollback without --confirm, without the files: the policy before, once; a second one has nothing to go back to")
def twice(shop, host):
	before = start(shop, host)
	problems = expect(host.tpc("apply", "two.yaml"), 0)
	for name in "one.yaml", "two.yaml":
		(shop.folder / name).unlink()
	result = host.json("rollback")
	if result["outcome"] != "rolled-back" or not result["file"].endswith("one.yaml"):
		problems.append(f"rollback: {result}")
	now = steady(host.state())
	problems += differs(before, now, "rolled back:")
	problems += expect(host.tpc("rollback"), 3, None, ["nothing to go back to", "already"])
	problems += expect(host.tpc("rollback", "other"), 3, None, "nothing of other was applied")
	problems += differs(now, steady(host.state()), "the second rollback:")
	write(shop)
	problems += expect(host.tpc("apply", "one.yaml"), 0, "nothing to change")
	problems += expect(host.tpc("rollback"), 3, None, "nothing to go back to")
	problems += expect(host.tpc("apply", "two.yaml"), 0, "applied")
	problems += expect(host.tpc("rollback"), 0, "rolled back")
	return problems + expect(host.tpc("remove"), 0)


@live("rollback of a first apply removes it; without any there is nothing to go back to")
def first(shop, host):
	write(shop)
	before = host.state()
	problems = expect(host.tpc("rollback"), 3, None, "nothing is applied here")
	problems += expect(host.tpc("apply", "two.yaml"), 0)
	problems += expect(host.tpc("rollback"), 0, "nothing was applied before", None)
	problems += differs(before, host.state(), "rolled back:")
	problems += expect(host.tpc("apply", "--confirm", "1", "one.yaml"), 0)
	problems += returns(shop, host, before, time.monotonic())
	return problems + [f"left behind: {name}" for name in files(shop)]


def killed_at(host, number, *words):
	"""The program, killed at this system call; with 0 the numbers of those behind its changes."""
	done = host.run(KILLAT, number, "all", TPC, *words, environment={"ASAN_OPTIONS": "detect_leaks=0"})
	return [int(word) for word in done.out.splitlines()[-1].split()[4:]]


def cut_off(host, prepare, *words):
	"""
	What there was before, when the program has been killed between its first change and its last. The numbers of
	one run hold in the next, unless that made other calls in between: then they are counted again.
	"""
	if not KILLAT.exists():
		raise Skip(f"{KILLAT} is not built: make torture-tools")
	for _ in range(3):
		host.tpc("remove")
		prepare()
		numbers = killed_at(host, 0, *words)
		for number in numbers[len(numbers) // 2:]:
			host.must(TPC, "remove")
			before = prepare()
			killed_at(host, number, *words)
			if "did not come to its end" in host.tpc("status").out:
				return before
	raise RuntimeError(f"it was never half way, at none of {numbers}")


@live("an apply that was killed half way is taken back by rollback")
def crashed(shop, host):
	before = cut_off(host, lambda: start(shop, host), "apply", "two.yaml")
	problems = expect(host.tpc("rollback"), 0, ["work: rolled back", "one.yaml"], None)
	problems += check(shop, host, before, time.monotonic())
	return problems + expect(host.tpc("apply", "one.yaml"), 0, "nothing to change")


@live("remove while one waits does it, and nobody waits any more")
def removed(shop, host):
	write(shop)
	before = host.state()
	host.must(TPC, "apply", "one.yaml")
	host.must(TPC, "apply", "--confirm", "30", "two.yaml")
	problems = expect(host.tpc("remove"), 0, "work: removed", None)
	if not is_over(host):
		problems.append("somebody still waits")
	return problems + differs(before, host.state(), "removed:") + files(shop)


@live("a watchdog that was killed: status says so, and confirm or rollback still decide")
def killed(shop, host):
	before = start(shop, host)
	host.must(TPC, "apply", "--confirm", "2", "two.yaml")
	os.kill(watchdogs(host)[0], signal.SIGKILL)
	time.sleep(2.1)
	problems = expect(host.tpc("status"), 0, ["is gone: it stays until", "run: tpc rollback work"])
	if "then it is taken back" in host.tpc("status").out or host.json("status")["policies"][0]["confirm_within"] is not None:
		problems.append("status promises that it is taken back")
	problems += expect(host.tpc("apply", "one.yaml"), 3, None, "waits for its confirmation")
	problems += expect(host.tpc("rollback"), 0, "rolled back")
	return problems + check(shop, host, before, time.monotonic())


@live("a watchdog that cannot do it: status says why, and a person can when the way is free")
def stuck(shop, host):
	before = start(shop, host)
	host.must(TPC, "apply", "--confirm", "3", "two.yaml")
	previous = next((shop.folder / "run").glob("*/work.previous"))
	good = previous.read_bytes()
	previous.write_bytes(good[:-9])
	problems = [] if wait(lambda: b"cannot be read" in next((shop.folder / "run").glob("*/work.pending")).read_bytes()) else ["no failure"]
	problems += expect(host.tpc("status"), 0, ["could not be taken back", "cannot be read"])
	problems += expect(host.tpc("rollback"), 3, None, ["cannot be read", "tpc remove"])
	previous.write_bytes(good)
	problems += expect(host.tpc("rollback"), 0, "rolled back")
	return problems + check(shop, host, before, time.monotonic())


@live("a rollback that was killed half way is finished by the next one")
def cut_rollback(shop, host):
	write(shop)

	def prepare():
		host.must(TPC, "apply", "two.yaml")
		state = steady(host.state())
		host.must(TPC, "apply", "one.yaml")
		return state
	before = cut_off(host, prepare, "rollback")
	problems = expect(host.tpc("rollback"), 0, ["work: rolled back", "two.yaml"], None)
	now = steady(host.state())
	problems += differs(before.replace(".2", ""), now.replace(".2", ""), "finished:")
	return problems + expect(host.tpc("rollback"), 3, None, "nothing to go back to")


@live("two policies: each waits by itself, and the one that waits is meant where no name is given")
def both(shop, host):
	write(shop)
	shop.write("other.yaml", "version: 1\nname: other\nsettings: {mark_mask: 0xff00, priority: 20000}\nrules: [{to: 192.0.2.7, then: drop}]\n")
	host.must(TPC, "apply", "one.yaml")
	problems = expect(host.tpc("apply", "--confirm", "30", "other.yaml"), 0)
	problems += expect(host.tpc("apply", "two.yaml"), 0)
	problems += expect(host.tpc("rollback"), 0, "other: rolled back")
	problems += expect(host.tpc("apply", "--confirm", "30", "other.yaml"), 0)
	problems += expect(host.tpc("rollback", "work"), 0, "work: rolled back")
	problems += expect(host.tpc("confirm"), 0, "other: confirmed")
	problems += expect(host.tpc("rollback"), 2, None, "several policies are applied")
	return problems + expect(host.tpc("confirm", "Other!"), 2, None, "no policy's name")


# ---- sets that are filled at run time ----

FILLED = "version: 1\nsets:\n  d: {dynamic: true, elements: [10.1.0.0/16]}\nrules: [{from: d, then: drop}]\n"
TIMED = FILLED.replace("true,", "true, timeout: 3s,")


def held(host, name, table="tpc"):
	return host.must("nft", f"list set inet {table} {name}")


def filled(shop, host, *options):
	"""A set without a timeout gets one; what it held then, and what has come since."""
	shop.write("d.yaml", FILLED)
	shop.write("d3.yaml", TIMED)
	host.must(TPC, "apply", "-q", "d.yaml")
	host.must("nft", "add element inet tpc d_v4 { 9.9.9.9, 192.0.2.1 timeout 1d }")
	host.must(TPC, "apply", "-q", *options, "d3.yaml")
	host.must("nft", "add element inet tpc d_v4 { 198.51.100.1 timeout 1h, 203.0.113.1 }")


def stays(host):
	"""Back, and the timeout that was is over: who is there, and for how long?"""
	text = held(host, "d_v4")
	flat = " ".join(text.split())
	problems = [f"{word} is gone or has a time" for word in ("9.9.9.9,", "10.1.0.0/16,") if word not in flat.replace(" }", ",")]
	problems += [f"{word} has lost its time" for word in ("192.0.2.1", "198.51.100.1") if f"{word} timeout" not in flat and f"{word} expires" not in flat]
	if "203.0.113.1" in flat:
		problems.append("what had the set's timeout has outlived it")
	problems += expect(host.tpc("status", "--drift"), 0)
	return problems + [text] if problems else []


@live("rollback of a set's timeout: what was there for ever is so again, though it ran out; the rest keeps its times")
def rolled_timeout(shop, host):
	filled(shop, host)
	problems = expect(host.tpc("rollback"), 0, "rolled back")
	time.sleep(3.2)
	problems += stays(host) + expect(host.tpc("apply", "d.yaml"), 0, "nothing to change")
	filled(shop, host)
	time.sleep(3.2)
	problems += expect(host.tpc("rollback"), 0, "rolled back") + stays(host)
	files_now = [path.name for path in (shop.folder / "run").rglob("*.held")]
	return problems + [f"left behind: {files_now}" for _ in files_now]


@live("a set's timeout that nobody confirms: what was there for ever is so again")
def unconfirmed_timeout(shop, host):
	filled(shop, host, "--confirm", "3")
	problems = [] if is_over(host) else ["still waiting"]
	time.sleep(3.2)
	return problems + stays(host)


@live("each rollback has what was before its own apply: what has run out under one earlier stays away")
def later_timeout(shop, host):
	for name, text in (("d.yaml", FILLED), ("d3.yaml", TIMED)):
		text = text.replace(", elements: [10.1.0.0/16]", "")
		shop.write(name, text)
		shop.write(f"tcp-{name}", text.replace("then: drop", "proto: tcp, then: drop"))
	host.must(TPC, "apply", "-q", "d.yaml")
	host.must("nft", "add element inet tpc d_v4 { 9.9.9.9 }")
	host.must(TPC, "apply", "-q", "d3.yaml")
	time.sleep(3.2)
	problems = expect(host.tpc("apply", "tcp-d.yaml"), 0) + expect(host.tpc("apply", "tcp-d3.yaml"), 0)
	problems += expect(host.tpc("rollback"), 0, "rolled back")
	if "9.9.9.9" in held(host, "d_v4"):
		problems.append("an element of the policy before the one before is back")
	return problems + expect(host.tpc("remove"), 0) + files(shop)


@live("what a policy lists in a set without a timeout stays, where it had a time before")
def listed_stays(shop, host):
	shop.write("d.yaml", FILLED)
	shop.write("d3.yaml", TIMED)
	host.must(TPC, "apply", "d3.yaml")
	problems = expect(host.tpc("apply", "d.yaml"), 0)
	time.sleep(3.2)
	return problems + ([] if "10.1.0.0/16" in held(host, "d_v4") else ["it has run out"])


@live("a dynamic set that goes: plan, apply and rollback say what becomes of what was added to it")
def emptied(shop, host):
	shop.write("d.yaml", FILLED)
	shop.write("none.yaml", "version: 1\nrules: [{to: 192.0.2.1, then: drop}]\n")
	host.must(TPC, "apply", "d.yaml")
	host.must("nft", "add element inet tpc d_v4 { 9.9.9.9, 9.9.9.11-9.9.9.13, 198.51.100.0/24 }")
	words = "3 elements that were added at run time"
	problems = expect(host.tpc("plan", "none.yaml"), 5, ["- set d_v4", words])
	told = [change for change in host.json("plan", "none.yaml", status=5)["changes"] if change["what"] == "set d_v4"]
	if len(told) != 1 or words not in (told[0]["why"] or ""):
		problems.append(f"plan as JSON: {told}")
	problems += expect(host.tpc("apply", "--confirm", "30", "none.yaml"), 0, "applied", ["d_v4", words, "confirm"])
	problems += expect(host.tpc("rollback"), 0, "rolled back", None)
	if "9.9.9.11-9.9.9.13" not in held(host, "d_v4"):
		problems.append("the set that waited was not kept")
	problems += expect(host.tpc("apply", "none.yaml"), 0, "applied", ["d_v4", words])
	return problems + expect(host.tpc("rollback"), 0, "rolled back", ["d_v4", "run time is not known any more"])


@live("a set that was smaller before is no reason to stay: what does not fit is left out, and said")
def smaller(shop, host):
	for size in 2, 4:
		shop.write(f"{size}.yaml", f"version: 1\nsets: {{d: {{dynamic: true, size: {size}}}}}\nrules: [{{from: d, then: drop}}]\n")
	host.must(TPC, "apply", "2.yaml")
	host.must(TPC, "apply", "4.yaml")
	host.must("nft", "add element inet tpc d_v4 { 192.0.2.1, 192.0.2.3, 192.0.2.5, 192.0.2.7 }")
	problems = expect(host.tpc("rollback"), 0, "rolled back", ["the set d_v4", "2 of its elements are left out"])
	return problems + ([] if held(host, "d_v4").count("192.0.2.") == 2 else [held(host, "d_v4")])


# ---- two run folders ----

def elsewhere(shop):
	"""Another user's run folder."""
	return {"TPC_RUN_DIR": str(shop.folder / "theirs")}


@live("a policy that waits for its confirmation in another run folder: apply and rollback are refused there, remove ends the wait")
def two_folders(shop, host):
	write(shop)
	before = host.state()
	host.must(TPC, "apply", "one.yaml")
	problems = expect(host.tpc("apply", "two.yaml", environment=elsewhere(shop)), 0)
	problems += expect(host.tpc("apply", "--confirm", "60", "third.yaml"), 0)
	now = host.state()
	for words in (("apply", "two.yaml"), ("apply", "--confirm", "5", "two.yaml"), ("rollback", "work"), ("apply", "one.yaml")):
		problems += expect(host.tpc(*words, environment=elsewhere(shop)), 3, None,
			["waits for its confirmation", "another run folder", "tpc confirm work", "tpc remove work"])
	problems += expect(host.tpc("confirm", "work", environment=elsewhere(shop)), 3, None, "another run folder")
	problems += expect(host.tpc("confirm", environment=elsewhere(shop)), 3, None,
		["waits for its confirmation", "another run folder", "by the user root (0)", "as that user", "tpc confirm work"])
	problems += differs(now, host.state(), "refused:")
	if len(watchdogs(host)) != 1:
		problems.append(f"watchdogs: {watchdogs(host)}")
	problems += expect(host.tpc("remove", "work", environment=elsewhere(shop)), 0)
	if not is_over(host):
		problems.append("somebody still waits")
	problems += differs(before, host.state(), "removed:")
	# Whose policy was removed may go back, apply again, and confirm; then it waits for nobody.
	problems += expect(host.tpc("rollback", "work"), 0, "rolled back")
	problems += expect(host.tpc("apply", "--confirm", "60", "two.yaml"), 0) + expect(host.tpc("confirm"), 0)
	return problems + expect(host.tpc("apply", "one.yaml", environment=elsewhere(shop)), 0, "applied")


@live("a policy whose contents of sets changed alone waits for all run folders, too, until it is confirmed")
def two_folders_in_place(shop, host):
	shop.write("a.yaml", "version: 1\nsets: {a: [192.0.2.1, 192.0.2.9]}\nrules: [{to: a, then: drop}]\n")
	shop.write("b.yaml", "version: 1\nsets: {a: [192.0.2.1, 192.0.2.7]}\nrules: [{to: a, then: drop}]\n")
	host.must(TPC, "apply", "a.yaml")
	problems = []
	for decision in "rollback", "confirm":
		host.must(TPC, "apply", "--confirm", "60", "b.yaml")
		problems += expect(host.tpc("apply", "a.yaml", environment=elsewhere(shop)), 3, None, "another run folder")
		problems += expect(host.tpc(decision), 0)
		if "waits=" in host.must("nft", "list table inet tpc"):
			problems.append(f"{decision}: the table still says that it waits")
	return problems + expect(host.tpc("apply", "a.yaml", environment=elsewhere(shop)), 0)


def loaded_by_another(shop, host, seconds):
	"""What waits is covered by somebody who does not ask tpc."""
	write(shop)
	host.must(TPC, "apply", "-q", "one.yaml")
	host.must(TPC, "apply", "-q", "--confirm", seconds, "two.yaml")
	host.must("nft", "delete table inet tpc_work")
	shop.write("third.nft", host.must(TPC, "compile", "--emit", "nft", "third.yaml"))
	host.must("nft", "-f", "third.nft")
	return host.state()


@live("somebody has loaded another policy when nobody has confirmed: it stays, and status says why")
def covered(shop, host):
	now = loaded_by_another(shop, host, "4")
	problems = [] if is_over(host) else ["still waiting"]
	problems += differs(now, host.state(), "time is over:")
	problems += expect(host.tpc("status"), 5, ["could not be taken back", "somebody has loaded another policy"])
	problems += expect(host.tpc("confirm", "work"), 3, None, "somebody has loaded another policy")
	problems += expect(host.tpc("apply", "two.yaml"), 0, "applied", "somebody has loaded another policy")
	host.must("nft", "delete table inet tpc_work")
	host.must("nft", "-f", "third.nft")
	problems += expect(host.tpc("apply", "--confirm", "60", "two.yaml"), 0, "applied", ["replaced now", "nobody waits for a confirmation"])
	return problems + expect(host.tpc("apply", "one.yaml"), 0, "applied", None)


@live("rollback of what somebody has covered with another policy is refused once, and done when asked again")
def covered_rollback(shop, host):
	now = loaded_by_another(shop, host, "60")
	problems = expect(host.tpc("rollback", "work"), 3, None, ["somebody has loaded another policy", "nothing changed"])
	problems += differs(now, host.state(), "refused:")
	problems += [] if is_over(host) else [f"still waiting: {watchdogs(host)}"]
	problems += expect(host.tpc("rollback", "work"), 0, "rolled back")
	return problems + ([] if "learned_v4" in host.must("nft", "list table inet tpc_work") else ["it is not back"])


@live("what waits and was deleted is taken back all the same: nobody else's policy is there")
def deleted(shop, host):
	before = start(shop, host)
	host.must(TPC, "apply", "--confirm", "3", "two.yaml")
	host.must("nft", "delete table inet tpc_work")
	problems = [] if is_over(host) else ["still waiting"]
	return problems + differs(before, steady(host.state()).replace("seen2", "seen"), "back:")


@case("root has no other run folder than /run/tpc, and none is made where it cannot be used; in a user's namespace there are others")
def run_folder(shop):
	shop.write("p.yaml", "version: 1\nrules: [{to: 192.0.2.1, then: drop}]\n")
	script = f"mount -t tmpfs none /tmp; mount -t tmpfs -o ro none /run && {TPC} apply -q {shop.folder}/p.yaml; echo $?; ls -A /tmp"
	environment = {"XDG_RUNTIME_DIR": "/tmp"}
	done = shop.run("unshare", "-Urnm", "sh", "-c", script.replace("mount -t tmpfs none /tmp; ", "").replace("; ls -A /tmp", f"; {TPC} remove"),
		environment={"XDG_RUNTIME_DIR": str(shop.folder)})
	problems = expect(done, 0, "0\n", "")
	if os.geteuid():
		raise Skip("only root can be root outside")
	shop.folder.chmod(0o755)
	done = shop.run("unshare", "-nm", "sh", "-c", script.replace(str(TPC), "/mnt/tpc").replace(f"{shop.folder}/", "/mnt/")
		.replace("mount", f"mount -t tmpfs none /mnt; cp {TPC} {shop.folder}/p.yaml /mnt; mount", 1), environment=environment)
	return problems + ([str(done)] if done.out != "3\n" or "TPC_RUN_DIR" not in done.err or "/run/tpc" not in done.err else [])


if __name__ == "__main__":
	sys.exit(main())
