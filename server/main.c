/*
 * main.c: from the command line to a clean stop.
 *
 *     options ──> plan ──> fits? ──> region mapped, carved, sealed ──> sockets, threads ──> signal
 *                  │        │ no: say which setting, exit 1                                  │
 *                  └ printed           ledger printed, exit 0 or 3 <── drain, stop <─────────┘
 */
#include "code_bytes.h"
#include "drills.h"
#include "http.h"
#include "probe.h"
#include "service.h"
#include "ticker.h"
#include "version.h"

#include "base/ensure.h"
#include "ingest/json_element.h"

#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <unistd.h>

enum exit_code {
    EXIT_CLEAN = 0,
    EXIT_REFUSED = 1,
    EXIT_USAGE = 2,
    EXIT_LIVE = 3, /* memory of a request was still live */
};

#define PLAN_TEXT_BYTES 4096

/*
 * Where the code cannot be measured: a little more than it was found to be. Nor is it in sanitized
 * builds, since what a sanitizer adds is not the service's; the promise is kept, and tested, by the
 * release build.
 */
#define UNMEASURED_CODE_BYTES ((uint64_t)8 << 20)

void ensure_failed(const char *condition, const char *file, int line)
{
    fprintf(stderr, "level=error msg=ensure_failed condition=\"%s\" at=%s:%d\n", condition, file,
            line);
    abort();
}

/*
 * One arena, so that what libmicrohttpd takes from malloc is bounded by what is live and not by
 * threads that once were.
 */
static void tame_malloc(void)
{
    mallopt(M_ARENA_MAX, 1);
    mallopt(M_MMAP_THRESHOLD, 1 << 20); /* also ends glibc's own moving of it */
}

static uint64_t random_seed(void)
{
    uint64_t seed;
    if (getrandom(&seed, sizeof seed, 0) != (ssize_t)sizeof seed)
        abort(); /* a predictable seed would aim every table */
    return seed;
}

static int say(const char *level, const char *message, const char *text)
{
    fprintf(stderr, "level=%s msg=%s reason=\"%s\"\n", level, message, text);
    return EXIT_REFUSED;
}

/* ---- the plan ---- */

static uint64_t code_bytes(const struct machine *machine)
{
#ifdef MAYFLY_SANITIZED
    (void)machine;
    return UNMEASURED_CODE_BYTES;
#else
    struct code_bytes code;
    if (!machine_code_bytes(machine, &code))
        return UNMEASURED_CODE_BYTES;
    return code.total_bytes + code.main_stack_bytes;
#endif
}

static struct plan_world plan_world(const struct machine *machine)
{
    return (struct plan_world){
        .code_bytes = code_bytes(machine),
        .cpus = machine_cpus(machine),
        .memory_limit = machine_memory_limit(machine),
        .connection_bytes = sizeof(struct connection),
        .worker_bytes = sizeof(struct worker),
        .drills_bytes = sizeof(struct drills),
    };
}

static bool make_plan(struct plan *plan, const struct options *options,
                      const struct machine *machine, FILE *out)
{
    char problem[512];
    char table[PLAN_TEXT_BYTES];
    struct plan_world world = plan_world(machine);
    enum plan_verdict verdict =
        plan_make(plan, &options->settings, &world, problem, sizeof problem);
    if (out != NULL && verdict != PLAN_INCONSISTENT) {
        plan_write(plan, table, sizeof table);
        fputs(table, out);
    }
    if (verdict != PLAN_FITS)
        say("error", "plan_refused", problem);
    return verdict == PLAN_FITS;
}

/* ---- reserving ---- */

static bool reserve(struct region *region, const struct plan *plan)
{
    size_t bytes = plan->parts[PLAN_REGION];
    void *base = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (base == MAP_FAILED) {
        say("error", "reserve_failed", strerror(errno));
        return false;
    }
    madvise(base, bytes,
            MADV_NOHUGEPAGE); /* huge pages would round RSS up behind the plan's back */
    if (plan->settings.prefault)
        memset(base, 0, bytes);
    region_init(region, base, bytes);
    return true;
}

/* A descriptor for each connection, and what the program itself has open. */
static bool reserve_descriptors(const struct settings *settings)
{
    struct rlimit limit;
    rlim_t needed = settings->server_connections + settings->server_operator_connections + 64;
    getrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_cur >= needed)
        return true;
    limit.rlim_cur = needed;
    if (limit.rlim_max >= needed && setrlimit(RLIMIT_NOFILE, &limit) == 0)
        return true;
    say("error", "descriptors_refused",
        "server.connections: more than the limit on open files (ulimit -n) allows");
    return false;
}

/* ---- serving ---- */

struct listeners {
    int data_fd;
    int operator_fd;
    struct http data;
    struct http operators;
};

static bool open_listener(const char *address, const struct settings *settings, int *fd)
{
    char problem[256];
    *fd = http_listen(address, settings, problem, sizeof problem);
    if (*fd < 0)
        say("error", "listen_failed", problem);
    return *fd >= 0;
}

static void log_listening(struct service *service, const struct listeners *listeners)
{
    char data[PEER_BYTES];
    char operators[PEER_BYTES];
    http_bound_address(listeners->data_fd, data, sizeof data);
    http_bound_address(listeners->operator_fd, operators, sizeof operators);
    log_info(&service->log, "listening", "listen=%s operator_listen=%s", data, operators);
}

