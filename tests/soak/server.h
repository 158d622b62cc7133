/*
 * server.h: the driver's own questions to the service: one at a time, blocking, each on a
 * connection of its own that is closed when the answer is read, so that none of ours is open at a
 * quiet point but the asking one.
 *
 *     ask ──> connect, request ──> status ──> body ──> text (bounded), JSON, or line by line
 *
 * Whole questions have a deadline: a service that does not answer is told from one that is slow.
 *
 * Threads: one at a time.
 */
#ifndef SOAK_SERVER_H
#define SOAK_SERVER_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "options.h"

/* The longest that a question may take: a scrape of some 10 MB, of a service built with
 * sanitizers, takes a few seconds. */
#define SERVER_SECONDS 30

/* The longest body that is kept whole; /memory has some 10 KiB, a reply to a query as much as it
 * has points. */
#define SERVER_TEXT_MAX ((size_t)8 << 20)

/* The longest line that is looked at; the service's own settings allow some 10 KiB. */
#define SERVER_LINE_MAX 65536

/* 0: there was no whole answer. */
typedef int server_status;

/* The body as text with an end, or NULL; to be freed. */
char *server_text(const struct soak_endpoint *endpoint, const char *method, const char *target,
                  server_status *status);

/* The body as JSON, NULL when it is none; to be json_decref'd. */
json_t *server_json(const struct soak_endpoint *endpoint, const char *method, const char *target,
                    server_status *status);

/* The service's memory document, of its operator listener; NULL when it answered with anything
 * else. */
json_t *server_memory(const struct soak_endpoint *operator);

/* Calls line(context, text) for each line of the body, whatever its length; a line that is longer
 * than SERVER_LINE_MAX is a failure. */
server_status server_lines(const struct soak_endpoint *endpoint, const char *target,
                           void (*line)(void *context, char *text), void *context);

#endif
