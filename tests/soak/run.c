/* run.c: see run.h. */
#include "run.h"

#include "bench/text.h"
#include "conservation.h"
#include "driver.h"
#include "proc.h"
#include "quiet.h"
#include "record.h"
#include "server.h"

#include <math.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

/* How long a server may take to come up. */
#define READY_SECONDS 30

/* The load is paused so long before the window's boundary that the pause should hold, and goes on
 * so long after it. */
#define PAUSE_SECONDS 1.5
#define AFTER_SECONDS 1.0

/* At most so long the traffic is not looked after: a signal is heard within that time. */
#define SPIN_SECONDS 0.5

/* What a drill leaks a second: each kind shows in an exact check within seconds, and with the
 * default budget its cap, 4 MiB, is a minute away. Two blocks of a pool, less their overhead: the
 * lines of the source then tell about as much as the pool. */
#define DRILL_BYTES (60 * 1024)

enum fate {
    GOES_ON,
    FINISHED,
    STOPPED,
    SERVER_GONE,
    SERVER_RESTARTED,
    CANNOT_GO_ON,
};

struct run {
    struct soak_options options;
    struct record record;
    struct record_past past;
    struct traffic *traffic;
    struct conservation *conservation;
    double begun_at;      /* Unix seconds of the first start */
    double begun_elapsed; /* where in the run this process began */
    uint64_t begun_ns;
    double server_ahead; /* the service's clock less ours */
    double server_start; /* as it says; another one is another process */
    json_int_t start_ticks;
    double window_seconds; /* windows.fine */
    double next_sample;    /* elapsed */
    double next_boundary;  /* of the service's clock: the next quiet point's */
    int index;             /* of the next quiet point */
    bool is_quiet;         /* there was no load since the last one */
    json_t *first_memory;  /* of the first quiet point */
    json_int_t snapshot;   /* taken at it */
    enum fate fate;
};

static volatile sig_atomic_t stop_asked;

static void on_signal(int signal)
{
    (void)signal;
    stop_asked = 1;
}

/* ---- time ---- */

static double unix_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static double elapsed(const struct run *run)
{
    return run->begun_elapsed + (double)(now_ns() - run->begun_ns) * 1e-9;
}

static double server_seconds(const struct run *run)
{
    return unix_seconds() + run->server_ahead;
}

static void sleep_seconds(double seconds)
{
    struct timespec pause = {.tv_sec = (time_t)seconds, .tv_nsec = (long)(fmod(seconds, 1) * 1e9)};
    if (seconds > 0)
        nanosleep(&pause, NULL);
}

static double multiple_after(double time, double width)
{
    return ceil(time / width) * width;
}

/* ---- the record ---- */

static json_t *line_make(const struct run *run, const char *type)
{
    return json_pack("{s:s, s:f, s:f}", "type", type, "at", unix_seconds(), "elapsed",
                     elapsed(run));
}

__attribute__((format(printf, 3, 4))) static void event(struct run *run, const char *what,
                                                        const char *format, ...)
{
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    json_t *line = line_make(run, "event");

    json_object_set_new(line, "what", json_string(what));
    json_object_set_new(line, "text", json_string(text));
    record_write(&run->record, line);
    record_sync(&run->record);
    fprintf(stderr, "mayfly-soak: %.0f s: %s: %s\n", elapsed(run), what, text);
}

static void end(struct run *run, enum fate fate)
{
    if (run->fate == GOES_ON)
        run->fate = fate;
}

/* ---- the service, or the peer ---- */

static bool is_mayfly(const struct run *run)
{
    return run->options.dialect == DIALECT_MAYFLY;
}

/* Whether it is still the process that it was. */
static void process_judge(struct run *run, const json_t *proc)
{
    json_int_t ticks = json_integer_value(json_object_get(proc, "start_ticks"));

    if (run->options.pid == 0)
        return;
    if (!json_is_object(proc))
        end(run, SERVER_GONE);
    else if (run->start_ticks != 0 && run->start_ticks != ticks)
        end(run, SERVER_RESTARTED);
    else
        run->start_ticks = ticks;
}

static void memory_judge(struct run *run, const json_t *memory)
{
    double start = json_number_value(json_object_get(memory, "start"));

    if (memory == NULL) {
        end(run, SERVER_GONE);
        return;
    }
    run->server_ahead = json_number_value(json_object_get(memory, "now")) - unix_seconds();
    if (run->server_start != 0 && run->server_start != start)
        end(run, SERVER_RESTARTED);
    run->server_start = start;
}

/* The memory document, null of a peer; what it says of the process is looked at. */
static json_t *memory_ask(struct run *run)
{
    if (!is_mayfly(run))
        return json_null();
    json_t *memory = server_memory(&run->options.operator);
    memory_judge(run, memory);
    return memory != NULL ? memory : json_null();
}

