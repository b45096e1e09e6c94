/*
 * test_app: the signatures of apps as a whole: no packet fits two apps, and none is so short or so
 * open that it says nothing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ir/ir.h"
#include "match/kinds.h"

/* Bits at a place behind the header that every packet of the signature has. */
static unsigned char bits_at(const struct app_signature *signature, unsigned int at,
			     const unsigned char *bytes)
{
	const struct ir_bytes *all = &signature->bytes;

	return at < all->offset || at >= all->offset + all->length ? 0 : bytes[at - all->offset];
}

static int differ(const struct app_signature *a, const struct app_signature *b)
{
	for (unsigned int at = 0; at < a->bytes.offset + a->bytes.length; at++) {
		unsigned char both = bits_at(a, at, a->bytes.mask) & bits_at(b, at, b->bytes.mask);

		if ((bits_at(a, at, a->bytes.value) ^ bits_at(b, at, b->bytes.value)) & both)
			return 1;
	}
	return 0;
}

static void test_no_packet_fits_two(void **state)
{
	const struct app_signature *a, *b;
	unsigned int pairs = 0;

	(void)state;
	for (size_t i = 0; (a = app_signature(i)); i++)
		for (size_t k = 0; (b = app_signature(k)); k++) {
			if (a->app == b->app || a->protocol != b->protocol)
				continue;
			pairs++;
			if (!differ(a, b))
				fail_msg("signatures %zu and %zu fit the same packet", i, k);
		}
	assert_true(pairs > 100);
}

/* Noise fits a signature of n bits once in 2^n packets. */
static void test_noise_is_no_app(void **state)
{
	const struct app_signature *signature;

	(void)state;
	for (size_t i = 0; (signature = app_signature(i)); i++) {
		int bits = 0;

		for (unsigned int k = 0; k < signature->bytes.length; k++) {
			assert_int_equal(signature->bytes.value[k] & ~signature->bytes.mask[k], 0);
			bits += __builtin_popcount(signature->bytes.mask[k]);
		}
		if (bits < 32)
			fail_msg("signature %zu looks at %d bits only", i, bits);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_packet_fits_two),
		cmocka_unit_test(test_noise_is_no_app),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
