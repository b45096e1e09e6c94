/*
 * app: what speaks in a packet, by the first bytes that its own documents prescribe, on whatever
 * port.
 *
 * A signature is bytes under a mask at the beginning of what a packet carries. Every app is known
 * by what its client says first, because replies never meet rules. Two signatures of different apps
 * over one protocol differ in some bit that both look at, so no packet is of two apps
 * (tests/unit/test_app.c).
 */
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "match/kinds.h"

enum app { APP_HTTP, APP_TLS, APP_QUIC, APP_DNS, APP_SSH, APP_BITTORRENT };

static const char *const names[] = { "http", "tls", "quic", "dns", "ssh", "bittorrent" };

enum { APPS = sizeof(names) / sizeof(names[0]), UDP_HEADER = 8, LENGTH_MOST = 65535 };

static const unsigned char whole[] = "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"
				     "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff";

#define OVER(app_, protocol_, offset_, length_, value_, mask_, least_)        \
	{                                                                     \
		.app = APP_##app_, .protocol = PROTOCOL_##protocol_,          \
		.bytes = { offset_, length_, value_, mask_ }, .least = least_ \
	}
#define TEXT(app_, protocol_, text_) \
	OVER(app_, protocol_, 0, sizeof(text_) - 1, (const unsigned char *)(text_), whole, 0)
/* A request in origin-form and in absolute-form. */
#define METHOD(method) TEXT(HTTP, TCP, method " /"), TEXT(HTTP, TCP, method " http")

/*
 * TLS: RFC 8446 section 5.1, a record: handshake (22), version 3.0 to 3.4 (the mask lets 3.7 pass),
 * at most 2^14 bytes and some. In it, section 4: client_hello (1) and its length, which fits into a
 * record, so that the first of three bytes is 0; section 4.1.2: the version again.
 */
static const unsigned char tls[] = { 0x16, 3, 0, 0, 0, 1, 0, 0, 0, 3, 0 };
static const unsigned char tls_mask[] = { 0xff, 0xff, 0xf8, 0x80, 0, 0xff, 0xff, 0, 0, 0xff, 0xf8 };
/*
 * QUIC: RFC 9000 section 17.2, a long header, with the fixed bit; section 17.2.2, an Initial;
 * version 1; an identifier of at most 20 bytes (the mask lets 31 pass). RFC 9369 sections 3.1
 * and 3.2: version 2, and its Initial. Only servers negotiate versions.
 */
static const unsigned char quic_1[] = { 0xc0, 0, 0, 0, 1, 0 };
static const unsigned char quic_2[] = { 0xd0, 0x6b, 0x33, 0x43, 0xcf, 0 };
static const unsigned char quic_mask[] = { 0xf0, 0xff, 0xff, 0xff, 0xff, 0xe0 };
/* RFC 9000 section 14.1: a client's datagram with an Initial in it is padded to so many bytes. */
enum { QUIC_LEAST = 1200 };
/*
 * DNS: RFC 1035 section 4.1.1, a query: after two bytes of ID QR 0, OPCODE 0, AA 0, TC 0, RD free;
 * RA 0, Z 0, RCODE 0, AD and CD free (RFC 6840 section 5.7, RFC 4035 section 3.2.2); one question,
 * no answer, no authority, up to three additional records (EDNS, TSIG). Section 4.1.2: a name whose
 * first byte is a length, and four bytes more.
 */
static const unsigned char dns[] = { 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 };
static const unsigned char dns_mask[] = { 0xfe, 0xcf, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
					  0xff, 0xfc, 0xc0, 0,    0,    0,    0 };
/* Section 4.2.2: over TCP the length stands before the message; no query has 1024 bytes. */
static const unsigned char dns_tcp[] = { 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 };
static const unsigned char dns_tcp_mask[] = { 0xfc, 0,    0,    0,    0xfe, 0xcf, 0xff,
					      0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfc,
					      0xc0, 0,    0,    0,    0 };
/* BitTorrent: BEP 15, a connect request: protocol_id, action 0, a transaction_id of four bytes. */
static const unsigned char tracker[] = { 0, 0, 4, 0x17, 0x27, 0x10, 0x19, 0x80,
					 0, 0, 0, 0,    0,    0,    0,    0 };
static const unsigned char tracker_mask[] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
					      0xff, 0xff, 0xff, 0xff, 0,    0,    0,    0 };

#define BYTES(app, protocol, offset, value, mask, least) \
	OVER(app, protocol, offset, sizeof(value), value, mask, least)