static json_t *proc_ask(struct run *run)
{
    json_t *proc = proc_read(run->options.pid);

    process_judge(run, proc);
    return proc;
}

/* ---- start ---- */

static json_t *number_or_null(double number)
{
    return number > 0 ? json_integer((json_int_t)number) : json_null();
}

static json_t *text_or_null(const char *text)
{
    return text != NULL && text[0] != '\0' ? json_string(text) : json_null();
}

static void start_add_options(const struct run *run, json_t *line)
{
    static const char *const dialects[] = {"mayfly", "pushgateway", "victoria-metrics"};
    const struct soak_options *options = &run->options;
    struct utsname kernel;
    char words[256] = "";

    if (uname(&kernel) == 0)
        snprintf(words, sizeof words, "%s %s %s", kernel.sysname, kernel.release, kernel.machine);
    json_t *members = json_pack(
        "{s:s, s:b, s:I, s:o, s:s, s:I, s:s, s:f, s:f, s:f, s:f, s:f, s:f, s:I, s:o, s:s}",
        "schema", "soak/1", "resumed", run->past.any, "seed", (json_int_t)options->seed, "commit",
        text_or_null(options->commit), "kernel", words, "cpus",
        (json_int_t)sysconf(_SC_NPROCESSORS_ONLN), "dialect", dialects[options->dialect],
        "duration", options->duration_seconds, "day", options->day_seconds, "quiet",
        options->quiet_seconds, "sample", options->sample_seconds, "rate", options->rate, "hostile",
        options->hostile, "pods", (json_int_t)options->pods, "drill", text_or_null(options->drill),
        "target", options->target.name);

    json_object_update(line, members);
    json_decref(members);
}

/* What the service says of itself at the start; of a peer nothing. */
static void start_add_service(struct run *run, json_t *line)
{
    struct held self = {.accepted_samples = 0};
    server_status status;
    json_t *memory = memory_ask(run);
    json_t *config =
        is_mayfly(run) ? server_json(&run->options.target, "GET", "/v1/config", &status) : NULL;
    json_t *settings = json_object_get(config, "settings");
    json_t *budget = json_object_get(memory, "budget");
    json_t *cgroup = json_object_get(memory, "cgroup");
    json_t *window = json_object_get(settings, "windows.fine");

    if (is_mayfly(run) && (!held_read_self(&run->options, &self) || settings == NULL))
        end(run, SERVER_GONE);
    run->window_seconds = json_number_value(json_object_get(window, "value"));
    json_object_set_new(line, "version", text_or_null(self.version));
    json_object_set_new(line, "memory_limit",
                        number_or_null(json_number_value(json_object_get(budget, "limit_bytes"))));
    json_object_set_new(line, "wall_bytes",
                        number_or_null(json_number_value(json_object_get(cgroup, "limit_bytes"))));
    json_object_set(line, "settings", settings != NULL ? settings : json_null());
    json_decref(config);
    json_decref(memory);
}

static void wait_until_ready(struct run *run)
{
    for (int seconds = 0; is_mayfly(run) && !stop_asked && seconds < READY_SECONDS; seconds++) {
        server_status status;
        char *text = server_text(&run->options.operator, "GET", "/readyz", &status);
        free(text);
        if (status == 200)
            return;
        sleep_seconds(1);
    }
}

static void start(struct run *run)
{
    wait_until_ready(run);
    json_t *line = line_make(run, "start");
    start_add_options(run, line);
    start_add_service(run, line);
    json_decref(proc_ask(run));
    record_write(&run->record, line);
    record_sync(&run->record);
}

/* ---- samples ---- */

static void sample(struct run *run, const char *phase)
{
    json_t *memory = memory_ask(run);
    json_t *proc = proc_ask(run);
    json_t *line = line_make(run, "sample");

    json_object_set_new(line, "phase", json_string(phase));
    json_object_set_new(line, "memory", memory);
    json_object_set_new(line, "proc", proc);
    json_object_set_new(line, "driver", driver_json(run->traffic));
    if (run->fate == GOES_ON)
        record_write(&run->record, line);
    else
        json_decref(line);
    run->next_sample = elapsed(run) + run->options.sample_seconds;
}

/* ---- quiet points ---- */

/* Nothing of ours has been applied since `now`, so the window that ends next has all of it. */
static int64_t boundary_wait(struct run *run, double now)
{
    double boundary = multiple_after(now, run->window_seconds);

    /* where the windows are short, the planned one, which is a boundary of the coarser tiers too */
    if (now <= run->next_boundary && run->next_boundary - now <= PAUSE_SECONDS &&
        fmod(run->next_boundary, run->window_seconds) == 0)
        boundary = run->next_boundary;
    while (!stop_asked && server_seconds(run) < boundary + AFTER_SECONDS) {
        if (elapsed(run) >= run->next_sample)
            sample(run, "quiet");
        sleep_seconds(fmin(0.1, boundary + AFTER_SECONDS - server_seconds(run)));
    }
    return server_seconds(run) < boundary ? 0 : (int64_t)boundary;
}

