/*
 * test_store_model.c: the store beside a model with memory without end, which is told only what the
 * store's header says.
 *
 *     random samples of all kinds, hostile cardinality, expiry, deletion, a clock that leaps
 *        ├──> the store, small
 *        └──> the model: every series of its own, every sum an integer
 *
 * The model does not guess whom the store recycles. It looks who is gone, asks whether that was
 * allowed (idle for long enough, the longest idle first, and only where there was no room), and
 * then holds the store to its books:
 *
 *     sent  ==  live series + overflow series + recycled sums + what was deleted or ended
 *
 * for each kind, exactly: values are integers, far below 2^53. Now and then a window is sealed, as
 * the history would: what was sealed, and what is open, come to the same.
 */
#include "base/random.h"
#include "store/classic.h"
#include "store/histogram.h"
#include "store/store.h"
#include "store/unique.h"
#include "support.h"

#include <check.h>
#include <stdlib.h>

Suite *store_model_suite(void);

#define WINDOW_MS 10000
#define IDLE_MIN 30000
#define EXPIRE_AFTER 120000
#define STEPS 12000
#define SERIES_MAX 1024 /* that the model can hold live; more than any shape allows */
#define FAMILIES_MAX 96 /* live at once */
#define TEXT_MAX 1024
#define BOUNDS 6        /* that a child may draw from: 0 .. 5 */
#define HELD_WINDOWS 20 /* how far back the history holds cells */

/* ---- the model ---- */

/* Each bound of a classic histogram by itself. */
struct plain_buckets {
    bool begun;
    bool has[BOUNDS]; /* all pushes had it */
    double totals[BOUNDS];
    double open[BOUNDS];
};

/* What a series, or an overflow series, should have come to. */
struct tally {
    uint64_t count;
    double sum;
    double observed;
    double last;
    int64_t last_ms;
    struct open_window open;
    double open_observed;
    struct plain_buckets buckets;
    struct histogram histogram;
    struct unique set;
};

struct plain_series {
    bool live;
    uint32_t slot;
    uint32_t generation;
    uint32_t family; /* of the model */
    char *labels;
    int64_t seen_ms; /* by the wall clock, when its last sample was applied */
    struct tally tally;
};

struct plain_family {
    bool live;
    uint32_t slot;
    uint32_t generation;
    enum kind kind;
    char name[64];
    uint64_t series_count;
    double retired; /* since it last had no series */
    double retired_values;
    uint64_t retired_count;
    uint64_t overflowed;
    uint64_t lost_bounds;
    uint64_t ended;
    uint64_t id;
    uint32_t sealed_window; /* the last one it had a cell in */
    int64_t overflow_ms;    /* when the overflow series last took something */
    struct tally overflow;
};

static struct {
    struct plain_series series[SERIES_MAX];
    struct plain_family families[FAMILIES_MAX];
    uint64_t series_count;
    double sent[KIND_COUNT]; /* sums of values */
    double gone[KIND_COUNT]; /* deleted, or ended with its family */
    uint64_t overflowed;
    uint64_t recycled;
    uint64_t expired;
    uint64_t deleted;
    uint64_t lost_bounds;
    uint64_t conflicts;
    uint64_t gave_way; /* vacant families that ended though history had cells of them */
    uint64_t vacant_seen;
    uint64_t unhoused; /* samples whose family had no room */
    double ended_sum;  /* what families that are gone had retired or taken as overflow */
    double ended_values;
    uint64_t ended_series;
} model;

static struct settings settings;
static struct test_world world;
static struct store store;
static struct random draw;
static int64_t now_ms;

static uint32_t below(uint64_t bound)
{
    return (uint32_t)random_below(&draw, bound);
}

/* Only of these is there a sum to conserve. */
static bool has_sum(enum kind kind)
{
    return kind != KIND_GAUGE && kind != KIND_SET;
}

/* Values observed, which are told of what has a _count. */
static double tally_values(const struct tally *tally, enum kind kind)
{
    if (kind == KIND_HISTOGRAM)
        return (double)tally->count;
    return kind == KIND_CLASSIC || kind == KIND_SUMMARY ? tally->observed : 0;
}

static void tally_init(struct tally *tally)
{
    memset(tally, 0, sizeof *tally);
    histogram_init(&tally->histogram);
    unique_init(&tally->set);
}

static bool is_child(const struct sample *sample)
{
    return sample->kind == KIND_CLASSIC || sample->kind == KIND_SUMMARY;
}

static double sum_of(const struct sample *sample)
{
    if (is_child(sample))
        return sample->child->has_sum ? sample->child->sum : 0;
    return sample->value;
}

