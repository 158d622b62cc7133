/*
 * sim.h: days of a service in seconds, from a seed: its clock, its clients and their faults.
 *
 *     seed ──> swarm.c: what is on, how often, settings
 *       │
 *     world.c: time ──> ticks ──> service (server/, lib/) <── clients.c: requests, in pieces
 *                                     │  each sample               └── traffic.c: bodies
 *                                     v
 *                     checks.c     model.c: a log ──> questions.c: is the answer right?
 *
 * It is the server's own code: its plan and its region, its requests and routes, its ticker; all
 * but main, libmicrohttpd and threads. world.c stands in for the system, clients.c for http.c. What
 * threads would do at the same time is done where one could come between: before each lock, and in
 * the pauses of the ticker. Pools, rings and limits are tiny, so that all of them are met.
 *
 * There is no live reload in the service: settings are read once, at start. So what changes them
 * here is a restart: clients are cut off, everything is asked to be empty, and another service
 * begins in the same memory with other settings, and with nothing in it.
 *
 * After each tick checks.c compares the ledger with the pools and the figures with what was sent;
 * now and then everything is walked over and held against the log.
 *
 *     sim [SEED [HOURS]]              one swarm; 72 hours
 *     sim --seeds FIRST COUNT [HOURS] so many, on all CPUs; says what has happened in all of them
 *     sim --cover FIRST COUNT [HOURS] the same, and what never happened is a failure
 *     sim --all [SEED [HOURS]]        nothing is off, and questions are asked all the time
 *
 * A run is its seed: time is simulated, and nothing depends on the machine. The first thing that is
 * not right ends it with one line that can be pasted: `sim 0x5eed 72: tick 812, …`.
 *
 * Owner: main. Lifetime: process. Threads: one.
 */
#ifndef TESTS_SIM_SIM_H
#define TESTS_SIM_SIM_H

#include "base/random.h"
#include "engine/engine.h"

#include "clients.h"
#include "happened.h"
#include "model.h"
#include "swarm.h"
#include "world.h"

#include "../../server/options.h"
#include "../../server/ticker.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* What reports and replies have said, to be compared with what the service counts itself. */
struct told {
    uint64_t accepted;
    uint64_t rejected;
};

struct sim {
    uint64_t seed;
    uint64_t hours;
    bool is_all;
    struct random random;
    struct swarm swarm;
    struct world_clock clock;
    uint64_t ticks;
    bool is_ticking;
    unsigned inside; /* of something that others must not come into */

    /* A life of the service. */
    uint64_t life; /* from 1 on */
    struct options options;
    struct plan plan;
    char *memory; /* of all lives */
    struct region region;
    struct service service;
    struct ticker ticker;
    struct engine *engine;
    const struct settings *settings;
    int64_t life_start_ms;
    struct clients clients;
    struct model model;
    struct told told;
    uint64_t applied; /* samples, as the model saw them */
    uint64_t queries; /* asked by clients: what one has cached may be of use to others */

    struct happened happened;
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

/* Chances of a swarm: 0 is never. */
static inline bool sim_one_in(struct sim *sim, uint64_t bound)
{
    return bound != 0 && sim_below(sim, bound) == 0;
}

/* The service's time. */
static inline int64_t sim_now_ms(const struct sim *sim)
{
    return clock_now_ms(&sim->service.clock);
}

/* Here somebody else may come first: a client, the clock, the ticker. Now and then one does. */
void sim_let_others(struct sim *sim);

/* Nobody does between these two. */
static inline void sim_enter(struct sim *sim)
{
    sim->inside++;
}

static inline void sim_leave(struct sim *sim)
{
    sim->inside--;
}

/* A step of sealing or folding between two slices of a question, as others take the lock then. */
void sim_meddle(struct sim *sim);

#endif