/* The service has not taken a sample yet: the window of now has none, from its beginning on. */
static bool is_untouched(struct run *run)
{
    struct held self = {.accepted_samples = 1};

    return held_read_self(&run->options, &self) && self.accepted_samples == 0;
}

/* Load after the last quiet point, which no sums are known of; how long it lasted is known only as
 * far as to now, unless it was stopped. */
static double uncovered_seconds(const struct run *run)
{
    const struct record_past *past = &run->past;

    if (past->was_stopped)
        return 0;
    return run->begun_elapsed + past->first_at -
           (past->last_quiet_at > 0 ? past->last_quiet_at : past->first_at);
}

/* The first one of this process: whatever is held is not ours. */
static void conservation_start(struct run *run, double now, json_t *line)
{
    int64_t boundary = is_untouched(run)
                           ? (int64_t)(floor(now / run->window_seconds) * run->window_seconds)
                           : boundary_wait(run, now);

    json_object_set_new(line, "conservation", json_null());
    if (!conservation_begin(run->conservation, &run->options, run->traffic, boundary,
                            unix_seconds()))
        end(run, SERVER_GONE);
    if (run->past.any)
        event(run, "conservation_begins_anew",
              "the sums of the driver that ran before ended with it: %.0f seconds at most are not "
              "covered",
              uncovered_seconds(run));
}

/* A run that is stopped does not wait for the window's end: it has no more intervals to come. */
static void conservation_go_on(struct run *run, double now, json_t *line)
{
    bool ok;
    int64_t boundary = boundary_wait(run, now);
    json_t *outcome = conservation_judge(run->conservation, run->traffic, boundary, &ok);

    if (json_is_null(outcome))
        end(run, SERVER_GONE);
    json_object_set_new(line, "conservation", outcome);
}

/* How it went, for whoever looks on. */
static void quiet_say(const struct run *run, const json_t *line)
{
    const json_t *conservation = json_object_get(line, "conservation");
    bool conserved =
        json_is_null(conservation) || json_is_true(json_object_get(conservation, "ok"));

    fprintf(stderr, "mayfly-soak: %.0f s: quiet point %d: checks %s, sums %s, status %s\n",
            elapsed(run), run->index,
            quiet_all_ok(json_object_get(line, "checks")) ? "hold" : "FAIL",
            conserved ? "equal" : "DIFFER", json_string_value(json_object_get(line, "status")));
}

/* The document of the first quiet point, of whichever process. */
static void baseline_take(struct run *run, json_t *memory)
{
    if (run->first_memory != NULL)
        return;
    run->first_memory = json_incref(memory);
    run->snapshot = quiet_snapshot(&run->options);
}

static void next_quiet_set(struct run *run)
{
    double quiet = run->options.quiet_seconds;

    run->next_boundary = multiple_after(
        server_seconds(run) + PAUSE_SECONDS + fmin(quiet / 4, 2 * run->window_seconds), quiet);
}

static void quiet_point(struct run *run)
{
    json_t *checks;
    bool is_first = run->conservation->options == NULL;

    if (!traffic_pause(run->traffic)) {
        end(run, SERVER_GONE);
        return;
    }
    json_t *memory = quiet_settle(&run->options, run->first_memory, &checks);
    memory_judge(run, memory);
    if (run->fate != GOES_ON) {
        json_decref(memory);
        json_decref(checks);
        return;
    }
    double now = json_number_value(json_object_get(memory, "now"));
    quiet_check_load(checks, traffic_figures(run->traffic));
    baseline_take(run, memory);
    json_t *line = line_make(run, "quiet");
    json_object_set_new(line, "index", json_integer(run->index));
    json_object_set_new(line, "memory", memory);
    json_object_set_new(line, "proc", proc_ask(run));
    json_object_set_new(line, "checks", checks);
    quiet_ask_around(&run->options, run->snapshot, line);
    if (is_first)
        conservation_start(run, now, line);
    else
        conservation_go_on(run, now, line);
    quiet_say(run, line);
    record_write(&run->record, line);
    record_sync(&run->record);
    run->index++;
    run->is_quiet = true;
    next_quiet_set(run);
}

/* ---- drills ---- */

