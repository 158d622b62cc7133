/* reading.c: see reading.h. */
#include "reading.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATH_ROOM 256
#define DEPTH_MAX 8
#define ROWS_FIRST 1024

void *heap_take(void *old, size_t bytes)
{
    void *taken = realloc(old, bytes);
    if (taken == NULL) {
        fputs("mayfly-soak: no memory for the record\n", stderr);
        abort();
    }
    return taken;
}

/* ---- members ---- */

double member_number(const json_t *object, const char *name)
{
    const json_t *member = json_object_get(object, name);
    return json_is_number(member) ? json_number_value(member) : NAN;
}

const char *member_text(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text != NULL ? text : "";
}

const json_t *pool_find(const struct reading *reading, const char *name)
{
    size_t i;
    json_t *pool;
    json_array_foreach (json_object_get(reading->memory, "pools"), i, pool) {
        if (strcmp(member_text(pool, "name"), name) == 0)
            return pool;
    }
    return NULL;
}

/* ---- tables ---- */

const double *table_column(const struct table *table, const char *name)
{
    const json_t *place = json_object_get(table->names, name);
    return place != NULL ? table->columns[json_integer_value(place)].values : NULL;
}

double column_at(const double *column, size_t row)
{
    return column != NULL ? column[row] : NAN;
}

double table_first(const struct table *table, const char *name)
{
    const double *column = table_column(table, name);
    for (size_t row = 0; column != NULL && row < table->rows; row++) {
        if (!isnan(column[row]))
            return column[row];
    }
    return NAN;
}

double table_last(const struct table *table, const char *name)
{
    const json_t *place = json_object_get(table->names, name);
    return place != NULL ? table->columns[json_integer_value(place)].last : NAN;
}

double table_max(const struct table *table, const char *name)
{
    const double *column = table_column(table, name);
    double max = NAN;
    for (size_t row = 0; column != NULL && row < table->rows; row++)
        max = fmax(max, column[row]); /* which passes over NAN */
    return max;
}

void table_each(const struct table *table, const char *prefix, const char *suffix,
                table_visit *visit, void *context)
{
    const char *name;
    json_t *place;
    size_t before = strlen(prefix);
    size_t after = strlen(suffix);
    json_object_foreach (table->names, name, place) {
        size_t length = strlen(name);
        if (length <= before + after || strncmp(name, prefix, before) != 0 ||
            strcmp(name + length - after, suffix) != 0)
            continue;
        char key[PATH_ROOM];
        snprintf(key, sizeof key, "%.*s", (int)(length - before - after), name + before);
        visit(context, key, table->columns[json_integer_value(place)].values);
    }
}

static void table_init(struct table *table)
{
    memset(table, 0, sizeof *table);
    table->names = json_object();
}

static void table_free(struct table *table)
{
    for (size_t i = 0; i < table->column_count; i++)
        free(table->columns[i].values);
    json_decref(table->names);
}

/* A new row, of which nothing is known yet. */
static void table_row(struct table *table)
{
    if (table->rows == table->room) {
        table->room = table->room == 0 ? ROWS_FIRST : table->room * 2;
        for (size_t i = 0; i < table->column_count; i++) {
            struct column *column = &table->columns[i];
            column->values = heap_take(column->values, table->room * sizeof(double));
        }
    }
    for (size_t i = 0; i < table->column_count; i++)
        table->columns[i].values[table->rows] = NAN;
    table->rows++;
}

static struct column *column_new(struct table *table, const char *name)
{
    struct column *column = &table->columns[table->column_count];
    column->values = heap_take(NULL, table->room * sizeof(double));
    for (size_t row = 0; row < table->rows; row++)
        column->values[row] = NAN;
    column->last = NAN;
    json_object_set_new(table->names, name, json_integer((json_int_t)table->column_count++));
    return column;
}

