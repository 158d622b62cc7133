/* query_reply.c: see query_reply.h. */
#include "reply/query_reply.h"

#define PAGE_BYTES 16384

/* A byte of a label may come to \u001f. */
#define JSON_BYTES_MAX 6

/* Keys, numbers and notes of the head, without the metric's name; 40 bounds are the most of it. */
#define HEAD_BYTES 4096

size_t query_reply_page_bytes(const struct settings *settings)
{
    size_t names = family_name_bytes(settings);
    size_t most = HEAD_BYTES + JSON_BYTES_MAX * (series_text_bytes(settings) + names);
    return most > PAGE_BYTES ? most : PAGE_BYTES;
}

struct query_reply *query_reply_make(const struct query_plan *plan, const struct query_run *run,
                                     struct arena *arena)
{
    struct query_reply *reply = arena_push_zero(arena, sizeof *reply);
    char *text = reply == NULL ? NULL : arena_push(arena, series_text_bytes(plan->settings));
    if (text == NULL)
        return NULL;
    reply->plan = plan;
    reply->run = run;
    reply->text = text;
    return reply;
}

/* Seconds, with three decimals where they are needed. */
static void write_time(struct writer *page, int64_t ms)
{
    if (ms % 1000 == 0)
        writer_i64(page, ms / 1000);
    else
        writer_seconds(page, ms);
}

static void write_time_of(struct writer *page, const char *key, int64_t ms)
{
    writer_json_key(page, key);
    write_time(page, ms);
}

/* ---- the head ---- */

static void write_note(struct writer *page, bool *first, const char *text)
{
    if (!*first)
        writer_char(page, ',');
    *first = false;
    writer_char(page, '"');
    writer_string(page, text);
    writer_char(page, '"');
}

static void write_notes(struct writer *page, const struct query_reply *reply)
{
    const struct query_plan *plan = reply->plan;
    const struct query_run *run = reply->run;
    bool first = true;
    writer_json_key(page, "notes");
    writer_char(page, '[');
    if (plan->step_was_rounded)
        write_note(page, &first, "step was rounded up to a multiple of the resolution");
    if (plan->begins_before_held)
        write_note(page, &first, "nothing is held from before held_from");
    if (plan->is_empty)
        write_note(page, &first, "there is no metric of that name");
    if (run != NULL && run->lost_bounds > 0)
        write_note(page, &first, "bounds that not all buckets have were left out");
    if (run != NULL && run->is_approximate)
        write_note(
            page, &first,
            "too much changed while this was read: some points may lack some of what was there");
    writer_char(page, ']');
}

static void write_bounds(struct writer *page, const struct classic *bounds)
{
    writer_json_key(page, "bounds");
    writer_char(page, '[');
    for (uint32_t i = 0; i < bounds->bound_count; i++) {
        if (i > 0)
            writer_char(page, ',');
        writer_json_number(page, bounds->bounds[i]);
    }
    writer_char(page, ']');
}

static void write_precision(struct writer *page, const struct query_reply *reply)
{
    const struct query_run *run = reply->run;
    if (run == NULL || reply->plan->query->function != FUNCTION_QUANTILE)
        return;
    if (run->bounds != NULL) {
        write_bounds(page, run->bounds);
        return;
    }
    writer_json_key(page, "relative_error");
    writer_json_number(page, run->relative_error);
}

static void write_head(struct writer *page, const struct query_reply *reply)
{
    const struct query_plan *plan = reply->plan;
    const struct query *query = plan->query;
    writer_string(page, "{\"metric\":");
    writer_json_string(page, query->metric);
    writer_json_key(page, "kind");
    if (plan->is_empty)
        writer_string(page, "null");
    else
        writer_json_string(page, bytes_of(kind_name(plan->kind)));
    writer_json_key(page, "fn");
    if (query->function == FUNCTION_NONE)
        writer_string(page, "null");
    else
        writer_json_string(page, query->function_text);
    write_time_of(page, "step", plan->step_ms);
    write_time_of(page, "resolution", plan->resolution_ms);
    write_time_of(page, "from", plan->start_ms);
    write_time_of(page, "to", query->to_ms);
    write_time_of(page, "held_from", plan->held_from_ms);
    write_precision(page, reply);
    write_notes(page, reply);
    writer_json_key(page, "series");
    writer_char(page, '[');
}

static void write_tail(struct writer *page, const struct query_reply *reply)
{
    const struct query_run *run = reply->run;
    writer_string(page, "],\"cache\":{\"hits\":");
    writer_u64(page, run == NULL ? 0 : run->hits);
    writer_json_key(page, "misses");
    writer_u64(page, run == NULL ? 0 : run->misses);
    writer_char(page, '}');
    writer_json_key(page, "cells");
    writer_u64(page, run == NULL ? 0 : run->cells);
    writer_string(page, "}\n");
}

/* ---- rows ---- */

static void write_labels(struct writer *page, struct bytes labels, char *text)
{
    struct label label;
    writer_string(page, "{\"labels\":{");
    for (bool first = true; label_text_next(&labels, &label); first = false) {
        if (!first)
            writer_char(page, ',');
        writer_json_string(page, label.name);
        writer_char(page, ':');
        writer_json_string(page, (struct bytes){text, label_value_unescape(label.value, text)});
    }
    writer_string(page, "},\"points\":[");
}

static void write_point(struct writer *page, const struct query_reply *reply)
{
    writer_string(page, reply->bucket == 0 ? "[" : ",[");
    write_time(page, bucket_start_ms(reply->plan, reply->bucket));
    writer_char(page, ',');
    writer_json_number(page, query_point(reply->run, reply->group, reply->bucket));
    if (query_bucket_is_open(reply->run, reply->bucket))
        writer_string(page, ",\"open\"");
    writer_char(page, ']');
}

/* A point, with what stands before the first one and behind the last. */
static void write_piece(struct writer *page, const struct query_reply *reply)
{
    if (reply->bucket == 0 && reply->written > 0)
        writer_char(page, ',');
    if (reply->bucket == 0)
        write_labels(page, reply->plan->map.groups[reply->group].labels, reply->text);
    write_point(page, reply);
    if (reply->bucket + 1 == reply->plan->bucket_count)
        writer_string(page, "]}");
}

/* Stands at a group that has data; false when there is none left. */
static bool group_next(struct query_reply *reply)
{
    const struct query_run *run = reply->run;
    if (run == NULL)
        return false;
    while (reply->group < reply->plan->map.group_count && !run->has_data[reply->group])
        reply->group++;
    return reply->group < reply->plan->map.group_count;
}

static void advance(struct query_reply *reply)
{
    if (++reply->bucket < reply->plan->bucket_count)
        return;
    reply->bucket = 0;
    reply->group++;
    reply->written++;
}

/* What the page had no room for is taken back; it stands at the front of the next. */
static bool is_cut(struct writer *page, size_t mark)
{
    if (!page->full)
        return false;
    writer_rewind(page, mark);
    return true;
}

bool query_reply_next(struct query_reply *reply, struct writer *page)
{
    size_t mark = page->used;
    if (!reply->begun)
        write_head(page, reply);
    if (is_cut(page, mark))
        return true;
    reply->begun = true;
    while (group_next(reply)) {
        mark = page->used;
        write_piece(page, reply);
        if (is_cut(page, mark))
            return true;
        advance(reply);
    }
    mark = page->used;
    write_tail(page, reply);
    return is_cut(page, mark);
}
