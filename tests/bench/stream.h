/*
 * stream.h: one request whose body is far larger than the server's memory: does memory stay flat?
 *
 * A chunked body of --stream bytes (chunk framing not counted): each family in turn, one # TYPE
 * line, then its series again and again until its share is sent. While it goes out the server's RSS
 * is read every 50 ms.
 */
#ifndef BENCH_STREAM_H
#define BENCH_STREAM_H

#include "options.h"
#include "outcome.h"

void stream_run(const struct options *options, struct outcome *outcome);

#endif
