/* sim.c: see sim.h. Windows, ticks, the lives of the service, and where a failure ends. */
#include "sim.h"

#include "batch.h"
#include "checks.h"
#include "questions.h"

#include "base/ensure.h"
#include "ingest/json_element.h"
#include "memory/poison.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define HOUR_MS INT64_C(3600000)
#define MEMORY_BYTES ((size_t)24 << 20) /* more than any of the plans takes */
#define JSON_SEED 0x5eed                /* of jansson's tables, once for the process */

/* ---- the end, where something is wrong ---- */

static const struct sim *the_sim; /* for ensure_failed, which is told nothing */

_Noreturn void sim_fail(const struct sim *sim, const char *format, ...)
{
    va_list arguments;
    long long minutes = (long long)(sim->clock.monotonic_us / 60000000);
    fflush(stdout);
    fprintf(stderr, "%s %s0x%llx %llu: tick %llu, hour %lld:%02lld, life %llu: ", batch_program,
            sim->is_all ? "--all " : "", (unsigned long long)sim->seed,
            (unsigned long long)sim->hours, (unsigned long long)sim->ticks, minutes / 60,
            minutes % 60, (unsigned long long)sim->life);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    abort();
}

_Noreturn void ensure_failed(const char *condition, const char *file, int line)
{
    sim_fail(the_sim, "ENSURE failed: %s (%s:%d)", condition, file, line);
}

/* ---- a life of the service ---- */

static void make_plan(struct sim *sim, const struct settings *before)
{
    char problem[512] = "";
    struct settings *settings = &sim->options.settings;
    struct plan_world world = {
        .code_bytes = 1 << 20,
        .cpus = 1,
        .memory_limit = UINT64_MAX,
        .connection_bytes = sizeof(struct connection),
        .worker_bytes = sizeof(struct worker),
    };
    if (sim->is_all)
        swarm_settings_all(settings);
    else
        swarm_settings(&sim->swarm, &sim->random, before, settings);
    if (plan_make(&sim->plan, settings, &world, problem, sizeof problem) != PLAN_FITS)
        sim_fail(sim, "%s", problem);
    REQUIRE(sim, sim->plan.parts[PLAN_REGION] <= MEMORY_BYTES);
}

/* service_init ENSUREs that the region is used to the byte. */
static void begin_life(struct sim *sim)
{
    struct settings before = sim->plan.settings;
    make_plan(sim, sim->life > 0 ? &before : NULL);
    size_t bytes = sim->plan.parts[PLAN_REGION];
    UNPOISON(sim->memory, bytes);
    memset(sim->memory, 0, bytes);
    region_init(&sim->region, sim->memory, bytes);
    memset(&sim->service, 0, sizeof sim->service);
    clock_init(&sim->service.clock);
    log_init(&sim->service.log, 0);
    service_init(&sim->service, &sim->options, &sim->plan, sim_below(sim, UINT64_MAX),
                 &sim->region);
    service_open(&sim->service);
    sim->ticker = (struct ticker){.service = &sim->service};
    sim->engine = sim->service.engine;
    sim->settings = sim->service.settings;
    sim->life_start_ms = sim->service.start_ms;
    sim->told = (struct told){0};
    sim->applied = 0;
    sim->life++;
}

/* Everything is asked to be empty, and all is counted up. */
static void end_life(struct sim *sim)
{
    if (sim_below(sim, 2) == 0)
        clients_cut_off(sim);
    else
        clients_drain(sim);
    checks_when_quiet(sim);
    checks_deep(sim);
    happened_take(sim);
    model_end(&sim->model);
}

/* ---- ticks ---- */

static void tick(struct sim *sim)
{
    sim->ticks++;
    sim->is_ticking = true;
    HAPPEN(sim, TICKS);
    ticker_tick(&sim->ticker, 0); /* 0: a turn in which everything is looked at */
    sim->is_ticking = false;
    checks_after_tick(sim);
}

void sim_meddle(struct sim *sim)
{
    engine_step(sim->engine, sim_now_ms(sim));
}

static void pass_ms(struct sim *sim, uint64_t at_most)
{
    world_pass(sim, (int64_t)sim_below(sim, at_most * 1000 + 1));
}

static void steps_of_clients(struct sim *sim, uint64_t most)
{
    for (uint64_t steps = sim_below(sim, most); steps > 0 && clients_step(sim); steps--)
        continue;
}

