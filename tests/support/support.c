/* support.c: see support.h. */
#include "support.h"

#include "base/ensure.h"
#include "base/hash.h"
#include "base/number.h"
#include "ingest/label_set.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>

/* ---- stops ---- */

bool test_is_poisoned(const void *at)
{
#ifdef POISON_BY_SANITIZER
    return __asan_address_is_poisoned(at) != 0;
#else
    (void)at;
    return false;
#endif
}

/* ---- memory ---- */

void test_settings(struct settings *settings)
{
    settings_init(settings);
    settings->server_threads = 2;
    settings->server_connections = 16;
    settings->server_socket_bytes = 128 << 10;
    settings->limits_request_bytes = 256 << 10;
    settings->limits_scratch_bytes = 64 << 10;
    settings->limits_zstd_window_bytes = 64 << 10;
    settings->limits_families = 64;
    settings->limits_query_groups = 100;
    settings->limits_query_points = 10000;
    settings->limits_summary_groups = 100;
    settings->requests_bytes = 1 << 20;
    settings->series_max = 200;
    settings->series_label_bytes = 64 << 10;
    settings->histograms_max = 32;
    settings->buckets_max = 64;
    settings->sets_max = 16;
    settings->windows_fine_bytes = 256 << 10;
    settings->windows_middle_bytes = 128 << 10;
    settings->windows_coarse_bytes = 128 << 10;
    settings->windows_own_bytes = 256 << 10;
    settings->cache_bytes = 64 << 10;
    for (size_t i = 0; i < settings_count; i++) {
        const struct setting *row = &settings_rows[i];
        if (row->kind != SETTING_TEXT)
            ck_assert_msg(setting_number(settings, row) != SETTING_AUTO,
                          "%s is new: choose it here", row->path);
    }
}

void test_world_init(struct test_world *world, size_t bytes)
{
    size_t size = (size_t)region_piece_bytes(bytes + 1);
    memset(world, 0, sizeof *world);
    world->memory = aligned_alloc(REGION_ALIGN, size);
    ck_assert_ptr_nonnull(world->memory);
    memset(world->memory, 0, size);
    region_init(&world->region, world->memory, size);
    ledger_init(&world->ledger);
    test_settings(&world->settings);
}

void test_world_end(struct test_world *world)
{
    UNPOISON(world->memory, world->region.bytes);
    free(world->memory);
    world->memory = NULL;
}

/* ---- a store ---- */

void test_store_begin(struct test_world *world, struct store *store,
                      const struct settings *settings)
{
    uint64_t pools[POOL_COUNT] = {0};
    uint64_t sum = 0;
    store_plan(settings, pools);
    for (int pool = 0; pool < POOL_COUNT; pool++)
        sum += pools[pool];
    test_world_init(world, (size_t)sum);
    world->settings = *settings;
    store_init(store, &world->settings, TEST_SEED, TEST_START_MS, &world->ledger, &world->region);
    ck_assert_uint_eq(world->region.used, sum);
}

static void check_live(const struct test_world *world, enum pool pool, uint64_t bytes,
                       uint64_t objects)
{
    struct account_figures figures = ledger_figures(&world->ledger, pool);
    CHECK_THAT(figures.live_bytes == bytes);
    CHECK_THAT(figures.live_objects == objects);
    CHECK_THAT(figures.allocations - figures.frees == objects);
    CHECK_THAT(figures.live_bytes <= figures.peak_bytes);
    CHECK_THAT(figures.peak_bytes <= figures.capacity_bytes);
}

static void check_slots_live(const struct test_world *world, const struct slots *slots)
{
    uint64_t live = 0;
    for (uint32_t slot = 0; slot < slots->slot_count; slot++)
        live += slots_is_live(slots, slot);
    check_live(world, slots->pool, live * slot_cost(slots->object_bytes), live);
}

/*
 * The texts that families and series hold, by their lengths: what the label pool should have out.
 */
static void check_labels_live(const struct test_world *world, const struct store *store)
{
    uint64_t blocks = 0;
    uint64_t texts = 0;
    for (uint32_t slot = 0; slot < store->families.slot_count; slot++) {
        const struct family *family = store_family(store, slot);
        if (family == NULL)
            continue;
        blocks += label_blocks_for(family->name.length) + label_blocks_for(family->help.length) +
                  label_blocks_for(family->unit.length);
        texts += 1u + (family->help.length > 0) + (family->unit.length > 0);
    }
    for (uint32_t slot = 0; slot < store->series.slot_count; slot++) {
        const struct series *series = store_series(store, slot);
        if (series == NULL)
            continue;
        blocks += label_blocks_for(series->labels.length);
        texts += series->labels.length > 0;
    }
    CHECK_THAT(label_blocks_held(&store->labels) == blocks);
    check_live(world, POOL_LABELS, blocks * sizeof(struct label_block), texts);
}

