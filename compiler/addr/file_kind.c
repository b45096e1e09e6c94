/*
 * file_kind: which kind of file these bytes are. First by the bytes that a format begins with, then
 * by the first line that is no comment, which the text formats of other programs begin with.
 */
#include "addr/file_kind.h"

#include <stdint.h>
#include <string.h>

enum {
	KIND_SAMPLE = 4096,         /* bytes that are counted */
	KIND_LINE = 512,            /* of the first line, as much as matters */
	KIND_MMDB_END = 128 * 1024, /* MaxMind DB 2.0: where the metadata begin at most, from the
				       end */
};

#define UNPACK(command) "unpack it: " command " OLD > NEW, and name the new file"
#define RECODE(from) \
	"write it as UTF-8: iconv -f " from " -t UTF-8 OLD > NEW, and name the new file"
#define AS_MMDB "use a database in the MaxMind DB format: {geoip: [CN], database: FILE.mmdb}"
#define AS_TEXT "fetch the publisher's list as text, an address, prefix or range a line"
#define FETCH_AGAIN "fetch it again, with curl --fail, and see what the address gives"

/* ---- by bytes ---- */

struct kind_magic {
	size_t at;
	const char *bytes;
	size_t length;
	struct file_kind kind;
};

#define MAGIC(at, bytes) (at), (bytes), sizeof(bytes) - 1

static const struct kind_magic kind_magics[] = {
	{ MAGIC(0, "\x1f\x8b"), { "packed by gzip", UNPACK("zcat"), false } },
	{ MAGIC(0, "\x1f\x9d"), { "packed by compress", UNPACK("zcat"), false } },
	{ MAGIC(0, "\xfd\x37zXZ"), { "packed by xz", UNPACK("xzcat"), false } },
	{ MAGIC(0, "\x5d\0\0"), { "packed by lzma", UNPACK("xzcat --format=lzma"), false } },
	{ MAGIC(0, "\x28\xb5\x2f\xfd"),
	  { "packed by zstd, as rule sets of mihomo (.mrs) are too",
	    "unpack it: zstdcat OLD > NEW; a .mrs has its list as text beside it", false } },
	{ MAGIC(0, "BZh"), { "packed by bzip2", UNPACK("bzcat"), false } },
	{ MAGIC(0, "\x04\x22\x4d\x18"), { "packed by lz4", UNPACK("lz4cat"), false } },
	{ MAGIC(0, "LZIP"), { "packed by lzip", UNPACK("lzip -dc"), false } },
	{ MAGIC(0, "PK\x03\x04"), { "a zip archive", UNPACK("unzip -p"), false } },
	{ MAGIC(0, "7z\xbc\xaf"), { "a 7z archive", UNPACK("7z x -so"), false } },
	{ MAGIC(0, "Rar!"), { "a rar archive", UNPACK("unrar p -inul"), false } },
	{ MAGIC(257, "ustar"), { "a tar archive", UNPACK("tar -xO -f"), false } },
	{ MAGIC(0, "\xff\xfe\0\0"), { "UTF-32", RECODE("UTF-32"), false } },
	{ MAGIC(0, "\0\0\xfe\xff"), { "UTF-32", RECODE("UTF-32"), false } },
	{ MAGIC(0, "\xff\xfe"), { "UTF-16", RECODE("UTF-16"), false } },
	{ MAGIC(0, "\xfe\xff"), { "UTF-16", RECODE("UTF-16"), false } },
	{ MAGIC(0, "SRS"),
	  { "a rule set of sing-box (.srs)",
	    "`sing-box rule-set decompile` writes it as JSON, and jq -r '.rules[].ip_cidr[]?' takes the "
	    "prefixes out",
	    false } },
	{ MAGIC(0, "MRS\x01"), { "a rule set of mihomo (.mrs)", AS_TEXT, false } },
	{ MAGIC(0, "%PDF"), { "a PDF document", AS_TEXT, false } },
	{ MAGIC(0, "\x7f"
		   "ELF"),
	  { "a program (ELF)", "name a list", false } },
	{ MAGIC(0, "SQLite format 3"), { "a database of SQLite", AS_TEXT, false } },
	{ MAGIC(0, "\x89PNG"), { "a picture (PNG)", "name a list", false } },
	{ MAGIC(0, "\xff\xd8\xff"), { "a picture (JPEG)", "name a list", false } },
	{ MAGIC(0, "GIF8"), { "a picture (GIF)", "name a list", false } },
	{ MAGIC(0, "\xd0\xcf\x11\xe0"), { "a document of an office program", AS_TEXT, false } },
};