/* Returns how many bounds were lost. */
static uint64_t buckets_add(struct plain_buckets *buckets, const struct child *child)
{
    bool has[BOUNDS] = {false};
    uint64_t lost = 0;
    for (uint32_t i = 0; i < child->bound_count; i++) {
        int bound = (int)child->bounds[i];
        has[bound] = true;
        buckets->totals[bound] += child->counts[i];
        buckets->open[bound] += child->counts[i];
    }
    for (int i = 0; i < BOUNDS; i++) {
        lost += buckets->begun && has[i] != buckets->has[i];
        buckets->has[i] = has[i] && (buckets->has[i] || !buckets->begun);
    }
    buckets->begun = true;
    return lost;
}

/* Sum and count without buckets are a histogram that has +Inf alone. */
static uint64_t child_add(struct tally *tally, const struct child *child, enum kind kind)
{
    bool is_whole = child->has_buckets || (child->has_count && child->has_sum);
    if (child->has_count && (is_whole || !tally->buckets.begun)) {
        tally->observed += child->count;
        tally->open_observed += child->count;
    }
    return is_whole && kind == KIND_CLASSIC ? buckets_add(&tally->buckets, child) : 0;
}

static void open_add(struct open_window *open, double value)
{
    open->min = open->count == 0 || value < open->min ? value : open->min;
    open->max = open->count == 0 || value > open->max ? value : open->max;
    open->sum += value;
    open->count++;
}

static void last_add(struct tally *tally, const struct sample *sample, int64_t at_ms)
{
    int64_t time_ms = at_ms;
    if (sample->timestamp_ms != TIMESTAMP_NONE && sample->timestamp_ms < at_ms)
        time_ms = sample->timestamp_ms;
    if (tally->count > 1 && time_ms < tally->last_ms)
        return;
    tally->last = sample->value;
    tally->last_ms = time_ms;
}

/* Returns how many bounds were lost. */
static uint64_t tally_add(struct tally *tally, const struct sample *sample, int64_t at_ms)
{
    uint64_t lost = 0;
    tally->count++;
    if (sample->kind == KIND_SET) {
        unique_add(&tally->set, sample->member);
        tally->open.count++;
        return 0;
    }
    if (is_child(sample)) {
        lost = child_add(tally, sample->child, (enum kind)sample->kind);
        tally->open.count++;
        tally->open.sum += sum_of(sample);
    } else {
        open_add(&tally->open, sample->value);
    }
    if (sample->kind == KIND_HISTOGRAM)
        histogram_observe(&tally->histogram, sample->value);
    if (has_sum((enum kind)sample->kind))
        tally->sum += sum_of(sample);
    if (sample->kind == KIND_GAUGE)
        last_add(tally, sample, at_ms);
    return lost;
}

static void tally_seal(struct tally *tally)
{
    tally->open = (struct open_window){0};
    tally->open_observed = 0;
    memset(tally->buckets.open, 0, sizeof tally->buckets.open);
    histogram_seal(&tally->histogram);
    unique_seal(&tally->set);
}

/* ---- names ---- */

static bool takes_part(enum kind kind, const char *suffix)
{
    if (kind == KIND_SUMMARY)
        return strcmp(suffix, "_sum") == 0 || strcmp(suffix, "_count") == 0;
    return kind == KIND_CLASSIC || kind == KIND_HISTOGRAM;
}

static struct plain_family *family_named(const char *name)
{
    for (int i = 0; i < FAMILIES_MAX; i++) {
        if (model.families[i].live && strcmp(model.families[i].name, name) == 0)
            return &model.families[i];
    }
    return NULL;
}

static bool is_vacant(const struct plain_family *family)
{
    return family->series_count == 0 && family->overflow.count == 0;
}

static bool is_in_the_way(const struct plain_family *family)
{
    return family != NULL && !is_vacant(family);
}

/* Would this family's name stand for part of another's, or the other way round? */
static bool clashes(const char *name, enum kind kind)
{
    static const char *const suffixes[] = {"_bucket", "_sum", "_count"};
    for (size_t i = 0; i < COUNT_OF(suffixes); i++) {
        char other[80];
        snprintf(other, sizeof other, "%s%s", name, suffixes[i]);
        if (takes_part(kind, suffixes[i]) && is_in_the_way(family_named(other)))
            return true;
        if (!bytes_end_with(bytes_of(name), bytes_of(suffixes[i])))
            continue;
        snprintf(other, sizeof other, "%.*s", (int)(strlen(name) - strlen(suffixes[i])), name);
        const struct plain_family *base = family_named(other);
        if (is_in_the_way(base) && takes_part(base->kind, suffixes[i]))
            return true;
    }
    return false;
}

/* ---- who is there ---- */

static bool is_there(const struct slots *slots, uint32_t slot, uint32_t generation)
{
    return slots_is_live(slots, slot) && slots_generation(slots, slot) == generation;
}

