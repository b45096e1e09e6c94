/*
 * duration: reads a time as the language has it (see duration.h).
 */
#include "base/duration.h"

#include <stddef.h>
#include <string.h>

uint64_t duration_parse(const char *text)
{
	static const struct {
		char unit;
		uint64_t seconds;
	} units[] = { { 'd', 86400 }, { 'h', 3600 }, { 'm', 60 }, { 's', 1 } };
	uint64_t sum = 0;

	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		size_t digits = strspn(text, "0123456789");
		uint64_t number = 0;

		if (!digits || digits > 9 || text[digits] != units[i].unit)
			continue;
		for (size_t k = 0; k < digits; k++)
			number = number * 10 + (uint64_t)(text[k] - '0');
		sum += number * units[i].seconds;
		text += digits + 1;
	}
	return *text ? 0 : sum;
}
