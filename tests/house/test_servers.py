"""The thread that all of a lab's servers share outlives a socket that is closed while it has news, and any error."""
import contextlib
import io
import socket
import time

import pytest

import probe
import kernel_wait


def answers(engine):
	"""Is a socket with news called back?"""
	ours, theirs = socket.socketpair()
	with ours, theirs:
		heard = []
		engine.add(ours, lambda: heard.append(ours.recv(9)))
		theirs.send(b"news")
		kernel_wait.wait(lambda: "" if heard else "news")
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
		kernel_wait.wait(lambda: "" if "own fault" in said.getvalue() else "the error")
	theirs.close()


@pytest.mark.parametrize("happens", [closed, broken])
def test_others(happens):
	"""other servers reply after one has {happens}"""
	engine = probe.Engine()
	happens(engine)
	assert answers(engine)
