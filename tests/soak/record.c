/* record.c: see record.h. */
#include "record.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- what is there ---- */

static bool begins_with(const char *line, const char *text)
{
    return strncmp(line, text, strlen(text)) == 0;
}

static void past_read_quiet(struct record_past *past, json_t *line)
{
    past->last_quiet_at = json_number_value(json_object_get(line, "at"));
    past->next_index = (int)json_integer_value(json_object_get(line, "index")) + 1;
    if (past->first_quiet == NULL)
        past->first_quiet = json_incref(line);
}

static void past_read_start(struct record_past *past, json_t *line)
{
    past->was_stopped = false;
    if (past->any)
        return;
    past->any = true;
    past->first_at = json_number_value(json_object_get(line, "at"));
}

static void past_read_event(struct record_past *past, json_t *line)
{
    const char *what = json_string_value(json_object_get(line, "what"));

    past->was_stopped = what != NULL && strcmp(what, "stopped") == 0;
}

/* Most lines are samples, and are not parsed: we write the type first. */
static void past_read_line(struct record_past *past, const char *text)
{
    json_t *line = begins_with(text, "{\"type\":\"sample\"") ? NULL : json_loads(text, 0, NULL);
    const char *type = json_string_value(json_object_get(line, "type"));

    if (type != NULL && strcmp(type, "start") == 0)
        past_read_start(past, line);
    else if (type != NULL && strcmp(type, "quiet") == 0)
        past_read_quiet(past, line);
    else if (type != NULL && strcmp(type, "event") == 0)
        past_read_event(past, line);
    json_decref(line);
}

/* Where the last whole line ends; -1 when it cannot be read. */
static off_t past_read(struct record_past *past, const char *path)
{
    FILE *file = fopen(path, "re");
    char *line = NULL;
    size_t size = 0;
    ssize_t length;
    off_t whole = 0;

    if (file == NULL)
        return -1;
    while ((length = getline(&line, &size, file)) > 0 && line[length - 1] == '\n') {
        whole += length;
        past_read_line(past, line);
    }
    bool failed = ferror(file) != 0;
    free(line);
    fclose(file);
    return failed ? -1 : whole;
}

/* ---- opening and writing ---- */

static bool complain(const char *path)
{
    fprintf(stderr, "mayfly-soak: %s: %s\n", path, strerror(errno));
    return false;
}

bool record_open(struct record *record, const char *directory, struct record_past *past)
{
    char path[4096];

    *past = (struct record_past){0};
    if (mkdir(directory, 0777) != 0 && errno != EEXIST)
        return complain(directory);
    snprintf(path, sizeof path, "%s/record.ndjson", directory);
    *record = (struct record){.file = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666)};
    if (record->file < 0)
        return complain(path);
    if (flock(record->file, LOCK_EX | LOCK_NB) != 0) {
        fprintf(stderr, "mayfly-soak: %s: another run writes to it\n", path);
        close(record->file);
        return false;
    }
    off_t whole = past_read(past, path);
    if (whole >= 0 && ftruncate(record->file, whole) == 0)
        return true;
    complain(path);
    record_close(record);
    return false;
}

void record_close(struct record *record)
{
    record_sync(record);
    close(record->file);
}

void record_write(struct record *record, json_t *line)
{
    char *text = line == NULL ? NULL : json_dumps(line, JSON_COMPACT);
    size_t length = text == NULL ? 0 : strlen(text);

    json_decref(line);
    record->failed |= text == NULL;
    if (text != NULL)
        text[length++] = '\n'; /* in place of its end */
    for (size_t at = 0; at < length && !record->failed;) {
        ssize_t written = write(record->file, text + at, length - at);
        if (written > 0)
            at += (size_t)written;
        else if (errno != EINTR)
            record->failed = !complain("record.ndjson");
    }
    free(text);
}

void record_sync(struct record *record)
{
    if (fsync(record->file) != 0 && errno != EINVAL) /* a pipe, say, cannot be */
        record->failed = !complain("record.ndjson");
}