static void drill_start(struct run *run)
{
    char target[256];
    server_status status;

    if (run->options.drill == NULL || run->past.any)
        return;
    snprintf(target, sizeof target, "/drills/leak?kind=%s&bytes=%d&per=second", run->options.drill,
             DRILL_BYTES);
    char *text = server_text(&run->options.operator, "POST", target, &status);
    if (status == 201)
        event(run, "drill_started", "%s: %d bytes a second", run->options.drill, DRILL_BYTES);
    else
        end(run, status == 0 ? SERVER_GONE : CANNOT_GO_ON);
    if (status != 0 && status != 201)
        fprintf(stderr, "mayfly-soak: the drill was refused: %d %s\n", status, text);
    free(text);
}

/* ---- the schedule ---- */

static bool is_over(const struct run *run)
{
    return elapsed(run) >= run->options.duration_seconds;
}

static bool quiet_is_due(const struct run *run)
{
    return is_mayfly(run) && server_seconds(run) >= run->next_boundary - PAUSE_SECONDS;
}

/* Seconds until something is due. */
static double next_in(const struct run *run)
{
    double at = elapsed(run);
    double next = fmin(run->next_sample, run->options.duration_seconds) - at;

    if (is_mayfly(run))
        next = fmin(next, run->next_boundary - PAUSE_SECONDS - server_seconds(run));
    return fmax(0, fmin(next, SPIN_SECONDS));
}

static void load(struct run *run)
{
    while (run->fate == GOES_ON && !stop_asked && !is_over(run)) {
        uint64_t until = now_ns() + (uint64_t)(next_in(run) * 1e9);
        run->is_quiet = false;
        if (!traffic_spin(run->traffic, elapsed(run), until))
            end(run, SERVER_GONE);
        else if (elapsed(run) >= run->next_sample)
            sample(run, "load");
        if (run->fate == GOES_ON && quiet_is_due(run))
            quiet_point(run);
        if (run->record.failed)
            end(run, CANNOT_GO_ON);
    }
}

/* The last quiet point, and for a peer the last sample. */
static void finish(struct run *run)
{
    bool stopped = stop_asked && !is_over(run);

    if (run->fate == GOES_ON && !is_mayfly(run))
        traffic_pause(run->traffic);
    if (run->fate == GOES_ON)
        sample(run, "load");
    if (run->fate == GOES_ON && is_mayfly(run) && !run->is_quiet)
        quiet_point(run);
    end(run, stopped ? STOPPED : FINISHED);
}

static void fate_write(struct run *run)
{
    switch (run->fate) {
    case SERVER_GONE:
        event(run, "server_gone", "the server does not answer any more, or its process has ended");
        break;
    case SERVER_RESTARTED:
        event(run, "server_restarted", "the server is another process than it was");
        break;
    case STOPPED:
        event(run, "stopped", "by a signal, after a last quiet point");
        break;
    case FINISHED:
        event(run, "finished", "the duration is over");
        break;
    default:
        break;
    }
}

static void run_all(struct run *run)
{
    start(run);
    if (run->fate == GOES_ON && is_mayfly(run)) {
        quiet_point(run);
        if (run->fate == GOES_ON)
            drill_start(run);
    }
    load(run);
    finish(run);
    fate_write(run);
}

/* ---- beginning and end of the process ---- */

static void past_take(struct run *run)
{
    json_t *memory = json_object_get(run->past.first_quiet, "memory");

    run->begun_ns = now_ns();
    run->begun_at = run->past.any ? run->past.first_at : unix_seconds();
    run->begun_elapsed = fmax(0, unix_seconds() - run->begun_at);
    run->index = run->past.next_index;
    if (memory == NULL)
        return;
    run->first_memory = json_incref(memory);
    run->server_start = json_number_value(json_object_get(memory, "start"));
    run->snapshot = json_integer_value(json_object_get(run->past.first_quiet, "snapshot"));
}

static void signals_take(void)
{
    struct sigaction action = {.sa_handler = on_signal};

    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
}

static void run_free(struct run *run)
{
    record_close(&run->record);
    json_decref(run->first_memory);
    json_decref(run->past.first_quiet);
    traffic_free(run->traffic);
    free(run->conservation);
}

int run_main(int argc, char **argv)
{
    struct run run = {.options = soak_options_parse(argc, argv)};

    if (!record_open(&run.record, run.options.directory, &run.past))
        return 1;
    signals_take();
    run.conservation = calloc(1, sizeof *run.conservation);
    run.traffic = traffic_make(&run.options); /* takes some seconds: bombs are made */
    past_take(&run);
    if (is_over(&run))
        fprintf(stderr, "mayfly-soak: the run in %s is over\n", run.options.directory);
    else if (run.conservation != NULL && run.traffic != NULL)
        run_all(&run);
    else
        end(&run, CANNOT_GO_ON);
    bool failed =
        run.record.failed || (run.fate != GOES_ON && run.fate != FINISHED && run.fate != STOPPED);
    run_free(&run);
    return failed ? 1 : 0;
}
