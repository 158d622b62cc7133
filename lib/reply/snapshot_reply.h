/*
 * snapshot_reply.h: snapshots and their differences as JSON.
 *
 * Threads: one. The bytes are bounded: SNAPSHOTS_MAX rows, SNAPSHOT_ROWS rows.
 */
#ifndef REPLY_SNAPSHOT_REPLY_H
#define REPLY_SNAPSHOT_REPLY_H

#include "memory/snapshots.h"
#include "reply/writer.h"

/* What either comes to at most (a test fills them). */
#define SNAPSHOT_REPLY_BYTES 8192

/* GET /memory/snapshots: all that are kept, oldest first. */
void snapshot_list_write(struct writer *writer, const struct snapshots *snapshots);

/* POST /memory/snapshots: the one that was taken. */
void snapshot_taken_write(struct writer *writer, const struct snapshot *snapshot);

/* GET /memory/diff: what each pool rose by, largest growth first. */
void snapshot_diff_write(struct writer *writer, const struct snapshot *from,
                         const struct snapshot *to);

#endif
