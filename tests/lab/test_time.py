"""
Windows of time: which moments they are in zones around the world, and what packets meet inside, outside
and at their edges.
"""

import contextlib
import os
import pathlib
import re
import socket
import subprocess
import time
from datetime import datetime, timedelta, timezone

import pytest

import clock
import probe
from lab import CLIENT, FOREIGN, Network
from policy import TPC, WAYS, Policy, generation
from outcomes import answered, fails

FAMILIES = (4, 6)
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
SECOND = 10 ** 9

# ---- which moments ----

# Half an hour of daylight saving, two hours, the southern half of the world, none, the ends of the
# day's line, a change at midnight, winter time as the exception, rules that have changed and that
# follow the moon.
ZONES = ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Antarctica/Troll", "Australia/Sydney",
         "America/Santiago", "Asia/Kolkata", "Pacific/Kiritimati", "Pacific/Pago_Pago", "Pacific/Chatham",
         "Asia/Beirut", "Africa/Cairo", "Europe/Dublin", "America/Nuuk", "Africa/Casablanca", "Etc/UTC")
# Not more than nft can load for an ordinary user.
WINDOWS = """version: 1
rules:
  - {time: {days: [fri-sat], hours: "22:00-06:30"}, then: drop}
  - {time: {days: thu, hours: "23:30-00:30"}, then: drop}
  - time:
      - {dates: "2027-03-27..2027-03-29"}
      - {days: sun, hours: "01:50-03:05", dates: "2026-01-01..2030-12-31"}
      - {days: sun, hours: ["02:15-02:45", "02:50-03:10"], dates: "2031-01-01..2033-12-31"}
    then: drop
"""


def openings():
    """The windows of each rule as a person would write them into a calendar."""
    nights, edges, sundays = [], [], []
    for day in clock.every_day():
        if day.weekday() in (4, 5):
            nights.append(clock.hours(day, "22:00", "06:30"))
        if day.weekday() == 3:
            edges.append(clock.hours(day, "23:30", "00:30"))
        if datetime(2027, 3, 27) <= day <= datetime(2027, 3, 29):
            sundays.append((day, day + timedelta(days=1)))
        elif day.weekday() == 6 and day.year <= 2030:
            sundays.append(clock.hours(day, "01:50", "03:05"))
        elif day.weekday() == 6 and day.year <= 2033:
            sundays += [clock.hours(day, "02:15", "02:45"), clock.hours(day, "02:50", "03:10")]
    return [nights, edges, sundays]


def names(net):
    """The sets of windows, in the order of the rules."""
    return re.findall(r"set (time\.[0-9a-f]+) {", net.router.run("nft", "list", "sets").stdout)