static const struct file_kind *kind_by_magic(const char *text, size_t size)
{
	for (size_t i = 0; i < sizeof(kind_magics) / sizeof(kind_magics[0]); i++) {
		const struct kind_magic *magic = &kind_magics[i];

		if (size >= magic->at + magic->length &&
		    !memcmp(text + magic->at, magic->bytes, magic->length))
			return &magic->kind;
	}
	return NULL;
}

static const struct file_kind *kind_mmdb(const char *text, size_t size)
{
	static const struct file_kind kind = {
		"a MaxMind DB",
		"write {geoip: [CN], database: FILE.mmdb} for the addresses of countries", true
	};
	static const char marker[] = "\xab\xcd\xefMaxMind.com";
	size_t tail = size < KIND_MMDB_END ? size : KIND_MMDB_END;

	return memmem(text + size - tail, tail, marker, sizeof(marker) - 1) ? &kind : NULL;
}

/*
 * geoip.dat and geosite.dat of V2Ray are a protobuf of lists: field 1, which has a name in its
 * field 1 and then fields 2 with either a CIDR, whose field 1 is an address of 4 or 16 bytes, or a
 * domain.
 */
static const struct file_kind *kind_v2ray(const char *text, size_t size)
{
	static const struct file_kind geoip = { "V2Ray's geoip.dat", AS_MMDB, false };
	static const struct file_kind geosite = {
		"V2Ray's geosite.dat, which has names and no addresses",
		"names have sets of their own: {domains: [www.example]}", false
	};
	size_t at = 1, length;

	if (size < 16 || text[0] != '\x0a')
		return NULL;
	while (at < 6 && (unsigned char)text[at] & 0x80)
		at++;
	if (text[++at] != '\x0a')
		return NULL;
	length = (unsigned char)text[++at];
	if (!length || length > 60 || ++at + length + 4 > size)
		return NULL;
	for (size_t i = 0; i < length; i++)
		if (text[at + i] < '!' || text[at + i] > 'z')
			return NULL;
	at += length;
	if (text[at] != '\x12')
		return NULL;
	for (at++; at + 3 < size && (unsigned char)text[at] & 0x80; at++)
		;
	return text[at + 1] == '\x0a' && (text[at + 2] == 4 || text[at + 2] == 16) ? &geoip
										   : &geosite;
}

/* Text of ASCII in 16 bits has a zero in every second byte; other text has none at all. */
static const struct file_kind *kind_by_zeros(const char *text, size_t size)
{
	static const struct file_kind low = { "UTF-16 without a byte order mark",
					      RECODE("UTF-16LE"), false };
	static const struct file_kind high = { "UTF-16 without a byte order mark",
					       RECODE("UTF-16BE"), false };
	static const struct file_kind binary = { "binary data, which is no text", AS_TEXT, true };
	size_t sample = size < KIND_SAMPLE ? size : KIND_SAMPLE, zeros[2] = { 0, 0 }, controls = 0;

	for (size_t i = 0; i < sample; i++) {
		zeros[i % 2] += !text[i];
		controls += (unsigned char)text[i] < 0x20 && !memchr("\t\n\v\f\r\x1a", text[i], 6);
	}
	if (zeros[1] * 3 > sample && zeros[0] * 16 < sample)
		return &low;
	if (zeros[0] * 3 > sample && zeros[1] * 16 < sample)
		return &high;
	return controls * 16 > sample ? &binary : NULL;
}

/* ---- by the first line ---- */

