/*
 * fuzz_mmdb: any bytes as a database of countries, and what must hold for what comes out.
 *
 * There is an answer or one error, in memory and time that the size bounds; the networks of a
 * country are in order and do not overlap.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "addr/geoip.h"
#include "base/arena.h"
#include "base/diag.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
	if (!holds)
		abort();
}

static void check_order(const struct interval_set *set)
{
	for (size_t i = 0; i < set->count; i++) {
		require(!wide_less(set->items[i].last, set->items[i].first));
		require(i == 0 || wide_less(set->items[i - 1].last, set->items[i].first));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *arena = arena_new();
	struct diag *diag = diag_new(arena);
	struct geoip geoip = { 0 };
	const struct geoip_database *database;
	int fd = memfd_create("mmdb", 0);

	require(fd >= 0 && write(fd, data, size) == (ssize_t)size);
	database = geoip_read(&geoip, arena, diag, arena_printf(arena, "/proc/self/fd/%d", fd),
			      (struct span){ NULL, 0, 0 });
	close(fd);
	require(diag_error_count(diag) == (database ? 0 : 1));
	for (int i = 0; database && i < COUNTRY_COUNT; i++)
		for (int family = 0; family < ADDR_FAMILIES; family++)
			check_order(&database->countries[i].family[family]);
	arena_free(arena);
	return 0;
}