static struct plain_series *series_find(const struct plain_family *family, struct bytes labels)
{
    for (int i = 0; i < SERIES_MAX; i++) {
        struct plain_series *series = &model.series[i];
        if (series->live && &model.families[series->family] == family &&
            bytes_equal(bytes_of(series->labels), labels))
            return series;
    }
    return NULL;
}

static struct plain_family *family_enter(uint32_t slot, const char *name, enum kind kind)
{
    for (int i = 0; i < FAMILIES_MAX; i++) {
        struct plain_family *family = &model.families[i];
        if (family->live)
            continue;
        memset(family, 0, sizeof *family);
        family->live = true;
        family->slot = slot;
        family->generation = slots_generation(&store.families, slot);
        family->kind = kind;
        snprintf(family->name, sizeof family->name, "%s", name);
        family->id = store_family(&store, slot)->id;
        tally_init(&family->overflow);
        return family;
    }
    ck_abort_msg("more families than the limit");
    return NULL;
}

static void series_enter(struct plain_family *family, const struct sample *sample)
{
    struct bytes labels = sample_labels(sample);
    uint32_t slot = test_series_find(&store, family->slot, labels);
    CHECK_THAT(slot != SLOT_NONE);
    for (int i = 0; i < SERIES_MAX; i++) {
        struct plain_series *series = &model.series[i];
        if (series->live)
            continue;
        series->live = true;
        series->slot = slot;
        series->generation = slots_generation(&store.series, slot);
        series->family = (uint32_t)(family - model.families);
        series->labels = strndup(labels.at, labels.length);
        tally_init(&series->tally);
        family->series_count++;
        model.series_count++;
        return;
    }
    ck_abort_msg("more series than the limit");
}

static void series_leave(struct plain_series *series)
{
    series->live = false;
    free(series->labels);
    model.families[series->family].series_count--;
    model.series_count--;
}

/* ---- who is gone, and was that right ---- */

/* What was retired of a family that nobody sees any more is told for all such families. */
static void family_tell_ended(struct plain_family *family)
{
    model.gone[family->kind] += has_sum(family->kind) ? family->retired : 0;
    model.ended_sum += family->retired;
    model.ended_values += family->retired_values;
    model.ended_series += family->retired_count;
    family->retired = 0;
    family->retired_values = 0;
    family->retired_count = 0;
}

/*
 * A family ends with its last series, unless its overflow series holds a total; that one expires.
 * While windows that are held have cells of it, it ends only to make room, or way.
 */
static void families_reap(void)
{
    for (int i = 0; i < FAMILIES_MAX; i++) {
        struct plain_family *family = &model.families[i];
        if (!family->live)
            continue;
        if (is_there(&store.families, family->slot, family->generation)) {
            if (is_vacant(family))
                family_tell_ended(family);
            continue;
        }
        CHECK_THAT(family->series_count == 0);
        CHECK_THAT(is_vacant(family) || now_ms - family->overflow_ms > EXPIRE_AFTER);
        if (family->sealed_window != 0 && family->sealed_window >= store.history_floor) {
            CHECK_THAT(is_vacant(family));
            model.gave_way++;
        }
        model.gone[family->kind] += has_sum(family->kind) ? family->overflow.sum : 0;
        model.ended_sum += family->overflow.sum;
        model.ended_values += tally_values(&family->overflow, family->kind);
        family_tell_ended(family);
        family->live = false;
    }
}

static enum series_class class_of_kind(enum kind kind)
{
    switch (kind) {
    case KIND_HISTOGRAM:
        return CLASS_HISTOGRAM;
    case KIND_CLASSIC:
        return CLASS_BUCKETS;
    case KIND_SET:
        return CLASS_SET;
    default:
        return CLASS_PLAIN;
    }
}

static enum series_class class_of(const struct plain_series *series)
{
    return class_of_kind(model.families[series->family].kind);
}

/*
 * Takes out of the model who is gone from the store; returns how many. Each was idle for `idle` at
 * least.
 */
static uint64_t series_reap(int64_t idle, int64_t newest_ms[CLASS_COUNT])
{
    uint64_t count = 0;
    for (int class = 0; class < CLASS_COUNT; class ++)
        newest_ms[class] = INT64_MIN;
    for (int i = 0; i < SERIES_MAX; i++) {
        struct plain_series *series = &model.series[i];
        if (!series->live || is_there(&store.series, series->slot, series->generation))
            continue;
        struct plain_family *family = &model.families[series->family];
        enum series_class class = class_of(series);
        CHECK_THAT(now_ms - series->seen_ms >= idle);
        if (series->seen_ms > newest_ms[class])
            newest_ms[class] = series->seen_ms;
        family->retired += series->tally.sum;
        family->retired_values += tally_values(&series->tally, family->kind);
        family->retired_count++;
        family->ended++;
        series_leave(series);
        count++;
    }
    return count;
}

