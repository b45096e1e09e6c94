/*
 * bytes: the payload after the TCP or UDP header, compared at an offset under a mask.
 *
 * nft compares IR_BYTES_MOST bytes at once, so longer ones are several matches of one alternative.
 * Where a packet ends before the last of them, or is neither TCP nor UDP, no rule holds for it,
 * whatever it asks: what is negated is written as an alternative that must not fit (none_of).
 */
#include "base/arena.h"
#include "base/buf.h"
#include "match/kinds.h"

static void put_hex(struct buf *out, const unsigned char *bytes, unsigned int length)
{
	buf_puts(out, "0x");
	for (unsigned int i = 0; i < length; i++)
		buf_printf(out, "%02x", bytes[i]);
}

static bool is_whole(const struct ir_bytes *bytes)
{
	for (unsigned int i = 0; i < bytes->length; i++)
		if (bytes->mask[i] != 0xff)
			return false;
	return true;
}

/* nft counts in bits. */
static void print_bytes(const struct ir_match *match, struct buf *out)
{
	const struct ir_bytes *bytes = match->bytes;

	buf_printf(out, "@ih,%u,%u ", bytes->offset * 8, bytes->length * 8);
	if (!is_whole(bytes)) {
		buf_puts(out, "& ");
		put_hex(out, bytes->mask, bytes->length);
		buf_puts(out, " == ");
	}
	put_hex(out, bytes->value, bytes->length);
}

static bool bytes_hold(const struct ir_match *match, const struct ir_packet *packet)
{
	const struct ir_bytes *bytes = match->bytes;

	if ((packet->protocol != PROTOCOL_TCP && packet->protocol != PROTOCOL_UDP) ||
	    bytes->offset + bytes->length > packet->payload_length)
		return false;
	for (unsigned int i = 0; i < bytes->length; i++)
		if ((packet->payload[bytes->offset + i] & bytes->mask[i]) != bytes->value[i])
			return false;
	return true;
}

static const struct ir_match_ops bytes_ops = { "bytes", print_bytes, bytes_hold, false, NULL, true };

void bytes_append(struct match_context *context, struct match_alternative *alternative,
		  const struct ir_bytes *asked)
{
	for (unsigned int at = 0; at < asked->length; at += IR_BYTES_MOST) {
		struct ir_bytes *part = arena_new_of(context->arena, struct ir_bytes);
		unsigned int rest = asked->length - at;

		*part = (struct ir_bytes){ asked->offset + at,
					   rest < IR_BYTES_MOST ? rest : IR_BYTES_MOST,
					   asked->value + at, asked->mask + at };
		match_append(context, alternative, &bytes_ops)->bytes = part;
	}
	if (alternative->least < asked->offset + asked->length)
		alternative->least = asked->offset + asked->length;
}
