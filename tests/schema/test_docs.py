"""What the pages for people show is what the program does.

In go README.md and the pages of docs/ and schema/; out comes a test a block, and one a page. A block behind a comment "from FILE" stands in that
file, word for word; every block that is a whole policy is one that `tpc check` takes; every link to a file leads to one.
"""
import os
import pathlib
import re
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGES = ["README.md", "CONTRIBUTING.md", "schema/reference.md", "schema/coverage.md", "docs/how-it-works.md"]
BLOCK = re.compile(r"(?:^<!-- from (\S+) -->\n)?^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def read(path):
	return (ROOT / path).read_text(encoding="utf-8")


BLOCKS = [pytest.param(page, *block, id=f"{page}: block {number}")
	for page in PAGES for number, block in enumerate(BLOCK.findall(read(page)), 1)]


@pytest.mark.parametrize("page, source, language, block", [each for each in BLOCKS if each.values[1]])
def test_source(page, source, language, block):
	"""{page}: a block that says where it is from is there"""
	assert block in read(source)


@pytest.mark.parametrize("page, source, language, block", [each for each in BLOCKS
	if each.values[2] == "yaml" and each.values[3].startswith("version:")])
def test_policy(page, source, language, block, tmp_path):
	"""{page}: a block that is a policy is a good one"""
	policy = tmp_path / "policy.yaml"
	policy.write_text(block, encoding="utf-8")
	done = subprocess.run([os.environ["TPC"], "check", policy], capture_output=True, text=True, check=False)
	assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("page", PAGES)
def test_links(page):
	"""{page}: every link leads somewhere"""
	text = read(page)
	links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text)
	assert not [link for link in links if not (ROOT / page).parent.joinpath(link).exists()]
	heads = {re.sub(r"[^\w -]", "", head.lower()).replace(" ", "-") for head in re.findall(r"^#+ (.*)$", text, re.MULTILINE)}
	assert not [link for link in re.findall(r"\]\(#([^)]*)\)", text) if link not in heads]
