/*
 * history.h: sealed windows, in three rings of bytes.
 *
 *     open windows ──seal, each windows.fine──> | fine   | 10 s, 10 s, 10 s … |
 *                                                   │ fold, before its room is needed
 *                                               | middle | 1 min, 1 min …     |
 *                                                   │ fold
 *                                               | coarse | 10 min …           |──> dropped
 *
 *     record:  | section of family 3 | section of family 7 | … | directory: family, place, cells |
 *
 * A record is what was sealed, or folded, in one go: mostly a whole window, but a window may stand
 * in several records (where a ring was too small for it, or was folded early), and who reads adds
 * them up. A record never changes; only the last tier drops. So the three tiers together hold each
 * sample once, and retention is a share of bytes.
 *
 * Everything is done in steps of some 100 us at most, so that nobody waits long for the lock: a
 * window closes for a series when sealing passes it.
 *
 * Time only rises. A forward step of the clock leaves windows without a record.
 *
 * Owner: the engine. Lifetime of a record: window. Threads: one at a time (the engine's lock).
 */
#ifndef STORE_HISTORY_H
#define STORE_HISTORY_H

#include "memory/lru.h"
#include "memory/ring.h"
#include "store/cell.h"
#include "store/series_cursor.h"
#include "store/store.h"

enum tier {
    TIER_FINE,
    TIER_MIDDLE,
    TIER_COARSE,
    TIER_COUNT,
};

/* A family's place in a record; they stand there by rising id. */
struct directory_entry {
    uint64_t family;
    uint32_t offset; /* of its section, from the record's position */
    uint32_t cells : 29;
    uint32_t kind : 3;
};

struct record {
    uint64_t serial; /* never given twice: what cached results are known by */
    int64_t start_ms;
    uint64_t begin;     /* positions in the ring: all it takes is from here */
    uint64_t position;  /* of its first section; what lies between is skipped */
    uint64_t sections_end;
    uint64_t directory;
    uint64_t end;
    uint64_t cells;
    uint32_t families;
};

/* A record being written. Nobody reads it before it is closed. */
struct open_record {
    bool is_open;
    struct record record;
    struct directory_entry *entries; /* one for each family there may be */
    uint32_t entry_max;
    struct cell_writer writer;
};

struct tier_ring {
    struct ring ring;
    struct record *records; /* a ring of them */
    uint32_t record_max;
    uint32_t first; /* the oldest */
    uint32_t count;
    uint64_t record_bytes_max; /* sealing closes a record here; a fold may come to some more */
    int64_t width_ms;
    struct open_record open;
    enum pool pool;
    uint64_t sealed;   /* records closed */
    uint64_t left;     /* records that went on to the next tier or, of the last one, were dropped */
    int64_t held_from_ms; /* windows that began before this are incomplete here, or gone */
};

#define FOLD_MAX 16 /* records folded into one at a time */

/* The oldest records of a tier, all of one window of the next, on their way there. */
struct fold {
    uint32_t count; /* 0: none is going on */
    uint32_t most;  /* of the next one */
    uint64_t family; /* id of the family at hand, 0: none */
    struct {
        uint32_t entry; /* the next one in its directory */
        bool is_reading; /* the family at hand */
        struct cell_reader reader;
    } sources[FOLD_MAX];
    void *sketch; /* of the sum of cells at hand */
};

/* Records that left with more cached results than one step drops: their turn comes. */
#define RETIRING_MAX 64

struct history {
    struct tier_ring tiers[TIER_COUNT];
    struct fold folds[TIER_COUNT - 1];
    struct {
        bool is_going_on;
        uint32_t window;       /* that is being sealed; else the one that is open */
        uint32_t next;         /* the one that is open once it is sealed */
        uint64_t id_end;       /* families that came since it was begun are left to the next */
        uint64_t family_id;    /* the last one begun, 0: none yet */
        uint32_t family;       /* its slot */
        uint64_t sequence_end; /* likewise of its series */
        struct series_cursor cursor;
        bool is_done; /* with the family */
    } seal;
    struct {
        uint64_t serials[RETIRING_MAX]; /* a ring; beyond it results grow old by themselves */
        uint32_t first;
        uint32_t count;
    } retiring;
    uint64_t next_serial;
    int64_t start_ms;         /* the window that was open at the start began then */
    uint64_t sealed_windows;
    uint64_t skipped_windows; /* that passed while none was sealed: the clock was stepped */
    struct lifetimes lifetimes; /* of records: from their window's beginning to their leaving */
    int64_t now_ms;             /* the latest that was seen */
    struct ledger *ledger;
    struct lru *cache; /* whose entries end with the record they are of; may be NULL */
};

/* What history_init takes from the region, written to the places of its pools. */
void history_plan(const struct settings *settings, uint64_t pools[static POOL_COUNT]);

void history_init(struct history *history, const struct settings *settings,
                  const struct store *store, struct lru *cache, struct ledger *ledger,
                  struct region *region);

/*
 * Does some of what is to be done at this time: seals, folds, drops. True when there is more to do
 * now: call again, and let go of the lock in between.
 */
bool history_step(struct history *history, struct store *store, int64_t now_ms);

/*
 * Is a window being sealed? Then some of its cells are in no record yet, and in no open window any
 * more: who wants both calls history_step until it is not.
 */
bool history_is_sealing(const struct history *history);

/* ---- reading ---- */

/* What a series has in the open window; the sketch is borrowed from the store. */
struct tally history_open_tally(const struct store *store, const struct series *series,
                                enum kind kind);

/* The i-th record of a tier, oldest first; i < tiers[tier].count. */
static inline const struct record *history_record(const struct history *history, enum tier tier,
                                                  uint32_t i)
{
    const struct tier_ring *ring = &history->tiers[tier];
    return &ring->records[(ring->first + i) % ring->record_max];
}

/* The first record of a tier whose window ends after `from_ms`. */
uint32_t history_find(const struct history *history, enum tier tier, int64_t from_ms);

/* The family's section of a record, false when it has none there. */
bool history_section(const struct history *history, enum tier tier, const struct record *record,
                     uint64_t family, struct section *section);

/* The i-th entry of a record's directory, and the section it says; i < record->families. */
const struct directory_entry *history_entry(const struct history *history, enum tier tier,
                                            const struct record *record, uint32_t i);
void history_section_at(const struct history *history, enum tier tier, const struct record *record,
                        uint32_t i, struct section *section);

/* How many cells that would be, 0 without one. */
uint64_t history_section_cells(const struct history *history, enum tier tier,
                               const struct record *record, uint64_t family);

/*
 * From when on this tier, with the finer ones, holds everything: data before that are in coarser
 * tiers or gone. The start of the history where nothing has left it yet.
 */
int64_t history_held_from(const struct history *history, enum tier tier);

/* Before this nothing is held, in no tier. */
int64_t history_oldest_ms(const struct history *history, const struct store *store);

/* What the rings hold, for the audit. */
uint64_t history_held(const struct history *history, enum tier tier);

void history_verify(const struct history *history);

#endif
