/*
 * json: writes JSON into a buffer. The writer sets commas, quotes and line ends; the caller says
 * keys and values.
 *
 * A key is NULL in a list and for the outermost value. A struct json with nothing but `out` writes
 * one line without spaces.
 */
#ifndef TPC_BASE_JSON_H
#define TPC_BASE_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf;

struct json {
	struct buf *out;
	bool is_wide;       /* each member of the outermost object, and of its lists, on a line */
	unsigned int depth; /* objects and lists that are open: at most 31 */
	uint32_t is_list;   /* this and the next have a bit for each level */
	uint32_t has_items;
};

void json_object(struct json *json, const char *key);
void json_list(struct json *json, const char *key);
/* Ends the innermost object or list. */
void json_end(struct json *json);

/* NULL becomes null; bytes that are not UTF-8 become U+FFFD. */
void json_text(struct json *json, const char *key, const char *text);
void json_number(struct json *json, const char *key, uint64_t number);
/* 0 becomes null. */
void json_number_or_null(struct json *json, const char *key, uint64_t number);
void json_bool(struct json *json, const char *key, bool is_true);
void json_null(struct json *json, const char *key);
/* Items that another writer wrote before, with the commas between them. */
void json_raw(struct json *json, const char *items);

/* The text as a JSON string with its quotes, alone. */
void json_put_string(struct buf *out, const char *text, size_t length);

#endif
