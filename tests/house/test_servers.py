"""The thread that all of a lab's servers share outlives a socket that is closed while it has news, and any error."""
import contextlib
import io
import pathlib
import socket
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / "lab"), str(ROOT / "tests")]
import probe  # noqa: E402
import settled  # noqa: E402
from tap import Tap  # noqa: E402


def answers(engine):
	"""Is a socket with news called back?"""
	ours, theirs = socket.socketpair()
	with ours, theirs:
		heard = []
		engine.add(ours, lambda: heard.append(ours.recv(9)))
		theirs.send(b"news")
		settled.wait(lambda: "" if heard else "news")
		engine.drop([ours])
	return heard == [b"news"]


def closed(engine):
	"""The thread has found the news, and waits for the lock, while the socket is closed."""
	ours, theirs = socket.socketpair()
	engine.add(ours, lambda: None)
	with engine.lock:
		theirs.send(b"news")
		time.sleep(0.2)
		engine.drop([ours])
	theirs.close()


def broken(engine):
	ours, theirs = socket.socketpair()

	def fails():
		engine.drop([ours])
		raise ValueError("a server's own fault")
	engine.add(ours, fails)
	with contextlib.redirect_stderr(io.StringIO()) as said:
		theirs.send(b"news")
		settled.wait(lambda: "" if "own fault" in said.getvalue() else "the error")
	theirs.close()


def main():
	tap = Tap()
	for name, happens in (("a socket is closed", closed), ("a server makes an error", broken)):
		engine = probe.Engine()
		happens(engine)
		tap.check(f"the other servers answer after {name}", [] if answers(engine) else ["no answer"])
	return tap.done()


if __name__ == "__main__":
	sys.exit(main())
