/* sites.c: see sites.h. */
#include "memory/sites.h"

#include "base/ensure.h"
#include "base/hash.h"
#include "memory/region.h"

#include <string.h>

uint64_t sites_bytes(void)
{
    return region_piece_bytes(sizeof(struct sites));
}

void sites_init(struct sites *sites)
{
    memset(sites, 0, sizeof *sites);
    atomic_store_explicit(&sites->rows[SITES_OTHER].name, "other", memory_order_relaxed);
}

/* ---- from a site to its row ---- */

/* Release and acquire: whoever sees the pointer may read the text, in whichever thread it stood. */
static const char *name_of(const struct site *row)
{
    return atomic_load_explicit(&row->name, memory_order_acquire);
}

/* The one there is, also when another thread has just been quicker; `site` where there was none. */
static const char *name_take(struct site *row, const char *site)
{
    const char *name = NULL;
    if (atomic_compare_exchange_strong_explicit(&row->name, &name, site, memory_order_acq_rel,
                                                memory_order_acquire))
        return site;
    return name;
}

/*
 * By its text. Sites come from our own source, so the hash needs no seed. A table without room is
 * walked in full each time: that is slow, and not a table that is large enough.
 */
static uint16_t row_by_text(struct sites *sites, const char *site)
{
    struct bytes text = bytes_of(site);
    uint64_t home = hash_bytes(text, 0);
    for (uint64_t step = 0; step < SITES_MAX; step++) {
        uint16_t row = (uint16_t)((home + step) % SITES_MAX);
        const char *name = name_of(&sites->rows[row]);
        if (name == NULL)
            name = name_take(&sites->rows[row], site);
        if (name == site || bytes_equal(bytes_of(name), text))
            return row;
    }
    return SITES_OTHER;
}

/* Literals lie side by side, some thirty bytes each. */
static _Atomic uint16_t *hint_of(struct sites *sites, const char *site)
{
    uint64_t mixed = (uint64_t)(uintptr_t)site * UINT64_C(0x9e3779b97f4a7c15);
    return &sites->hints[mixed >> 54];
}

_Static_assert(SITES_HINTS == 1u << (64 - 54), "a hint is found by the product's upper bits");

static uint16_t row_of(struct sites *sites, const char *site)
{
    _Atomic uint16_t *hint = hint_of(sites, site);
    uint16_t hinted = atomic_load_explicit(hint, memory_order_relaxed);
    if (hinted != 0 && name_of(&sites->rows[hinted - 1]) == site)
        return (uint16_t)(hinted - 1);
    uint16_t row = row_by_text(sites, site);
    atomic_store_explicit(hint, (uint16_t)(row + 1), memory_order_relaxed);
    return row;
}

/* ---- figures ---- */

static uint64_t add(_Atomic uint64_t *figure, uint64_t by)
{
    return atomic_fetch_add_explicit(figure, by, memory_order_relaxed);
}

static uint64_t get(const _Atomic uint64_t *figure)
{
    return atomic_load_explicit(figure, memory_order_relaxed);
}

static void raise_peak(_Atomic uint64_t *peak, uint64_t value)
{
    uint64_t seen = get(peak);
    while (value > seen && !atomic_compare_exchange_weak_explicit(
                               peak, &seen, value, memory_order_relaxed, memory_order_relaxed))
        continue;
}

uint16_t sites_take(struct sites *sites, const char *site, uint64_t bytes)
{
    uint16_t index = row_of(sites, site);
    struct site *row = &sites->rows[index];
    raise_peak(&row->peak_bytes, add(&row->live_bytes, bytes) + bytes);
    add(&row->allocated_bytes, bytes);
    add(&row->allocations, 1);
    return index;
}

void sites_give(struct sites *sites, uint16_t row, uint64_t bytes)
{
    ENSURE(row < SITES_ROWS);
    struct site *site = &sites->rows[row];
    uint64_t before = atomic_fetch_sub_explicit(&site->live_bytes, bytes, memory_order_relaxed);
    ENSURE(before >= bytes);
    atomic_fetch_add_explicit(&site->frees, 1, memory_order_release);
}

/*
 * Frees first, and released: whoever sees that an object was given back also sees that it was
 * taken.
 */
static uint64_t live_objects(const struct site *row)
{
    uint64_t frees = atomic_load_explicit(&row->frees, memory_order_acquire);
    return get(&row->allocations) - frees;
}

struct site_figures sites_figures(const struct sites *sites, uint16_t row)
{
    ENSURE(row < SITES_ROWS);
    const struct site *site = &sites->rows[row];
    return (struct site_figures){
        .name = name_of(site),
        .live_bytes = get(&site->live_bytes),
        .live_objects = live_objects(site),
        .peak_bytes = get(&site->peak_bytes),
        .allocated_bytes = get(&site->allocated_bytes),
        .allocations = get(&site->allocations),
    };
}

void sites_copy(const struct sites *sites, struct site_counts counts[static SITES_ROWS])
{
    for (uint16_t row = 0; row < SITES_ROWS; row++) {
        const struct site *site = &sites->rows[row];
        counts[row] = (struct site_counts){get(&site->live_bytes), live_objects(site)};
    }
}
