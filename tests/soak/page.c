/* page.c: see page.h. */
#include "page.h"

#include "pictures.h"
#include "plot.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char style[] =
    ":root{--back:#f4f6f8;--paper:#fff;--ink:#1c2430;--soft:#5b6675;--line:#dfe4ea;"
    "--good:#17663a;--good-back:#e2f4e8;--bad:#a1241b;--bad-back:#fdeae8;--odd:#7a5b00;"
    "--odd-back:#fdf4d8}"
    "@media (prefers-color-scheme:dark){:root{--back:#0b0f14;--paper:#12171e;--ink:#e6eaf0;"
    "--soft:#9aa6b5;--line:#2a323d;--good:#7fdca4;--good-back:#10291b;--bad:#ff9d94;"
    "--bad-back:#331412;--odd:#f0cf6b;--odd-back:#2b2409}}"
    "*{box-sizing:border-box}"
    "body{margin:0;background:var(--back);color:var(--ink);font:15px/1.5 system-ui,-apple-system,"
    "'Segoe UI','DejaVu Sans',sans-serif}"
    "main{max-width:980px;margin:0 auto;padding:24px 16px 64px}"
    "h1{font-size:22px;margin:0 0 2px}h2{font-size:17px;margin:34px 0 10px}"
    "p{margin:6px 0}.soft{color:var(--soft)}"
    ".verdict{padding:14px 18px;border-radius:8px;margin:14px 0;font-size:17px}"
    ".verdict strong{font-size:20px;margin-right:6px}"
    ".pass{background:var(--good-back);color:var(--good)}"
    ".fail{background:var(--bad-back);color:var(--bad)}"
    ".too_short,.unfinished{background:var(--odd-back);color:var(--odd)}"
    "ol,ul{padding-left:22px;margin:8px 0}li{margin:7px 0}"
    "code{font:13px ui-monospace,'DejaVu Sans Mono',monospace;overflow-wrap:anywhere}"
    "pre{background:var(--paper);border:1px solid var(--line);border-radius:6px;padding:10px;"
    "white-space:pre-wrap;overflow-wrap:anywhere;font:12.5px/1.45 ui-monospace,'DejaVu Sans "
    "Mono',monospace}"
    ".tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(144px,1fr));gap:10px}"
    ".tile{background:var(--paper);border:1px solid var(--line);border-radius:8px;"
    "padding:10px 12px}.tile b{display:block;font-size:20px;font-weight:600;line-height:1.3}"
    ".tile code{white-space:nowrap}.tile span{color:var(--soft);font-size:13px}"
    ".plot{display:block;width:100%;height:auto;margin:12px 0;border:1px solid var(--line);"
    "border-radius:8px}"
    ".wide{overflow-x:auto;background:var(--paper);border:1px solid var(--line);"
    "border-radius:8px}"
    "table{border-collapse:collapse;width:100%;font-size:13.5px}"
    "th,td{padding:5px 10px;text-align:right;border-top:1px solid var(--line);"
    "white-space:nowrap;font-variant-numeric:tabular-nums}"
    "th{border-top:0;color:var(--soft);font-weight:600;vertical-align:bottom}"
    "th:first-child,td:first-child{text-align:left}.left{text-align:left}"
    "tr.bad td{background:var(--bad-back);color:var(--bad)}"
    "details{margin:10px 0}summary{cursor:pointer;color:var(--soft)}";

/* ---- text ---- */

/* Escaped, and what stands between backquotes as code. */
static void prose_write(FILE *out, const char *text)
{
    bool code = false;
    while (*text != '\0') {
        char piece[512];
        size_t length = strcspn(text, "`");
        length = length < sizeof piece - 1 ? length : sizeof piece - 1;
        memcpy(piece, text, length);
        piece[length] = '\0';
        escaped_write(out, piece);
        text += length;
        if (*text == '`') {
            code = !code;
            fputs(code ? "<code>" : "</code>", out);
            text++;
        }
    }
    fputs(code ? "</code>" : "", out);
}

