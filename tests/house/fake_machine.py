"""machine: a machine that does not exist: a folder that is all of its PATH."""
import pathlib
import shutil
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
SETUP = ROOT / "packaging" / "setup"


class Machine:
	"""A folder that is all of PATH; what its package manager and sudo are asked is written down."""

	def __init__(self, folder, uid):
		self.folder = pathlib.Path(folder)
		self.log = self.folder / "log"
		for tool in ("sh", "sed", "cat", "env", "dirname"):
			(self.folder / tool).symlink_to(shutil.which(tool))
		self.tool("id", f"echo {uid}")

	def tool(self, name, script):
		path = self.folder / name
		path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
		path.chmod(0o755)

	def manager(self, name, script="exit 0"):
		self.tool(name, f'echo "{name} $*" >>{self.log}\n{script}')

	def run(self, purpose, *arguments, **more):
		environment = {"PATH": str(self.folder), "SYSROOT": "/nonexistent",
			"PYTHON": "/nonexistent/python3", **more}
		done = subprocess.run([self.folder / "sh", SETUP, purpose, *arguments], env=environment,
			capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
		asked = self.log.read_text(encoding="utf-8") if self.log.exists() else ""
		return done.returncode, done.stdout + done.stderr, asked
