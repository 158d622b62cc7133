/* classic.c: see classic.h. */
#include "store/classic.h"

#include "base/ensure.h"

#include <string.h>

void classic_init(struct classic *classic)
{
    memset(classic, 0, sizeof *classic);
}

static void take_bounds(struct classic *classic, const struct child *child)
{
    classic->has_buckets = true;
    classic->bound_count = child->bound_count;
    if (child->bound_count > 0)
        memcpy(classic->bounds, child->bounds, child->bound_count * sizeof *child->bounds);
}

/* Bounds that the child lacks go, with their counts; what stays is added to. Returns how many do.
 */
static uint32_t add_shared(struct classic *classic, const struct child *child)
{
    uint32_t kept = 0;
    uint32_t theirs = 0;
    for (uint32_t ours = 0; ours < classic->bound_count; ours++) {
        double bound = classic->bounds[ours];
        while (theirs < child->bound_count && child->bounds[theirs] < bound)
            theirs++;
        if (theirs == child->bound_count)
            break;
        if (child->bounds[theirs] != bound)
            continue;
        classic->bounds[kept] = bound;
        classic->totals[kept] = classic->totals[ours] + child->counts[theirs];
        classic->open[kept] = classic->open[ours] + child->counts[theirs];
        kept++;
    }
    return kept;
}

uint32_t classic_add(struct classic *classic, const struct child *child)
{
    ENSURE(child->bound_count <= CHILD_BOUNDS_MAX);
    if (!child->has_buckets)
        return 0;
    if (!classic->has_buckets)
        take_bounds(classic, child);
    uint32_t before = classic->bound_count;
    uint32_t kept = add_shared(classic, child);
    classic->bound_count = kept;
    /* places beyond the last bound stay zero, so that equal histograms are equal bytes */
    for (uint32_t i = kept; i < before; i++)
        classic->bounds[i] = classic->totals[i] = classic->open[i] = 0;
    return before + child->bound_count - 2 * kept;
}

uint32_t classic_merge(struct classic *into, const struct classic *from)
{
    struct child child = {
        .has_buckets = from->has_buckets,
        .bound_count = from->bound_count,
        .bounds = from->bounds,
        .counts = from->open,
    };
    return classic_add(into, &child);
}

void classic_seal(struct classic *classic)
{
    memset(classic->open, 0, sizeof classic->open);
}