static double figure_of(const json_t *report, const char *object, const char *name)
{
    return member_number(json_object_get(report, object), name);
}

void verdict_tell(FILE *out, const json_t *report)
{
    const char *verdict = member_text(report, "verdict");
    const char *state = member_text(report, "state");
    size_t findings = json_array_size(json_object_get(report, "findings"));
    const char *so_far = strcmp(state, "running") == 0 ? " so far" : "";
    struct word elapsed = word_elapsed(figure_of(report, "record", "elapsed"));
    double points = figure_of(report, "record", "quiet_points");
    if (strcmp(verdict, "pass") == 0)
        fprintf(out, "PASS: nothing was found%s in %s and at %.0f quiet points.", so_far,
                elapsed.text, points);
    else if (strcmp(verdict, "fail") == 0)
        fprintf(out, "FAIL: %zu finding%s%s in %s and at %.0f quiet points.", findings,
                findings == 1 ? "" : "s", so_far, elapsed.text, points);
    else if (strcmp(verdict, "unfinished") == 0)
        fprintf(out,
                "UNFINISHED: nothing was found so far, in %s of %s and at %.0f quiet points; it "
                "can pass at its end only.",
                elapsed.text, word_elapsed(figure_of(report, "configuration", "duration")).text,
                points);
    else
        fprintf(out,
                "TOO SHORT: nothing was found%s in %s, and with %.0f quiet points that says "
                "nothing.",
                so_far, elapsed.text, points);
}

/* The word before the colon stands out. */
static void verdict_write(FILE *out, const json_t *report)
{
    char text[256] = "";
    FILE *words = fmemopen(text, sizeof text, "w");
    verdict_tell(words, report);
    fclose(words);
    char *rest = strchr(text, ':');
    if (rest == NULL)
        return;
    *rest++ = '\0';
    fprintf(out, "<div class=\"verdict %s\"><strong>%s</strong>%s</div>\n",
            member_text(report, "verdict"), text, rest);
}

static void sentences_write(FILE *out, const json_t *rows, const char *list)
{
    size_t i;
    json_t *row;
    fprintf(out, "<%s>", list);
    json_array_foreach (rows, i, row) {
        fputs("<li>", out);
        prose_write(out, member_text(row, "text"));
        fputs("</li>\n", out);
    }
    fprintf(out, "</%s>\n", list);
}

/* ---- tiles ---- */

static void tile(FILE *out, const char *value, const char *format, const char *word)
{
    fputs("<div class=\"tile\"><b>", out);
    escaped_write(out, value);
    fputs("</b><span>", out);
    fprintf(out, format, word);
    fputs("</span></div>", out);
}

static double checks_sum(const json_t *report, const char *member)
{
    size_t i;
    json_t *row;
    double sum = 0;
    json_array_foreach (json_object_get(report, "invariants"), i, row)
        sum += member_number(row, member);
    return sum;
}

static double hostile_begun(const json_t *report)
{
    const char *kind;
    json_t *ends;
    double begun = 0;
    json_object_foreach (json_object_get(json_object_get(report, "counts"), "hostile"), kind, ends)
        begun += fmax(member_number(ends, "begun"), 0);
    return begun;
}

static double requests_answered(const json_t *report)
{
    const char *sort;
    json_t *count;
    double answered = 0;
    json_object_foreach (json_object_get(json_object_get(report, "counts"), "requests"), sort,
                         count)
        answered += json_number_value(count);
    return answered;
}

