"""The model is the kernel: random policies and random packets, and what all say of them.

A policy is compiled at each level of optimisation, `tpc explain` says what becomes of its packets, and
a router in a network namespace shows it. All must agree: for fixed seeds, for the cases in tests/model/cases,
and not for planted defects of the emitter, which must be found. With -m long it is a run
of its own: --seed and --policies; --only SEED/INDEX; or --case FOLDER, which a difference has left.
"""

import argparse
import os
import pathlib
import time

import pytest

import counts
import load
import planted
import worker

CASES = sorted(path for path in (pathlib.Path(__file__).parent / "cases").glob("*") if path.is_dir())
SEED, POLICIES, PACKETS = "house", 36, 100
# Of what the packets must be: shares of their verdicts.
SHARES = {"direct": 0.1, "proxy": 0.1, "route or balance": 0.1, "drop or reject": 0.1}
SEEDS = [f"{SEED}/{i}" for i in range(POLICIES)]

# One worker of pytest's has two of its own here.
pytestmark = [pytest.mark.xdist_group("model"), pytest.mark.limit(1800)]


@pytest.fixture(scope="module")
def given(pytestconfig):
    return argparse.Namespace(packets=PACKETS, jobs=len(os.sched_getaffinity(0)), shrink=True, alter=None, build=load.BUILD,
                              now=pytestconfig.getoption("now") or int(time.time()) // 3600 * 3600 + 1800)


@pytest.fixture(scope="module")
def reports(given, request):
    """Of each policy that is asked for."""
    chosen = {item.callspec.params.get(name) for item in request.session.items if hasattr(item, "callspec")
              for name in ("seed", "folder")}
    whole = any(item.name.startswith(("test_share", "test_lacks")) for item in request.session.items)
    orders = [("seed", seed) for seed in SEEDS if whole or seed in chosen]
    orders += [("case", str(folder)) for folder in CASES if whole or folder.name in chosen]
    found = {}
    for report in worker.run_all(given, orders, min(given.jobs, 2)):
        assert not report.unable, report.unable
        assert report.order, report.problems
        found[report.order] = report
    return found


@pytest.mark.parametrize("seed", SEEDS)
def test_seed(seed, reports):
    """the packets of seed {seed}"""
    report = reports["seed", seed]
    assert report.packets and not report.problems, "\n".join(report.problems)


@pytest.mark.parametrize("folder", [folder.name for folder in CASES])
def test_case(folder, reports):
    """a difference that was found: {folder}"""
    problems = reports["case", str(CASES[0].parent / folder)].problems
    assert not problems, "\n".join(problems)


def joined(reports):
    total = counts.Counts()
    for report in reports.values():
        total.join(report.counts)
    return total


@pytest.mark.parametrize("verdicts", SHARES)
def test_share(verdicts, reports):
    """at least one packet in ten ends as {verdicts}"""
    assert joined(reports).share(tuple(verdicts.split(" or "))) >= SHARES[verdicts]


@pytest.mark.parametrize("name", planted.DEFECTS)
def test_planted(name, given):
    """planted: {name}"""
    assert planted.seen(name, given), f"{planted.POLICIES} policies, and nothing shows it"


def test_lacks(reports):
    """packets of every kind are tried"""
    print("\n".join(joined(reports).lines()))
    if lacks := sorted({lack for report in reports.values() for lack in report.lacks}):
        pytest.skip(f"needs root: {', '.join(lacks)}")


def run(given, orders, what, capsys):
    """A run of its own: says how it goes, and what it has exercised."""
    began, done, packets, bad = time.monotonic(), 0, 0, 0
    total, lacks = counts.Counts(), set()
    with capsys.disabled():
        print()
        for report in worker.run_all(given, orders, min(given.jobs, len(orders))):
            assert not report.unable, report.unable
            done += 1
            packets += report.packets
            lacks |= set(report.lacks)
            total.join(report.counts)
            for problem in report.problems:
                bad += 1
                print(problem, flush=True)
            if done % 100 == 0:
                print(f"{done} policies, {packets} packets, {bad} with a difference, {time.monotonic() - began:.0f} s", flush=True)
        print("\n".join([*total.lines(), *sorted(f"not tried, needs root: {lack}" for lack in lacks)]))
        print(f"{done} policies, {packets} packets at {' and '.join(load.levels())}, {bad} with a difference, "
              f"{what} (--now {given.now}), {time.monotonic() - began:.0f} s")
    assert not bad and done == len(orders)


@pytest.mark.long
@pytest.mark.limit(10 ** 7)
def test_random(given, pytestconfig, capsys):
    """--policies policies of one seed, or the one of --only"""
    seed, only, case = (pytestconfig.getoption(name) for name in ("seed", "only", "case"))
    if case:
        orders = [("case", case)]
    else:
        orders = [("seed", only)] if only else [("seed", f"{seed}/{i}") for i in range(pytestconfig.getoption("policies"))]
    run(given, orders, f"case {case}" if case else f"seed {only or seed}", capsys)
