"""Sets of countries: small databases of our own, and a publisher's, compared country by country with
the same publisher's text.

The publisher's files are fetched by packaging/countries into data/ of the build folder ($BUILD).
"""
import collections
import heapq
import json
import os
import pathlib
import re
import socket
import sys

import pytest

from cli import ROOT, expect

BUILD = pathlib.Path(os.environ.get("BUILD", ROOT / "build")).resolve()
PACKAGES = BUILD / "data" / "node_modules" / "@ip-location-db"
DATABASES = PACKAGES / "geo-whois-asn-country-mmdb"
TEXTS = PACKAGES / "geo-whois-asn-country"

# Codes that the publisher has and ISO 3166-1 had: the Netherlands Antilles, until 2010.
GONE = {"AN"}

# The databases of golden/, by what tests/mmdb.py was told.
COUNTRIES = ["192.0.2.0/24=CN", "192.0.2.64/26=HK", "198.51.100.0/24=CN", "203.0.113.0/25=NO",
	"2001:db8::/32=CN", "2001:db8:852::/48=HK", "2001:db8:47::/48=NO"]
MADE = {
	"sets-geoip/data/countries.mmdb": ["--type", "Example-Country", *COUNTRIES],
	"sets-geoip/data/ipv4.mmdb": ["--version", "4", "--bits", "24", "--layout", "flat",
		"--type", "Example-Country-IPv4", "203.0.113.128/25=NO", "203.0.113.0/26=FR"],
	"errors/bad-value.country/countries.mmdb": ["--type", "Example-Country", *COUNTRIES],
	"errors/geoip-database/countries.mmdb": ["--type", "Example-Country", *COUNTRIES],
	"errors/geoip-database/asn.mmdb": ["--layout", "none", "--type", "GeoLite2-ASN",
		"192.0.2.0/24=CN"],
}


def make(shop, name, *words):
	path = shop.folder / name
	path.parent.mkdir(parents=True, exist_ok=True)
	done = shop.run(sys.executable, ROOT / "tests" / "mmdb.py", path, *words)
	assert done.returncode == 0, done
	return path


def test_made(shop):
	"""the databases of golden/ are what tests/mmdb.py writes"""
	assert not [f"golden/{name} is another" for name, words in MADE.items()
		if make(shop, "x.mmdb", *words).read_bytes() != (ROOT / "golden" / name).read_bytes()]


def test_beside(shop):
	"""a database is relative to the file that names it"""
	make(shop, "lists/x.mmdb", "192.0.2.0/24=CN")
	make(shop, "x.mmdb", "198.51.100.0/24=CN")
	shop.write("lists/sets.yaml", "sets:\n  cn: {geoip: CN, database: x.mmdb}\n")
	shop.write("a.yaml", "version: 1\ninclude: [lists/sets.yaml]\nrules: [{to: cn, then: drop}]\n"
		"expect:\n  - {packet: {to: 192.0.2.1}, then: drop}\n"
		"  - {packet: {to: 198.51.100.1}, then: direct}\n")
	expect(shop.tpc("check", "a.yaml"), 0)
	expect(
		shop.run("env", "-C", "/", shop.program, "check", shop.folder / "a.yaml"), 0)


