"""The hosts of tests/cli: what a case leaves running there ends with its host."""
import pathlib
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))
sys.path.insert(0, str(ROOT / "tests" / "cli"))
import settled  # noqa: E402
from tap import Tap  # noqa: E402
from cli import Shop  # noqa: E402
from host import Host  # noqa: E402

# Goes on writing into the case's folder, as a watchdog does that comes to its end after the case.
WRITER = "while :; do : >run/$$.$i; i=$((i + 1)); done"


def main():
	tap = Tap()
	problems = []
	with tempfile.TemporaryDirectory(prefix="host-") as folder:
		shop = Shop(folder)
		pathlib.Path(folder, "run").mkdir()
		with Host(shop) as host:
			host.must("sh", "-c", f"setsid sh -c '{WRITER}' >/dev/null 2>&1 &")
			settled.wait(lambda: not shop.listing())
		left = shop.listing()
		time.sleep(0.1)
		if shop.listing() != left:
			problems.append("it still writes")
		if pathlib.Path(f"/proc/{host.holder.pid}").exists():
			problems.append("the host is still there")
	tap.check("a case's folder can be removed although the case has left a process that writes into it", problems)
	return tap.done()


if __name__ == "__main__":
	sys.exit(main())
