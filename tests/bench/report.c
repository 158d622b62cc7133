#define _GNU_SOURCE 1
#include "report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What is told, computed once for both forms. */
struct figures {
    double user_us; /* a request, from the ticks */
    double system_us;
    double cpu_us;     /* a request, the better clock */
    double runtime_us; /* a request, the exact clock */
    double sample_ns;
    double latency_ms[4];
};

static const double PERCENTILES[] = {50, 99, 99.9, 100};
static const char *const PERCENTILE_NAMES[] = {"p50", "p99", "p99.9", "max"};

void outcome_add(struct outcome *outcome, const struct reply *reply, uint64_t samples,
                 uint64_t latency_ns)
{
    outcome->latencies_ns[outcome->answered++] = latency_ns;
    outcome->statuses[reply->status]++;
    outcome->reply_body_bytes += reply->body_bytes;
    if (reply->arena_peak_bytes > outcome->arena_peak_bytes)
        outcome->arena_peak_bytes = reply->arena_peak_bytes;
    if (reply->status / 100 == 2) {
        outcome->answered_2xx++;
        outcome->samples += samples;
    } else if (outcome->refusal[0] == '\0') {
        memcpy(outcome->refusal, reply->excerpt, sizeof(outcome->refusal));
    }
}

static int latency_compare(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a;
    uint64_t right = *(const uint64_t *)b;

    return (left > right) - (left < right);
}

/* The nearest rank: the smallest latency that `percent` of the requests did not exceed. */
static double percentile_ms(const struct outcome *outcome, double percent)
{
    double exact = percent / 100 * (double)outcome->answered;
    uint64_t rank = (uint64_t)exact;

    if (outcome->answered == 0)
        return 0;
    if ((double)rank < exact)
        rank++;
    return (double)outcome->latencies_ns[rank == 0 ? 0 : rank - 1] / 1e6;
}

static double ratio(double part, double whole)
{
    return whole > 0 ? part / whole : 0;
}

static struct figures figures_make(struct outcome *outcome)
{
    const struct process *before = &outcome->before;
    const struct process *after = &outcome->after;
    double requests = (double)outcome->answered * 1000;
    double cpu_ns = (double)process_cpu_ns(before, after);
    struct figures figures = {
        .user_us = ratio((double)(after->user_ns - before->user_ns), requests),
        .system_us = ratio((double)(after->system_ns - before->system_ns), requests),
        .runtime_us = ratio((double)after->runtime_ns - (double)before->runtime_ns, requests),
        .cpu_us = ratio(cpu_ns, requests),
        .sample_ns = ratio(cpu_ns, (double)outcome->samples),
    };

    qsort(outcome->latencies_ns, outcome->answered, sizeof(uint64_t), latency_compare);
    for (size_t i = 0; i < 4; i++)
        figures.latency_ms[i] = percentile_ms(outcome, PERCENTILES[i]);
    return figures;
}

static void process_report(const struct outcome *outcome, const struct figures *figures)
{
    printf("cpu       %.2f us a request: %.2f user, %.2f system in ticks of 10 ms; %.2f by the "
           "tasks' runtime\n",
           figures->cpu_us, figures->user_us, figures->system_us, figures->runtime_us);
    if (outcome->samples > 0)
        printf("          %.1f ns a sample\n", figures->sample_ns);
    printf("memory    RSS %.2f -> %.2f MiB, peak since its start %.2f MiB, %llu threads\n",
           (double)outcome->before.rss_bytes / 1048576, (double)outcome->after.rss_bytes / 1048576,
           (double)outcome->after.hwm_bytes / 1048576, (unsigned long long)outcome->after.threads);
    if (outcome->rss_max_bytes > 0)
        printf("          RSS while the stream ran: at most %.2f MiB\n",
               (double)outcome->rss_max_bytes / 1048576);
}