void test_store_verify(const struct test_world *world, const struct store *store)
{
    store_verify(store);
    check_slots_live(world, &store->families);
    check_slots_live(world, &store->series);
    check_slots_live(world, &store->histograms);
    check_slots_live(world, &store->buckets);
    check_slots_live(world, &store->sets);
    check_labels_live(world, store);
    uint64_t entries = (uint64_t)store->series.live_count + store->families.live_count;
    check_live(world, POOL_INDEX, entries * sizeof(struct index_entry), entries);
}

uint32_t test_family_find(const struct store *store, struct bytes name)
{
    for (uint32_t slot = 0; slot < store->families.slot_count; slot++) {
        const struct family *family = store_family(store, slot);
        if (family != NULL && label_equal(&store->labels, family->name, name))
            return slot;
    }
    return SLOT_NONE;
}

uint32_t test_series_find(const struct store *store, uint32_t family, struct bytes labels)
{
    uint32_t slot = store_family(store, family)->first;
    for (; slot != SLOT_NONE; slot = store_series(store, slot)->next) {
        const struct series *series = store_series(store, slot);
        if (label_equal(&store->labels, series->labels, labels))
            return slot;
    }
    return SLOT_NONE;
}

/* ---- a source of blocks ---- */

static void *source_take(void *context, size_t bytes, size_t *granted)
{
    struct test_source *source = context;
    if (++source->takes == source->refused_at)
        return NULL;
    void *block = blocks_take(source->blocks, bytes, granted);
    if (block != NULL)
        source->granted += *granted;
    return block;
}

static void source_give(void *context, void *block, size_t granted)
{
    struct test_source *source = context;
    blocks_give(source->blocks, block, granted);
    source->granted -= granted;
}

void test_source_init(struct test_source *source, struct blocks *blocks)
{
    *source = (struct test_source){
        .source = {.take = source_take, .give = source_give, .context = source},
        .blocks = blocks,
    };
}

/* ---- text ---- */

static void text_room(struct test_text *text, size_t bytes)
{
    if (text->size - text->used > bytes)
        return;
    text->size = 2 * text->size + bytes + 256;
    text->at = realloc(text->at, text->size);
    ck_assert_ptr_nonnull(text->at);
}

void test_append(struct test_text *text, struct bytes bytes)
{
    text_room(text, bytes.length);
    if (bytes.length > 0)
        memcpy(text->at + text->used, bytes.at, bytes.length);
    text->used += bytes.length;
    text->at[text->used] = '\0';
}

/* Twice at most: what does not fit the room there is says how much it wants. */
void test_print(struct test_text *text, const char *format, ...)
{
    va_list arguments, again;
    text_room(text, 128);
    va_start(arguments, format);
    va_copy(again, arguments);
    size_t room = text->size - text->used;
    int length = vsnprintf(text->at + text->used, room, format, arguments);
    CHECK_THAT(length >= 0);
    if ((size_t)length >= room) {
        text_room(text, (size_t)length);
        vsnprintf(text->at + text->used, (size_t)length + 1, format, again);
    }
    text->used += (size_t)length;
    va_end(again);
    va_end(arguments);
}

void test_text_reset(struct test_text *text)
{
    text->used = 0;
    test_append(text, (struct bytes){"", 0});
}

void test_text_end(struct test_text *text)
{
    free(text->at);
    *text = (struct test_text){0};
}

void test_check_same(const char *actual, const char *expected)
{
    size_t line = 1;
    size_t start = 0;
    size_t at = 0;
    for (; actual[at] == expected[at]; at++) {
        if (actual[at] == '\0')
            return;
        if (actual[at] == '\n') {
            line++;
            start = at + 1;
        }
    }
    ck_abort_msg("line %zu is\n%.300s\n-- and should be\n%.300s", line, actual + start,
                 expected + start);
}

/* ---- files ---- */

/* This file is tests/support/support.c. */
static void tests_folder(struct test_text *path)
{
    const char *given = getenv("MAYFLY_TESTS");
    const char *own = __FILE__;
    const char *tail = strstr(own, "support/support.c");
    if (given != NULL)
        test_print(path, "%s/", given);
    else if (tail != NULL)
        test_print(path, "%.*s", (int)(tail - own), own);
}