/* Into the last row. */
static void table_set(struct table *table, const char *name, double value)
{
    const json_t *place = json_object_get(table->names, name);
    struct column *column = NULL;
    if (place != NULL)
        column = &table->columns[json_integer_value(place)];
    else if (table->column_count < TABLE_COLUMNS)
        column = column_new(table, name);
    if (column == NULL) {
        table->left_out++;
        return;
    }
    column->last = value + column->base;
    column->values[table->rows - 1] = column->last;
}

/* ---- flattening ---- */

static void flatten(struct table *table, char *path, size_t used, const json_t *value,
                    unsigned depth);

static void flatten_under(struct table *table, char *path, size_t used, const char *key,
                          const json_t *value, unsigned depth)
{
    int wrote = snprintf(path + used, PATH_ROOM - used, ".%s", key);
    if (wrote > 0 && (size_t)wrote < PATH_ROOM - used)
        flatten(table, path, used + (size_t)wrote, value, depth + 1);
    path[used] = '\0';
}

/* What an element of an array is called: pools, windows and parts of the plan say it. */
static const char *name_of(const json_t *element)
{
    static const char *const members[] = {"name", "tier", "part"};
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++) {
        const char *name = json_string_value(json_object_get(element, members[i]));
        if (name != NULL)
            return name;
    }
    return NULL;
}

static void flatten(struct table *table, char *path, size_t used, const json_t *value,
                    unsigned depth)
{
    const char *key;
    json_t *member;
    size_t i;
    if (depth > DEPTH_MAX)
        return;
    if (json_is_number(value)) {
        table_set(table, path, json_number_value(value));
    } else if (json_is_object(value)) {
        json_object_foreach ((json_t *)value, key, member)
            flatten_under(table, path, used, key, member, depth);
    } else {
        json_array_foreach (value, i, member) {
            const char *name = name_of(member);
            if (name != NULL)
                flatten_under(table, path, used, name, member, depth);
        }
    }
}

static void flatten_member(struct table *table, const json_t *line, const char *name)
{
    char path[PATH_ROOM];
    snprintf(path, sizeof path, "%s", name);
    const json_t *member = json_object_get(line, name);
    if (member != NULL)
        flatten(table, path, strlen(path), member, 0);
}

static void row_take(struct table *table, const json_t *line)
{
    static const char *const members[] = {"at", "elapsed", "index", "memory", "proc", "driver"};
    table_row(table);
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++)
        flatten_member(table, line, members[i]);
}

/* ---- lines ---- */

/* What the driver counts goes on from where it was; latencies are no counts. */
static void counts_go_on(struct table *table)
{
    const char *name;
    json_t *place;
    json_object_foreach (table->names, name, place) {
        struct column *column = &table->columns[json_integer_value(place)];
        if (strncmp(name, "driver.", 7) == 0 && strncmp(name, "driver.latency.", 15) != 0)
            column->base = isnan(column->last) ? 0 : column->last;
    }
}

static void start_take(struct reading *reading, json_t *line)
{
    if (reading->start == NULL)
        reading->start = json_incref(line);
    if (reading->starts++ > 0)
        counts_go_on(&reading->samples);
}

static void keep(json_t **kept, json_t *document)
{
    if (!json_is_object(document))
        return;
    json_decref(*kept);
    *kept = json_incref(document);
}

static json_t *status_row(struct reading *reading, const char *status, const json_t *reason)
{
    size_t i;
    json_t *row;
    json_array_foreach (reading->statuses, i, row) {
        const json_t *other = json_object_get(row, "reason");
        if (strcmp(member_text(row, "status"), status) == 0 &&
            strcmp(member_text(other, "code"), member_text(reason, "code")) == 0 &&
            strcmp(member_text(other, "pool"), member_text(reason, "pool")) == 0)
            return row;
    }
    row = json_pack("{s:s, s:O, s:i}", "status", status, "reason", reason, "samples", 0);
    json_array_append_new(reading->statuses, row);
    return row;
}

