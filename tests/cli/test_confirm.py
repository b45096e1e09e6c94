"""tpc apply --confirm, confirm and rollback: what comes back by itself, when, and whatever becomes of who applied."""
import os
import pty
import signal
import subprocess
import time

import snapshots
import pytest

from cli import KILLAT, differs, expect

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
	"""The names of what is in the run directory; a folder in it may go while it is read."""
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
	"""What does not hold of: everything is restored in time, and no watchdog is left."""
	assert wait(lambda: "work.pending" not in files(shop) and not watchdogs(host)), f"still waiting: {files(shop)}, {watchdogs(host)}"
	took = time.monotonic() - began
	assert took <= limit, f"it took {took:.1f} s"
	differs(before, host.state(), f"after {took:.1f} s:")


def start(shop, host):
	"""The first policy is applied; the state to come back to."""
	write(shop)
	host.run(shop.program, "apply", "one.yaml")
	host.run("nft", "add element inet tpc_work learned_v4 { 192.0.2.99 timeout 1d expires 1d }")
	return steady(host.state())


def steady(text):
	"""Without the time that elements have left."""
	return "\n".join(line for line in text.splitlines() if "192.0.2.99" not in line)


def check(shop, host, before, began):
	now = host.state
	host.state = lambda: steady(now())
	returns(shop, host, before, began)
	assert "192.0.2.99" in host.run("nft", "list set inet tpc_work learned_v4").stdout, "what was added at run time is gone"


def test_unconfirmed(shop, host):
	"""without a confirmation the previous policy is restored in time, with counters and dynamic elements"""
	before = start(shop, host)
	expect(host.tpc("apply", "--confirm", "4", "two.yaml"), 0,
		["work: applied", "rolled back in 4 s", "tpc confirm work", "tpc rollback work"],
		"learned_v4 goes when the policy is confirmed, with 1 element")
	began = time.monotonic()
	assert len(watchdogs(host)) == 1, f"watchdogs: {watchdogs(host)}"
	shown = host.json("status")["policies"][0]
	assert shown["confirm_within"] and not shown["problems"], f"status: {shown}"
	check(shop, host, before, began)
	shown = host.json("status")["policies"][0]
	assert shown["returned"] and shown["unconfirmed"] and shown["file"].endswith("one.yaml"), f"status afterwards: {shown}"
	expect(host.tpc("status"), 0, "because a later apply was not confirmed")
	expect(host.tpc("rollback"), 3, None, "it was not confirmed")


def test_confirmed(shop, host):
	"""a confirmation in time keeps the policy, and ends the watchdog and retained sets at once"""
	start(shop, host)
	host.run(shop.program, "apply", "two.yaml")
	plain = host.run("nft", "list table inet tpc_work").stdout
	host.run(shop.program, "apply", "one.yaml")
	expect(host.tpc("apply", "--confirm", "60", "two.yaml"), 0)
	kept = host.run("nft", "list table inet tpc_work").stdout
	for word in "kept=foreign_v4", "kept=learned_v4", "counter rule_seen":
		assert word in kept, f"no {word} while it waits"
	expect(host.tpc("confirm"), 0, "work: confirmed", None)
	assert is_over(host) and "work.pending" not in files(shop), "a watchdog is left"
	now = host.run("nft", "list table inet tpc_work").stdout
	if sorted(now.replace(".2", "").split()) != sorted(plain.replace(".2", "").split()):
		pytest.fail("confirmed is not what a plain apply leaves:")
		differs(plain, now, "confirmed:")
	expect(host.tpc("apply", "two.yaml"), 0, "nothing to change")
	expect(host.tpc("confirm"), 3, None, "no apply waits for a confirmation")
	expect(host.tpc("confirm", "work"), 3, None, "work waits for no confirmation")


# ---- in whatever way who applied ends ----

def applying(host, *before, **more):
	return host.start(*before, host.program, "apply", "--confirm", "2", "two.yaml", stdout=subprocess.DEVNULL,
		stderr=subprocess.DEVNULL, **more)