static const struct app_signature signatures[] = {
	/*
	 * HTTP/1.x: RFC 9112 section 3, the request line: method, space, target. The methods are
	 * those of RFC 9110 section 9.3, PATCH (RFC 5789) and WebDAV's (RFC 4918 section 9). The
	 * target's beginning counts because SIP and RTSP have methods of the same names.
	 */
	METHOD("GET"),
	METHOD("POST"),
	METHOD("HEAD"),
	METHOD("PUT"),
	METHOD("DELETE"),
	METHOD("OPTIONS"),
	METHOD("PATCH"),
	METHOD("TRACE"),
	METHOD("PROPFIND"),
	METHOD("PROPPATCH"),
	METHOD("MKCOL"),
	METHOD("COPY"),
	METHOD("MOVE"),
	METHOD("LOCK"),
	METHOD("UNLOCK"),
	/* Sections 3.2.3 and 3.2.4: authority-form and asterisk-form. */
	TEXT(HTTP, TCP, "CONNECT "),
	TEXT(HTTP, TCP, "OPTIONS * HTTP/"),
	/* HTTP/2 without TLS: RFC 9113 section 3.4, the connection preface. */
	TEXT(HTTP, TCP, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
	BYTES(TLS, TCP, 0, tls, tls_mask, 0),
	BYTES(QUIC, UDP, 0, quic_1, quic_mask, QUIC_LEAST),
	BYTES(QUIC, UDP, 0, quic_2, quic_mask, QUIC_LEAST),
	BYTES(DNS, UDP, 2, dns, dns_mask, 0),
	BYTES(DNS, TCP, 0, dns_tcp, dns_tcp_mask, 0),
	/* SSH: RFC 4253 section 4.2, the identification string; the older versions before it. */
	TEXT(SSH, TCP, "SSH-2.0-"),
	TEXT(SSH, TCP, "SSH-1."),
	/* BitTorrent: BEP 3, the handshake of two peers. */
	TEXT(BITTORRENT, TCP,
	     "\x13"
	     "BitTorrent protocol"),
	/*
	 * BEP 5, messages of the distributed table: a dictionary whose first entry, of a query and
	 * of a response, is a dictionary that begins with the sender's id of 20 bytes.
	 */
	TEXT(BITTORRENT, UDP, "d1:ad2:id20:"),
	TEXT(BITTORRENT, UDP, "d1:rd2:id20:"),
	BYTES(BITTORRENT, UDP, 0, tracker, tracker_mask, 0),
};

enum { SIGNATURES = sizeof(signatures) / sizeof(signatures[0]) };

const struct app_signature *app_signature(size_t nth)
{
	return nth < SIGNATURES ? &signatures[nth] : NULL;
}

static bool read_app(struct decode *decode, const struct node *value,
		     struct match_condition *condition)
{
	for (unsigned int i = 0; i < APPS; i++) {
		if (value->kind != NODE_SCALAR || strcmp(names[i], value->text))
			continue;
		interval_add(decode->arena, &condition->values, wide(i), wide(i));
		return true;
	}
	decode_unknown(decode, DIAG_bad_value, value->span, "app",
		       value->kind == NODE_SCALAR ? value->text : "", names, APPS);
	return false;
}

/* ---- how long a datagram is ---- */

/* By its place and not by name: nft takes a rule that asks for TCP or UDP before to be about TCP.
 */
static void print_datagram(const struct ir_match *match, struct buf *out)
{
	buf_printf(out, "@th,32,16 >= %u", (unsigned int)match->values.items[0].first.low);
}

static bool datagram_holds(const struct ir_match *match, const struct ir_packet *packet)
{
	return packet->protocol == PROTOCOL_UDP &&
	       match_values_hold(match, wide(packet->payload_length + UDP_HEADER));
}

static const struct ir_match_ops datagram_ops = { "datagram", print_datagram, datagram_holds,
						  false,      NULL,           true };

/* ---- signatures ---- */

static void lower_signature(const struct app_signature *signature, struct match_context *context,
			    struct match_alternatives *out)
{
	struct match_alternative *alternative = match_alternative(context, out);
	struct interval_set protocol = { 0 };

	interval_add(context->arena, &protocol, wide(signature->protocol),
		     wide(signature->protocol));
	if (!interval_covers(&protocol, context->protocols))
		*match_append(context, alternative, NULL) = protocol_match(&protocol);
	bytes_append(context, alternative, &signature->bytes);
	if (!signature->least)
		return;
	alternative->least = signature->least;
	interval_add(context->arena, &match_append(context, alternative, &datagram_ops)->values,
		     wide(signature->least + UDP_HEADER), wide(LENGTH_MOST));
}

static void lower_app(const struct match_condition *condition, struct match_context *context,
		      struct match_alternatives *out)
{
	if (context->tracked)
		return;
	out->none_of = condition->negated;
	for (size_t i = 0; i < SIGNATURES; i++)
		if (interval_contains(&condition->values, wide(signatures[i].app)) &&
		    interval_contains(context->protocols, wide(signatures[i].protocol)))
			lower_signature(&signatures[i], context, out);
}

/* The values are intervals, of which neighbours have become one. */
static const char *app_protocols(const struct match_condition *condition, struct arena *arena,
				 size_t nth, bool named, struct interval_set *out)
{
	unsigned int app = 0;

	(void)named;
	for (; app < APPS; app++)
		if (interval_contains(&condition->values, wide(app)) && !nth--)
			break;
	if (app == APPS)
		return NULL;
	for (size_t i = 0; i < SIGNATURES; i++)
		if (signatures[i].app == app)
			interval_add(arena, out, wide(signatures[i].protocol),
				     wide(signatures[i].protocol));
	return arena_printf(arena, "carries no %s", names[app]);
}

const struct match_kind match_app = {
	.noun = "an app",
	.read = read_app,
	.lower = lower_app,
	.protocols = app_protocols,
	.may_change = true,
	.reads_data = true,
};