/* Nobody of a class was passed over who was idle for a window longer than one that had to go. */
static void check_longest_idle_went(const int64_t newest_ms[CLASS_COUNT], bool across_classes)
{
    int64_t newest = INT64_MIN;
    for (int class = 0; class < CLASS_COUNT; class ++)
        newest = newest_ms[class] > newest ? newest_ms[class] : newest;
    for (int i = 0; i < SERIES_MAX; i++) {
        const struct plain_series *series = &model.series[i];
        if (!series->live)
            continue;
        int64_t gone_ms = across_classes ? newest : newest_ms[class_of(series)];
        CHECK_THAT(gone_ms == INT64_MIN || series->seen_ms > gone_ms - WINDOW_MS);
    }
}

/* ---- a sample ---- */

struct before {
    uint64_t recycled;
    uint64_t unhoused;
    uint64_t refusals;
    uint64_t evicted;
    uint32_t free_blocks;
    uint32_t free_sketches;
    bool had_family;
};

static const enum pool store_pools[] = {POOL_FAMILIES, POOL_SERIES, POOL_LABELS, POOL_HISTOGRAMS,
                                        POOL_BUCKETS,  POOL_SETS,   POOL_INDEX};

static uint64_t all_refusals(void)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < COUNT_OF(store_pools); i++)
        sum += ledger_figures(&world.ledger, store_pools[i]).refusals;
    return sum;
}

static struct before before_of(const struct sample *sample, bool had_family)
{
    struct before before = {
        .recycled = store.recycled_series,
        .unhoused = store.overflowed_families,
        .refusals = all_refusals(),
        .evicted = store.evicted_families,
        .free_blocks = store.labels.free_count,
        .free_sketches = UINT32_MAX,
        .had_family = had_family,
    };
    if (sample->kind == KIND_HISTOGRAM)
        before.free_sketches = slots_free_count(&store.histograms);
    if (sample->kind == KIND_CLASSIC)
        before.free_sketches = slots_free_count(&store.buckets);
    if (sample->kind == KIND_SET)
        before.free_sketches = slots_free_count(&store.sets);
    return before;
}

/*
 * Somebody who could have made room for one series: idle for long enough, to be safe by two
 * windows.
 */
static bool somebody_was_idle(enum kind kind, bool sketch)
{
    for (int i = 0; i < SERIES_MAX; i++) {
        const struct plain_series *series = &model.series[i];
        if (series->live && now_ms - series->seen_ms >= IDLE_MIN + 2 * WINDOW_MS &&
            (!sketch || class_of(series) == class_of_kind(kind)))
            return true;
    }
    return false;
}

/*
 * A sample of a family that is there overflowed: something was lacking, it was counted, and nobody
 * paid for it.
 */
static void check_overflow_was_due(const struct sample *sample, const struct before *before)
{
    uint32_t blocks = label_blocks_for(sample->labels_length);
    bool no_series = model.series_count >= settings.series_max;
    bool no_blocks = before->free_blocks < blocks;
    bool no_sketch = before->free_sketches == 0;
    CHECK_THAT(all_refusals() > before->refusals);
    if (!before->had_family || store.evicted_families > before->evicted)
        return; /* the family itself took some of the room */
    CHECK_THAT(no_series || no_blocks || no_sketch);
    CHECK_THAT(store.recycled_series == before->recycled);
    CHECK_THAT(no_blocks || !somebody_was_idle((enum kind)sample->kind, no_sketch));
}

static void check_recycling(const struct sample *sample, const struct before *before)
{
    int64_t newest_ms[CLASS_COUNT];
    uint64_t gone = series_reap(IDLE_MIN, newest_ms);
    CHECK_THAT(gone == store.recycled_series - before->recycled);
    if (gone == 0)
        return;
    model.recycled += gone;
    bool sketch = before->free_sketches <= 1;
    check_longest_idle_went(newest_ms,
                            !sketch && class_of_kind((enum kind)sample->kind) == CLASS_PLAIN);
}

static void count_lost(struct plain_family *family, uint64_t lost)
{
    family->lost_bounds += lost;
    model.lost_bounds += lost;
}

static void overflow_add(struct plain_family *family, const struct sample *sample, int64_t at_ms)
{
    if (has_sum((enum kind)sample->kind))
        model.sent[sample->kind] += sum_of(sample);
    count_lost(family, tally_add(&family->overflow, sample, at_ms));
    family->overflowed += sample->lines;
    family->overflow_ms = now_ms;
    model.overflowed += sample->lines;
}

static void series_add(struct plain_family *family, const struct sample *sample, int64_t at_ms)
{
    struct bytes labels = sample_labels(sample);
    struct plain_series *series = series_find(family, labels);
    if (series == NULL) {
        series_enter(family, sample);
        series = series_find(family, labels);
    }
    series->seen_ms = now_ms;
    count_lost(family, tally_add(&series->tally, sample, at_ms));
    if (has_sum((enum kind)sample->kind))
        model.sent[sample->kind] += sum_of(sample);
}

