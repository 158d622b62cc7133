/* snapshot_reply.c: see snapshot_reply.h. */
#include "reply/snapshot_reply.h"

#include "reply/members.h"

static uint64_t live_bytes(const struct snapshot *snapshot)
{
    uint64_t sum = 0;
    for (int pool = 0; pool < POOL_COUNT; pool++)
        sum += snapshot->rows[pool].live_bytes;
    return sum;
}

/* The id of what was taken for the moment and is not kept is null: it is now. */
static void snapshot_write(struct writer *writer, const struct snapshot *snapshot)
{
    writer_char(writer, '{');
    member(writer, "id");
    if (snapshot->id == 0)
        writer_string(writer, "null");
    else
        writer_u64(writer, snapshot->id);
    member_seconds(writer, "at", snapshot->at_ms);
    member_u64(writer, "live_bytes", live_bytes(snapshot));
    writer_char(writer, '}');
}

void snapshot_list_write(struct writer *writer, const struct snapshots *snapshots)
{
    const struct snapshot *at = NULL;
    writer_char(writer, '{');
    member(writer, "snapshots");
    writer_char(writer, '[');
    while ((at = snapshots_after(snapshots, at == NULL ? 0 : at->id)) != NULL) {
        member_separate(writer, ",");
        writer_string(writer, "\n  ");
        snapshot_write(writer, at);
    }
    writer_char(writer, ']');
    member_u64(writer, "capacity", SNAPSHOTS_MAX);
    writer_string(writer, "}\n");
}

void snapshot_taken_write(struct writer *writer, const struct snapshot *snapshot)
{
    snapshot_write(writer, snapshot);
    writer_char(writer, '\n');
}

static void change_write(struct writer *writer, const struct snapshot *to,
                         const struct snapshot_change *change)
{
    const struct snapshot_row *row = &to->rows[change->row];
    member_row(writer);
    member_text(writer, "pool", snapshot_row_name(change->row));
    member_u64(writer, "live_bytes", row->live_bytes);
    member_i64(writer, "live_bytes_diff", change->live_bytes);
    member_u64(writer, "live_objects", row->live_objects);
    member_i64(writer, "live_objects_diff", change->live_objects);
    member_i64(writer, "allocations_diff", change->allocations);
    writer_char(writer, '}');
}

void snapshot_diff_write(struct writer *writer, const struct snapshot *from,
                         const struct snapshot *to)
{
    struct snapshot_change changes[SNAPSHOT_ROWS];
    snapshot_compare(from, to, changes);
    writer_char(writer, '{');
    member(writer, "from");
    snapshot_write(writer, from);
    member_section(writer, "to");
    snapshot_write(writer, to);
    member_section(writer, "rows");
    writer_char(writer, '[');
    for (uint32_t i = 0; i < SNAPSHOT_ROWS; i++)
        change_write(writer, to, &changes[i]);
    writer_string(writer, "]}\n");
}
