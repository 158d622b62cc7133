/*
 * series_cursor.h: a walk over a family's series in order of creation, in slices, while series come
 * and go between them.
 *
 *     overflow ⇄ series 4 ⇄ series 7 ⇄ series 8 ⇄ …
 *                              ^ slot and generation; where it has ended meanwhile the walk looks
 *                                for its place again, from the first series on, in slices too
 *
 * Owner: who walks. Lifetime: the walk. Threads: one, under the engine's lock.
 */
#ifndef STORE_SERIES_CURSOR_H
#define STORE_SERIES_CURSOR_H

#include "store/store.h"

/* Looks for the place that one call takes. */
#define SERIES_CURSOR_LOOKS 512

struct series_cursor {
    uint32_t slot; /* a series not behind the place; SLOT_NONE: none yet */
    uint32_t generation;
    uint64_t sequence; /* of the next one, at least */
};

static inline void series_cursor_init(struct series_cursor *cursor)
{
    *cursor = (struct series_cursor){.slot = SLOT_NONE};
}

static inline void series_cursor_stand(struct series_cursor *cursor, const struct store *store,
                                       uint32_t slot)
{
    cursor->slot = slot;
    cursor->generation = slots_generation(&store->series, slot);
}

/*
 * *at is the slot of the next series, SLOT_NONE at the end. False while the place is being looked
 * for: ask again, and let go of the lock in between.
 */
static inline bool series_cursor_next(struct series_cursor *cursor, const struct store *store,
                                      const struct family *family, uint32_t *at)
{
    bool holds = cursor->slot != SLOT_NONE && slots_is_live(&store->series, cursor->slot) &&
                 slots_generation(&store->series, cursor->slot) == cursor->generation;
    *at = holds ? cursor->slot : family->first;
    for (uint32_t looks = 0; *at != SLOT_NONE; looks++) {
        const struct series *series = store_series(store, *at);
        if (series->sequence >= cursor->sequence)
            return true;
        if (looks == SERIES_CURSOR_LOOKS) {
            series_cursor_stand(cursor, store, *at);
            return false;
        }
        *at = series->next;
    }
    return true;
}

/* The series is done with: the next one is the one behind it. */
static inline void series_cursor_pass(struct series_cursor *cursor, const struct store *store,
                                      uint32_t slot)
{
    series_cursor_stand(cursor, store, slot);
    cursor->sequence = store_series(store, slot)->sequence + 1;
}

/* The family of that slot, if it is still the one with that id; else NULL. */
static inline const struct family *family_with_id(const struct store *store, uint32_t slot,
                                                  uint64_t id)
{
    const struct family *family = store_family(store, slot);
    return family != NULL && family->id == id ? family : NULL;
}

#endif