static const char *const overflow_names[KIND_COUNT] = {
    "mayfly_overflow_total",
    "mayfly_overflow_gauge",
    "mayfly_overflow_histogram",
    "mayfly_overflow_set",
    "mayfly_overflow_classic_histogram",
    "mayfly_overflow_summary",
};

/* The family in the model that took the sample: its own, a new one, or the overflow family. */
static struct plain_family *family_taking(const struct sample *sample, const char *name,
                                          const struct before *before)
{
    struct plain_family *family = family_named(name);
    uint32_t slot = test_family_find(&store, bytes_of(name));
    if (slot == SLOT_NONE) {
        CHECK_THAT(store.overflowed_families == before->unhoused + sample->lines);
        model.unhoused += sample->lines;
        return family_named(overflow_names[sample->kind]);
    }
    CHECK_THAT(store.overflowed_families == before->unhoused);
    return family != NULL ? family : family_enter(slot, name, (enum kind)sample->kind);
}

static void take(const struct sample *sample, const char *name, bool overflowed, int64_t at_ms,
                 const struct before *before)
{
    check_recycling(sample, before);
    families_reap();
    struct plain_family *family = family_taking(sample, name, before);
    if (overflowed) {
        check_overflow_was_due(sample, before);
        overflow_add(family, sample, at_ms);
        return;
    }
    CHECK_THAT(all_refusals() == before->refusals);
    series_add(family, sample, at_ms);
}

static void apply(const struct sample *sample, int64_t at_ms)
{
    char name[64];
    struct store_outcome outcome = {0};
    struct bytes family_name = sample_name(sample);
    snprintf(name, sizeof name, "%.*s", (int)family_name.length, family_name.at);
    const struct plain_family *family = family_named(name);
    bool fits = family != NULL && family->kind == (enum kind)sample->kind;
    bool conflict = !fits && (is_in_the_way(family) || clashes(name, (enum kind)sample->kind));
    struct before before = before_of(sample, fits);
    enum status status = store_apply(&store, sample, at_ms, &outcome);
    CHECK_THAT(status == (conflict ? STATUS_KIND_CONFLICT : STATUS_OK));
    if (!conflict) {
        take(sample, name, outcome.overflowed, at_ms, &before);
        return;
    }
    model.conflicts++;
    families_reap(); /* a vacant one of another kind gave way before the clash was seen */
    CHECK_THAT(outcome.conflict != NULL && !outcome.overflowed);
    CHECK_THAT(store.recycled_series == before.recycled && all_refusals() == before.refusals);
}

/* ---- what is drawn ---- */

/* How a run is set up: which room is short. */
struct shape {
    uint64_t series_max;
    uint64_t families;
    uint64_t label_bytes;
    uint64_t histograms; /* and buckets */
    uint64_t sets;
    unsigned names;   /* of families */
    unsigned crowd;   /* series that a client means to have in each family */
    unsigned hostile; /* in a hundred: samples of a series never seen before */
    unsigned padding; /* most bytes of a label beside the others */
};

static const struct shape shapes[] = {
    {60, 24, 32 << 10, 24, 12, 18, 8, 10, 100},    /* a little of everything */
    {40, 64, 64 << 10, 64, 32, 12, 30, 40, 20},    /* series */
    {500, 40, 10 << 10, 40, 20, 20, 10, 20, 700},  /* label blocks */
    {500, 60, 64 << 10, 16, 10, 12, 12, 10, 20},   /* histograms and sets */
    {200, 16, 64 << 10, 40, 20, 60, 4, 5, 20},     /* families */
    {900, 80, 256 << 10, 200, 120, 20, 12, 0, 60}, /* nothing */
};

static unsigned hostile_next;

static void print_labels(struct test_text *text, const struct shape *shape)
{
    unsigned n = below(shape->crowd);
    if (below(100) < shape->hostile)
        n = 1000 + hostile_next++;
    test_print(text, "{i=\"%u\"", n);
    if (shape->padding > 60 && n % 3 == 0) /* the same padding for the same series */
        test_print(text, ",p=\"%0*u\"", (int)(1 + n * 37 % shape->padding), n);
    test_print(text, "}");
}

/* Mostly the bounds that others have too; now and then a child has none, or not all of it. */
static void print_child(struct test_text *text, enum kind kind)
{
    unsigned count = 0;
    unsigned lacking = below(8) == 0 ? below(BOUNDS) : BOUNDS;
    if (below(5) != 0)
        test_print(text, " sum=%u", below(1000));
    if (kind == KIND_SUMMARY || below(6) == 0) {
        test_print(text, " %u", below(1000));
        return;
    }
    for (unsigned bound = 0; bound < BOUNDS; bound++) {
        count += below(20);
        if (bound != lacking)
            test_print(text, " %u:%u", bound, count);
    }
    test_print(text, " +Inf:%u", count + below(20));
}

