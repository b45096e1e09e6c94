#!/usr/bin/python3
"""mmdb: writes small databases in the MaxMind DB format (its specification 2.0), for tests.

    tests/mmdb.py OUT [--version 4|6] [--bits 24|28|32] [--layout nested|flat|text|none]
                  [--type TEXT] [--no-aliases] NETWORK=CODE...

NETWORK=CODE is a prefix and the country of its addresses, 192.0.2.0/24=CN; the later one wins where
two overlap. `nested` writes what MaxMind and DB-IP do, {country: {iso_code: CN}} beside a
registered_country and names; `flat` {country_code: CN}; `text` {country: CN}; `none` is a record
without a country. In a tree for IPv6, IPv4 lies below ::/96, and its aliases (IPv4-mapped, Teredo,
6to4) lead back there.

As a module: database(networks, ...) gives the bytes; a network's record may be any value, and the data
section and the description any bytes.
"""
import argparse
import ipaddress
import pathlib
import struct
import sys

ALIASES = ("::ffff:0:0/96", "2001::/32", "2002::/16")
MARKER = b"\xab\xcd\xefMaxMind.com"
MAP, STRING, DOUBLE, UINT16, UINT32, UINT64, ARRAY, BOOLEAN = 7, 2, 3, 5, 6, 9, 11, 14


class Raw(bytes):
	"""Bytes of a data section that are written as they are."""


class At(int):
	"""A record that is at this offset of a data section that is given."""


class Uint(int):
	"""A number with the type that it is written in."""

	def __new__(cls, value, kind=UINT32):
		number = super().__new__(cls, value)
		number.kind = kind
		return number


class Data:
	"""A data section: what is written twice is written once and pointed to."""

	def __init__(self):
		self.bytes = bytearray()
		self.texts = {}
		self.records = {}

	def add(self, record):
		"""The offset of a record."""
		key = repr(record)
		if key not in self.records:
			self.records[key] = len(self.bytes)
			self.put(record)
		return self.records[key]

	def head(self, kind, size):
		if size < 29:
			first, more = size, b""
		elif size < 285:
			first, more = 29, struct.pack(">B", size - 29)
		elif size < 65821:
			first, more = 30, struct.pack(">H", size - 285)
		else:
			first, more = 31, struct.pack(">I", size - 65821)[1:]
		extended = b"" if kind < 8 else bytes([kind - 7])
		self.bytes += bytes([(kind << 5 if kind < 8 else 0) | first]) + extended + more

	def point(self, target):
		if target < 2048:
			self.bytes += bytes([1 << 5 | target >> 8, target & 0xff])
		elif target < 2048 + (1 << 19):
			target -= 2048
			self.bytes += bytes([1 << 5 | 1 << 3 | target >> 16]) + struct.pack(">H", target & 0xffff)
		else:
			self.bytes += bytes([1 << 5 | 3 << 3]) + struct.pack(">I", target)

	def put_text(self, text):
		if text in self.texts:
			self.point(self.texts[text])
			return
		if len(text) > 2:
			self.texts[text] = len(self.bytes)
		self.head(STRING, len(text.encode()))
		self.bytes += text.encode()

	def put(self, value):
		if isinstance(value, Raw):
			self.bytes += value
		elif isinstance(value, dict):
			self.head(MAP, len(value))
			for key, item in value.items():
				self.put_text(key)
				self.put(item)
		elif isinstance(value, list):
			self.head(ARRAY, len(value))
			for item in value:
				self.put(item)
		elif isinstance(value, str):
			self.put_text(value)
		elif isinstance(value, bool):
			self.head(BOOLEAN, int(value))
		elif isinstance(value, float):
			self.head(DOUBLE, 8)
			self.bytes += struct.pack(">d", value)
		else:
			packed = int(value).to_bytes(8, "big").lstrip(b"\0")
			self.head(getattr(value, "kind", UINT32), len(packed))
			self.bytes += packed


class Leaf:
	def __init__(self, record):
		self.record = record


def bits(prefix, version):
	"""The bits of a prefix from the top of the tree."""
	network = ipaddress.ip_network(prefix)
	number, length = int(network.network_address), network.prefixlen
	if network.version == version:
		width = 128 if version == 6 else 32
	else:
		assert version == 6, f"{prefix} in a tree for IPv4"
		width, length = 128, length + 96
	return [number >> (width - 1 - place) & 1 for place in range(length)]