static void tiles_write(FILE *out, const json_t *report)
{
    struct word limit = word_of(figure_of(report, "extremes", "memory_limit"), UNIT_BYTES);
    double wall = figure_of(report, "extremes", "wall");
    fputs("<div class=\"tiles\">", out);
    tile(out, word_of(figure_of(report, "extremes", "rss_peak"), UNIT_BYTES).text,
         "peak of resident memory; <code>--memory</code> is %s", limit.text);
    if (!isnan(wall)) /* without one it is everybody's cgroup */
        tile(out, word_of(figure_of(report, "extremes", "cgroup_peak"), UNIT_BYTES).text,
             "peak of the cgroup; the wall is %s", word_of(wall, UNIT_BYTES).text);
    tile(out, word_of(requests_answered(report), UNIT_COUNT).text, "valid requests answered%s", "");
    tile(out, word_of(hostile_begun(report), UNIT_COUNT).text, "hostile clients%s", "");
    tile(out, word_of(figure_of(report, "counts", "acknowledged_samples"), UNIT_COUNT).text,
         "samples acknowledged%s", "");
    tile(out, word_of(checks_sum(report, "judged"), UNIT_COUNT).text,
         "exact checks judged, at %s quiet points",
         word_of(figure_of(report, "record", "quiet_points"), UNIT_COUNT).text);
    fputs("</div>\n", out);
}

/* ---- tables ---- */

enum form { FORM_TEXT, FORM_COUNT, FORM_BYTES, FORM_ELAPSED, FORM_EXACT, FORM_FIGURE, FORM_YES };

struct cell {
    const char *member;
    const char *title;
    enum form form;
};

#define CELLS_MAX 9

/* The unit of a figure that slopes.h knows by name. */
static enum unit figure_unit(const json_t *row)
{
    const char *name = member_text(row, "figure");
    for (size_t i = 0; i < FIGURE_COUNT; i++) {
        if (strcmp(figure_rows[i].name, name) == 0)
            return figure_rows[i].unit;
    }
    return UNIT_COUNT;
}

static struct word number_word(const json_t *row, const struct cell *cell)
{
    double value = member_number(row, cell->member);
    switch (cell->form) {
    case FORM_BYTES:
        return word_of(value, UNIT_BYTES);
    case FORM_ELAPSED:
        return word_elapsed(value);
    case FORM_EXACT:
        return word_exact(value);
    case FORM_FIGURE:
        return word_of(value, figure_unit(row));
    default:
        return word_of(value, UNIT_COUNT);
    }
}

static void cell_write(FILE *out, const json_t *row, const struct cell *cell)
{
    fputs("<td>", out);
    if (cell->form == FORM_TEXT)
        escaped_write(out, member_text(row, cell->member));
    else if (cell->form == FORM_YES)
        fputs(json_is_true(json_object_get(row, cell->member)) ? "yes" : "no", out);
    else
        escaped_write(out, number_word(row, cell).text);
    fputs("</td>", out);
}

/* Whether the row says that something is wrong, in whichever way its table does. */
static bool is_bad(const json_t *row)
{
    return member_number(row, "failed") > 0 || json_is_false(json_object_get(row, "ok")) ||
           json_is_true(json_object_get(row, "worse")) ||
           strcmp(member_text(row, "verdict"), "growing") == 0;
}

static void table_write(FILE *out, const json_t *rows, const struct cell *cells)
{
    size_t i;
    json_t *row;
    fputs("<div class=\"wide\"><table><tr>", out);
    for (size_t at = 0; at < CELLS_MAX && cells[at].member != NULL; at++)
        fprintf(out, "<th>%s</th>", cells[at].title);
    fputs("</tr>\n", out);
    json_array_foreach (rows, i, row) {
        fputs(is_bad(row) ? "<tr class=\"bad\">" : "<tr>", out);
        for (size_t at = 0; at < CELLS_MAX && cells[at].member != NULL; at++)
            cell_write(out, row, &cells[at]);
        fputs("</tr>\n", out);
    }
    fputs("</table></div>\n", out);
}

static void section_write(FILE *out, const char *title, const char *words, const json_t *rows,
                          const struct cell *cells)
{
    if (json_array_size(rows) == 0)
        return;
    fprintf(out, "<h2>%s</h2><p class=\"soft\">%s</p>\n", title, words);
    table_write(out, rows, cells);
}

/* ---- sections ---- */

