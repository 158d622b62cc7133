/* child_draft.c: see child_draft.h. */
#include "ingest/child_draft.h"

#include "base/ensure.h"

#include <math.h>

/* No line with a bucket is shorter: a_bucket{le="1"}1 */
#define BUCKET_LINE_BYTES 18

static uint32_t bounds_max(uint64_t body_bytes)
{
    uint64_t most = body_bytes / BUCKET_LINE_BYTES;
    return most < CHILD_BOUNDS_READ ? (uint32_t)most : CHILD_BOUNDS_READ;
}

size_t child_draft_bytes(size_t labels_max, uint64_t body_bytes)
{
    return 2 * bounds_max(body_bytes) * sizeof(double) + labels_max;
}

void child_draft_init(struct child_draft *draft, size_t labels_max, uint64_t body_bytes, void *room)
{
    *draft = (struct child_draft){.bounds_max = bounds_max(body_bytes), .labels_max = labels_max};
    draft->bounds = room;
    draft->counts = draft->bounds + draft->bounds_max;
    draft->labels = (char *)(draft->counts + draft->bounds_max);
}

static void open(struct child_draft *draft, const struct child_line *line,
                 const struct label_list *labels)
{
    draft->labels_length = label_list_bytes(labels);
    ENSURE(draft->labels_length <= draft->labels_max);
    label_list_write(labels, draft->labels);
    draft->kind = line->kind;
    draft->line = line->line;
    draft->timestamp_ms = TIMESTAMP_NONE;
    draft->has_infinity = false;
    draft->has_own_count = false;
    draft->child = (struct child){0};
}

/* Mostly they come rising, and then the first comparison ends the search. */
static bool add_bound(struct child_draft *draft, double bound, double count)
{
    struct child *child = &draft->child;
    uint32_t at = child->bound_count;
    while (at > 0 && draft->bounds[at - 1] > bound)
        at--;
    if (at > 0 && draft->bounds[at - 1] == bound)
        return false;
    child->has_buckets = true;
    if (child->bound_count == draft->bounds_max) {
        child->lost_bounds++;
        return true;
    }
    size_t behind = (child->bound_count - at) * sizeof(double);
    memmove(draft->bounds + at + 1, draft->bounds + at, behind);
    memmove(draft->counts + at + 1, draft->counts + at, behind);
    draft->bounds[at] = bound;
    draft->counts[at] = count;
    child->bound_count++;
    return true;
}

static bool add_bucket(struct child_draft *draft, const struct child_line *line)
{
    if (!isinf(line->bound))
        return add_bound(draft, line->bound, line->value);
    if (draft->has_infinity)
        return false;
    draft->has_infinity = true;
    draft->child.has_buckets = true;
    draft->child.has_count = true;
    draft->child.count = line->value;
    return true;
}

static bool add_sum(struct child_draft *draft, double sum)
{
    if (draft->child.has_sum)
        return false;
    draft->child.has_sum = true;
    draft->child.sum = sum;
    return true;
}

/* The +Inf bucket says the same, and is believed where both came. */
static bool add_count(struct child_draft *draft, double count)
{
    if (draft->has_own_count)
        return false;
    draft->has_own_count = true;
    if (!draft->has_infinity)
        draft->child.count = count;
    draft->child.has_count = true;
    return true;
}

static bool add_part(struct child_draft *draft, const struct child_line *line)
{
    if (line->part == PART_BUCKET)
        return add_bucket(draft, line);
    return line->part == PART_SUM ? add_sum(draft, line->value) : add_count(draft, line->value);
}

/* A sample has no room for more lines than that; nor has any client. */
static bool is_same_child(const struct child_draft *draft, const struct child_line *line,
                          const struct label_list *labels)
{
    return draft->lines < UINT16_MAX && draft->kind == line->kind &&
           label_list_is(labels, child_draft_labels(draft));
}

bool child_draft_add(struct child_draft *draft, const struct child_line *line,
                     const struct label_list *labels)
{
    if (!child_draft_is_open(draft))
        open(draft, line, labels);
    else if (!is_same_child(draft, line, labels))
        return false;
    if (!add_part(draft, line))
        return false;
    draft->lines++;
    if (line->timestamp_ms != TIMESTAMP_NONE)
        draft->timestamp_ms = line->timestamp_ms;
    return true;
}

static bool never_falls(const struct child_draft *draft)
{
    uint32_t last = draft->child.bound_count;
    for (uint32_t i = 1; i < last; i++) {
        if (draft->counts[i] < draft->counts[i - 1])
            return false;
    }
    return last == 0 || draft->counts[last - 1] <= draft->child.count;
}

/*
 * Evenly, by place and not by value: children of the same bounds keep the same ones, and still add
 * up. Each place moves down or stays.
 */
static void thin(struct child_draft *draft)
{
    uint32_t count = draft->child.bound_count;
    if (count <= CHILD_BOUNDS_MAX)
        return;
    for (uint32_t i = 0; i < CHILD_BOUNDS_MAX; i++) {
        uint32_t from = i * (count - 1) / (CHILD_BOUNDS_MAX - 1); /* the first and the last stay */
        draft->bounds[i] = draft->bounds[from];
        draft->counts[i] = draft->counts[from];
    }
    draft->child.lost_bounds += count - CHILD_BOUNDS_MAX;
    draft->child.bound_count = CHILD_BOUNDS_MAX;
}

struct refusal child_draft_finish(struct child_draft *draft, struct child *child)
{
    ENSURE(child_draft_is_open(draft));
    if (draft->child.has_buckets && !draft->child.has_count)
        return refusal_detail(STATUS_BAD_VALUE, "buckets without +Inf");
    if (!never_falls(draft))
        return refusal_detail(STATUS_BAD_VALUE, "a bucket holds fewer than the one below it");
    thin(draft);
    *child = draft->child;
    child->bounds = draft->bounds;
    child->counts = draft->counts;
    return refusal_plain(STATUS_OK);
}
