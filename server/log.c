/* log.c: see log.h. */
#include "log.h"

#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define LINE_BYTES 1024

void log_init(struct log *log, uint64_t events_per_second)
{
    *log = (struct log){.events_per_second = events_per_second};
    pthread_mutex_init(&log->lock, NULL);
}

/* May a line be written now? *dropped is how many were not since the last one. */
static bool admit(struct log *log, int64_t second, uint64_t *dropped)
{
    pthread_mutex_lock(&log->lock);
    if (second != log->second) {
        log->second = second;
        log->events = 0;
    }
    bool admitted = log->events < log->events_per_second;
    if (admitted) {
        log->events++;
        *dropped = log->dropped;
        log->dropped = 0;
    } else {
        log->dropped++;
        log->dropped_total++;
    }
    pthread_mutex_unlock(&log->lock);
    return admitted;
}

static size_t cut(int length, size_t room)
{
    return length < 0 ? 0 : (size_t)length < room ? (size_t)length : room - 1;
}

static size_t write_time(char *line, size_t bytes, const struct timespec *now)
{
    struct tm utc;
    gmtime_r(&now->tv_sec, &utc);
    return cut(snprintf(line, bytes, "ts=%04d-%02d-%02dT%02d:%02d:%02d.%03dZ ",
                        utc.tm_year + 1900, utc.tm_mon + 1, utc.tm_mday, utc.tm_hour, utc.tm_min,
                        utc.tm_sec, (int)(now->tv_nsec / 1000000)),
               bytes);
}

/*
 * A stderr that nobody reads must not stop who logs: when there is no room the line is left out and
 * counted. A line is shorter than PIPE_BUF, so where there is room it is written whole.
 */
static void write_line(struct log *log, const char *line, size_t bytes)
{
    struct pollfd poller = {.fd = STDERR_FILENO, .events = POLLOUT};
    pthread_mutex_lock(&log->lock);
    bool ready = poll(&poller, 1, 0) == 1 && (poller.revents & POLLOUT) != 0;
    if (!ready || write(STDERR_FILENO, line, bytes) != (ssize_t)bytes) {
        log->dropped++;
        log->dropped_total++;
    }
    pthread_mutex_unlock(&log->lock);
}

__attribute__((format(printf, 4, 0))) static void emit(struct log *log, const char *level,
                                                       const char *message, const char *pairs,
                                                       va_list values)
{
    struct timespec now;
    uint64_t dropped = 0;
    char line[LINE_BYTES];
    clock_gettime(CLOCK_REALTIME, &now);
    if (!admit(log, now.tv_sec, &dropped))
        return;
    size_t room = sizeof line - 1; /* the newline */
    size_t used = write_time(line, room, &now);
    used +=
        cut(snprintf(line + used, room - used, "level=%s msg=%s ", level, message), room - used);
    used += cut(vsnprintf(line + used, room - used, pairs, values), room - used);
    if (dropped > 0)
        used += cut(snprintf(line + used, room - used, " dropped_lines=%llu",
                             (unsigned long long)dropped),
                    room - used);
    while (used > 0 && line[used - 1] == ' ')
        used--;
    line[used++] = '\n';
    write_line(log, line, used);
}

void log_info(struct log *log, const char *message, const char *pairs, ...)
{
    va_list values;
    va_start(values, pairs);
    emit(log, "info", message, pairs, values);
    va_end(values);
}

void log_warning(struct log *log, const char *message, const char *pairs, ...)
{
    va_list values;
    va_start(values, pairs);
    emit(log, "warning", message, pairs, values);
    va_end(values);
}

void log_error(struct log *log, const char *message, const char *pairs, ...)
{
    va_list values;
    va_start(values, pairs);
    emit(log, "error", message, pairs, values);
    va_end(values);
}

uint64_t log_dropped(struct log *log)
{
    pthread_mutex_lock(&log->lock);
    uint64_t dropped = log->dropped_total;
    pthread_mutex_unlock(&log->lock);
    return dropped;
}