static void print_sample(struct test_text *text, const struct shape *shape, enum kind *kind)
{
    unsigned family = below(shape->names);
    const char *suffix = "";
    *kind = (enum kind)(below(40) == 0 ? below(KIND_COUNT) : family % KIND_COUNT);
    bool child = *kind == KIND_CLASSIC || *kind == KIND_SUMMARY;
    if (!child && below(60) == 0) /* a name that another family may stand for */
        suffix = below(2) == 0 ? "_sum" : "_bucket";
    test_print(text, "f%02u%s", family, suffix);
    print_labels(text, shape);
    if (child)
        print_child(text, *kind);
    else
        test_print(text, " %u", below(1000));
}

/*
 * Now and then a request that began a while ago; the ticker has told the store the time meanwhile.
 */
static int64_t draw_time(void)
{
    bool told = store.window == (uint32_t)(now_ms / WINDOW_MS);
    return told && below(30) == 0 ? now_ms - below(60000) : now_ms;
}

static void apply_step(const struct shape *shape)
{
    static struct test_text text;
    enum kind kind;
    test_text_reset(&text);
    print_sample(&text, shape, &kind);
    struct sample sample = test_sample(kind, text.at);
    char help[256];
    memset(help, 'h', sizeof help);
    struct declaration declaration = {{help, below(257)}, {"seconds", below(8)}};
    if (below(30) == 0)
        sample.declaration = &declaration;
    if (kind == KIND_CLASSIC || kind == KIND_SUMMARY)
        sample.lines = (uint16_t)(1 + below(5));
    if (below(20) == 0)
        sample.timestamp_ms = now_ms + 30000 - below(90000);
    apply(&sample, draw_time());
}

static void expire_step(void)
{
    int64_t newest_ms[CLASS_COUNT];
    uint32_t most = 1 + below(20);
    uint64_t expired = store_expire(&store, now_ms, most);
    CHECK_THAT(expired <= most);
    CHECK_THAT(series_reap(EXPIRE_AFTER + 1, newest_ms) == expired);
    model.expired += expired;
    families_reap();
    for (int i = 0; i < SERIES_MAX && expired < most; i++) {
        const struct plain_series *series = &model.series[i];
        CHECK_THAT(!series->live || now_ms - series->seen_ms <= EXPIRE_AFTER + 2 * WINDOW_MS);
    }
}

static void delete_step(void)
{
    if (model.series_count == 0)
        return;
    unsigned chosen = below(SERIES_MAX);
    while (!model.series[chosen].live)
        chosen = (chosen + 1) % SERIES_MAX;
    struct plain_series *series = &model.series[chosen];
    enum kind kind = model.families[series->family].kind;
    struct plain_family *family = &model.families[series->family];
    uint64_t next_id = store.next_family_id;
    store_delete(&store, series->slot);
    CHECK_THAT(!is_there(&store.series, series->slot, series->generation));
    CHECK_THAT(store.next_family_id == next_id + 1);
    model.gone[kind] += series->tally.sum;
    model.deleted++;
    family->id = next_id;
    family->ended++;
    family->sealed_window = 0;
    series_leave(series);
    families_reap();
}

static void seal_series(struct plain_family *family, uint32_t slot, struct tally *tally)
{
    if (store_series(&store, slot)->open.count > 0) {
        store_family_sealed(&store, family->slot, store.window);
        family->sealed_window = store.window;
    }
    store_seal(&store, slot);
    tally_seal(tally);
}

/* A window is sealed of all of them, and one that was held until now is forgotten. */
static void seal_step(void)
{
    for (int i = 0; i < SERIES_MAX; i++) {
        struct plain_series *series = &model.series[i];
        if (series->live)
            seal_series(&model.families[series->family], series->slot, &series->tally);
    }
    for (int i = 0; i < FAMILIES_MAX; i++) {
        struct plain_family *family = &model.families[i];
        if (family->live)
            seal_series(family, store_family(&store, family->slot)->overflow, &family->overflow);
    }
    if (store.history_floor + HELD_WINDOWS < store.window)
        store.history_floor = store.window - HELD_WINDOWS;
}

static void clock_step(void)
{
    switch (below(400)) {
    case 0:
        now_ms += IDLE_MIN + below(60000);
        break;
    case 1:
        now_ms += EXPIRE_AFTER + below(60000);
        break;
    default:
        now_ms += below(3) == 0 ? below(500) : 0; /* stalls more often than not */
    }
}

/* ---- the books ---- */

static void check_buckets(const struct classic *classic, const struct plain_buckets *plain)
{
    uint32_t at = 0;
    for (int i = 0; i < BOUNDS; i++) {
        if (!plain->has[i])
            continue;
        CHECK_THAT(at < classic->bound_count && classic->bounds[at] == i);
        CHECK_THAT(classic->totals[at] == plain->totals[i]);
        CHECK_THAT(classic->open[at] == plain->open[i]);
        at++;
    }
    CHECK_THAT(at == classic->bound_count);
    CHECK_THAT(classic->has_buckets == plain->begun);
}

