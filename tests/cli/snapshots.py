"""snapshots: the files of the run directory, as compiler/state/snapshot.c writes them."""
import struct

BOOT = "/proc/sys/kernel/random/boot_id"


def boot():
	with open(BOOT, encoding="ascii") as file:
		return file.read().strip().encode()


def sum_of(data):
	"""compiler/base/hash.c, hash_words: FNV-1a, a word at a time."""
	prime, most = 0x100000001b3, (1 << 64) - 1
	total = 0xcbf29ce484222325 ^ len(data)
	whole = len(data) // 8 * 8
	for (word,) in struct.iter_unpack("<Q", data[:whole]):
		total = ((total ^ word) * prime) & most
		total ^= total >> 32
	return ((total ^ int.from_bytes(data[whole:], "little")) * prime) & most


def sealed(data):
	"""The file with the sum that its bytes have now."""
	return data[:-8] + struct.pack("<Q", sum_of(data[:-8]))


def text(data, at):
	"""The text there, and where it ends."""
	length = struct.unpack_from("<Q", data, at)[0]
	return data[at + 8:at + 8 + length].rstrip(b"\0").decode(), at + 8 + length


def is_half_way(data):
	"""Of a record: a journal of an apply that is to be confirmed, and that has not come to its end."""
	at = 0
	for _ in ("title", "boot", "name"):
		_, at = text(data, at)
	return data[at] == 0 and text(data, at + 1)[0] != ""


def of_another_boot(data):
	return sealed(data.replace(boot(), boot()[::-1]))