struct kind_opening {
	const char *text;
	const char *also; /* in the same line, or NULL */
	struct file_kind kind;
};

#define JSON                                                                                                       \
	{                                                                                                          \
		"JSON", "jq takes the entries out: jq -r '.. | strings' OLD | grep -E '^[0-9a-fA-F.:/-]+$' > NEW", \
			false                                                                                      \
	}
#define HTML                                                    \
	{                                                       \
		"HTML, a page for browsers", FETCH_AGAIN, false \
	}
#define ANSWER                                                            \
	{                                                                 \
		"a server's answer, and not the file", FETCH_AGAIN, false \
	}
#define PAYLOAD                                                                          \
	{                                                                                \
		"YAML of Clash or mihomo",                                               \
			"its entries: grep -oE '[0-9a-fA-F.:]+/[0-9]+' OLD > NEW", false \
	}
#define IPSET                                                                          \
	{                                                                              \
		"what `ipset save` writes",                                            \
			"its entries: awk '$1 == \"add\" {print $3}' OLD > NEW", false \
	}
#define IPSET_LIST                                                                    \
	{                                                                             \
		"what `ipset list` writes",                                           \
			"its entries: sed '1,/^Members:/d; s/ .*//' OLD > NEW", false \
	}
#define ROUTEROS                                                                               \
	{                                                                                      \
		"a script of RouterOS",                                                        \
			"its entries: grep -oE 'address=[^ ]+' OLD | cut -d= -f2 > NEW", false \
	}
#define IPTABLES                                                                            \
	{                                                                                   \
		"what iptables-save writes", "write the addresses alone, one a line", false \
	}
#define NFT                                                                                              \
	{                                                                                                \
		"text of nft",                                                                           \
			"its entries: grep -oE '[0-9a-fA-F.:]{3,}(/[0-9]+)?' OLD > NEW, read them over", \
			false                                                                            \
	}
#define RIR                                                                                         \
	{                                                                                           \
		"the statistics of a registry (RIR)",                                               \
			"a database of countries has the same: {geoip: [CN], database: FILE.mmdb}", \
			false                                                                       \
	}
#define ADBLOCK                                                                                    \
	{                                                                                          \
		"a filter for browsers", "names have sets of their own: {domains: [www.example]}", \
			false                                                                      \
	}
#define GFWLIST                                                                     \
	{                                                                           \
		"base64, as gfwlist is", "base64 -d OLD shows what is in it", false \
	}
#define LFS                                                                                      \
	{                                                                                        \
		"a pointer of Git LFS, and not the file", "fetch the file itself: git lfs pull", \
			false                                                                    \
	}