static void check_child(const struct series *series, const struct tally *tally, enum kind kind)
{
    CHECK_THAT(series->observed == tally->observed);
    CHECK_THAT(series->open.observed == tally->open_observed);
    if (kind == KIND_SUMMARY)
        return;
    const struct classic *classic = store_classic(&store, series);
    check_buckets(classic, &tally->buckets);
    for (uint32_t i = 0; i < classic->bound_count; i++) {
        double next = i + 1 < classic->bound_count ? classic->totals[i + 1] : series->observed;
        CHECK_THAT(classic->totals[i] <= next);
    }
}

static void check_open(const struct open_window *open, const struct tally *tally, enum kind kind)
{
    CHECK_THAT(open->count == tally->open.count);
    CHECK_THAT(open->sum == tally->open.sum);
    bool spans = kind == KIND_COUNTER || kind == KIND_GAUGE || kind == KIND_HISTOGRAM;
    if (spans && open->count > 0)
        CHECK_THAT(open->min == tally->open.min && open->max == tally->open.max);
}

static void check_tally(const struct series *series, const struct tally *tally, enum kind kind)
{
    CHECK_THAT(series->count == tally->count);
    check_open(&series->open, tally, kind);
    if (has_sum(kind))
        CHECK_THAT(series_total(series) == tally->sum);
    if (kind == KIND_GAUGE && tally->count > 0) {
        CHECK_THAT(series->last == tally->last);
        CHECK_THAT(series->last_ms == tally->last_ms);
    }
    if (kind == KIND_CLASSIC || kind == KIND_SUMMARY)
        check_child(series, tally, kind);
    if (kind == KIND_HISTOGRAM)
        CHECK_THAT(memcmp(store_histogram(&store, series), &tally->histogram,
                          sizeof tally->histogram) == 0);
    if (kind == KIND_SET)
        CHECK_THAT(memcmp(store_set(&store, series), &tally->set, sizeof tally->set) == 0);
}

static void check_series(void)
{
    for (int i = 0; i < SERIES_MAX; i++) {
        const struct plain_series *plain = &model.series[i];
        if (!plain->live)
            continue;
        CHECK_THAT(is_there(&store.series, plain->slot, plain->generation));
        const struct series *series = store_series(&store, plain->slot);
        const struct plain_family *family = &model.families[plain->family];
        CHECK_THAT(!series->is_overflow);
        CHECK_THAT(series->family == family->slot);
        CHECK_THAT(label_equal(&store.labels, series->labels, bytes_of(plain->labels)));
        check_tally(series, &plain->tally, family->kind);
    }
    CHECK_THAT(store.series_count == model.series_count);
}

static void check_family(const struct plain_family *plain, double found[KIND_COUNT])
{
    CHECK_THAT(is_there(&store.families, plain->slot, plain->generation));
    const struct family *family = store_family(&store, plain->slot);
    CHECK_THAT(label_equal(&store.labels, family->name, bytes_of(plain->name)));
    CHECK_THAT(family->kind == plain->kind);
    CHECK_THAT(family->series_count == plain->series_count);
    CHECK_THAT(family->recycled == plain->retired_count);
    CHECK_THAT(family->recycled_sum == plain->retired);
    CHECK_THAT(family->recycled_count == plain->retired_values);
    CHECK_THAT(family->overflowed == plain->overflowed);
    CHECK_THAT(family->lost_bounds == plain->lost_bounds);
    CHECK_THAT(family->ended_sequences == plain->ended);
    CHECK_THAT(family->id == plain->id);
    CHECK_THAT(family->sealed_window == plain->sealed_window);
    model.vacant_seen += is_vacant(plain) && plain->ended > 0;
    found[plain->kind] += family->recycled_sum;
    for (uint32_t slot = family->first; slot != SLOT_NONE;
         slot = store_series(&store, slot)->next) {
        const struct series *series = store_series(&store, slot);
        found[plain->kind] += series_total(series);
        if (series->is_overflow)
            check_tally(series, &plain->overflow, plain->kind);
    }
}

/*
 * Nothing that was sent is anywhere but in a series, an overflow, a retired sum, or what was taken
 * away on purpose.
 */
static void check_conservation(void)
{
    double found[KIND_COUNT] = {0};
    uint32_t families = 0;
    for (int i = 0; i < FAMILIES_MAX; i++) {
        if (!model.families[i].live)
            continue;
        check_family(&model.families[i], found);
        families++;
    }
    CHECK_THAT(families == store.families.live_count);
    for (int kind = 0; kind < KIND_COUNT; kind++) {
        if (has_sum((enum kind)kind))
            CHECK_THAT(found[kind] + model.gone[kind] == model.sent[kind]);
    }
}