static void people_report(const struct outcome *outcome, const struct figures *figures)
{
    double seconds = (double)outcome->elapsed_ns / 1e9;

    printf(
        "requests  %llu begun, %llu answered, %llu of them 2xx, %llu broken off, %llu reconnects\n",
        (unsigned long long)outcome->begun, (unsigned long long)outcome->answered,
        (unsigned long long)outcome->answered_2xx, (unsigned long long)outcome->broken,
        (unsigned long long)outcome->reconnects);
    for (size_t status = 0; status < sizeof(outcome->statuses) / sizeof(outcome->statuses[0]);
         status++) {
        if (outcome->statuses[status] > 0)
            printf("status    %zu: %llu\n", status, (unsigned long long)outcome->statuses[status]);
    }
    if (outcome->refusal[0] != '\0')
        printf("refusal   %s\n", outcome->refusal);
    printf("time      %.3f s, %.0f requests/s\n", seconds,
           ratio((double)outcome->answered, seconds));
    printf("latency  ");
    for (size_t i = 0; i < 4; i++)
        printf(" %s %.3f%s", PERCENTILE_NAMES[i], figures->latency_ms[i], i == 3 ? " ms\n" : "");
    printf("bytes     %llu sent, %llu received (%llu of bodies)\n",
           (unsigned long long)outcome->sent_bytes, (unsigned long long)outcome->received_bytes,
           (unsigned long long)outcome->reply_body_bytes);
    if (outcome->has_process)
        process_report(outcome, figures);
    if (outcome->arena_peak_bytes > 0)
        printf("arena     at most %llu bytes for a request\n",
               (unsigned long long)outcome->arena_peak_bytes);
}

static void text_report(const char *text)
{
    putchar('"');
    for (; *text != '\0'; text++) {
        if (*text == '"' || *text == '\\')
            putchar('\\');
        putchar((unsigned char)*text < 0x20 || (unsigned char)*text > 0x7e ? ' ' : *text);
    }
    putchar('"');
}

static void counts_report(const struct outcome *outcome)
{
    printf("{\"requests\":%llu,\"answered\":%llu,\"answered_2xx\":%llu,\"broken\":%llu,"
           "\"reconnects\":%llu",
           (unsigned long long)outcome->begun, (unsigned long long)outcome->answered,
           (unsigned long long)outcome->answered_2xx, (unsigned long long)outcome->broken,
           (unsigned long long)outcome->reconnects);
    for (size_t status = 0; status < sizeof(outcome->statuses) / sizeof(outcome->statuses[0]);
         status++) {
        if (outcome->statuses[status] > 0)
            printf(",\"status_%zu\":%llu", status, (unsigned long long)outcome->statuses[status]);
    }
    printf(",\"refusal\":");
    text_report(outcome->refusal);
    printf(
        ",\"samples\":%llu,\"sent_bytes\":%llu,\"received_bytes\":%llu,\"reply_body_bytes\":%llu",
        (unsigned long long)outcome->samples, (unsigned long long)outcome->sent_bytes,
        (unsigned long long)outcome->received_bytes, (unsigned long long)outcome->reply_body_bytes);
    printf(",\"arena_peak_bytes\":%llu", (unsigned long long)outcome->arena_peak_bytes);
}

static void json_report(const struct outcome *outcome, const struct figures *figures)
{
    counts_report(outcome);
    printf(",\"seconds\":%.6f", (double)outcome->elapsed_ns / 1e9);
    for (size_t i = 0; i < 4; i++)
        printf(",\"latency_%s_ms\":%.4f", PERCENTILE_NAMES[i], figures->latency_ms[i]);
    if (outcome->has_process) {
        printf(",\"cpu_us_per_request\":%.3f,\"cpu_user_us_per_request\":%.3f,\"cpu_system_us_per_"
               "request\":%.3f,"
               "\"cpu_runtime_us_per_request\":%.3f,\"cpu_ns_per_sample\":%.2f",
               figures->cpu_us, figures->user_us, figures->system_us, figures->runtime_us,
               figures->sample_ns);
        printf(",\"rss_before_bytes\":%llu,\"rss_after_bytes\":%llu,\"rss_max_bytes\":%llu,\"hwm_"
               "bytes\":%llu",
               (unsigned long long)outcome->before.rss_bytes,
               (unsigned long long)outcome->after.rss_bytes,
               (unsigned long long)outcome->rss_max_bytes,
               (unsigned long long)outcome->after.hwm_bytes);
    }
    printf("}\n");
}

void report_write(const struct options *options, struct outcome *outcome)
{
    struct figures figures = figures_make(outcome);

    if (options->json)
        json_report(outcome, &figures);
    else
        people_report(outcome, &figures);
}
