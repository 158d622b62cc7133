/* plot.c: see plot.h. */
#include "plot.h"

#include <math.h>
#include <string.h>

/*
 * Hues that people who see two colours tell apart, after Okabe and Ito, darkened for thin lines on
 * white and lightened on black. The first is the one that matters.
 */
const char plot_style[] =
    ".plot{--paper:#ffffff;--ink:#1c2430;--soft:#5b6675;--grid:#e3e7ec;--limit:#b3261e;"
    "--s0:#0063a6;--s1:#c65102;--s2:#00795c;--s3:#a8437f;--s4:#8a6d00;--s5:#2f93c9;--s6:#5d4ba0;"
    "--s7:#4a4a4a;font-family:system-ui,-apple-system,'Segoe UI','DejaVu Sans',sans-serif;"
    "font-size:12px}"
    "@media (prefers-color-scheme:dark){.plot{--paper:#12171e;--ink:#e6eaf0;--soft:#9aa6b5;"
    "--grid:#2a323d;--limit:#ff8a80;--s0:#5ab4f0;--s1:#ff9a4d;--s2:#3fcfa4;--s3:#ee8fc6;"
    "--s4:#e2c044;--s5:#9bd8ff;--s6:#b3a2f5;--s7:#c9c9c9}}"
    ".plot .paper{fill:var(--paper)}.plot text{fill:var(--ink)}"
    ".plot .title{font-size:14px;font-weight:600}.plot .soft{fill:var(--soft);font-size:11px}"
    ".plot .grid{stroke:var(--grid);stroke-width:1;fill:none}"
    ".plot .axis{stroke:var(--soft);stroke-width:1;fill:none}"
    ".plot .limit{stroke:var(--limit);stroke-width:1.4;stroke-dasharray:7 4;fill:none}"
    ".plot .limits{fill:var(--limit);font-size:11px}"
    ".plot .mark{stroke:var(--soft);stroke-width:1;stroke-dasharray:2 3;fill:none}"
    ".plot .line{fill:none;stroke-width:1.7;stroke-linejoin:round;stroke-linecap:round}"
    ".plot .cross{fill:none;stroke-width:2.6}.plot .leader{fill:none;stroke-width:1;opacity:.5}";

/* Beside the hue, from the fourth on. */
static const char *const dashes[PLOT_SERIES] = {"", "", "", "", "6 3", "2 3", "8 3 2 3", "1 4"};

#define LABEL_STEP 15.0

/* ---- what is drawn ---- */

struct plot_series *plot_line(struct plot *plot, const char *label, const double *x,
                              const double *y, size_t rows)
{
    bool any = false;
    for (size_t row = 0; x != NULL && y != NULL && row < rows; row++)
        any = any || isfinite(y[row]);
    if (!any || plot->series_count == PLOT_SERIES)
        return NULL;
    struct plot_series *series = &plot->series[plot->series_count++];
    *series = (struct plot_series){.x = x, .y = y, .rows = rows};
    snprintf(series->label, sizeof series->label, "%s", label);
    return series;
}

void plot_limit(struct plot *plot, const char *label, double value)
{
    if (!isfinite(value) || plot->limit_count == PLOT_LIMITS)
        return;
    struct plot_limit *limit = &plot->limits[plot->limit_count++];
    limit->value = value;
    snprintf(limit->label, sizeof limit->label, "%s", label);
}

void plot_mark(struct plot *plot, const char *label, double x)
{
    if (!isfinite(x) || plot->mark_count == PLOT_MARKS)
        return;
    struct plot_mark *mark = &plot->marks[plot->mark_count++];
    mark->x = x;
    snprintf(mark->label, sizeof mark->label, "%s", label);
}

/* ---- where it is drawn ---- */

struct frame {
    double left;
    double right;
    double top;
    double bottom;
    double x_max;
    double y_max;
    double y_min; /* 0; above it where decades are drawn */
    double x_step;
    double y_step; /* 0: decades */
};

