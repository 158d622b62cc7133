/*
 * store_private.h: what store.c (samples) and store_life.c (birth, room, death) share. Nobody else
 * includes it.
 */
#ifndef STORE_STORE_PRIVATE_H
#define STORE_STORE_PRIVATE_H

#include "base/ensure.h"
#include "store/store.h"

/* A family's name and the suffix of a part; limits.name_bytes is at most 1,024. */
#define PART_NAME_BYTES 2048

/*
 * The name of a family's samples: its own and the part's suffix. `name` may stand in `text`
 * already.
 */
static inline struct bytes part_name(struct bytes name, enum part part,
                                     char text[static PART_NAME_BYTES])
{
    struct bytes suffix = part_suffix(part);
    ENSURE(name.length + suffix.length <= PART_NAME_BYTES);
    memmove(text, name.at, name.length);
    memcpy(text + name.length, suffix.at, suffix.length);
    return (struct bytes){text, name.length + suffix.length};
}

static inline struct family *family_at(const struct store *store, uint32_t index)
{
    return slots_at(&store->families, index);
}

static inline struct series *series_at(const struct store *store, uint32_t index)
{
    return slots_at(&store->series, index);
}

/*
 * The window that is open now. It never goes back: requests bring the time at which they began, so
 * the time of a long one is older than what was applied meanwhile.
 */
static inline uint32_t window_advance(struct store *store, int64_t now_ms)
{
    uint32_t window = store_window_at(store, now_ms);
    if (window > store->window)
        store->window = window;
    return store->window;
}

static inline enum series_class class_of(enum kind kind)
{
    static const uint8_t classes[KIND_COUNT] = {
        [KIND_HISTOGRAM] = CLASS_HISTOGRAM,
        [KIND_CLASSIC] = CLASS_BUCKETS,
        [KIND_SET] = CLASS_SET,
    };
    return classes[kind];
}

/*
 * Has the family no series, and a total neither? Then nobody sees it, and it is there for what was
 * sealed of it.
 */
static inline bool family_is_vacant(const struct store *store, const struct family *family)
{
    return family->series_count == 0 && !family->is_overflow &&
           series_at(store, family->overflow)->count == 0;
}

/*
 * Makes way for samples of another kind, or of a name that cannot be told apart. False when the
 * family is not vacant, or has just been claimed by store_admit.
 */
bool family_give_way(struct store *store, uint32_t index);

/*
 * A family that could not be told apart, in an exposition, from one of this name and kind;
 * SLOT_NONE when there is none.
 */
uint32_t family_clashing(const struct store *store, struct bytes name, enum kind kind);

/*
 * Makes the family, or SLOT_NONE when there is no room; with `recycle` idle series and vacant
 * families are given up for it.
 */
uint32_t family_birth(struct store *store, struct bytes name, enum kind kind, uint32_t window,
                      bool recycle);

/* The overflow families, one for each kind; there is room for them in an empty store. */
void overflow_families_init(struct store *store);

/* Makes the series, or SLOT_NONE when there is no room. */
uint32_t series_birth(struct store *store, uint32_t family, const struct sample *sample,
                      uint32_t window);

/* Moves the series to the front of its class's list: it has a sample in a new window. */
void series_touch(struct store *store, uint32_t index, uint32_t window);

/* Takes HELP and UNIT from the declaration where they differ and there is room. */
void family_describe(struct store *store, uint32_t family, const struct declaration *declaration);

#endif