@pytest.mark.parametrize("name, number", (("SIGHUP", signal.SIGHUP), ("SIGTERM", signal.SIGTERM), ("SIGKILL", signal.SIGKILL)))
@pytest.mark.parametrize("half_way", (True, False))
def test_signalled(shop, host, name, number, half_way):
	"""--confirm 2, and apply gets {name} half-way ({half_way}) or afterwards: rolled back in time"""
	before = start(shop, host)
	for _ in range(10):
		process = applying(host, start_new_session=True)
		assert wait(lambda: is_half_way(shop) if half_way else process.poll() is not None), "it was never half way"
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
		pytest.fail("it was faster than the signal, ten times")
	if number != signal.SIGKILL:
		began = time.monotonic()
	check(shop, host, before, began)


def test_terminal(shop, host):
	"""--confirm 2 from a terminal that is closed: rolled back in time"""
	before = start(shop, host)
	pid, master = pty.fork()
	if pid == 0:
		signal.signal(signal.SIGHUP, signal.SIG_DFL)  # nohup's children ignore it
		host.__enter__()
		os.chdir(host.folder)
		os.execvpe("sh", ["sh", "-c", f"{shop.program} apply --confirm 2 two.yaml; exec sleep 30"], host.environment)
	assert wait(lambda: "work.pending" in files(shop) and not is_half_way(shop)), "never applied"
	time.sleep(0.2)
	os.close(master)
	began = time.monotonic()
	os.waitpid(pid, 0)
	check(shop, host, before, began)


def test_leader(shop, host):
	"""--confirm 2, and the whole session is killed: rolled back in time"""
	before = start(shop, host)
	shell = host.start("sh", "-c", f"{shop.program} apply --confirm 2 two.yaml; exec sleep 30", start_new_session=True,
		stdout=subprocess.DEVNULL)
	assert wait(lambda: "work.pending" in files(shop) and not is_half_way(shop)), "never applied"
	os.killpg(shell.pid, signal.SIGKILL)
	began = time.monotonic()
	shell.wait()
	check(shop, host, before, began)


def test_pipes(shop, host):
	"""the watchdog holds no pipe of its caller open"""
	write(shop)
	began = time.monotonic()
	expect(host.tpc("apply", "--confirm", "30", "one.yaml"), 0)
	assert time.monotonic() - began <= 25, "the pipe stayed open"
	held = host.run("sh", "-c", f"ls -l /proc/{watchdogs(host)[0]}/fd; cat /proc/{watchdogs(host)[0]}/status", check=False).stdout
	assert "pipe:" not in held and str(shop.folder) not in held, held
	host.run(shop.program, "remove")
	assert is_over(host), f"still there: {watchdogs(host)}"


# ---- one after the other ----

def test_second(shop, host):
	"""while an apply waits, another one is refused with the command to run; a dry run and status work"""
	before = start(shop, host)
	host.run(shop.program, "apply", "--confirm", "60", "two.yaml")
	state = steady(host.state())
	for words in (("apply", "one.yaml"), ("apply", "--confirm", "5", "one.yaml"), ("apply", "two.yaml")):
		expect(host.tpc(*words), 3, None, ["waits for its confirmation", "tpc confirm work", "tpc rollback work"])
	differs(state, steady(host.state()), "refused:")
	expect(host.tpc("apply", "--dry-run", "one.yaml"), 0, "would change")
	assert len(watchdogs(host)) == 1, f"watchdogs: {watchdogs(host)}"
	expect(host.tpc("rollback"), 0, ["work: rolled back", "one.yaml"], None)
	check(shop, host, before, time.monotonic())


def test_nothing_to_confirm(shop, host):
	"""nothing to change, a wrong policy, a refused one: no watchdog, nothing is left"""
	start(shop, host)
	shop.write("wrong.yaml", ONE.replace("drop", "dorp"))
	shop.write("refused.yaml", ONE.replace("mark: 100, table: 100", "mark: 200, table: 200").replace("12345", "12346"))
	host.run("ip", "rule", "add", "fwmark", "200", "lookup", "main")
	expect(host.tpc("apply", "--confirm", "5", "one.yaml"), 0, "nothing to change", None)
	expect(host.tpc("apply", "--confirm", "5", "wrong.yaml"), 1)
	expect(host.tpc("apply", "--confirm", "5", "refused.yaml"), 3, None, "nothing changed")
	assert is_over(host) and "work.pending" not in files(shop), "a watchdog is left"
	host.run("nft", "flush", "chain", "inet", "tpc_work", "prerouting")
	expect(host.tpc("apply", "--confirm", "5", "one.yaml"), 0, "work: applied", None)
	assert is_over(host), "a repair of what is applied waits for a confirmation"


