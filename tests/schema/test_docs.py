#!/usr/bin/python3
"""What the pages for people show is what the program does.

In go README.md and the pages of docs/ and schema/; out come TAP lines. A block behind a comment "from FILE" stands in that file,
word for word; every block that is a whole policy is one that `tpc check` takes; every link to a file leads to one.
"""
import os
import re
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests"))
from tap import Tap  # pylint: disable=wrong-import-position

TPC = os.path.abspath(os.environ.get("TPC", os.path.join(ROOT, "build", "tpc")))
PAGES = ["README.md", "schema/reference.md", "schema/coverage.md", "docs/how-it-works.md"]
BLOCK = re.compile(r"(?:^<!-- from (\S+) -->\n)?^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def read(path):
	with open(os.path.join(ROOT, path), encoding="utf-8") as file:
		return file.read()


def check_policy(text):
	"""What `tpc check` says of a policy that it refuses."""
	with tempfile.TemporaryDirectory() as folder:
		path = os.path.join(folder, "policy.yaml")
		with open(path, "w", encoding="utf-8") as file:
			file.write(text)
		done = subprocess.run([TPC, "check", path], capture_output=True, check=False)
	return done.stderr.decode() if done.returncode else ""


def check_page(tap, page):
	text = read(page)
	for number, (source, language, block) in enumerate(BLOCK.findall(text), 1):
		name = f"{page}: block {number}"
		if source:
			tap.check(f"{name} is in {source}", "" if block in read(source) else f"not in {source}:\n{block}")
		if language == "yaml" and block.startswith("version:"):
			tap.check(f"{name} is a good policy", check_policy(block))
	links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text)
	tap.check(f"{page}: every link leads somewhere",
		[link for link in links if not os.path.exists(os.path.join(ROOT, os.path.dirname(page), link))])
	heads = {re.sub(r"[^\w -]", "", head.lower()).replace(" ", "-") for head in re.findall(r"^#+ (.*)$", text, re.MULTILINE)}
	tap.check(f"{page}: every link within the page leads somewhere",
		[link for link in re.findall(r"\]\(#([^)]*)\)", text) if link not in heads])


def main():
	tap = Tap()
	for page in PAGES:
		check_page(tap, page)
	return tap.done()


if __name__ == "__main__":
	sys.exit(main())
