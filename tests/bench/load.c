/*
 * load.c: the load generator: HTTP/1.1 keep-alive over loopback, a closed loop in one thread.
 *
 *     bench-load --target 127.0.0.1:8080 --pid PID          W2: 1,000 samples a request
 *     bench-load --target ... --samples 1 --connections 16 --requests 50000           W1
 *     bench-load --target ... --scrape [--gzip]             200 times GET /metrics
 *     bench-load --target ... --stream 2GiB --pid PID       one chunked body
 *
 * With --pid the server's CPU time and memory are read from /proc before and after: CPU time is the
 * figure to compare, since the generator shares the machine with the server; latencies are those of
 * a loaded machine.
 *
 * Exit: 0 every request was answered with 2xx, 1 not so, 2 usage. Reading order: options, bodies,
 * messages, loop, reply, stream, process, report.
 */
#define _GNU_SOURCE 1
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "loop.h"
#include "messages.h"
#include "options.h"
#include "report.h"
#include "stream.h"

static void requests_run(const struct options *options, struct outcome *outcome)
{
    struct messages messages = messages_make(options);

    outcome->has_process = process_read(options->pid, &outcome->before);
    loop_run(options, &messages, outcome);
    messages_free(&messages);
}

int main(int argc, char **argv)
{
    struct options options = options_parse(argc, argv);
    struct outcome *outcome = zeroed(1, sizeof(*outcome));
    bool good;

    if (options.target == NULL)
        die("--target ADDR:PORT is missing");
    outcome->latencies_ns = zeroed(options.requests, sizeof(uint64_t));
    if (options.stream_bytes > 0) {
        outcome->has_process = process_read(options.pid, &outcome->before);
        stream_run(&options, outcome);
    } else {
        requests_run(&options, outcome);
    }
    usleep((useconds_t)options.settle_ms * 1000);
    if (options.pid != 0 && !(outcome->has_process && process_read(options.pid, &outcome->after)))
        die("there is no process %llu, or no longer", (unsigned long long)options.pid);
    report_write(&options, outcome);
    good = outcome->answered_2xx == outcome->begun && outcome->begun > 0;
    free(outcome->latencies_ns);
    free(outcome);
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
