/* drill_cycle.c: see drill_cycle.h. */
#include "drill_cycle.h"

#include "base/ensure.h"

#include <jansson.h>
#include <malloc.h>
#include <stdlib.h>

/*
 * What a cycle takes beside its payload, at most: two objects with their tables, three members, the
 * note; and the rest of a page where malloc maps a large payload.
 */
#define CYCLE_OVERHEAD_BYTES 8192

/* malloc's own, before each piece. */
#define MALLOC_HEADER_BYTES 8

struct cycle {
    struct cycle *before;
    json_t *object;
};

/* ---- jansson's memory ---- */

/* What jansson was given before; set once, before there are threads. */
static json_malloc_t wrapped_malloc;
static json_free_t wrapped_free;

/* Whose cycles this thread makes or breaks just now. jansson's hooks have no context. */
static _Thread_local struct cycles *counting;

static uint64_t cost_of(void *at)
{
    return malloc_usable_size(at) + MALLOC_HEADER_BYTES;
}

static void *take(struct cycles *cycles, size_t bytes)
{
    void *at = malloc(bytes);
    if (at != NULL)
        cycles->held_bytes += cost_of(at);
    return at;
}

static void give(struct cycles *cycles, void *at)
{
    if (at != NULL)
        cycles->held_bytes -= cost_of(at);
    free(at);
}

static void *hook_malloc(size_t bytes)
{
    return counting == NULL ? wrapped_malloc(bytes) : take(counting, bytes);
}

static void hook_free(void *at)
{
    if (counting == NULL)
        wrapped_free(at);
    else
        give(counting, at);
}

void cycles_setup(void)
{
    json_malloc_t current;
    json_free_t current_free;
    json_get_alloc_funcs(&current, &current_free);
    if (current == hook_malloc)
        return; /* or it would call itself */
    wrapped_malloc = current;
    wrapped_free = current_free;
    json_set_alloc_funcs(hook_malloc, hook_free);
}

/* ---- cycles ---- */

/* jansson refuses an object that holds itself. One in between is all it takes. */
static bool tie(json_t *object, json_t *other)
{
    return json_object_set(object, "other", other) == 0 &&
           json_object_set(other, "other", object) == 0;
}

/* The one that lets go of us holds on to the other, which goes with it. */
static void untie(json_t *object)
{
    json_t *other = json_object_get(object, "other");
    json_incref(object); /* or it would be freed in the middle of its own removal */
    if (other != NULL)
        json_object_del(other, "other");
    json_decref(object);
}

/* A cycle that nobody refers to, or NULL. The pointer that is returned is not a reference. */
static json_t *lose_cycle(size_t bytes)
{
    json_t *object = json_object();
    json_t *other = json_object();
    int blank = (int)bytes;
    bool tied = object != NULL && other != NULL &&
                json_object_set_new(object, "payload", json_sprintf("%*s", blank, "")) == 0 &&
                tie(object, other);
    if (!tied && object != NULL)
        untie(object);
    json_decref(other);
    json_decref(object);
    return tied ? object : NULL;
}

bool cycle_make(struct cycles *cycles, size_t bytes)
{
    uint64_t before = cycles->held_bytes;
    ENSURE(before <= cycles->held_max);
    if (bytes + CYCLE_OVERHEAD_BYTES > cycles->held_max - before)
        return false;
    struct cycle *cycle = take(cycles, sizeof *cycle);
    if (cycle == NULL)
        return false;
    counting = cycles;
    cycle->object = lose_cycle(bytes);
    counting = NULL;
    ENSURE(cycles->held_bytes - before <= bytes + CYCLE_OVERHEAD_BYTES);
    if (cycle->object == NULL) {
        give(cycles, cycle);
        return false;
    }
    cycle->before = cycles->latest;
    cycles->latest = cycle;
    return true;
}

uint64_t cycles_break(struct cycles *cycles)
{
    uint64_t held = cycles->held_bytes;
    counting = cycles;
    while (cycles->latest != NULL) {
        struct cycle *cycle = cycles->latest;
        cycles->latest = cycle->before;
        untie(cycle->object);
        give(cycles, cycle);
    }
    counting = NULL;
    ENSURE(cycles->held_bytes == 0);
    if (held > 0)
        malloc_trim(0); /* what is free at the top goes back to the kernel: RSS tells of it */
    return held;
}