static void status_count(struct reading *reading, const char *status, const json_t *reason,
                         double elapsed)
{
    json_t *row = status_row(reading, status, reason);
    json_int_t samples = json_integer_value(json_object_get(row, "samples"));
    if (samples == 0)
        json_object_set_new(row, "first", json_real(elapsed));
    json_object_set_new(row, "last", json_real(elapsed));
    json_object_set_new(row, "samples", json_integer(samples + 1));
}

/* What the service said of itself, unless all was well; each reason by itself. */
static void status_take(struct reading *reading, const json_t *line)
{
    const json_t *memory = json_object_get(line, "memory");
    const json_t *reasons = json_object_get(memory, "reasons");
    const char *status = member_text(memory, "status");
    double elapsed = member_number(line, "elapsed");
    if (status[0] == '\0' || strcmp(status, "ok") == 0 || isnan(elapsed))
        return;
    if (json_array_size(reasons) == 0)
        status_count(reading, status, json_null(), elapsed);
    for (size_t i = 0; i < json_array_size(reasons); i++)
        status_count(reading, status, json_array_get(reasons, i), elapsed);
}

static void sample_take(struct reading *reading, const json_t *line)
{
    row_take(&reading->samples, line);
    keep(&reading->memory, json_object_get(line, "memory"));
    status_take(reading, line);
}

static void quiet_take(struct reading *reading, json_t *line)
{
    row_take(&reading->quiets, line);
    keep(&reading->memory, json_object_get(line, "memory"));
    status_take(reading, line);
    json_object_del(line, "memory");
    json_object_del(line, "trend");
    json_array_append(reading->points, line);
}

#define ELAPSED_MAX 1e10 /* three hundred years */

/* What has no time of a run is no line of ours. */
static bool line_take(struct reading *reading, json_t *line)
{
    const char *type = member_text(line, "type");
    double elapsed = member_number(line, "elapsed");
    bool timed = elapsed >= 0 && elapsed < ELAPSED_MAX;
    if (strcmp(type, "start") == 0)
        start_take(reading, line);
    else if (strcmp(type, "sample") == 0 && timed)
        sample_take(reading, line);
    else if (strcmp(type, "quiet") == 0 && timed)
        quiet_take(reading, line);
    else if (strcmp(type, "event") == 0 && timed)
        json_array_append(reading->events, line);
    else
        return false;
    return true;
}

static void text_take(struct reading *reading, const char *text, size_t length)
{
    json_t *line = json_loadb(text, length, JSON_ALLOW_NUL, NULL);
    reading->lines++;
    reading->unreadable += line == NULL || !line_take(reading, line);
    json_decref(line);
}

void reading_open(struct reading *reading, const char *directory)
{
    static const char name[] = "/record.ndjson";
    memset(reading, 0, sizeof *reading);
    reading->path = heap_take(NULL, strlen(directory) + sizeof name);
    strcpy(reading->path, directory);
    strcat(reading->path, name);
    table_init(&reading->samples);
    table_init(&reading->quiets);
    reading->events = json_array();
    reading->points = json_array();
    reading->statuses = json_array();
}

void reading_close(struct reading *reading)
{
    json_t *kept[] = {reading->start, reading->events, reading->points, reading->statuses,
                      reading->memory};
    for (size_t i = 0; i < sizeof kept / sizeof kept[0]; i++)
        json_decref(kept[i]);
    table_free(&reading->samples);
    table_free(&reading->quiets);
    free(reading->path);
}

bool reading_read(struct reading *reading)
{
    FILE *file = fopen(reading->path, "r");
    if (file == NULL)
        return false;
    char *text = NULL;
    size_t room = 0;
    bool ok = fseek(file, reading->offset, SEEK_SET) == 0;
    ssize_t length;
    while (ok && (length = getline(&text, &room, file)) > 0 && text[length - 1] == '\n') {
        reading->offset += length;
        text_take(reading, text, (size_t)length);
    }
    ok = ok && ferror(file) == 0;
    free(text);
    fclose(file);
    return ok;
}
