"""
Others on the same host: eight writers that apply at once, of the same policy name and of different
ones; and fifty things of other software, which stay as they are, byte for byte.
"""

import os
import signal
import subprocess

from policy import TPC, Policy, kernel
from torture import Ends, all_at_once, by_length, crossed, flood, fresh, note, one_name, unlike

TURNS = by_length(20, 500)
WRITERS = 8
# The writer's shell: two calls of the program in turn, each a verb and its object. Prints each exit status
# that is neither 0 nor 3, each refusal that is not the lock's, and how many there were.
LOOP = """done=0 locked=0 words=$6
for turn in $(seq "$1"); do
    "$TPC" "$2" "$3" >/dev/null 2>"$words"; status=$?
    set -- "$1" "$4" "$5" "$2" "$3"
    case $status in
    0) done=$((done + 1)) ;;
    3) locked=$((locked + 1)); grep -q "another tpc" "$words" || cat "$words" ;;
    *) echo "exit $status"; cat "$words" ;;
    esac
done
echo "end $done $locked"
"""


def applies(pairs):
    return [[("apply", str(policy.path)) for policy in pair] for pair in pairs]


def write_at_once(net, pairs):
    """Each pair of calls is one writer's, who ends with the second; (carried out, locked out)."""
    running = []
    for number, calls in enumerate(pairs):
        words = f"{net.directory}/said-{number}"
        with net.router:
            running.append(subprocess.Popen(
                ["sh", "-c", LOOP, "sh", str(TURNS), *calls[0], *calls[1], words],
                env={"TPC": TPC, "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
                stdout=subprocess.PIPE, text=True, start_new_session=True))
    try:
        return counted(running)
    finally:  # one that is late goes with what it called
        for process in running:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def counted(running):
    counts = [0, 0]
    for process in running:
        lines = process.communicate()[0].splitlines()
        assert lines and lines[-1].startswith("end ") and len(lines) == 1, "\n".join(lines)
        counts = [have + int(more) for have, more in zip(counts, lines[-1].split()[1:])]
    assert sum(counts) == TURNS * len(running), "calls that came to an end"
    return counts


def test_one_name(net):
    """rivals: eight writers of one name at once are serialized: no mixture, no deadlock"""
    policies = all_at_once(net, 20)
    states = fresh(net, policies)
    policies[0].up()
    ends = Ends(net)
    with flood(net) as result:
        done, locked = write_at_once(net, applies([policies, policies[::-1]] * (WRITERS // 2)))
    note(f"{WRITERS} writers of one name, {TURNS} times each: {done} applied, {locked} locked "
         f"out, {result['sent']} packets, astray: {sum(ends.astray().values())}")
    assert done, "nobody ever got through"
    assert ends.astray() == {}, f"packets astray of {result['sent']}"
    assert sum(ends.arrived().values()), "nothing came out"
    now = one_name(kernel(net.router))
    assert now in [one_name(state) for state in states], "a state that is neither's"


def named(net, number, count, device):
    """A policy of its own name and numbers, for addresses of its own."""
    own = "".join(f", 198.{number}.{at}.0/24" for at in range(count))
    return Policy(net, f"""version: 1
name: rival{number}
settings: {{mark_mask: {0xf << 4 * number:#x}, table_ids: "{7300 + 10 * number}-{7309 + 10 * number}", priority: {11000 + 100 * number}}}
sets: {{own: [198.51.{100 + number}.0/24, "2001:db8:{100 + number}::/48"{own}]}}
tables: {{one: {{dev: {device}, fallback: unreachable, masquerade: true}}}}
rules: [{{scope: both, to: own, then: {{route: one}}}}]
""", name=f"rival{number}")


def test_own_names(net):
    """rivals: eight writers of different names at once: each has its own objects"""
    bare = kernel(net.router)
    pairs = [[named(net, number, 5, "wg0"), named(net, number, 3 + number, "wg1")]
             for number in range(WRITERS)]
    for _, second in pairs:
        second.up()
    state = kernel(net.router)
    done, locked = write_at_once(net, applies(pairs))
    note(f"{WRITERS} writers of as many names, {TURNS} times each: {done} applied, {locked} "
         "locked out")
    if not locked:  # else one's last apply may be the one that was
        unlike(state, net.router, "after all of them")
    for number, (_, second) in enumerate(pairs):
        second.down(name=f"rival{number}")
    unlike(bare, net.router, "all removed")


def test_come_and_go(net):
    """rivals: eight writers apply and remove different names: nothing is left, none disturbs another"""
    bare = kernel(net.router)
    policies = [named(net, number, 3, "wg0") for number in range(WRITERS)]
    done, locked = write_at_once(net, [
        [("apply", str(policy.path)), ("remove", f"rival{number}")]
        for number, policy in enumerate(policies)])
    note(f"{WRITERS} writers apply and remove, {TURNS} calls each: {done} done, {locked} locked out")
    if locked:  # else each has removed its own
        for number, policy in enumerate(policies):
            policy.down(name=f"rival{number}")
    unlike(bare, net.router, "all removed")


# ---- foreign objects ----

def foreign_objects(net):
    """Fifty things: nft tables with chains, sets and maps, ip rules, and routes."""
    for number in range(10):
        net.router.nft(f"""table inet other{number} {{
    set blocked {{ type ipv4_addr; flags interval; elements = {{ 192.0.2.{number}, 198.18.{number}.0/24 }} }}
    map ways {{ type ipv4_addr : verdict; elements = {{ 192.0.2.{number} : accept }} }}
    counter seen {{ packets {number} bytes 99 }}
    chain input {{
        type filter hook input priority {number}; policy accept;
        ip saddr @blocked counter packets 7 bytes 77 comment "mine {number}"
        ip saddr vmap @ways
    }}
}}""")
    for version, prefix in ((4, "10.{}.0.0/16"), (6, "fd00:{}::/32")):
        net.router.ip("\n".join(
            f"rule add priority {20000 + number} from {prefix.format(70 + number)} lookup "
            f"{50 + number}\n"
            f"route add {prefix.format(170 + number)} dev lan0 table {50 + number} proto "
            f"{(3, 4, 116, 200)[number % 4]} metric {10 + number}"
            for number in range(10)), f"-{version}")


def theirs(net):
    """Theirs as nft and ip tell it, handles, counts and order included."""
    parts = [net.router.run("nft", "-a", "list", "table", "inet", f"other{number}").stdout
             for number in range(10)]
    for version in "-4", "-6":
        rules = net.router.run("ip", "-d", version, "rule").stdout.splitlines()
        parts.append("\n".join(line for line in rules if line.startswith("200")))
        parts += [net.router.run("ip", "-d", version, "route", "show", "table", str(50 + number)
                                 ).stdout for number in range(10)]
    return parts


def test_strangers(net):
    """rivals: fifty foreign objects are unchanged byte for byte by apply, update, rollback and remove"""
    foreign_objects(net)
    before = theirs(net)
    assert all(before), "some of theirs is not there"
    policies = all_at_once(net, 20) + crossed(net)
    for turn in range(by_length(2, 10)):
        for policy in policies:
            policy.up()
            assert theirs(net) == before, f"theirs after an apply, turn {turn}"
        net.router.run(TPC, "rollback")
        assert theirs(net) == before, f"theirs after a rollback, turn {turn}"
        policies[0].down()
        assert theirs(net) == before, f"theirs after a remove, turn {turn}"
