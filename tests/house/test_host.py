"""What a test leaves running on its host ends with the host."""
import tempfile
import time

import kernel_wait
from cli import Shop
from ns import Host

# Goes on writing into the test's folder, as a watchdog does that comes to its end after the test.
WRITER = "while :; do : >run/$$.$i; i=$((i + 1)); done"


def test_left_running():
	"""a test's folder is removed even if a process of the test still writes into it"""
	with tempfile.TemporaryDirectory(prefix="host-") as folder:
		shop = Shop(folder)
		(shop.folder / "run").mkdir()
		host = Host("host", shop.folder)
		host.run("sh", "-c", f"setsid sh -c '{WRITER}' >/dev/null 2>&1 &")
		kernel_wait.wait(lambda: not shop.listing())
		host.end_all()
		left = shop.listing()
		time.sleep(0.1)
		assert left and shop.listing() == left, "it still writes"
		assert not host.processes()
		host.close()