static void exact_write(FILE *out, const json_t *report)
{
    static const struct cell checks[CELLS_MAX] = {
        {"check", "check", FORM_TEXT},       {"judged", "judged", FORM_COUNT},
        {"failed", "failed", FORM_COUNT},    {"first_elapsed", "first at", FORM_ELAPSED},
        {"relation", "right is", FORM_TEXT}, {"expected", "", FORM_EXACT},
        {"got", "was", FORM_EXACT}};
    const json_t *rows = json_object_get(report, "invariants");
    double failed = checks_sum(report, "failed");
    if (json_array_size(rows) == 0)
        return;
    fputs(
        "<h2>Exact invariants</h2><p class=\"soft\">At each quiet point the load stops, and every "
        "byte of every request must be back. No statistics: one lost byte fails. What was is of "
        "the "
        "first failure, else of the last quiet point.</p>\n",
        out);
    fprintf(out, "<details%s><summary>%zu checks, judged %s times; %s failed</summary>\n",
            failed > 0 ? " open" : "", json_array_size(rows),
            word_of(checks_sum(report, "judged"), UNIT_COUNT).text,
            failed > 0 ? word_of(failed, UNIT_COUNT).text : "none");
    table_write(out, rows, checks);
    fputs("</details>\n", out);
}

static void conservation_write(FILE *out, const json_t *report)
{
    static const struct cell totals[CELLS_MAX] = {
        {"metric", "metric", FORM_TEXT},         {"what", "of", FORM_TEXT},
        {"before", "held before", FORM_EXACT},   {"acknowledged", "acknowledged", FORM_EXACT},
        {"excused", "unread", FORM_EXACT},       {"held", "held", FORM_EXACT},
        {"overflow", "overflow", FORM_EXACT},    {"recycled", "recycled", FORM_EXACT},
        {"difference", "difference", FORM_EXACT}};
    static const struct cell history[CELLS_MAX] = {{"metric", "metric", FORM_TEXT},
                                                   {"fn", "fn", FORM_TEXT},
                                                   {"points", "intervals compared", FORM_COUNT},
                                                   {"differing", "differing", FORM_COUNT},
                                                   {"worst", "worst difference", FORM_EXACT}};
    const json_t *kept = json_object_get(report, "conservation");
    section_write(out, "Conservation",
                  "The driver keeps its own sums of what was acknowledged; all values are "
                  "multiples of a quarter, so they are exact. What was held before the driver "
                  "began to sum, what was acknowledged, and what was taken of pushes whose reply "
                  "was not read, is what is held, overflowed, or was recycled. As of the last "
                  "quiet point.",
                  json_object_get(kept, "totals"), totals);
    section_write(out, "Conservation of the past",
                  "What queries answer over the intervals between quiet points, against what was "
                  "acknowledged in them.",
                  json_object_get(kept, "history"), history);
}

static void growth_write(FILE *out, const json_t *report)
{
    static const struct cell slopes[CELLS_MAX] = {{"figure", "figure", FORM_TEXT},
                                                  {"blocks", "blocks", FORM_COUNT},
                                                  {"level", "level", FORM_FIGURE},
                                                  {"slope_per_day", "a day", FORM_FIGURE},
                                                  {"low_per_day", "99 % from", FORM_FIGURE},
                                                  {"high_per_day", "to", FORM_FIGURE},
                                                  {"allowed_per_day", "allowed", FORM_FIGURE},
                                                  {"verdict", "verdict", FORM_TEXT}};
    static const struct cell days[CELLS_MAX] = {
        {"figure", "figure", FORM_TEXT},       {"first_day", "first day", FORM_FIGURE},
        {"last_day", "last day", FORM_FIGURE}, {"difference", "difference", FORM_FIGURE},
        {"allowed", "allowed", FORM_FIGURE},   {"judged", "judged", FORM_YES},
        {"worse", "worse", FORM_YES}};
    section_write(
        out, "Slopes",
        "Theil and Sen's slope of the lowest figures of each quarter of a day, a block, with "
        "its 99 % interval. From 12 blocks on it is growing when the slope, that of the "
        "later half and the rise from a day to the next are each above what is allowed, "
        "and the interval is above 0; from 9 on, when every block is that much above the "
        "one a day before.",
        json_object_get(report, "slopes"), slopes);
    section_write(
        out, "The first day against the last",
        "Medians of whole days, so that each has the same wave in it. Worse is a difference "
        "above what is allowed that three quarters of the day's hours have too.",
        json_object_get(report, "days"), days);
}