def test_bounds(shop, host):
	"""--confirm takes 1 to 86400 seconds or a duration; a policy instead of TIME has its own message"""
	write(shop)
	for text in "0", "86401", "-1", "2x", "s", "", "99999999999999999999", "+5", " 5", "1d1s", "0m", "5m1h":
		expect(host.tpc("apply", f"--confirm={text}", "one.yaml"), 2, None, "--confirm takes a time from 1s to 1d")
	expect(host.tpc("apply", "--confirm", "one.yaml"), 2, None, ["such as 300 (seconds), 90s or 5m", 'not "one.yaml"'])
	assert not (shop.folder / "run").exists(), "something was applied"
	expect(host.tpc("apply", "--confirm", "5m", "one.yaml"), 0, "rolled back in 300 s")
	expect(host.tpc("rollback"), 0, "nothing was applied before, so it is removed", None)
	expect(host.tpc("apply", "--confirm", "86400", "one.yaml"), 0, "rolled back in 86400 s")
	expect(host.tpc("rollback"), 0, "nothing was applied before, so it is removed", None)
	assert not files(shop)


def test_twice(shop, host):
	"""rollback without --confirm and without files restores the previous policy; a second one has nothing to roll back to"""
	before = start(shop, host)
	expect(host.tpc("apply", "two.yaml"), 0)
	for name in "one.yaml", "two.yaml":
		(shop.folder / name).unlink()
	result = host.json("rollback")
	assert result["outcome"] == "rolled-back" and result["file"].endswith("one.yaml"), f"rollback: {result}"
	now = steady(host.state())
	differs(before, now, "rolled back:")
	expect(host.tpc("rollback"), 3, None, ["nothing to roll back to", "already"])
	expect(host.tpc("rollback", "other"), 3, None, "nothing of other was applied")
	differs(now, steady(host.state()), "the second rollback:")
	write(shop)
	expect(host.tpc("apply", "one.yaml"), 0, "nothing to change")
	expect(host.tpc("rollback"), 3, None, "nothing to roll back to")
	expect(host.tpc("apply", "two.yaml"), 0, "applied")
	expect(host.tpc("rollback"), 0, "rolled back")
	expect(host.tpc("remove"), 0)


def test_first(shop, host):
	"""rollback of a first apply removes it; without an apply there is nothing to roll back to"""
	write(shop)
	before = host.state()
	expect(host.tpc("rollback"), 3, None, "nothing is applied here")
	expect(host.tpc("apply", "two.yaml"), 0)
	expect(host.tpc("rollback"), 0, "nothing was applied before", None)
	differs(before, host.state(), "rolled back:")
	expect(host.tpc("apply", "--confirm", "1", "one.yaml"), 0)
	returns(shop, host, before, time.monotonic())
	assert not [f"left behind: {name}" for name in files(shop)]


def killed_at(host, number, *words):
	"""Runs the program and kills it at this system call; with 0 returns the numbers of the calls after its changes."""
	done = host.run(KILLAT, number, "all", host.program, *words, environment={"ASAN_OPTIONS": "detect_leaks=0"}, check=False)
	return [int(word) for word in done.stdout.splitlines()[-1].split()[4:]]