static bool start(struct service *service, struct listeners *listeners, struct ticker *ticker)
{
    const struct settings *settings = service->settings;
    if (!open_listener(settings->listen, settings, &listeners->data_fd) ||
        !open_listener(settings->operator_listen, settings, &listeners->operator_fd))
        return false;
    if (!http_start(&listeners->operators, service, listeners->operator_fd, true, 1) ||
        !http_start(&listeners->data, service, listeners->data_fd, false,
                    (unsigned)settings->server_threads)) {
        say("error", "start_failed", strerror(errno));
        return false;
    }
    service_open(service);
    if (!ticker_start(ticker, service)) {
        say("error", "start_failed", strerror(errno));
        return false;
    }
    log_listening(service, listeners);
    return true;
}

/* Signals are blocked in every thread and waited for here. */
static int wait_for_stop(void)
{
    sigset_t set;
    int signal = 0;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigwait(&set, &signal);
    return signal;
}

static void block_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
}

/* What was leaked on purpose is no reason for exit code 3. */
static void stop_drills(struct service *service)
{
    uint64_t freed_bytes;
    if (service->drills != NULL)
        drills_stop(service->drills, &freed_bytes);
}

static int stop(struct service *service, struct listeners *listeners, struct ticker *ticker)
{
    int64_t timeout_us = (int64_t)service->settings->server_shutdown_timeout * 1000;
    int64_t deadline_us = clock_monotonic_us() + timeout_us;
    atomic_store(&service->stopping, true);
    bool drained = http_drain(&listeners->data, deadline_us);
    http_stop(&listeners->data);
    http_drain(&listeners->operators, deadline_us);
    http_stop(&listeners->operators);
    ticker_stop(ticker);
    stop_drills(service);
    service->log.events_per_second = UINT64_MAX; /* the ledger is never cut */
    service_log_ledger(service);
    bool quiet = service_is_quiet(service);
    log_info(&service->log, "stopped", "drained=%s request_memory=%s", drained ? "true" : "false",
             quiet ? "returned" : "live");
    return quiet ? EXIT_CLEAN : EXIT_LIVE;
}

static int serve(const struct options *options, const struct machine *machine)
{
    static struct service service; /* too large for a stack; nobody else knows its name */
    static struct plan plan;
    struct region region;
    struct listeners listeners = {0};
    struct ticker ticker;
    if (!make_plan(&plan, options, machine, stderr) || !reserve_descriptors(&plan.settings) ||
        !reserve(&region, &plan))
        return EXIT_REFUSED;
    service.machine = *machine;
    clock_init(&service.clock);
    log_init(&service.log, plan.settings.log_events_per_second);
    uint64_t seed = random_seed();
    json_element_setup(random_seed());
    service_init(&service, options, &plan, seed, &region);
    block_signals();
    if (!start(&service, &listeners, &ticker))
        return EXIT_REFUSED;
    int signal = wait_for_stop();
    log_info(&service.log, "stopping", "signal=%d", signal);
    return stop(&service, &listeners, &ticker);
}

/* ---- commands ---- */

static bool is_address(const char *setting, const char *address)
{
    char problem[256];
    char text[320];
    if (http_check_address(address, problem, sizeof problem))
        return true;
    snprintf(text, sizeof text, "%s: %s", setting, problem);
    say("error", "address_refused", text);
    return false;
}

static int check(const struct options *options, const struct machine *machine)
{
    struct plan plan;
    if (!make_plan(&plan, options, machine, NULL) ||
        !is_address("listen", options->settings.listen) ||
        !is_address("operator_listen", options->settings.operator_listen))
        return EXIT_REFUSED;
    puts("the settings are fine, and the plan fits");
    return EXIT_CLEAN;
}

static int print_plan(const struct options *options, const struct machine *machine)
{
    struct plan plan;
    return make_plan(&plan, options, machine, stdout) ? EXIT_CLEAN : EXIT_REFUSED;
}

static int run(const struct options *options)
{
    static struct machine machine;
    machine_init(&machine, "/proc", "");
    switch (options->command) {
    case OPTION_PLAN:
        return print_plan(options, &machine);
    case OPTION_CHECK_CONFIG:
        return check(options, &machine);
    case OPTION_PRINT_CONFIG:
        options_write_config(stdout, options);
        return EXIT_CLEAN;
    case OPTION_PROBE:
        return probe(options->settings.operator_listen) ? EXIT_CLEAN : EXIT_REFUSED;
    case OPTION_VERSION:
        puts("mayfly " MAYFLY_VERSION);
        return EXIT_CLEAN;
    case OPTION_HELP:
        options_write_help(stdout);
        return EXIT_CLEAN;
    default:
        return serve(options, &machine);
    }
}

int main(int argc, char **argv)
{
    static struct options options;
    char problem[OPTION_PROBLEM_BYTES];
    tame_malloc();
    enum options_outcome outcome =
        options_read(&options, argc, argv, environ, problem, sizeof problem);
    if (outcome == OPTIONS_FINE)
        return run(&options);
    fprintf(stderr, "mayfly: %s\n", problem);
    return outcome == OPTIONS_BAD_USAGE ? EXIT_USAGE : EXIT_REFUSED;
}
