"""worker: a process in namespaces of its own that tries one policy after the other.

In go orders, (kind, what); out come reports: how many packets were compared, the differences as text,
and the counts.
"""

import contextlib
import multiprocessing
import os
import pathlib
import shutil
import time
import traceback

import cases
import clock
import counts
import load
import ns
import shrink
import trial
import world

FRESH = 200  # policies that one pair of routers sees


class Report:
    def __init__(self, order):
        self.order, self.packets, self.problems, self.unable = order, 0, [], ""
        self.lacks = []  # what this user cannot try
        self.counts = counts.Counts()


class Bench:
    """The routers of a worker, and the trials on them."""

    def __init__(self, given, slice_):
        self.given, self.slice, self.used = given, slice_, 0
        self.folder = pathlib.Path(given.build) / "model" / f"worker-{os.getpid()}"
        self.settings = trial.Settings([], self.folder, load.levels(), slice_, ns.all_ids(), given.alter,
                                       given.now)
        self.fresh()

    def fresh(self):
        for place, _ in self.settings.places:
            place.close()
        # What `tpc apply` notes is of the routers that were.
        shutil.rmtree("/run/tpc", ignore_errors=True)
        places = [world.World(self.slice) for _ in self.settings.levels]
        self.settings.places = [(place, load.Loader(place.router)) for place in places]
        self.used = 0

    def run(self, order):
        report = Report(order)
        if not self.settings.all_ids:
            report.lacks.append("packets of other users and groups")
        if not self.slice:
            report.lacks.append("control groups")
        try:
            getattr(self, f"_{order[0]}")(order[1], report)
        except (load.Broken, load.Refused) as error:
            report.problems.append(f"{order}: {error}\n{self._policy()}")
            self.fresh()
        except Exception:
            report.problems.append(f"{order}: {traceback.format_exc()}\n{self._policy()}")
            self.fresh()
        self.used += 1
        if self.used >= FRESH:
            self.fresh()
        return report

    def _policy(self):
        path = self.folder / "policy.yaml"
        return path.read_text() if path.exists() else ""

    # ---- orders ----

    def _seed(self, seed, report):
        policy, packets = trial.generate(seed, self.given.packets, self.settings)
        found = trial.compare(policy, packets, self.settings, seed, _is_even(seed), report.counts)
        report.packets = len(packets)
        report.counts.note("policies", ["all"])
        report.counts.note("actions in policies", [_action(rule) for rule in policy.body["rules"]])
        if found:
            report.problems.append(self._told(seed, found))

    def _case(self, folder, report):
        policy, packets, wants = cases.read(pathlib.Path(folder))
        found = trial.compare(policy, packets, self.settings, str(folder), True, report.counts)
        found += trial.compare(policy, packets, self._elsewhere(), str(folder), False)
        report.packets = len(packets)
        report.problems += [difference.text(self.given.now) for difference in found]
        for level in self.settings.levels:
            compiled = load.Compiled(policy, self.folder, level, self.slice)
            for packet, want, said in zip(packets, wants, compiled.explain(packets, int(time.time()))):
                if cases.answer_text(said) != want:
                    report.problems.append(f"{level}: {load.words(packet, self.given.now)}\n"
                                           f"  {cases.answer_text(said)}, and not {want}")

    def _elsewhere(self):
        """The same settings on routers that have not seen these connections."""
        self.fresh()
        return self.settings

    # ---- telling ----

    def _told(self, seed, found):
        first = found[0]
        if self.given.shrink:
            first = self._smallest(first)
        folder = pathlib.Path(self.given.build) / "model" / ("seed-" + seed.replace("/", "-"))
        said = first.said[self.settings.levels[0]]
        text = first.text(self.given.now)
        cases.save(folder, first.policy, [cases.packet_line(first.packet, self.given.now, cases.answer_text(said))],
                   text)
        return (f"{len(found)} packets of seed {seed} make a difference; the first of them, in {folder}"
                f" (try it again with python3 -m pytest tests/model -m long --case {folder}, or all of them with --only {seed}"
                f" --now {self.given.now}):\n{(folder / 'policy.yaml').read_text()}"
                f"{(folder / 'packets').read_text()}")

    def _smallest(self, first):
        kept = [first]

        def differs(policy):
            self.fresh()
            found = trial.compare(policy, [first.packet], self.settings, first.seed)
            if found:
                kept[0] = found[0]
            return bool(found)

        with contextlib.suppress(load.Refused, load.Broken):
            if differs(first.policy):
                shrink.shrunk(first.policy, differs)
        return kept[0]


def _is_even(seed):
    return int(seed.rpartition("/")[2]) % 2 == 0


def _action(rule):
    return rule["then"] if isinstance(rule["then"], str) else next(iter(rule["then"]))


def _work(given, cpu, orders, reports):
    try:
        with contextlib.suppress(OSError):
            # What is sent is then done before the next is sent.
            os.sched_setaffinity(0, {cpu})
        ns.enter()
        with clock.host_zone(clock.made(0)), world.slices() as slice_:
            bench = Bench(given, slice_)
            try:
                for order in iter(orders.get, None):
                    reports.put(bench.run(order))
            finally:
                shutil.rmtree(bench.folder, ignore_errors=True)
    except ns.Unable as why:
        report = Report(None)
        report.unable = str(why)
        reports.put(report)
    except Exception:
        report = Report(None)
        report.problems.append(traceback.format_exc())
        reports.put(report)


def run_all(given, orders, jobs):
    """Reports of all orders, as they come."""
    context = multiprocessing.get_context("fork")
    waiting, reports = context.Queue(), context.Queue()
    for order in [*orders, *[None] * jobs]:
        waiting.put(order)
    cpus = sorted(os.sched_getaffinity(0))
    workers = [context.Process(target=_work, args=(given, cpus[i % len(cpus)], waiting, reports), daemon=True)
               for i in range(jobs)]
    for worker in workers:
        worker.start()
    for _ in orders:
        report = _next(reports, workers)
        yield report
        if report.order is None:
            break
    for worker in workers:
        if report.order is None:
            worker.terminate()
        worker.join()


def _next(reports, workers):
    while True:
        try:
            return reports.get(timeout=2)
        except Exception:
            if not any(worker.is_alive() for worker in workers):
                report = Report(None)
                report.problems.append("a worker died")
                return report
