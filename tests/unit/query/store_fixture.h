/*
 * store_fixture.h: a small store to ask questions of, and an arena to ask them from.
 *
 * All memory is static or in the world's region: the suites run one test at a time.
 */
#ifndef TESTS_UNIT_QUERY_STORE_FIXTURE_H
#define TESTS_UNIT_QUERY_STORE_FIXTURE_H

#include "query/sweep.h"
#include "store/store.h"
#include "support.h"

#include <check.h>

#define FIXTURE_ARENA_BYTES ((size_t)512 << 10)

struct store_fixture {
    struct test_world world;
    struct store store;
    struct arena arena;
    int64_t now_ms;
    _Alignas(ARENA_ALIGN) char memory[FIXTURE_ARENA_BYTES];
};

/* With the settings of the world, which the test may have changed since test_world_init. */
static inline void fixture_store_init(struct store_fixture *fixture)
{
    fixture->now_ms = 0;
    store_init(&fixture->store, &fixture->world.settings, TEST_SEED, 0, &fixture->world.ledger,
               &fixture->world.region);
    arena_init(&fixture->arena, fixture->memory, sizeof fixture->memory, sizeof fixture->memory,
               NULL);
}

static inline void fixture_init(struct store_fixture *fixture)
{
    test_world_init(&fixture->world, (size_t)4 << 20);
    fixture_store_init(fixture);
}

static inline void fixture_end(struct store_fixture *fixture)
{
    store_verify(&fixture->store);
    UNPOISON(fixture->memory, sizeof fixture->memory);
    test_world_end(&fixture->world);
}

/* True when the sample went to an overflow series. */
static inline bool fixture_apply(struct store_fixture *fixture, enum kind kind, const char *text)
{
    struct store_outcome outcome = {0};
    struct sample sample = test_sample(kind, text);
    enum status status = store_apply(&fixture->store, &sample, fixture->now_ms, &outcome);
    ck_assert_msg(status == STATUS_OK, "%s: %s", text, status_code(status));
    return outcome.overflowed;
}

/*
 * The slot of the only series that this sample, applied before, can have gone to; SLOT_NONE when
 * there is none.
 */
static inline uint32_t fixture_find(const struct store_fixture *fixture, enum kind kind,
                                    const char *text)
{
    struct sample sample = test_sample(kind, text);
    for (uint32_t slot = 0; slot < fixture->store.series.fresh; slot++) {
        const struct series *series = store_series(&fixture->store, slot);
        if (series != NULL && series->fingerprint == sample.fingerprint)
            return slot;
    }
    return SLOT_NONE;
}

#endif