struct bytes test_file_read(const char *path)
{
    struct test_text full = {0};
    tests_folder(&full);
    test_print(&full, "%s", path);
    FILE *file = fopen(full.at, "rb");
    ck_assert_msg(file != NULL, "cannot open %s", full.at);
    ck_assert_int_eq(fseek(file, 0, SEEK_END), 0);
    long length = ftell(file);
    ck_assert_int_ge(length, 0);
    rewind(file);
    char *at = malloc((size_t)length + (length == 0));
    ck_assert_ptr_nonnull(at);
    ck_assert_uint_eq(fread(at, 1, (size_t)length, file), (size_t)length);
    fclose(file);
    test_text_end(&full);
    return (struct bytes){at, (size_t)length};
}

/* ---- samples ---- */

static bool is_child(const struct sample *sample)
{
    return sample->kind == KIND_CLASSIC || sample->kind == KIND_SUMMARY;
}

/* What test_sample makes of children: those of as many samples live at once. */
#define CHILDREN_MAX 64

static struct made_child {
    struct child child;
    double bounds[CHILD_BOUNDS_MAX];
    double counts[CHILD_BOUNDS_MAX];
} children[CHILDREN_MAX];
static unsigned children_made;

static void child_take_bucket(struct made_child *made, double bound, struct bytes count)
{
    struct child *child = &made->child;
    double *to = &child->count;
    child->has_buckets = true;
    if (isfinite(bound)) {
        CHECK_THAT(child->bound_count < CHILD_BOUNDS_MAX);
        made->bounds[child->bound_count] = bound;
        to = &made->counts[child->bound_count++];
    } else {
        child->has_count = true;
    }
    CHECK_THAT(number_parse(count, to));
}

static void child_take_word(struct made_child *made, struct bytes word)
{
    struct child *child = &made->child;
    const char *colon = memchr(word.at, ':', word.length);
    double number;
    if (bytes_start_with(word, BYTES("sum="))) {
        child->has_sum = true;
        CHECK_THAT(number_parse((struct bytes){word.at + 4, word.length - 4}, &child->sum));
    } else if (colon == NULL) {
        child->has_count = true;
        CHECK_THAT(number_parse(word, &child->count));
    } else {
        struct bytes bound = {word.at, (size_t)(colon - word.at)};
        CHECK_THAT(number_parse(bound, &number));
        child_take_bucket(made, number, (struct bytes){colon + 1, word.length - bound.length - 1});
    }
}

static const struct child *make_child(struct bytes words)
{
    struct made_child *made = &children[children_made++ % CHILDREN_MAX];
    memset(made, 0, sizeof *made);
    made->child.bounds = made->bounds;
    made->child.counts = made->counts;
    while (words.length > 0) {
        const char *space = memchr(words.at, ' ', words.length);
        size_t length = space == NULL ? words.length : (size_t)(space - words.at);
        child_take_word(made, (struct bytes){words.at, length});
        length += space != NULL;
        words = (struct bytes){words.at + length, words.length - length};
    }
    return &made->child;
}

static struct bytes labels_in(const char *open, const char **rest)
{
    *rest = open;
    if (*open != '{')
        return (struct bytes){open, 0};
    const char *at = open + 1;
    bool quoted = false;
    for (; quoted || *at != '}'; at++) {
        CHECK_THAT(*at != '\0');
        if (*at == '\\')
            at++;
        else if (*at == '"')
            quoted = !quoted;
    }
    *rest = at + 1;
    return (struct bytes){open + 1, (size_t)(at - open - 1)};
}

struct sample test_sample(enum kind kind, const char *text)
{
    const char *rest;
    size_t name_length = strcspn(text, "{ ");
    struct bytes labels = labels_in(text + name_length, &rest);
    struct sample sample = {
        .fingerprint = hash_series((struct bytes){text, name_length}, labels, TEST_SEED),
        .name = text,
        .labels = labels.at,
        .timestamp_ms = TIMESTAMP_NONE,
        .name_length = (uint16_t)name_length,
        .labels_length = (uint16_t)labels.length,
        .kind = (uint8_t)kind,
        .lines = 1,
    };
    CHECK_THAT(*rest == ' ');
    struct bytes value = bytes_of(rest + 1);
    if (kind == KIND_SET)
        sample.member = hash_bytes(value, TEST_SEED);
    else if (is_child(&sample))
        sample.child = make_child(value);
    else
        CHECK_THAT(number_parse(value, &sample.value));
    return sample;
}

/* ---- canonical labels, read a byte at a time ---- */