void sim_let_others(struct sim *sim)
{
    /* while a window is half sealed, and others could come often, they do */
    bool is_sealing = sim->is_ticking && history_is_sealing(&sim->engine->history);
    uint64_t one_in = sim->swarm.others_one_in;
    if (sim->inside > 0 || !sim_one_in(sim, is_sealing && one_in > 2 ? 2 : one_in))
        return;
    sim_enter(sim);
    HAPPEN(sim, INTERRUPTED);
    switch (is_sealing ? 2 + sim_below(sim, 2) : sim_below(sim, 6)) {
    case 0:
        pass_ms(sim, sim_one_in(sim, 8) ? sim->swarm.window_ms : 100);
        break;
    case 1:
        if (!sim->is_ticking)
            tick(sim);
        break;
    case 2:
        if (is_sealing && sim->swarm.question_one_in != 0)
            questions_ask_random(sim, false);
        break;
    default:
        steps_of_clients(sim, 8);
        break;
    }
    sim_leave(sim);
}

/* ---- windows ---- */

static void fault_clock(struct sim *sim)
{
    const struct swarm *swarm = &sim->swarm;
    if (sim_one_in(sim, swarm->forward_one_in)) {
        HAPPEN(sim, STEPS_FORWARD);
        world_step(sim, (int64_t)sim_below(sim, 4 * HOUR_MS));
    }
    if (sim_one_in(sim, swarm->back_one_in)) {
        HAPPEN(sim, STEPS_BACK);
        world_step(sim, -(int64_t)sim_below(sim, 2 * HOUR_MS));
    }
    if (sim_one_in(sim, swarm->stall_one_in)) {
        HAPPEN(sim, STALLS);
        pass_ms(sim, 2 * HOUR_MS);
    }
}

static void restart(struct sim *sim)
{
    end_life(sim);
    begin_life(sim);
}

static void ask(struct sim *sim)
{
    if (sim_one_in(sim, sim->swarm.question_one_in))
        questions_ask_random(sim, false);
    if (sim_one_in(sim, sim->swarm.dashboard_one_in))
        questions_ask_dashboard(sim, (unsigned)sim_below(sim, 3));
}

/* Clients come, and go on a little; the ticker has its turn now and then. */
static void serve(struct sim *sim, uint64_t clients, bool storm)
{
    uint64_t pause_ms = sim->swarm.window_ms / 4 / (clients + 1);
    for (; clients > 0; clients--) {
        clients_begin(sim, storm);
        steps_of_clients(sim, 24);
        if (sim_one_in(sim, 4))
            pass_ms(sim, pause_ms);
        if (sim_one_in(sim, 16))
            tick(sim);
    }
}

/* Everybody has gone. */
static void rest(struct sim *sim)
{
    clients_drain(sim);
    checks_when_quiet(sim);
}

static void run_window(struct sim *sim)
{
    const struct swarm *swarm = &sim->swarm;
    int64_t width_ms = (int64_t)swarm->window_ms;
    int64_t end_ms = (sim_now_ms(sim) / width_ms + 1) * width_ms;
    if (sim_one_in(sim, swarm->meddled_one_in))
        questions_ask_random(sim, true); /* and the window before is sealed meanwhile */
    tick(sim);
    serve(sim, sim_one_in(sim, 10) ? 0 : sim_below(sim, swarm->clients + 1), false);
    if (sim_one_in(sim, swarm->storm_one_in))
        serve(sim, 4, true);
    if (sim_one_in(sim, swarm->heavy_one_in))
        serve(sim, 20, true);
    ask(sim);
    if (sim_one_in(sim, 2))
        rest(sim);
    if (sim_now_ms(sim) < end_ms)
        world_pass(sim, (end_ms - sim_now_ms(sim)) * 1000);
    fault_clock(sim);
}

static void begin(struct sim *sim, const struct batch_run *run)
{
    *sim = (struct sim){
        .seed = run->seed,
        .hours = run->hours,
        .is_all = run->is_all,
        .random = {run->seed},
        .memory = sim->memory,
    };
    the_sim = sim;
    world_begin(sim);
    if (run->is_all)
        swarm_choose_all(&sim->swarm);
    else
        swarm_choose(&sim->swarm, &sim->random);
    begin_life(sim);
}

struct happened sim_run(const struct batch_run *run)
{
    static struct sim sim;
    sim.memory = aligned_alloc(REGION_ALIGN, MEMORY_BYTES);
    if (sim.memory == NULL)
        abort();
    json_element_setup(JSON_SEED);
    begin(&sim, run);
    int64_t end_us = (int64_t)run->hours * HOUR_MS * 1000;
    for (uint64_t window = 1; sim.clock.monotonic_us < end_us; window++) {
        run_window(&sim);
        if (window % sim.swarm.deep_each == 0)
            checks_deep(&sim);
        if (sim_one_in(&sim, sim.swarm.restart_one_in))
            restart(&sim);
    }
    end_life(&sim);
    clients_end(&sim.clients);
    free(sim.memory);
    return sim.happened;
}