static double x_of(const struct frame *frame, double x)
{
    return frame->left + (frame->right - frame->left) * fmin(fmax(x / frame->x_max, 0), 1);
}

static double y_of(const struct frame *frame, double y)
{
    double share = frame->y_step > 0 ? y / frame->y_max
                                     : log10(fmax(y, frame->y_min) / frame->y_min) /
                                           log10(frame->y_max / frame->y_min);
    return frame->bottom - (frame->bottom - frame->top) * fmin(fmax(share, 0), 1);
}

/* 1, 2 or 5 times a power of ten (of 1,024 and then of ten, for bytes) that makes at most so many
 * steps. */
static double y_step_of(double max, enum unit unit, double steps)
{
    double base = 1;
    while (unit == UNIT_BYTES && max >= base * 1024 && base < 0x1p30)
        base *= 1024;
    double power = pow(10, floor(log10(max / base / steps)));
    static const double nice[] = {1, 2, 5, 10};
    for (size_t i = 0; i < sizeof nice / sizeof nice[0]; i++) {
        if (max / (nice[i] * power * base) <= steps)
            return nice[i] * power * base;
    }
    return max;
}

static double x_step_of(double max, double steps)
{
    static const double nice[] = {1,     2,     5,     10,    15,     30,    60,
                                  120,   300,   600,   900,   1800,   3600,  7200,
                                  10800, 21600, 43200, 86400, 172800, 432000};
    for (size_t i = 0; i < sizeof nice / sizeof nice[0]; i++) {
        if (max / nice[i] <= steps)
            return nice[i];
    }
    return ceil(max / steps / 864000) * 864000;
}

static void series_extent(const struct plot_series *series, struct frame *frame)
{
    for (size_t row = 0; row < series->rows; row++) {
        double y = series->y[row];
        if (!isfinite(y))
            continue;
        frame->x_max = fmax(frame->x_max, series->x[row]);
        frame->y_max = fmax(frame->y_max, y);
        if (y > 0)
            frame->y_min = fmin(frame->y_min, y);
    }
}

/* Whatever stands in a record, ticks end: a picture has so many steps or decades at most. */
static void steps_set(const struct plot *plot, struct frame *frame)
{
    frame->x_max = fmin(fmax(frame->x_max, 1), 1e12);
    frame->y_max = fmin(fmax(frame->y_max * 1.06, 1e-6), 1e18);
    frame->x_step = x_step_of(frame->x_max, 8);
    frame->y_step = plot->logarithmic ? 0 : y_step_of(frame->y_max, plot->unit, 5);
    frame->y_min = pow(10, floor(log10(fmin(fmax(frame->y_min, 1e-9), frame->y_max / 10))));
}

/* Room for the longest label, as wide as its letters are on the mean. */
static double label_width(const struct plot *plot)
{
    size_t longest = 14;
    for (size_t i = 0; i < plot->series_count; i++) {
        size_t length = strlen(plot->series[i].label);
        longest = length > longest ? length : longest;
    }
    return fmin(44 + 7.1 * (double)longest, plot->width / 3);
}

static struct frame frame_of(const struct plot *plot)
{
    struct frame frame = {.left = 66,
                          .right = plot->width - label_width(plot),
                          .top = plot->subtitle != NULL ? 62 : 44,
                          .bottom = plot->height - 28,
                          .y_min = INFINITY};
    for (size_t i = 0; i < plot->series_count; i++)
        series_extent(&plot->series[i], &frame);
    for (size_t i = 0; i < plot->limit_count; i++)
        frame.y_max = fmax(frame.y_max, plot->limits[i].value);
    if (plot->x_max > 0)
        frame.x_max = plot->x_max;
    steps_set(plot, &frame);
    return frame;
}

/* ---- axes ---- */

