/*
 * members.h: the members of a JSON object, one after the other.
 *
 *     {"name": "series", "live_bytes": 4096,
 *      "pools": [...
 *
 * The comma before a member is left out where it is the first of its object or array, so who writes
 * need not know. Keys need no escape.
 *
 * Owner: whoever answers. Lifetime: request. Threads: one.
 */
#ifndef REPLY_MEMBERS_H
#define REPLY_MEMBERS_H

#include "reply/writer.h"

/* What goes before a member or element: `comma`, unless it is the first. */
void member_separate(struct writer *writer, const char *comma);

/* The key; the value follows. */
void member(struct writer *writer, const char *name);

/* The same on a line of its own: some dozen lines let a person find their way. */
void member_section(struct writer *writer, const char *name);

/* An element of an array, likewise: its opening brace is written. */
void member_row(struct writer *writer);

void member_u64(struct writer *writer, const char *name, uint64_t value);
void member_i64(struct writer *writer, const char *name, int64_t value);

/* null where it is not finite. */
void member_number(struct writer *writer, const char *name, double value);

/* Milliseconds as seconds. */
void member_seconds(struct writer *writer, const char *name, int64_t ms);

/* A time in Unix milliseconds as seconds; null where it is 0: there is none. */
void member_time(struct writer *writer, const char *name, int64_t ms);

void member_text(struct writer *writer, const char *name, const char *value);
void member_bool(struct writer *writer, const char *name, bool value);

#endif
