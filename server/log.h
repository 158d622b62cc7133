/*
 * log.h: one logfmt line an event, on stderr.
 *
 *     ts=2026-11-22T21:30:05.123Z level=info msg=listening listen=127.0.0.1:8080
 *
 * Lines are built on the stack and written with one write(2). At most log.events_per_second are
 * written; what is left out is counted, and the next line says how many. Nothing that a client sent
 * is logged.
 *
 * Owner: the service. Threads: any.
 */
#ifndef SERVER_LOG_H
#define SERVER_LOG_H

#include <pthread.h>
#include <stdint.h>

struct log {
    pthread_mutex_t lock;
    uint64_t events_per_second;
    int64_t second; /* which one `events` counts in */
    uint64_t events;
    uint64_t dropped; /* since the last line */
    uint64_t dropped_total;
};

void log_init(struct log *log, uint64_t events_per_second);

/*
 * `pairs` is what follows the message, printf-like: log_info(log, "listening", "listen=%s",
 * address).
 */
__attribute__((format(printf, 3, 4))) void log_info(struct log *log, const char *message,
                                                    const char *pairs, ...);
__attribute__((format(printf, 3, 4))) void log_warning(struct log *log, const char *message,
                                                       const char *pairs, ...);
__attribute__((format(printf, 3, 4))) void log_error(struct log *log, const char *message,
                                                     const char *pairs, ...);

uint64_t log_dropped(struct log *log);

#endif