static void x_label(char *text, size_t room, double x, double step)
{
    static const struct {
        double seconds;
        const char *unit;
    } units[] = {{86400, "d"}, {3600, "h"}, {60, "min"}, {1, "s"}};
    size_t i = 0;
    while (fmod(step, units[i].seconds) != 0 && i < 3)
        i++;
    if (x == 0)
        snprintf(text, room, "0");
    else
        snprintf(text, room, "%.0f %s", x / units[i].seconds, units[i].unit);
}

static void y_tick(FILE *out, const struct plot *plot, const struct frame *frame, double y)
{
    double at = y_of(frame, y);
    fprintf(out, "<path class=\"grid\" d=\"M%.1f %.1fH%.1f\"/>", frame->left, at, frame->right);
    fprintf(out, "<text class=\"soft\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"end\">%s</text>",
            frame->left - 7, at + 4, y == 0 ? "0" : word_of(y, plot->unit).text);
}

static void x_tick(FILE *out, const struct frame *frame, double x)
{
    char label[48];
    double at = x_of(frame, x);
    x_label(label, sizeof label, x, frame->x_step);
    fprintf(out, "<path class=\"axis\" d=\"M%.1f %.1fv4\"/>", at, frame->bottom);
    fprintf(out, "<text class=\"soft\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">%s</text>", at,
            frame->bottom + 17, label);
}

static void axes_write(FILE *out, const struct plot *plot, const struct frame *frame)
{
    double first = frame->y_step > 0 ? 0 : frame->y_min;
    for (double y = first; y <= frame->y_max; y = frame->y_step > 0 ? y + frame->y_step : y * 10)
        y_tick(out, plot, frame, y);
    for (double x = 0; x <= frame->x_max * 1.001; x += frame->x_step)
        x_tick(out, frame, x);
    fprintf(out, "<path class=\"axis\" d=\"M%.1f %.1fH%.1f\"/>\n", frame->left, frame->bottom,
            frame->right);
}

/* ---- lines ---- */

/* What fell on one column of pixels. */
struct pixels {
    double x;
    double first;
    double low;
    double high;
    double last;
    bool low_is_first;
    bool any;
};

struct pen {
    FILE *out;
    double x; /* where it is, in tenths of pixels */
    double y;
    bool down;
};

/* To here, unless it is there already. */
static void pen_move(struct pen *pen, double x, double y)
{
    double to_x = round(x * 10);
    double to_y = round(y * 10);
    if (!pen->down)
        fprintf(pen->out, "M%g %g", to_x / 10, to_y / 10);
    else if (to_x == pen->x && to_y == pen->y)
        return;
    else if (to_y == pen->y)
        fprintf(pen->out, "H%g", to_x / 10);
    else if (to_x == pen->x)
        fprintf(pen->out, "V%g", to_y / 10);
    else
        fprintf(pen->out, "L%g %g", to_x / 10, to_y / 10);
    pen->x = to_x;
    pen->y = to_y;
    pen->down = true;
}

static void pixels_draw(struct pen *pen, const struct pixels *pixels)
{
    if (!pixels->any)
        return;
    pen_move(pen, pixels->x, pixels->first);
    pen_move(pen, pixels->x, pixels->low_is_first ? pixels->low : pixels->high);
    pen_move(pen, pixels->x, pixels->low_is_first ? pixels->high : pixels->low);
    pen_move(pen, pixels->x, pixels->last);
}

static void pixels_take(struct pixels *pixels, double x, double y)
{
    if (!pixels->any)
        *pixels = (struct pixels){x, y, y, y, y, true, true};
    if (y < pixels->low) {
        pixels->low = y;
        pixels->low_is_first = false;
    }
    if (y > pixels->high) {
        pixels->high = y;
        pixels->low_is_first = true;
    }
    pixels->last = y;
}

/* Where it ends, in pixels. */
struct spot {
    double x;
    double y;
};

