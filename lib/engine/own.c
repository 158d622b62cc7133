/* own.c: see own.h. */
#include "engine/own.h"

#include "base/ensure.h"
#include "base/hash.h"
#include "base/number.h"

#define KIB(n) ((uint64_t)(n) << 10)

/* There are some sixty figures; a test says when they have become more. */
#define OWN_SERIES 96
#define OWN_FAMILIES 64
#define OWN_CACHE_BYTES KIB(32)
#define FOR_EVER UINT64_C(31536000000000)

/* ---- sizes ---- */

/*
 * A window of all figures is 2.5 KB at most: 60 of them in the fine tier are ten minutes, 360 in
 * the middle one six hours, 432 in the coarse one three days. So the rings are as 1 to 6 to 7.
 */
static void share_out(struct settings *own, uint64_t bytes)
{
    const uint64_t least = KIB(32);
    own->windows_fine_bytes = own->windows_middle_bytes = own->windows_coarse_bytes = least;
    uint64_t taken = sizeof(struct own) + engine_bytes(own);
    uint64_t left = bytes > taken ? bytes - taken : 0;
    left -= left / 16; /* what finds the records grows along */
    own->windows_fine_bytes += left / 14 / 64 * 64;
    own->windows_middle_bytes += left * 6 / 14 / 64 * 64;
    own->windows_coarse_bytes += left * 7 / 14 / 64 * 64;
}

static struct settings own_settings(const struct settings *settings)
{
    struct settings own = *settings;
    own.series_max = OWN_SERIES;
    own.limits_families = OWN_FAMILIES;
    own.series_label_bytes = KIB(32);
    own.histograms_max = own.sets_max = own.buckets_max = 1; /* of the overflow families */
    own.series_idle_min = own.series_expire_after = FOR_EVER;
    own.cache_bytes = OWN_CACHE_BYTES;
    own.trace = 0; /* its ledger has no sites: they are of what clients cause */
    share_out(&own, settings->windows_own_bytes);
    return own;
}

uint64_t own_bytes(const struct settings *settings)
{
    struct settings own = own_settings(settings);
    return region_piece_bytes(sizeof(struct own)) + engine_bytes(&own);
}

void own_init(struct own *own, const struct settings *settings, uint64_t seed, int64_t now_ms,
              struct ledger *ledger, struct region *region)
{
    uint64_t bytes = own_bytes(settings);
    own->settings = own_settings(settings);
    own->unread_lines = 0;
    ledger_init(&own->ledger);
    engine_init(&own->engine, &own->settings, &own->ledger, seed, now_ms, region);
    ledger->accounts[POOL_OWN].capacity_bytes = bytes;
    ledger_take(ledger, POOL_OWN, bytes);
}

/* ---- a line of the report ---- */

/* Cuts the text at the first `c`; what is behind it goes on. False, with all of it, without one. */
static bool cut(struct bytes *text, char c, struct bytes *before)
{
    const char *at = text->length == 0 ? NULL : memchr(text->at, c, text->length);
    size_t length = at == NULL ? text->length : (size_t)(at - text->at);
    size_t taken = length + (at != NULL);
    *before = (struct bytes){text->at, length};
    *text = (struct bytes){text->at + taken, text->length - taken};
    return at != NULL;
}

/* name value, or name{labels} value; the labels are canonical, being written by us. */
static bool read_line(struct bytes line, struct sample *sample)
{
    struct bytes series, name, labels;
    if (!cut(&line, ' ', &series) || !number_parse(line, &sample->value))
        return false;
    cut(&series, '{', &name);
    cut(&series, '}', &labels);
    sample->name = name.at;
    sample->name_length = (uint16_t)name.length;
    sample->labels = labels.at;
    sample->labels_length = (uint16_t)labels.length;
    return true;
}

/* `# TYPE name kind`: which kind the lines behind it are of. A histogram's parts only rise, too. */
static void read_type(struct bytes line, enum kind *kind)
{
    if (bytes_start_with(line, BYTES("# TYPE ")))
        *kind = bytes_end_with(line, BYTES(" gauge")) ? KIND_GAUGE : KIND_COUNTER;
}

static void observe_line(struct own *own, struct bytes line, enum kind kind, int64_t now_ms)
{
    struct store *store = &own->engine.store;
    struct store_outcome outcome = {0};
    struct sample sample = {.timestamp_ms = TIMESTAMP_NONE, .kind = (uint8_t)kind, .lines = 1};
    if (!read_line(line, &sample)) {
        own->unread_lines++;
        return;
    }
    sample.fingerprint = hash_series(sample_name(&sample), sample_labels(&sample), store->seed);
    const struct series *series = store_find(store, &sample);
    if (kind == KIND_COUNTER && series != NULL) {
        double rise = sample.value - series_total(series);
        sample.value = rise > 0 ? rise : 0;
    }
    if (store_apply(store, &sample, now_ms, &outcome) != STATUS_OK || outcome.overflowed)
        own->unread_lines++;
}

void own_observe(struct own *own, const struct report_input *input, int64_t now_ms)
{
    struct self_report report;
    bool more = true;
    enum kind kind = KIND_GAUGE;
    self_report_init_kept(&report, input);
    while (more) {
        struct writer page = writer_make(own->page, sizeof own->page);
        more = self_report_next(&report, &page);
        struct bytes text = writer_text(&page);
        struct bytes line;
        while (cut(&text, '\n', &line)) {
            if (line.length > 0 && line.at[0] == '#')
                read_type(line, &kind);
            else
                observe_line(own, line, kind, now_ms);
        }
    }
}

/* The overflow families are the clients', though their names are ours. */
bool own_has_metric(struct bytes name)
{
    return bytes_start_with(name, BYTES("mayfly_")) &&
           !bytes_start_with(name, BYTES("mayfly_overflow_"));
}