static size_t name_at_front(struct bytes text)
{
    size_t length = 0;
    while (length < text.length &&
           strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789",
                  text.at[length]) != NULL &&
           text.at[length] != '\0')
        length++;
    bool digit = length > 0 && text.at[0] >= '0' && text.at[0] <= '9';
    bool internal = length > 1 && text.at[0] == '_' && text.at[1] == '_';
    return digit || internal ? 0 : length;
}

/*
 * The length up to the closing quote; 0 when it is empty, does not end, or is escaped as nobody
 * escapes.
 */
static size_t value_at_front(struct bytes text)
{
    size_t at = 0;
    while (at < text.length && text.at[at] != '"') {
        if (text.at[at] == '\n')
            return 0;
        if (text.at[at] == '\\' &&
            (at + 1 == text.length || strchr("\\\"n", text.at[at + 1]) == NULL))
            return 0;
        at += text.at[at] == '\\' ? 2 : 1;
    }
    return at < text.length && bytes_are_utf8((struct bytes){text.at, at}) ? at : 0;
}

static struct bytes behind(struct bytes text, size_t taken)
{
    return (struct bytes){text.at + taken, text.length - taken};
}

bool test_is_canonical(struct bytes labels)
{
    struct bytes last = {"", 0};
    while (labels.length > 0) {
        struct bytes name = {labels.at, name_at_front(labels)};
        if (name.length == 0 || bytes_compare(last, name) >= 0)
            return false;
        last = name;
        labels = behind(labels, name.length);
        if (!bytes_start_with(labels, BYTES("=\"")))
            return false;
        labels = behind(labels, 2);
        size_t value = value_at_front(labels);
        if (value == 0)
            return false;
        labels = behind(labels, value + 1);
        if (labels.length == 0)
            return true;
        if (labels.at[0] != ',' || labels.length == 1)
            return false;
        labels = behind(labels, 1);
    }
    return true;
}

/* Taken apart label by label and put together again it is the same text. */
static bool reads_back(struct bytes labels, const struct settings *settings)
{
    struct label_list list;
    struct label label;
    struct bytes rest = labels;
    label_list_init(&list);
    while (label_text_next(&rest, &label)) {
        if (!label_list_add(&list, label))
            return false;
    }
    if (!list.sorted || label_list_finish(&list, settings).status != STATUS_OK)
        return false;
    char *again = malloc(labels.length + 1);
    CHECK_THAT(again != NULL);
    bool same = label_list_bytes(&list) == labels.length;
    if (same)
        label_list_write(&list, again);
    same = same && memcmp(again, labels.at, labels.length) == 0;
    free(again);
    return same;
}

/* ---- an intake that collects ---- */

static void check_bounds(const struct child *child)
{
    CHECK_THAT(child->bound_count <= CHILD_BOUNDS_MAX);
    CHECK_THAT(child->lost_bounds == 0 || child->bound_count > 0);
    for (uint32_t i = 0; i < child->bound_count; i++) {
        CHECK_THAT(isfinite(child->bounds[i]) && child->counts[i] >= 0);
        CHECK_THAT(child->counts[i] <= child->count);
        CHECK_THAT(i == 0 || child->bounds[i] > child->bounds[i - 1]);
        CHECK_THAT(i == 0 || child->counts[i] >= child->counts[i - 1]);
    }
}

static void check_child(const struct sample *sample)
{
    const struct child *child = sample->child;
    CHECK_THAT(sample->lines >= 1 && sample->lines >= child->bound_count);
    CHECK_THAT(child->has_sum || child->has_count);
    CHECK_THAT(child->has_count || !child->has_buckets);
    CHECK_THAT(!child->has_buckets || sample->kind == KIND_CLASSIC);
    CHECK_THAT(isfinite(child->sum) && isfinite(child->count) && child->count >= 0);
    CHECK_THAT(child->has_buckets || child->bound_count == 0);
    check_bounds(child);
}

static void check_sample(const struct sample *sample, const struct settings *settings)
{
    struct bytes name = sample_name(sample);
    struct bytes labels = sample_labels(sample);
    CHECK_THAT(sample->fingerprint == hash_series(name, labels, TEST_SEED));
    CHECK_THAT(metric_name_check(name, settings).status == STATUS_OK);
    if (is_child(sample))
        check_child(sample);
    else
        CHECK_THAT(sample->lines == (sample->follows ? 0 : 1));
    if (!test_is_canonical(labels) || !reads_back(labels, settings))
        ck_abort_msg("line %u: not canonical: %.*s", sample->line, (int)labels.length, labels.at);
}

static void collect_number(struct test_text *text, double value)
{
    char number[NUMBER_BYTES_MAX];
    test_append(text, (struct bytes){number, number_write(value, number)});
}