def held(net):
    """What the kernel holds of each rule, in seconds of UTC; a window's last instant is its end."""
    out = []
    for name in names(net):
        found = clock.elements(net.router, "tpc", name)
        assert all(a % SECOND == 0 and b % SECOND == 1 for a, b in found), found[:3]
        out.append([(a // SECOND, b // SECOND) for a, b in found])
    return out


def on_the_wall(windows, where, first):
    """
    Every thirteen hours, and around midnight: is the window of nights open exactly when the clock shows
    such a time? Not asked about hours that come twice.
    """
    moments = list(range(first, first + 3600 * 24 * 3650, 3600 * 13))
    moments += [midnight + step for midnight in (
        int((datetime(2026, 1, 2) + timedelta(days=day)).replace(tzinfo=where).timestamp())
        for day in range(0, 3650, 3)) for step in (-1, 0, 1, 23399, 23400, 79199, 79200)]
    at = 0
    for moment in sorted(moments):
        while at < len(windows) and windows[at][1] <= moment:
            at += 1
        local = datetime.fromtimestamp(moment, where)
        if local.fold or clock.offset(where, moment + 7200) != clock.offset(where, moment):
            continue
        late = local.hour >= 22 and local.weekday() in (4, 5)
        early = (local.hour, local.minute) < (6, 30) and (local - timedelta(days=1)).weekday() in (4, 5)
        inside = at < len(windows) and windows[at][0] <= moment
        assert inside == (late or early), f"open at {local}"


@pytest.mark.parametrize("name", ZONES)
def test_zone(name):
    """time: {name}: every window of ten years, by apply and by the script"""
    contents = clock.zone(name)
    where = clock.read_zone(contents)
    wanted = [clock.windows(where, rule) for rule in openings()]
    for way in "apply", "sh":
        with clock.host_zone(contents), Network(uplinks=()) as net:
            Policy(net, WINDOWS).up(way)
            for rule, (found, right) in enumerate(zip(held(net), wanted), 1):
                wrong = sorted(set(found) ^ set(right))
                assert not wrong, f"by {way}, rule {rule}: {len(wrong)}, first {wrong[:4]}"
    on_the_wall(wanted[0], where, 1767312000)


def test_seconds():
    """time: a zone that changes at any second; a change that is far from the next quarter of an hour"""
    friday = int(datetime(2026, 9, 25, 20, tzinfo=timezone.utc).timestamp())
    for changes in ([(1790000001, -34567), (1850000899, 12345)], [(friday - 473, 7260), (1803000000, 7)]):
        contents = clock.made(7200, *changes)
        where = clock.read_zone(contents)
        wanted = [clock.windows(where, rule) for rule in openings()]
        for way in "apply", "sh":
            with clock.host_zone(contents), Network(uplinks=()) as net:
                Policy(net, WINDOWS).up(way)
                assert held(net) == wanted, f"the windows by {way} in a zone with {changes}"


def test_hand():
    """time: by hand nft converts windows with the offset of their time; it is wrong only around a change"""
    for name in "Europe/Berlin", "America/New_York", "Asia/Kolkata":
        contents = clock.zone(name)
        where = clock.read_zone(contents)
        wanted = clock.windows(where, openings()[0])
        with clock.host_zone(contents), Network(uplinks=()) as net:
            Policy(net, "\n".join(WINDOWS.splitlines()[:3]) + "\n").up("hand")
            found = [(a // SECOND, b // SECOND) for a, b in clock.elements(net.router, "tpc", names(net)[0])]
        assert len(found) == len(wanted), "how many windows"
        for one, other in zip(found, wanted):
            if clock.offset(where, other[0] - 86400) == clock.offset(where, other[1] + 86400):
                assert one == other, f"a window far from a change in {name}"


def test_whose():
    """time: the host's zone counts, not TZ; a second apply changes nothing; another zone does"""
    berlin, tokyo = clock.zone("Europe/Berlin"), clock.zone("Asia/Tokyo")
    with clock.host_zone(berlin), Network(uplinks=()) as net:
        policy = Policy(net, WINDOWS).compile()
        policy.up()
        windows, number = held(net), generation(net.router)
        for name in "Asia/Tokyo", "UTC0", "", ":/nowhere":
            with variable("TZ", name):
                policy.up()
                assert generation(net.router) == number, f"the ruleset's generation after an apply with TZ={name}"
        policy.down()
        with variable("TZ", "Asia/Tokyo"):
            policy.up("sh")
            assert held(net) == windows, "the windows by the script with TZ of elsewhere"
            policy.down("sh")
        policy.up()
        with clock.host_zone(tokyo):
            policy.up()
            found = clock.elements(net.router, "tpc", names(net)[0])
            assert found[0][0] // SECOND == windows[0][0][0] - 8 * 3600, "the first window in Tokyo"
            number = generation(net.router)
            policy.up()
            assert generation(net.router) == number, "the ruleset's generation after a second apply in Tokyo"


def test_bytes():
    """time: the same bytes from machines in other zones, with other TZ and other locales"""
    outputs = {}
    with Network(uplinks=()) as net:
        policy = Policy(net, WINDOWS)
        for name in "Asia/Tokyo", "America/Nuuk":
            with clock.host_zone(clock.zone(name)):
                for tz in None, "Pacific/Kiritimati", "XYZ11", "":
                    for locale in "C", "tr_TR.UTF-8":
                        with variable("TZ", tz), variable("LC_ALL", locale):
                            subprocess.run([TPC, "compile", "-q", policy.path, "-o", policy.out], check=True)
                        outputs[name, tz, locale] = {
                            path.name: path.read_bytes() for path in sorted(pathlib.Path(policy.out).iterdir())}
    first = next(iter(outputs.values()))
    assert "policy.nft" in first and len(outputs) == 16
    for where, files in outputs.items():
        assert files == first, f"other bytes with {where}"


@contextlib.contextmanager
def variable(name, value):
    """A variable of the environment; None: not set."""
    before = os.environ.pop(name, None)
    if value is not None:
        os.environ[name] = value
    try:
        yield
    finally:
        os.environ.pop(name, None)
        if before is not None:
            os.environ[name] = before


# ---- packets ----

def today(now, days=0):
    """The UTC date, which showing() keeps, some days from then: as a date and as a day of the week."""
    date = datetime.fromtimestamp(now, timezone.utc).date() + timedelta(days=days)
    return date.isoformat(), DAYS[date.weekday()]


def met(net, taken, ports, what):
    """Which of the ports a time rule has taken, over both families and protocols."""
    for version in FAMILIES:
        for port in ports:
            for _ in range(4):  # ICMP errors are sent so often and no more
                outcome = probe.ask(net.client, "tcp", FOREIGN[version], port, timeout=2)
                if outcome.kind != "silence":
                    break
            assert ("refused" if outcome.kind == "refused" else outcome.who) == ("refused" if port in taken else "origin"), \
                f"{what}: port {port} over IPv{version}"


@pytest.mark.parametrize("way", WAYS)
def test_evening(way):
    """time: ten past eleven at night, loaded by {way}: inside, outside, other weekdays, dates, not"""
    now = int(time.time())
    (date, day), (_, tomorrow) = today(now), today(now, 1)
    with clock.host_zone(clock.showing("23:10:00", now)), Network() as net:
        Policy(net, f"""version: 1
rules:
  - {{proto: tcp, port: 22, time: {{days: {day}, hours: "22:00-06:30"}}, then: reject}}
  - {{proto: tcp, port: 53, time: {{days: {tomorrow}, hours: "22:00-06:30"}}, then: reject}}
  - {{proto: tcp, port: 80, time: {{dates: {date}, hours: ["08:00-23:10", "23:20-24:00"]}}, then: reject}}
  - {{proto: tcp, port: 443, time: {{dates: {date}..{today(now, 2)[0]}, hours: "23:10-23:20"}}, then: reject}}
  - {{proto: tcp, port: 853, time: {{dates: [{today(now, 1)[0]}, {today(now, -1)[0]}]}}, then: reject}}
  - {{proto: tcp, port: 5228, time: {{not: {{days: {tomorrow}}}}}, then: reject}}
  - {{proto: tcp, port: 8080, time: {{not: [{{days: {tomorrow}}}, {{dates: {date}}}]}}, then: reject}}
""").up(way)
        met(net, (22, 443, 5228), (22, 53, 80, 443, 853, 5228, 8080), f"at 23:10 by {way}")


@pytest.mark.parametrize("way", WAYS)
def test_night(way):
    """time: ten past two at night, loaded by {way}: the window belongs to the day it opened on"""
    now = int(time.time())
    (date, day), (before, yesterday) = today(now), today(now, -1)
    with clock.host_zone(clock.showing("02:10:00", now)), Network() as net:
        Policy(net, f"""version: 1
rules:
  - {{proto: tcp, port: 22, time: {{days: {yesterday}, hours: "22:00-06:30"}}, then: reject}}
  - {{proto: tcp, port: 53, time: {{days: {day}, hours: "22:00-06:30"}}, then: reject}}
  - {{proto: tcp, port: 80, time: {{dates: {before}, hours: "22:00-06:30"}}, then: reject}}
  - {{proto: tcp, port: 443, time: {{dates: {date}, hours: "22:00-06:30"}}, then: reject}}
  - {{proto: tcp, port: 853, time: {{days: {day}, hours: "00:00-02:30"}}, then: reject}}
  - {{proto: tcp, port: 8080, time: {{days: {yesterday}, hours: "22:00-02:00"}}, then: reject}}
""").up(way)
        met(net, (22, 80, 853), (22, 53, 80, 443, 853, 8080), f"at 02:10 by {way}")


class Talk:
    """A TCP connection of the client's that goes on, to a port of the origin's."""

    def __init__(self, net, version):
        family, anywhere = (socket.AF_INET6, "::") if version == 6 else (socket.AF_INET, "0.0.0.0")
        with net.origin, socket.create_server((anywhere, 7777), family=family) as server:
            with net.client:
                self.client = net.add(socket.create_connection((FOREIGN[version], 7777), timeout=2))
            self.child = net.add(server.accept()[0])

    def goes_on(self, patience=2.0):
        self.child.settimeout(patience)
        try:
            self.client.sendall(b"x")
            return bool(self.child.recv(100))
        except OSError:
            return False


def _opens(opens, zone, hours):
    with clock.host_zone(zone), Network() as net:
        Policy(net, f"""version: 1
rules:
  - {{proto: tcp, port: 7777, time: {{hours: "{hours}"}}, then: reject}}
  - {{from: [10.10.10.0/24, "fd00:10::/64"], state: new, then: direct}}
""").up()
        if time.time() > opens - 2:
            return False
        talks = {version: Talk(net, version) for version in FAMILIES}
        first = [talk.goes_on() for talk in talks.values()]
        clock.until(opens - 0.6)
        again = [talk.goes_on() for talk in talks.values()]
        if time.time() >= opens:
            return False
        assert (first, again) == ([True, True],) * 2, "whether it goes on before the window, and shortly before"
        clock.until(opens + 0.1)
        for version, talk in talks.items():
            assert not talk.goes_on(0.25), f"over IPv{version} goes on in the window"
            fails(probe.ask(net.client, "tcp", FOREIGN[version], 7777))
    return True


def skipping(opens):
    """The hour from two to three is skipped."""
    before = 2 * 3600 - opens % 86400
    return clock.made(before, (opens, before + 3600))


def repeating(opens):
    """At three the clock goes back to two; what ends at half past two ends the second time."""
    before = 3 * 3600 - opens % 86400
    return clock.made(before, (opens, before - 3600))


@pytest.mark.parametrize("what, zone, hours", [
    ("at a full minute", lambda opens: clock.showing("22:00:00", opens), "22:00-06:00"),
    ("over midnight", lambda opens: clock.showing("00:00:00", opens), "00:00-01:00"),
    ("in an hour that daylight saving skips", skipping, "02:30-04:00"),
])
def test_edge(what, zone, hours):
    """time: a window opens: a running connection is cut: {what}

    A window that opens in some seconds.
    """
    clock.in_time(lambda opens: _opens(opens, zone(opens), hours))


def test_twice():
    """time: a window that ends in a repeated hour ends the second time"""
    clock.in_time(_turns_back)


def _turns_back(turn):
    with clock.host_zone(repeating(turn)), Network() as net:
        Policy(net, """version: 1
rules:
  - {proto: tcp, port: 22, time: {hours: "01:00-02:30"}, then: reject}
  - {proto: tcp, port: 53, time: {hours: "02:30-04:00"}, then: reject}
  - {proto: tcp, port: 80, time: {hours: "03:00-04:00"}, then: reject}
""").up()
        if time.time() > turn - 1:
            return False
        met(net, (22, 53), (22, 53, 80), "shortly before three")
        clock.until(turn + 0.1)
        met(net, (22, 53), (22, 53, 80), "at two for the second time")
    return True


def _keeps(closes, rule, inside):
    with clock.host_zone(clock.showing("06:30:00", closes)), Network(uplinks=("wan0", "wan1")) as net:
        policy = Policy(net, f"""version: 1
listeners: {{p: {{tproxy: 12345}}}}
tables: {{mobile: {{via: [198.51.100.1, "2001:db8:2::1"], dev: wan1, masquerade: true}}}}
rules:
  - {{proto: udp, port: 5000, time: {{hours: ["22:00-06:30", "06:31-07:00"]}}, then: {rule}}}
""").up()
        net.listener()

        def flow(version, port):
            return probe.ask(net.client, "udp", FOREIGN[version], 5000, source=(CLIENT[version], port))
        began = [flow(version, 20001) for version in FAMILIES]
        if time.time() >= closes:
            return False
        for outcome in began:
            answered(outcome, inside)
        clock.until(closes + 0.1)
        for version in FAMILIES:
            answered(flow(version, 20001), inside)
            answered(flow(version, 20002), "origin")
        with clock.host_zone(clock.showing("06:31:01")):
            policy.up()
            for version in FAMILIES:
                answered(flow(version, 20002), "origin")
                answered(flow(version, 20003), inside)
    return True


@pytest.mark.parametrize("name, rule, inside", [
    ("a table", "{route: mobile}", "mobile"),
    ("a proxy", "{proxy: p}", "proxy"),
])
def test_closes(name, rule, inside):
    """time: a window closes, and connections keep their first way: {name}"""
    clock.in_time(lambda closes: _keeps(closes, rule, inside))