static void check_books(void)
{
    test_store_verify(&world, &store);
    check_series();
    check_conservation();
    CHECK_THAT(store.overflowed_samples == model.overflowed);
    CHECK_THAT(store.overflowed_families == model.unhoused);
    CHECK_THAT(store.lost_bounds == model.lost_bounds);
    CHECK_THAT(store.recycled_series == model.recycled);
    CHECK_THAT(store.expired_series == model.expired);
    CHECK_THAT(store.deleted_series == model.deleted);
    CHECK_THAT(store.ended_series == model.ended_series);
    CHECK_THAT(store.ended_sum == model.ended_sum);
    CHECK_THAT(store.ended_count == model.ended_values);
    CHECK_THAT(store.created_series ==
               model.series_count + model.recycled + model.expired + model.deleted);
    CHECK_THAT(model.series_count <= settings.series_max);
}

/* ---- a run ---- */

static void begin(const struct shape *shape)
{
    test_settings(&settings);
    settings.series_idle_min = IDLE_MIN;
    settings.series_expire_after = EXPIRE_AFTER;
    settings.series_max = shape->series_max;
    settings.limits_families = shape->families;
    settings.series_label_bytes = shape->label_bytes;
    settings.histograms_max = shape->histograms;
    settings.buckets_max = shape->histograms;
    settings.sets_max = shape->sets;
    test_store_begin(&world, &store, &settings);
    now_ms = TEST_START_MS;
    for (int kind = 0; kind < KIND_COUNT; kind++)
        family_enter(test_family_find(&store, bytes_of(overflow_names[kind])), overflow_names[kind],
                     (enum kind)kind);
}

/*
 * When everything has expired, the pools are as they were, and all that was sent is gone or in the
 * overflow families.
 */
static void check_ends_as_it_began(const struct account_figures *initial)
{
    now_ms += 2 * EXPIRE_AFTER;
    store.history_floor = UINT32_MAX;
    for (int i = 0; i < 2000; i++)
        expire_step();
    check_books();
    CHECK_THAT(model.series_count == 0);
    CHECK_THAT(store.families.live_count == KIND_COUNT);
    for (size_t i = 0; i < COUNT_OF(store_pools); i++) {
        struct account_figures figures = ledger_figures(&world.ledger, store_pools[i]);
        CHECK_THAT(figures.live_bytes == initial[i].live_bytes);
        CHECK_THAT(figures.live_objects == initial[i].live_objects);
    }
}

/* A shape is about a limit, so the run must have come to it. */
static void check_limit_was_reached(int shape)
{
    static const enum pool reached[] = {POOL_SERIES, POOL_SERIES, POOL_LABELS, POOL_HISTOGRAMS,
                                        POOL_FAMILIES};
    CHECK_THAT(model.conflicts > 0 && model.deleted > 0 && model.lost_bounds > 0);
    /* in shape 1 it is series that lack, which no vacant family has to give */
    CHECK_THAT(shape == 1 || shape == 5 ? model.vacant_seen > 0 : model.gave_way > 0);
    if (shape < (int)COUNT_OF(reached)) {
        CHECK_THAT(ledger_figures(&world.ledger, reached[shape]).refusals > 0);
        CHECK_THAT(model.overflowed > 0);
        CHECK_THAT(model.recycled > 0 || shape == 4);
    } else {
        CHECK_THAT(model.overflowed == 0);
    }
}

START_TEST(the_store_agrees_with_a_model_without_limits)
{
    struct account_figures initial[COUNT_OF(store_pools)];
    int shape = _i % (int)COUNT_OF(shapes);
    draw.state = TEST_SEED + (uint64_t)_i;
    begin(&shapes[shape]);
    for (size_t i = 0; i < COUNT_OF(store_pools); i++)
        initial[i] = ledger_figures(&world.ledger, store_pools[i]);
    for (int step = 0; step < STEPS; step++) {
        clock_step();
        unsigned chosen = below(100);
        if (chosen < 97)
            apply_step(&shapes[shape]);
        else if (chosen == 97)
            delete_step();
        else if (chosen == 98)
            seal_step();
        else
            expire_step();
        if (step % 200 == 0)
            check_books();
    }
    check_books();
    check_limit_was_reached(shape);
    check_ends_as_it_began(initial);
    test_world_end(&world);
}
END_TEST

Suite *store_model_suite(void)
{
    Suite *suite = suite_create("store_model");
    TCase *runs = tcase_create("model");
    tcase_set_timeout(runs, 120);
    tcase_add_loop_test(runs, the_store_agrees_with_a_model_without_limits, 0,
                        4 * (int)COUNT_OF(shapes));
    suite_add_tcase(suite, runs);
    return suite;
}