/* Where nothing was seen for much longer than usual, there is no line. */
static double gap_of(const struct plot_series *series)
{
    double first = INFINITY;
    double last = 0;
    size_t count = 0;
    for (size_t row = 0; row < series->rows; row++) {
        if (!isfinite(series->y[row]))
            continue;
        first = fmin(first, series->x[row]);
        last = series->x[row];
        count++;
    }
    return count > 1 ? 12 * (last - first) / (double)(count - 1) : INFINITY;
}

static struct spot path_write(FILE *out, const struct plot_series *series,
                              const struct frame *frame)
{
    struct pen pen = {.out = out};
    struct pixels pixels = {.any = false};
    struct spot spot = {frame->left, frame->bottom};
    double gap = gap_of(series);
    double before = -INFINITY;
    for (size_t row = 0; row < series->rows; row++) {
        if (!isfinite(series->y[row]))
            continue;
        double x = floor(x_of(frame, series->x[row]) * 2) / 2;
        bool jumps = pixels.any && series->x[row] - before > gap;
        if (pixels.any && (x != pixels.x || jumps)) {
            pixels_draw(&pen, &pixels);
            pixels.any = false;
            pen.down = pen.down && !jumps;
        }
        before = series->x[row];
        spot = (struct spot){x, y_of(frame, series->y[row])};
        pixels_take(&pixels, x, spot.y);
    }
    pixels_draw(&pen, &pixels);
    return spot;
}

static struct spot line_write(FILE *out, const struct plot *plot, size_t i,
                              const struct frame *frame)
{
    fprintf(out, "<path class=\"line\" style=\"stroke:var(--s%zu)\" stroke-dasharray=\"%s\" d=\"",
            i, dashes[i]);
    struct spot spot = path_write(out, &plot->series[i], frame);
    fputs("\"/>\n", out);
    return spot;
}

/* ---- words beside the lines ---- */

/* From the top down, each at least a step below the one above, and none below the frame. */
static void labels_spread(struct spot *spots, size_t *order, size_t count,
                          const struct frame *frame)
{
    for (size_t i = 0; i < count; i++) {
        size_t at = i;
        for (; at > 0 && spots[order[at - 1]].y > spots[i].y; at--)
            order[at] = order[at - 1];
        order[at] = i;
    }
    for (size_t i = 0; i < count; i++) {
        double least = i == 0 ? frame->top : spots[order[i - 1]].y + LABEL_STEP;
        spots[order[i]].y = fmax(spots[order[i]].y, least);
    }
    for (size_t i = count; i > 0; i--) {
        double most = i == count ? frame->bottom : spots[order[i]].y - LABEL_STEP;
        spots[order[i - 1]].y = fmin(spots[order[i - 1]].y, most);
    }
}

static void labels_write(FILE *out, const struct plot *plot, const struct spot *ends,
                         const struct frame *frame)
{
    struct spot spots[PLOT_SERIES];
    size_t order[PLOT_SERIES];
    memcpy(spots, ends, sizeof spots);
    labels_spread(spots, order, plot->series_count, frame);
    for (size_t i = 0; i < plot->series_count; i++) {
        double y = spots[i].y;
        if (ends[i].x > frame->right - 3) /* of what ended before, it would cross the picture */
            fprintf(
                out,
                "<path class=\"leader\" style=\"stroke:var(--s%zu)\" d=\"M%.1f %.1fL%.1f %.1f\"/>",
                i, fmin(ends[i].x + 2, frame->right), ends[i].y, frame->right + 10, y);
        fprintf(out,
                "<path class=\"line\" style=\"stroke:var(--s%zu)\" stroke-dasharray=\"%s\" "
                "d=\"M%.1f %.1fh16\"/><text x=\"%.1f\" y=\"%.1f\">",
                i, dashes[i], frame->right + 10, y, frame->right + 31, y + 4);
        escaped_write(out, plot->series[i].label);
        fputs("</text>\n", out);
    }
}