def test_cut_short(shop):
	"""a database truncated anywhere is an error at its name, and nothing is written"""
	whole = make(shop, "whole.mmdb", "192.0.2.0/24=CN", "2001:db8::/32=CN").read_bytes()
	shop.write("a.yaml", "version: 1\nsets: {cn: {geoip: [CN], database: x.mmdb}}\n"
		"rules: [{to: cn, then: drop}]\n")
	for length in range(0, len(whole), len(whole) // 12):
		(shop.folder / "x.mmdb").write_bytes(whole[:length])
		expect(shop.tpc("compile", "a.yaml", "-o", "out"), 1, None,
			["a.yaml:2:36: error: ", "[geoip-database]"])
	assert not (shop.folder / "out").exists(), "out/ is there"


# ---- a publisher's data ----


def needs_data():
	if not (DATABASES.is_dir() and TEXTS.is_dir()):
		why = BUILD / "data" / "why"
		pytest.skip(why.read_text(encoding="utf-8").strip() if why.exists()
			else f"run `sh packaging/countries {os.path.relpath(BUILD, ROOT)}/data`: it installs npm, which brings the files")


def joined(ranges):
	"""Sorted ranges, those that touch made one."""
	result = []
	for first, last in ranges:
		if result and first == result[-1][1] + 1:
			result[-1] = (result[-1][0], last)
		else:
			result.append((first, last))
	return result


def paint(rows):
	"""
	(first, last, country) without overlaps, in order. Rows of the text overlap here and there;
	their publisher writes the database row by row, so the later one holds.
	"""
	waiting = sorted((first, -number, last, country)
		for number, (first, last, country) in enumerate(rows))
	edges = sorted({row[0] for row in waiting} | {row[2] + 1 for row in waiting})
	open_rows, at = [], 0
	for begin, end in zip(edges, edges[1:]):
		while at < len(waiting) and waiting[at][0] == begin:
			heapq.heappush(open_rows, waiting[at][1:])
			at += 1
		while open_rows and open_rows[0][1] < begin:
			heapq.heappop(open_rows)
		if open_rows:
			yield begin, end - 1, open_rows[0][2]


def read_text(version):
	"""{country: ranges} of the publisher's text."""
	rows = []
	with open(TEXTS / f"geo-whois-asn-country-ipv{version}-num.csv", encoding="utf-8") as file:
		for line in file:
			first, last, country = line.rstrip("\n").split(",")
			rows.append((int(first), int(last), country))
	found = collections.defaultdict(list)
	for first, last, country in paint(rows):
		found[country].append((first, last))
	return {country: joined(ranges) for country, ranges in found.items()}


def read_element(word, family, width):
	"""(first, last) of an address, a prefix or a range in nft's words."""
	first, dash, last = word.partition("-")
	first, _, length = first.partition("/")
	begin = int.from_bytes(socket.inet_pton(family, first), "big")
	if dash:
		return begin, int.from_bytes(socket.inet_pton(family, last), "big")
	return begin, begin + (1 << width - int(length or width)) - 1


def read_nft(path, version):
	"""{country: ranges} of the sets that are called c_CODE."""
	family, width = (socket.AF_INET, 32) if version == 4 else (socket.AF_INET6, 128)
	found = {}
	for name, body in re.findall(rf"^add element inet tpc c_(\w\w)_v{version}\S* {{([^}}]*)}}",
			path.read_text(encoding="ascii"), re.MULTILINE):
		found[name.upper()] = joined(read_element(word, family, width)
			for word in body.replace(",", " ").split())
	return found


def policy(countries, *databases):
	lines = ["version: 1", "sets:"]
	for country in countries:
		sources = ", ".join(f"{{geoip: {country}, database: {database}}}" for database in databases)
		lines.append(f"  c_{country.lower()}: [{sources}]")
	return "\n".join([*lines, "rules:", *(
		f"  - {{to: c_{country.lower()}, then: drop}}" for country in countries)]) + "\n"


def count(ranges):
	return sum(last - first + 1 for first, last in ranges)


def test_real(shop):
	"""every country of a publisher's database has the addresses of the publisher's text file"""
	needs_data()
	texts = {version: read_text(version) for version in (4, 6)}
	schema = json.loads((ROOT / "schema" / "policy.schema.json").read_text(encoding="utf-8"))
	named = set(texts[4]) | set(texts[6])
	countries = sorted(named & set(schema["$defs"]["country"]["enum"]))
	shop.write("a.yaml", policy(countries, DATABASES / "geo-whois-asn-country.mmdb"))
	done = shop.tpc("compile", "-O0", "a.yaml", "-o", "out")
	expect(done, 0)
	for version, wanted in texts.items():
		found = read_nft(shop.folder / "out" / "a.nft", version)
		assert not [f"IPv{version} of {country}: {count(found.get(country, []))} addresses, "
			f"and not {count(wanted.get(country, []))}"
			for country in countries if found.get(country, []) != wanted.get(country, [])]
	assert len(countries) >= 240, f"only {len(countries)} countries were compared"
	assert not [f"{code} is no country to us" for code in sorted(named - set(countries) - GONE)]


def test_halves(shop):
	"""a publisher's files for each family together equal the file for both"""
	needs_data()
	countries = ["CN", "HK", "NO", "US"]
	shop.write("one/a.yaml", policy(countries, DATABASES / "geo-whois-asn-country.mmdb"))
	shop.write("two/a.yaml", policy(countries, DATABASES / "geo-whois-asn-country-ipv4.mmdb",
		DATABASES / "geo-whois-asn-country-ipv6.mmdb"))
	for name in "one", "two":
		expect(shop.tpc("compile", f"{name}/a.yaml", "-o", f"out-{name}"), 0)
	same = shop.listing("out-one")["a.nft"] == shop.listing("out-two")["a.nft"]
	assert same, "they are not"