static void pools_write(FILE *out, const json_t *report)
{
    static const struct cell pools[CELLS_MAX] = {
        {"pool", "pool", FORM_TEXT},        {"lifetime", "lifetime", FORM_TEXT},
        {"kind", "kind", FORM_TEXT},        {"capacity", "capacity", FORM_BYTES},
        {"peak", "peak", FORM_BYTES},       {"first_quiet", "first quiet point", FORM_BYTES},
        {"last_quiet", "last", FORM_BYTES},
    };
    section_write(out, "Pools", "Bounded, each: a peak above its capacity fails the run.",
                  json_object_get(report, "pools"), pools);
}

/* ---- counts ---- */

static void counts_line(FILE *out, const char *title, const json_t *counts)
{
    const char *key;
    json_t *count;
    if (json_object_size(counts) == 0)
        return;
    fprintf(out, "<p>%s: ", title);
    const char *between = "";
    json_object_foreach ((json_t *)counts, key, count) {
        fputs(between, out);
        escaped_write(out, key);
        fprintf(out, " %s", word_of(json_number_value(count), UNIT_COUNT).text);
        between = ", ";
    }
    fputs("</p>\n", out);
}

static void hostile_write(FILE *out, const json_t *kinds)
{
    const char *kind;
    json_t *ends;
    static const char *const members[] = {"begun", "answered", "closed", "timed_out"};
    if (json_object_size(kinds) == 0)
        return;
    fputs("<div class=\"wide\"><table><tr><th>hostile clients</th><th>begun</th><th>answered</th>"
          "<th>closed by the server</th><th>timed out</th></tr>\n",
          out);
    json_object_foreach ((json_t *)kinds, kind, ends) {
        fputs("<tr><td>", out);
        escaped_write(out, kind);
        for (size_t i = 0; i < sizeof members / sizeof members[0]; i++)
            fprintf(out, "</td><td>%s", word_of(member_number(ends, members[i]), UNIT_COUNT).text);
        fputs("</td></tr>\n", out);
    }
    fputs("</table></div>\n", out);
}

static void counts_write(FILE *out, const json_t *report)
{
    const json_t *counts = json_object_get(report, "counts");
    fputs("<h2>What was sent, and what came back</h2>\n", out);
    counts_line(out, "Answered", json_object_get(counts, "requests"));
    counts_line(out, "Statuses", json_object_get(counts, "statuses"));
    counts_line(out, "Refusals by reason", json_object_get(counts, "refusals"));
    fprintf(out,
            "<p>%s sent, %s received; %s samples acknowledged, %s rejected, of at most %s no "
            "reply was read; %s requests got no whole reply.</p>\n",
            word_of(member_number(counts, "sent_bytes"), UNIT_BYTES).text,
            word_of(member_number(counts, "received_bytes"), UNIT_BYTES).text,
            word_of(member_number(counts, "acknowledged_samples"), UNIT_COUNT).text,
            word_of(member_number(counts, "rejected_samples"), UNIT_COUNT).text,
            word_of(member_number(counts, "uncertain_samples"), UNIT_COUNT).text,
            word_of(member_number(counts, "broken"), UNIT_COUNT).text);
    hostile_write(out, json_object_get(counts, "hostile"));
}

/* ---- what was run ---- */

