/*
 * sim.h: days of traffic through the engine, checked against a plain model.
 *
 *     clock ──> traffic.c ──samples──> engine ──────> questions.c: is the answer right?
 *       │           └────────────────> model.c: a log ──────┘
 *       └─────> ticks, some of them in the middle of something
 *
 * Pools and rings are small, so that in a day everything is full, wraps around, is folded,
 * recycled, expired, deleted and evicted many times; at the end it is asked whether all of that
 * happened. Time is simulated: no run depends on the machine.
 *
 * A run is its seed. The first thing that is not right ends it with one line that says the seed and
 * the tick: `sim 0x5eed 3` runs the same three days again.
 *
 * Owner: main. Lifetime: process. Threads: one.
 */
#ifndef TESTS_SIM_SIM_H
#define TESTS_SIM_SIM_H

#include "base/random.h"
#include "engine/engine.h"

#include "model.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* That it happened, for the end; what the engine counts itself is not in here. */
struct sim_figures {
    uint64_t samples;
    uint64_t conflicts;
    uint64_t questions; /* dashboards included */
    uint64_t dashboards;
    uint64_t points; /* compared with the model, and there was something */
    uint64_t nulls;
    uint64_t over_tiers;  /* questions of a coarser tier than the finest */
    uint64_t half_sealed; /* questions asked while a window was half sealed */
    uint64_t meddled;     /* questions in between whose steps others did something */
    uint64_t tears;
    uint64_t open_again;
    uint64_t outdated; /* plans that were begun anew */
    uint64_t behind;   /* samples of series that sealing had passed */
    uint64_t repeated; /* of a dashboard, where the misses were known beforehand */
    uint64_t approximate;
    uint64_t refused;
    uint64_t hits;
    uint64_t misses;
    uint64_t lost_bounds;
    uint64_t arena_peak;
};

struct sim {
    uint64_t seed;
    struct random random;
    int64_t now_ms;    /* by the clock */
    int64_t behind_ms; /* how much older the time is that requests bring, now and then */
    bool is_heavy;     /* the window that ends has more than a step seals */
    uint64_t ticks;
    struct settings settings;
    struct ledger ledger;
    struct region region;
    struct engine *engine;
    struct model model;
    struct sim_figures figures;
};

/* One line on stderr, and the end. */
_Noreturn __attribute__((format(printf, 2, 3))) void sim_fail(const struct sim *sim,
                                                              const char *format, ...);

#define REQUIRE(sim, condition)                                                                    \
    ((condition) ? (void)0 : sim_fail((sim), "%s:%d: %s", __FILE__, __LINE__, #condition))

static inline uint64_t sim_below(struct sim *sim, uint64_t bound)
{
    return random_below(&sim->random, bound);
}

static inline bool sim_one_in(struct sim *sim, uint64_t bound)
{
    return sim_below(sim, bound) == 0;
}

/* The time that a request brings. */
int64_t sim_request_ms(struct sim *sim);

/* A step of sealing or folding between two slices of a question, as others take the lock then. */
void sim_meddle(struct sim *sim);

#endif