/* In lower case. */
static const struct kind_opening kind_openings[] = {
	{ "<!doctype", NULL, HTML },
	{ "<html", NULL, HTML },
	{ "<head", NULL, HTML },
	{ "<body", NULL, HTML },
	{ "<!--", NULL, HTML },
	{ "<title", NULL, HTML },
	{ "<meta", NULL, HTML },
	{ "<pre", NULL, HTML },
	{ "<a ", NULL, HTML },
	{ "<div", NULL, HTML },
	{ "<table", NULL, HTML },
	{ "<p>", NULL, HTML },
	{ "<script", NULL, HTML },
	{ "<?xml", NULL, { "XML", AS_TEXT, false } },
	{ "404:", NULL, ANSWER },
	{ "404 ", NULL, ANSWER },
	{ "403 ", NULL, ANSWER },
	{ "429:", NULL, ANSWER },
	{ "not found", NULL, ANSWER },
	{ "forbidden", NULL, ANSWER },
	{ "unauthorized", NULL, ANSWER },
	{ "too many requests", NULL, ANSWER },
	{ "access denied", NULL, ANSWER },
	{ "error:", NULL, ANSWER },
	{ "error code", NULL, ANSWER },
	{ "internal server error", NULL, ANSWER },
	{ "bad gateway", NULL, ANSWER },
	{ "rate limit", NULL, ANSWER },
	{ "version https://git-lfs", NULL, LFS },
	{ "payload:", NULL, PAYLOAD },
	{ "---", NULL, { "YAML", "write its entries alone, one a line", false } },
	{ "create ", " hash:", IPSET },
	{ "create ", " bitmap:", IPSET },
	{ "create ", " list:", IPSET },
	{ "-n ", " hash:", IPSET },
	{ "name: ", NULL, IPSET_LIST },
	{ "add element ", "{", NFT },
	{ "add list=", NULL, ROUTEROS },
	{ "/ip ", NULL, ROUTEROS },
	{ "/ipv6 ", NULL, ROUTEROS },
	{ "add ", ".", IPSET },
	{ "add ", ":", IPSET },
	{ "*filter", NULL, IPTABLES },
	{ "*nat", NULL, IPTABLES },
	{ "*mangle", NULL, IPTABLES },
	{ "*raw", NULL, IPTABLES },
	{ "-a ", " -j ", IPTABLES },
	{ "table ", "{", NFT },
	{ "set ", "{", NFT },
	{ "define ", "=", NFT },
	{ "elements", "{", NFT },
	{ "flush ruleset", NULL, NFT },
	{ "[adblock", NULL, ADBLOCK },
	{ "! title", NULL, ADBLOCK },
	{ "w0f1dg9qcm94e", NULL, GFWLIST },
	{ "2|", "|", RIR },
	{ "2.3|", "|", RIR },
	{ "2.4|", "|", RIR },
	{ "apnic|", "|ipv", RIR },
	{ "arin|", "|ipv", RIR },
	{ "ripencc|", "|ipv", RIR },
	{ "lacnic|", "|ipv", RIR },
	{ "afrinic|", "|ipv", RIR },
	{ "apnic|", "|asn", RIR },
	{ "{\"", NULL, JSON },
	{ "[{", NULL, JSON },
	{ "[\"", NULL, JSON },
	{ "[[", NULL, JSON },
	{ "[]", NULL, JSON },
	{ "{}", NULL, JSON },
};

static bool kind_is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

/*
 * The first line that is neither empty nor a comment, in lower case. After "{" and "[" the white
 * space is left out, with line ends, so that JSON begins alike however it is laid out.
 */
static size_t kind_first_line(const char *text, size_t size, char out[KIND_LINE + 1])
{
	const char *at = text, *end = text + size;
	size_t length = 0;

	while (at < end && (kind_is_space(*at) || *at == '#' || *at == ';')) {
		if (*at == '#' || *at == ';')
			while (at < end && *at != '\n' && *at != '\r')
				at++;
		else
			at++;
	}
	while (at < end && length < KIND_LINE && *at != '\n' && *at != '\r') {
		out[length++] = (char)(*at >= 'A' && *at <= 'Z' ? *at - 'A' + 'a' : *at);
		at++;
		while (length == 1 && (*out == '{' || *out == '[') && at < end &&
		       kind_is_space(*at))
			at++;
	}
	out[length] = '\0';
	return length;
}

static const struct file_kind *kind_by_line(const char *text, size_t size)
{
	char line[KIND_LINE + 1];
	size_t length = kind_first_line(text, size, line);

	for (size_t i = 0; i < sizeof(kind_openings) / sizeof(kind_openings[0]); i++) {
		const struct kind_opening *opening = &kind_openings[i];
		size_t skip = strlen(opening->text);

		if (skip <= length && !memcmp(line, opening->text, skip) &&
		    (!opening->also || strstr(line + skip, opening->also)))
			return &opening->kind;
	}
	return NULL;
}

const struct file_kind *file_kind_of(const char *text, size_t size)
{
	const struct file_kind *kind;

	/* An empty file has no bytes to point at. */
	if (!size)
		return NULL;
	kind = kind_by_magic(text, size);
	if (!kind)
		kind = kind_mmdb(text, size);
	if (!kind)
		kind = kind_v2ray(text, size);
	if (!kind)
		kind = kind_by_zeros(text, size);
	return kind ? kind : kind_by_line(text, size);
}
