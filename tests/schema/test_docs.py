"""The documents show what the program does.

In: README.md and the pages of docs/ and schema/. Out: a test for each block, and one for each page. A block after a comment "from FILE" is in that
file, word for word; `tpc check` accepts every block that is a whole policy; every link leads to a file, and its anchor to a heading.
"""
import os
import pathlib
import re
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGES = ["README.md", "CONTRIBUTING.md", "schema/reference.md", "schema/coverage.md", "docs/how-it-works.md", "docs/speed.md"]
BLOCK = re.compile(r"(?:^<!-- from (\S+) -->\n)?^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def read(path):
	return (ROOT / path).read_text(encoding="utf-8")


BLOCKS = [pytest.param(page, *block, id=f"{page}: block {number}")
	for page in PAGES for number, block in enumerate(BLOCK.findall(read(page)), 1)]


@pytest.mark.parametrize("page, source, language, block", [each for each in BLOCKS if each.values[1]])
def test_source(page, source, language, block):
	"""{page}: a block is in the file that it names"""
	assert block in read(source)


@pytest.mark.parametrize("page, source, language, block", [each for each in BLOCKS
	if each.values[2] == "yaml" and each.values[3].startswith("version:")])
def test_policy(page, source, language, block, tmp_path):
	"""{page}: tpc check accepts a block that is a policy"""
	policy = tmp_path / "policy.yaml"
	policy.write_text(block, encoding="utf-8")
	done = subprocess.run([os.environ["TPC"], "check", policy], capture_output=True, text=True, check=False)
	assert done.returncode == 0, done.stderr


def headings(path):
	"""The anchors of a page."""
	return {re.sub(r"[^\w -]", "", head.lower()).replace(" ", "-")
		for head in re.findall(r"^#+ (.*)$", path.read_text(encoding="utf-8"), re.MULTILINE)}


@pytest.mark.parametrize("page", PAGES)
def test_links(page):
	"""{page}: every link has a file, and every anchor a heading"""
	text = read(page)
	links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text)
	assert not [link for link in links if not (ROOT / page).parent.joinpath(link).exists()]
	anchors = re.findall(r"\]\(([^)#:]*)#([^)]*)\)", text)
	assert not [(link, anchor) for link, anchor in anchors
		if anchor not in headings((ROOT / page).parent / link if link else ROOT / page)]


def test_outputs():
	"""README: `tpc compile` names every output of the table"""
	shown = subprocess.run([os.environ["TPC"], "compile", "--help"], capture_output=True, text=True, check=True).stdout
	row = next(line for line in read("README.md").splitlines() if line.startswith("| `tpc compile POLICY"))
	suffixes = re.findall(r"^  \w+ +policy(\.\S+)", shown, re.MULTILINE)
	assert suffixes
	assert not [suffix for suffix in suffixes if f"`{suffix}`" not in row]