def cut_off(host, prepare, *words):
	"""
	The state before; kills the program between its first change and its last. The numbers of
	one run hold in the next unless that made other calls; then they are counted again.
	"""
	if not KILLAT.exists():
		pytest.skip(f"{KILLAT} is not built: make torture-tools")
	for _ in range(3):
		host.tpc("remove")
		prepare()
		numbers = killed_at(host, 0, *words)
		for number in numbers[len(numbers) // 2:]:
			host.run(host.program, "remove")
			before = prepare()
			killed_at(host, number, *words)
			if "did not finish" in host.tpc("status").stdout:
				return before
	raise RuntimeError(f"it was never half way, at none of {numbers}")


def test_crashed(shop, host):
	"""rollback undoes an apply that was killed half-way"""
	before = cut_off(host, lambda: start(shop, host), "apply", "two.yaml")
	expect(host.tpc("rollback"), 0, ["work: rolled back", "one.yaml"], None)
	check(shop, host, before, time.monotonic())
	expect(host.tpc("apply", "one.yaml"), 0, "nothing to change")


def test_removed(shop, host):
	"""remove works while an apply waits, and ends its watchdog"""
	write(shop)
	before = host.state()
	host.run(shop.program, "apply", "one.yaml")
	host.run(shop.program, "apply", "--confirm", "30", "two.yaml")
	expect(host.tpc("remove"), 0, "work: removed", None)
	assert is_over(host), "a watchdog is left"
	differs(before, host.state(), "removed:")
	assert not files(shop)


def test_killed(shop, host):
	"""a killed watchdog: status reports it, confirm and rollback still work"""
	before = start(shop, host)
	host.run(shop.program, "apply", "--confirm", "2", "two.yaml")
	os.kill(watchdogs(host)[0], signal.SIGKILL)
	time.sleep(2.1)
	expect(host.tpc("status"), 0, ["is gone: the apply stays until", "run: tpc rollback work"])
	assert "then it is rolled back" not in host.tpc("status").stdout and host.json("status")["policies"][0]["confirm_within"] is None, \
		"status promises a rollback"
	expect(host.tpc("apply", "one.yaml"), 3, None, "waits for its confirmation")
	expect(host.tpc("rollback"), 0, "rolled back")
	check(shop, host, before, time.monotonic())


def test_stuck(shop, host):
	"""a watchdog whose rollback fails: status says why, and a later rollback by hand works"""
	before = start(shop, host)
	host.run(shop.program, "apply", "--confirm", "3", "two.yaml")
	previous = next((shop.folder / "run").glob("*/work.previous"))
	good = previous.read_bytes()
	previous.write_bytes(good[:-9])
	assert wait(lambda: b"cannot be read" in next((shop.folder / "run").glob("*/work.pending")).read_bytes()), "no failure"
	expect(host.tpc("status"), 0, ["could not be rolled back", "cannot be read"])
	expect(host.tpc("rollback"), 3, None, ["cannot be read", "tpc remove"])
	previous.write_bytes(good)
	expect(host.tpc("rollback"), 0, "rolled back")
	check(shop, host, before, time.monotonic())


def test_cut_rollback(shop, host):
	"""the next rollback finishes one that was killed half-way"""
	write(shop)

	def prepare():
		host.run(shop.program, "apply", "two.yaml")
		state = steady(host.state())
		host.run(shop.program, "apply", "one.yaml")
		return state
	before = cut_off(host, prepare, "rollback")
	expect(host.tpc("rollback"), 0, ["work: rolled back", "two.yaml"], None)
	now = steady(host.state())
	differs(before.replace(".2", ""), now.replace(".2", ""), "finished:")
	expect(host.tpc("rollback"), 3, None, "nothing to roll back to")


def test_both(shop, host):
	"""two policies wait independently; without a name the waiting one is meant"""
	write(shop)
	shop.write("other.yaml", "version: 1\nname: other\nsettings: {mark_mask: 0xff00, priority: 20000}\nrules: [{to: 192.0.2.7, then: drop}]\n")
	host.run(shop.program, "apply", "one.yaml")
	expect(host.tpc("apply", "--confirm", "30", "other.yaml"), 0)
	expect(host.tpc("apply", "two.yaml"), 0)
	expect(host.tpc("rollback"), 0, "other: rolled back")
	expect(host.tpc("apply", "--confirm", "30", "other.yaml"), 0)
	expect(host.tpc("rollback", "work"), 0, "work: rolled back")
	expect(host.tpc("confirm"), 0, "other: confirmed")
	expect(host.tpc("rollback"), 2, None, "several policies are applied")
	expect(host.tpc("confirm", "Other!"), 2, None, "no policy's name")


# ---- sets that are filled at run time ----

FILLED = "version: 1\nsets:\n  d: {dynamic: true, elements: [10.1.0.0/16]}\nrules: [{from: d, then: drop}]\n"
TIMED = FILLED.replace("true,", "true, timeout: 3s,")


def held(host, name, table="tpc"):
	return host.run("nft", f"list set inet {table} {name}").stdout


def filled(shop, host, *options):
	"""A set without a timeout gets one; what it held then, and what has come since."""
	shop.write("d.yaml", FILLED)
	shop.write("d3.yaml", TIMED)
	host.run(shop.program, "apply", "-q", "d.yaml")
	host.run("nft", "add element inet tpc d_v4 { 203.0.113.99, 192.0.2.1 timeout 1d }")
	host.run(shop.program, "apply", "-q", *options, "d3.yaml")
	host.run("nft", "add element inet tpc d_v4 { 198.51.100.1 timeout 1h, 203.0.113.1 }")


def stays(host):
	"""Back, and the timeout that was is over: who is there, and for how long?"""
	text = held(host, "d_v4")
	flat = " ".join(text.split())
	assert not [f"{word} is gone or has a time" for word in ("203.0.113.99,", "10.1.0.0/16,") if word not in flat.replace(" }", ",")]
	assert not [f"{word} has lost its time" for word in ("192.0.2.1", "198.51.100.1") if f"{word} timeout" not in flat and f"{word} expires" not in flat]
	assert "203.0.113.1" not in flat, "what had the set's timeout has outlived it"
	expect(host.tpc("status", "--drift"), 0)


def test_rolled_timeout(shop, host):
	"""rollback of a set's timeout: elements without one have none again, even after they expired; others keep theirs"""
	filled(shop, host)
	expect(host.tpc("rollback"), 0, "rolled back")
	time.sleep(3.2)
	stays(host)
	expect(host.tpc("apply", "d.yaml"), 0, "nothing to change")
	filled(shop, host)
	time.sleep(3.2)
	expect(host.tpc("rollback"), 0, "rolled back")
	stays(host)
	files_now = [path.name for path in (shop.folder / "run").rglob("*.held")]
	assert not [f"left behind: {files_now}" for _ in files_now]


def test_unconfirmed_timeout(shop, host):
	"""an unconfirmed timeout of a set: elements without one have none again"""
	filled(shop, host, "--confirm", "3")
	assert is_over(host), "still waiting"
	time.sleep(3.2)
	stays(host)


def test_later_timeout(shop, host):
	"""each rollback restores the state before its own apply: elements that expired under an earlier one stay expired"""
	for name, text in (("d.yaml", FILLED), ("d3.yaml", TIMED)):
		text = text.replace(", elements: [10.1.0.0/16]", "")
		shop.write(name, text)
		shop.write(f"tcp-{name}", text.replace("then: drop", "proto: tcp, then: drop"))
	host.run(shop.program, "apply", "-q", "d.yaml")
	host.run("nft", "add element inet tpc d_v4 { 203.0.113.99 }")
	host.run(shop.program, "apply", "-q", "d3.yaml")
	time.sleep(3.2)
	expect(host.tpc("apply", "tcp-d.yaml"), 0)
	expect(host.tpc("apply", "tcp-d3.yaml"), 0)
	expect(host.tpc("rollback"), 0, "rolled back")
	assert "203.0.113.99" not in held(host, "d_v4"), "an element of the policy before the one before is back"
	expect(host.tpc("remove"), 0)
	assert not files(shop)


def test_listed_stays(shop, host):
	"""listed elements of a set without a timeout do not expire, even if they had one before"""
	shop.write("d.yaml", FILLED)
	shop.write("d3.yaml", TIMED)
	host.run(shop.program, "apply", "d3.yaml")
	expect(host.tpc("apply", "d.yaml"), 0)
	time.sleep(3.2)
	assert "10.1.0.0/16" in held(host, "d_v4"), "it has run out"


def test_emptied(shop, host):
	"""a removed dynamic set: plan, apply and rollback report the elements that are lost"""
	shop.write("d.yaml", FILLED)
	shop.write("none.yaml", "version: 1\nrules: [{to: 192.0.2.1, then: drop}]\n")
	host.run(shop.program, "apply", "d.yaml")
	host.run("nft", "add element inet tpc d_v4 { 203.0.113.99, 203.0.113.211-203.0.113.213, 198.51.100.0/24 }")
	words = "3 elements that were added at run time"
	expect(host.tpc("plan", "none.yaml"), 5, ["- set d_v4", words])
	shown = [change for change in host.json("plan", "none.yaml", status=5)["changes"] if change["what"] == "set d_v4"]
	assert len(shown) == 1 and words in (shown[0]["why"] or ""), f"plan as JSON: {shown}"
	expect(host.tpc("apply", "--confirm", "30", "none.yaml"), 0, "applied", ["d_v4", words, "confirm"])
	expect(host.tpc("rollback"), 0, "rolled back", None)
	assert "203.0.113.211-203.0.113.213" in held(host, "d_v4"), "the set that waited was not kept"
	expect(host.tpc("apply", "none.yaml"), 0, "applied", ["d_v4", words])
	expect(host.tpc("rollback"), 0, "rolled back", ["d_v4", "added at run time are lost: d_v4"])


def test_smaller(shop, host):
	"""rollback to a smaller set leaves elements above its size out, with a warning"""
	for size in 2, 4:
		shop.write(f"{size}.yaml", f"version: 1\nsets: {{d: {{dynamic: true, size: {size}}}}}\nrules: [{{from: d, then: drop}}]\n")
	host.run(shop.program, "apply", "2.yaml")
	host.run(shop.program, "apply", "4.yaml")
	host.run("nft", "add element inet tpc d_v4 { 192.0.2.1, 192.0.2.3, 192.0.2.5, 192.0.2.7 }")
	expect(host.tpc("rollback"), 0, "rolled back", ["the set d_v4", "2 of its elements are left out"])
	assert held(host, "d_v4").count("192.0.2.") == 2, held(host, "d_v4")


# ---- two run directorys ----

def elsewhere(shop):
	"""Another user's run directory."""
	return {"TPC_RUN_DIR": str(shop.folder / "theirs")}


def test_two_folders(shop, host):
	"""a wait of another run directory: apply and rollback are refused, remove ends it"""
	write(shop)
	before = host.state()
	host.run(shop.program, "apply", "one.yaml")
	expect(host.tpc("apply", "two.yaml", environment=elsewhere(shop)), 0)
	expect(host.tpc("apply", "--confirm", "60", "third.yaml"), 0)
	now = host.state()
	for words in (("apply", "two.yaml"), ("apply", "--confirm", "5", "two.yaml"), ("rollback", "work"), ("apply", "one.yaml")):
		expect(host.tpc(*words, environment=elsewhere(shop)), 3, None,
			["waits for its confirmation", "another run directory", "tpc confirm work", "tpc remove work"])
	expect(host.tpc("confirm", "work", environment=elsewhere(shop)), 3, None, "another run directory")
	expect(host.tpc("confirm", environment=elsewhere(shop)), 3, None,
		["waits for its confirmation", "another run directory", "by user root (0)", "as that user", "tpc confirm work"])
	differs(now, host.state(), "refused:")
	assert len(watchdogs(host)) == 1, f"watchdogs: {watchdogs(host)}"
	expect(host.tpc("remove", "work", environment=elsewhere(shop)), 0)
	assert is_over(host), "a watchdog is left"
	differs(before, host.state(), "removed:")
	# The other run directory may roll back, apply again, and confirm; then nothing is pending.
	expect(host.tpc("rollback", "work"), 0, "rolled back")
	expect(host.tpc("apply", "--confirm", "60", "two.yaml"), 0)
	expect(host.tpc("confirm"), 0)
	expect(host.tpc("apply", "one.yaml", environment=elsewhere(shop)), 0, "applied")


def test_two_folders_in_place(shop, host):
	"""after a change of only set contents, the wait is visible from all run directories too"""
	shop.write("a.yaml", "version: 1\nsets: {a: [192.0.2.1, 192.0.2.9]}\nrules: [{to: a, then: drop}]\n")
	shop.write("b.yaml", "version: 1\nsets: {a: [192.0.2.1, 192.0.2.7]}\nrules: [{to: a, then: drop}]\n")
	host.run(shop.program, "apply", "a.yaml")
	for decision in "rollback", "confirm":
		host.run(shop.program, "apply", "--confirm", "60", "b.yaml")
		expect(host.tpc("apply", "a.yaml", environment=elsewhere(shop)), 3, None, "another run directory")
		expect(host.tpc(decision), 0)
		assert "waits=" not in host.run("nft", "list table inet tpc").stdout, f"{decision}: the table still says that it waits"
	expect(host.tpc("apply", "a.yaml", environment=elsewhere(shop)), 0)


def loaded_by_another(shop, host, seconds):
	"""Loads another policy over the waiting one, without tpc."""
	write(shop)
	host.run(shop.program, "apply", "-q", "one.yaml")
	host.run(shop.program, "apply", "-q", "--confirm", seconds, "two.yaml")
	host.run("nft", "delete table inet tpc_work")
	shop.write("third.nft", host.run(shop.program, "compile", "--emit", "nft", "third.yaml").stdout)
	host.run("nft", "-f", "third.nft")
	return host.state()


def test_covered(shop, host):
	"""a policy that is loaded before a confirmation stays, and status says why"""
	now = loaded_by_another(shop, host, "4")
	assert is_over(host), "still waiting"
	differs(now, host.state(), "time is over:")
	expect(host.tpc("status"), 5, ["could not be rolled back", "another policy was loaded"])
	expect(host.tpc("confirm", "work"), 3, None, "another policy was loaded")
	expect(host.tpc("apply", "two.yaml"), 0, "applied", "another policy was loaded")
	host.run("nft", "delete table inet tpc_work")
	host.run("nft", "-f", "third.nft")
	expect(host.tpc("apply", "--confirm", "60", "two.yaml"), 0, "applied", ["replaced now", "it needs no confirmation"])
	expect(host.tpc("apply", "one.yaml"), 0, "applied", None)


def test_covered_rollback(shop, host):
	"""rollback over a foreign load is refused once, and works the second time"""
	now = loaded_by_another(shop, host, "60")
	expect(host.tpc("rollback", "work"), 3, None, ["another policy was loaded", "nothing changed"])
	differs(now, host.state(), "refused:")
	assert is_over(host), f"still waiting: {watchdogs(host)}"
	expect(host.tpc("rollback", "work"), 0, "rolled back")
	assert "learned_v4" in host.run("nft", "list table inet tpc_work").stdout, "it is not back"


def test_deleted(shop, host):
	"""an unconfirmed policy whose table was deleted is rolled back: no other policy is there"""
	before = start(shop, host)
	host.run(shop.program, "apply", "--confirm", "3", "two.yaml")
	host.run("nft", "delete table inet tpc_work")
	assert is_over(host), "still waiting"
	differs(before, steady(host.state()).replace("seen2", "seen"), "back:")


def test_run_folder(shop):
	"""root has only /run/tpc as run directory and creates no other; a user namespace has others"""
	shop.write("p.yaml", "version: 1\nrules: [{to: 192.0.2.1, then: drop}]\n")
	script = f"mount -t tmpfs none /tmp; mount -t tmpfs -o ro none /run && {shop.program} apply -q {shop.folder}/p.yaml; echo $?; ls -A /tmp"
	environment = {"XDG_RUNTIME_DIR": "/tmp"}
	done = shop.run("unshare", "-Urnm", "sh", "-c", script.replace("mount -t tmpfs none /tmp; ", "").replace("; ls -A /tmp", f"; {shop.program} remove"),
		environment={"XDG_RUNTIME_DIR": str(shop.folder)})
	expect(done, 0, "0\n", "")
	if os.geteuid():
		pytest.skip("only root can be root outside")
	shop.folder.chmod(0o755)
	done = shop.run("unshare", "-nm", "sh", "-c", script.replace(str(shop.program), "/mnt/tpc").replace(f"{shop.folder}/", "/mnt/")
		.replace("mount", f"mount -t tmpfs none /mnt; cp {shop.program} {shop.folder}/p.yaml /mnt; mount", 1), environment=environment)
	assert done.stdout == "3\n" and "TPC_RUN_DIR" in done.stderr and "/run/tpc" in done.stderr, str(done)
