/*
 * world.h: an engine with everything around it that a server would be: memory for requests, a
 * clock, and a way to write all of it out.
 *
 *     malloc'ed once ──fuzz_world_init──> growth pool, scratch, batch, first block, engine
 *
 * Owner: the target. Threads: one.
 */
#ifndef TESTS_FUZZ_WORLD_H
#define TESTS_FUZZ_WORLD_H

#include "fuzz.h"

#include "engine/engine.h"
#include "memory/blocks.h"

#define FUZZ_FIRST_BLOCK_BYTES 4096

struct fuzz_world {
    struct settings settings;
    struct ledger ledger;
    struct region region;
    struct blocks growth;
    struct block_source source;
    struct arena arena;   /* of the request at hand */
    struct arena scratch; /* of the only worker */
    struct batch *batch;
    char *first_block;
    struct engine *engine;
    int64_t now_ms;
};

/* A fresh engine; memory of an earlier one is used again. */
void fuzz_world_init(struct fuzz_world *world, const struct settings *settings);

/* A request begins, and ends: all that its arena held went back. */
void fuzz_world_begin(struct fuzz_world *world);
void fuzz_world_end(struct fuzz_world *world);

/* What a push is fed with; its batches are checked and applied to the engine. */
struct intake fuzz_world_intake(struct fuzz_world *world);

/* Everything hangs together and no request holds anything: to be asked between two requests. */
void fuzz_world_verify(struct fuzz_world *world);

/* Each pool's account is what a walk over the pool finds. */
void fuzz_world_audit(struct fuzz_world *world);

/* All series, a page of `page_bytes` at a time. */
void fuzz_world_expose(struct fuzz_world *world, bool openmetrics, size_t page_bytes,
                       struct fuzz_text *text);

#endif