static void json_details(FILE *out, const char *title, const json_t *document)
{
    if (!json_is_object(document))
        return;
    char *text = json_dumps(document, JSON_INDENT(1) | JSON_ENCODE_ANY);
    fprintf(out, "<details><summary>%s</summary><pre>", title);
    escaped_write(out, text != NULL ? text : "");
    fputs("</pre></details>\n", out);
    free(text);
}

static void doctor_write(FILE *out, const struct reading *reading)
{
    for (size_t i = json_array_size(reading->points); i > 0; i--) {
        const char *words = member_text(json_array_get(reading->points, i - 1), "doctor");
        if (words[0] == '\0')
            continue;
        fputs("<h2>The service in its own words</h2><p class=\"soft\">GET /memory/doctor, at the "
              "last quiet point at which not all was well.</p><pre>",
              out);
        escaped_write(out, words);
        fputs("</pre>\n", out);
        return;
    }
}

static void fact_write(FILE *out, const char *title, const char *value)
{
    fprintf(out, "%s <code>", title);
    escaped_write(out, value[0] != '\0' ? value : "not known");
    fputs("</code>", out);
}

static void facts_write(FILE *out, const json_t *report)
{
    const json_t *start = json_object_get(report, "configuration");
    fputs("<p class=\"soft\">", out);
    fact_write(out, "version", member_text(start, "version"));
    fact_write(out, ", commit", member_text(start, "commit"));
    fact_write(out, ", kernel", member_text(start, "kernel"));
    fprintf(out,
            ", %.0f CPUs, seed <code>%.0f</code>; %s at %s requests and %s hostile clients a "
            "second on the mean, a day of the load is %s, a quiet point every %s.</p>\n",
            member_number(start, "cpus"), member_number(start, "seed"),
            word_elapsed(figure_of(report, "record", "elapsed")).text,
            word_of(member_number(start, "rate"), UNIT_COUNT).text,
            word_of(member_number(start, "hostile"), UNIT_COUNT).text,
            word_elapsed(member_number(start, "day")).text,
            word_elapsed(member_number(start, "quiet")).text);
}

/* ---- the page ---- */

static void head_write(FILE *out, const json_t *report)
{
    fprintf(out,
            "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
            "<meta name=\"viewport\" content=\"width=device-width\">"
            "<meta name=\"color-scheme\" content=\"light dark\">"
            "<meta http-equiv=\"Content-Security-Policy\" "
            "content=\"default-src 'none'; style-src 'unsafe-inline'\">"
            "<title>mayfly: soak</title><style>%s%s</style></head><body><main>\n",
            style, plot_style);
    fputs("<h1>mayfly under load: a soak</h1>\n", out);
    facts_write(out, report);
    verdict_write(out, report);
}

static void said_write(FILE *out, const json_t *report)
{
    const json_t *findings = json_object_get(report, "findings");
    const json_t *remarks = json_object_get(report, "remarks");
    if (json_array_size(findings) > 0)
        fputs("<h2>Findings</h2>\n", out);
    if (json_array_size(findings) > 0)
        sentences_write(out, findings, "ol");
    tiles_write(out, report);
    if (json_array_size(remarks) == 0)
        return;
    fputs("<h2>Worth knowing, and no failure</h2>\n", out);
    sentences_write(out, remarks, "ul");
}

void page_write(FILE *out, const json_t *report, const struct reading *reading,
                const struct figures *figures)
{
    head_write(out, report);
    said_write(out, report);
    doctor_write(out, reading);
    fputs("<h2>Over time</h2>\n", out);
    pictures_write(out, reading, figures);
    exact_write(out, report);
    conservation_write(out, report);
    growth_write(out, report);
    pools_write(out, report);
    counts_write(out, report);
    fputs("<h2>What was run</h2>\n", out);
    json_details(out, "Configuration: the driver's options and the service's settings",
                 json_object_get(report, "configuration"));
    json_details(out, "What Docker says of the container", json_object_get(report, "docker"));
    fputs("<p class=\"soft\">The same figures, for programs: report.json.</p>"
          "</main></body></html>\n",
          out);
}