static void limits_write(FILE *out, const struct plot *plot, const struct frame *frame)
{
    for (size_t i = 0; i < plot->limit_count; i++) {
        double y = y_of(frame, plot->limits[i].value);
        fprintf(out, "<path class=\"limit\" d=\"M%.1f %.1fH%.1f\"/>", frame->left, y, frame->right);
        fprintf(out, "<text class=\"limits\" x=\"%.1f\" y=\"%.1f\">", frame->left + 5, y - 4);
        escaped_write(out, plot->limits[i].label);
        fprintf(out, " %s</text>\n", word_of(plot->limits[i].value, plot->unit).text);
    }
}

static void marks_write(FILE *out, const struct plot *plot, const struct frame *frame)
{
    for (size_t i = 0; i < plot->mark_count; i++) {
        double x = x_of(frame, plot->marks[i].x);
        bool late = x > (frame->left + frame->right) / 2;
        fprintf(out, "<path class=\"mark\" d=\"M%.1f %.1fV%.1f\"/>", x, frame->top, frame->bottom);
        fprintf(out, "<text class=\"soft\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">", x,
                frame->top - 4, late ? "end" : "start");
        escaped_write(out, plot->marks[i].label);
        fputs("</text>\n", out);
    }
}

static void cross_write(FILE *out, const struct plot_series *series, size_t i, struct spot spot,
                        const struct frame *frame)
{
    bool late = spot.x > frame->right - 150; /* as wide as the words may be */
    fprintf(out,
            "<path class=\"cross\" style=\"stroke:var(--s%zu)\" "
            "d=\"M%.1f %.1fl12 12m0 -12l-12 12\"/>",
            i, spot.x - 6, spot.y - 6);
    fprintf(out,
            "<text style=\"fill:var(--s%zu);font-weight:600\" x=\"%.1f\" y=\"%.1f\" "
            "text-anchor=\"%s\">",
            i, spot.x + (late ? -11 : 11), spot.y + 17, late ? "end" : "start");
    escaped_write(out, series->words);
    fputs("</text>\n", out);
}

/* ---- the picture ---- */

static void head_write(FILE *out, const struct plot *plot, bool standalone)
{
    fprintf(out,
            "<svg %sclass=\"plot\" viewBox=\"0 0 %g %g\" width=\"%g\" height=\"%g\" role=\"img\" "
            "aria-label=\"",
            standalone ? "xmlns=\"http://www.w3.org/2000/svg\" " : "", plot->width, plot->height,
            plot->width, plot->height);
    escaped_write(out, plot->title);
    fputs("\">", out);
    if (standalone)
        fprintf(out, "<style>%s</style>", plot_style);
    fprintf(out, "<rect class=\"paper\" width=\"%g\" height=\"%g\" rx=\"6\"/>", plot->width,
            plot->height);
    fputs("<text class=\"title\" x=\"14\" y=\"24\">", out);
    escaped_write(out, plot->title);
    fputs("</text>\n", out);
    if (plot->subtitle == NULL)
        return;
    fputs("<text class=\"soft\" x=\"14\" y=\"42\">", out);
    escaped_write(out, plot->subtitle);
    fputs("</text>\n", out);
}

void plot_write(FILE *out, const struct plot *plot, bool standalone)
{
    struct frame frame = frame_of(plot);
    struct spot ends[PLOT_SERIES] = {{0}};
    head_write(out, plot, standalone);
    axes_write(out, plot, &frame);
    marks_write(out, plot, &frame);
    for (size_t i = plot->series_count; i > 0; i--) /* the first on top */
        ends[i - 1] = line_write(out, plot, i - 1, &frame);
    limits_write(out, plot, &frame);
    labels_write(out, plot, ends, &frame);
    for (size_t i = 0; i < plot->series_count; i++) {
        if (plot->series[i].ended)
            cross_write(out, &plot->series[i], i, ends[i], &frame);
    }
    fputs("</svg>\n", out);
}