/* What the child has of sum and count, then its buckets. */
static void collect_child(struct test_text *text, const struct child *child)
{
    if (child->has_sum) {
        test_print(text, " sum=");
        collect_number(text, child->sum);
    }
    if (child->has_count) {
        test_print(text, " count=");
        collect_number(text, child->count);
    }
    if (child->has_buckets)
        test_print(text, " buckets");
    for (uint32_t i = 0; i < child->bound_count; i++) {
        test_print(text, " ");
        collect_number(text, child->bounds[i]);
        test_print(text, ":");
        collect_number(text, child->counts[i]);
    }
    if (child->lost_bounds > 0)
        test_print(text, " lost=%u", child->lost_bounds);
}

static void collect_value(struct test_text *text, const struct sample *sample)
{
    test_print(text, is_child(sample) ? "" : " ");
    if (is_child(sample))
        collect_child(text, sample->child);
    else if (sample->kind == KIND_SET)
        test_print(text, "#%016llx", (unsigned long long)sample->member);
    else
        collect_number(text, sample->value);
    if (sample->timestamp_ms != TIMESTAMP_NONE)
        test_print(text, " @%lld", (long long)sample->timestamp_ms);
}

static void collect_declaration(struct test_text *text, const struct declaration *declaration)
{
    if (declaration == NULL)
        return;
    test_print(text, " help=");
    test_append(text, declaration->help);
    test_print(text, " unit=");
    test_append(text, declaration->unit);
}

static void collect_sample(struct test_text *text, const struct sample *sample)
{
    struct bytes labels = sample_labels(sample);
    test_print(text, "%u", sample->line);
    if (sample->element != 0)
        test_print(text, "/%u", sample->element);
    if (is_child(sample))
        test_print(text, "+%u", sample->lines);
    test_print(text, "%s %s ", sample->follows ? " +" : "", kind_name(sample->kind));
    test_append(text, sample_name(sample));
    test_append(text, BYTES("{"));
    test_append(text, labels);
    test_append(text, BYTES("}"));
    collect_value(text, sample);
    collect_declaration(text, sample->declaration);
    test_print(text, "\n");
}

void test_collect(struct test_text *text, const struct sample *samples, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        collect_sample(text, &samples[i]);
}

void test_collect_report(struct test_text *text, const struct report *report)
{
    for (uint32_t i = 0; i < report->error_count; i++) {
        const struct refusal *error = &report->errors[i];
        test_print(text, "! %llu %s", (unsigned long long)error->line, status_code(error->status));
        if (error->setting != NULL)
            test_print(text, " %s=%llu", error->setting, (unsigned long long)error->limit);
        test_print(text, "\n");
    }
}

static struct refusal collect_flush(void *context, struct intake *intake)
{
    struct test_intake *own = context;
    const struct batch *batch = intake->batch;
    if (++own->flushes == own->flush_refused_at)
        return refusal_plain(STATUS_NOT_READY);
    test_collect(&own->collected, batch->samples, batch->count);
    for (uint32_t i = 0; i < batch->count; i++) {
        check_sample(&batch->samples[i], intake->settings);
        intake->report->accepted += batch->samples[i].lines;
    }
    return refusal_plain(STATUS_OK);
}

struct test_intake *test_intake_make(struct test_world *world)
{
    struct test_intake *own = calloc(1, sizeof *own);
    size_t bytes = world->settings.limits_scratch_bytes;
    ck_assert_ptr_nonnull(own);
    own->scratch_memory = aligned_alloc(ARENA_ALIGN, bytes);
    arena_init(&own->scratch, own->scratch_memory, bytes, bytes, NULL);
    world->ledger.accounts[POOL_BATCHES].capacity_bytes = sizeof(struct batch);
    world->ledger.accounts[POOL_SCRATCH].capacity_bytes = bytes;
    own->intake = (struct intake){
        .batch = calloc(1, sizeof(struct batch)),
        .report = &own->report,
        .scratch = &own->scratch,
        .settings = &world->settings,
        .ledger = &world->ledger,
        .seed = TEST_SEED,
        .flush = collect_flush,
        .context = own,
    };
    ck_assert_ptr_nonnull(own->intake.batch);
    test_text_reset(&own->collected);
    return own;
}

void test_intake_free(struct test_intake *intake)
{
    UNPOISON(intake->scratch_memory, intake->scratch.first_bytes);
    free(intake->scratch_memory);
    free(intake->intake.batch);
    test_text_end(&intake->collected);
    free(intake);
}

void test_intake_reset(struct test_intake *intake)
{
    test_text_reset(&intake->collected);
    intake->report = (struct report){0};
    intake->flushes = 0;
}