def insert(root, path, thing):
	"""Puts a leaf or a node at the end of the path. A leaf on the way is split."""
	node = root
	for bit in path[:-1]:
		if not isinstance(node[bit], list):
			node[bit] = [node[bit], node[bit]]
		node = node[bit]
	node[path[-1]] = thing


def number_nodes(root):
	"""Every node once, in the order of a walk."""
	numbers, order, waiting = {id(root): 0}, [root], [root]
	while waiting:
		node = waiting.pop()
		for child in node:
			if isinstance(child, list) and id(child) not in numbers:
				numbers[id(child)] = len(order)
				order.append(child)
				waiting.append(child)
	return numbers, order


def pack_node(left, right, size):
	if size == 28:
		middle = left >> 24 << 4 | right >> 24
		return left.to_bytes(4, "big")[1:] + bytes([middle]) + right.to_bytes(4, "big")[1:]
	return left.to_bytes(size // 8, "big") + right.to_bytes(size // 8, "big")


def build_tree(networks, version, aliases):
	root = [None, None]
	ipv4 = None
	if version == 6 and aliases:
		ipv4 = [None, None]
		insert(root, bits("::/96", 6), ipv4)
	for prefix, record in networks:
		insert(root, bits(prefix, version), Leaf(record))
	if ipv4:
		for alias in ALIASES:
			insert(root, bits(alias, 6), ipv4)
	return root


def database(networks, version=6, size=28, kind="Test-Country", aliases=True, data=None, about=None,
		more=None):
	"""
	The file's bytes. `networks` is a list of (prefix, record). `data` is a data section as it is, with
	records that are At(offset); `about` a description as it is, `more` what it says else.
	"""
	numbers, order = number_nodes(root := build_tree(networks, version, aliases))
	assert numbers[id(root)] == 0
	records = Data()

	def number(child):
		if child is None:
			return len(order)
		if isinstance(child, list):
			return numbers[id(child)]
		if isinstance(child.record, At):
			return len(order) + 16 + child.record
		return len(order) + 16 + records.add(child.record)

	tree = b"".join(pack_node(number(left), number(right), size) for left, right in order)
	description = Data()
	description.put({
		"binary_format_major_version": Uint(2, UINT16),
		"binary_format_minor_version": Uint(0, UINT16),
		"build_epoch": Uint(1700000000, UINT64),
		"database_type": kind,
		"description": {"en": "made by the tests"},
		"ip_version": Uint(version, UINT16),
		"languages": ["en"],
		"node_count": Uint(len(order)),
		"record_size": Uint(size, UINT16),
		**(more or {}),
	})
	return (tree + b"\0" * 16 + (bytes(records.bytes) if data is None else data) + MARKER
		+ (bytes(description.bytes) if about is None else about))


def record(layout, code):
	"""The record of a country as publishers write it."""
	if layout == "nested":
		return {
			"continent": {"code": "EU", "names": {"en": "A continent"}},
			"registered_country": {"iso_code": "AQ", "names": {"en": "Elsewhere"}},
			"country": {"geoname_id": 1, "is_in_european_union": False, "iso_code": code,
				"names": {"de": f"Land {code}", "en": f"Country {code}"}},
		}
	if layout == "flat":
		return {"country_code": code}
	if layout == "text":
		return {"continent": "EU", "country": code}
	return {"autonomous_system_number": 64496, "registered_country": {"iso_code": code}}


def main():
	parser = argparse.ArgumentParser()
	parser.add_argument("out", type=pathlib.Path)
	parser.add_argument("--version", type=int, default=6, choices=(4, 6))
	parser.add_argument("--bits", type=int, default=28, choices=(24, 28, 32))
	parser.add_argument("--layout", default="nested", choices=("nested", "flat", "text", "none"))
	parser.add_argument("--type", default="Test-Country")
	parser.add_argument("--no-aliases", action="store_true")
	parser.add_argument("network", nargs="*")
	given = parser.parse_intermixed_args()
	networks = [(prefix, record(given.layout, code))
		for prefix, _, code in (word.rpartition("=") for word in given.network)]
	given.out.write_bytes(database(networks, given.version, given.bits, given.type,
		not given.no_aliases))
	return 0


if __name__ == "__main__":
	sys.exit(main())
