"""What a test leaves running on its host ends with the host."""
import pathlib
import tempfile
import time

import settled
from cli import Shop
from host import Host

# Goes on writing into the test's folder, as a watchdog does that comes to its end after the test.
WRITER = "while :; do : >run/$$.$i; i=$((i + 1)); done"


def test_left_running():
	"""a test's folder can be removed although the test has left a process that writes into it"""
	with tempfile.TemporaryDirectory(prefix="host-") as folder:
		shop = Shop(folder)
		pathlib.Path(folder, "run").mkdir()
		with Host(shop) as host:
			host.must("sh", "-c", f"setsid sh -c '{WRITER}' >/dev/null 2>&1 &")
			settled.wait(lambda: not shop.listing())
		left = shop.listing()
		time.sleep(0.1)
		assert shop.listing() == left, "it still writes"
		assert not pathlib.Path(f"/proc/{host.holder.pid}").exists(), "the host is still there"
