#define _GNU_SOURCE 1
#include "process.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* The differences of utime and stime are wrong by less than a tick each; when the exact clock lacks
 * more than both, a thread has ended. */
#define CLOCKS_DIFFER_NS 25000000u

static bool file_read(const char *path, char *out, size_t size)
{
    FILE *file = fopen(path, "re");
    size_t length;

    if (file == NULL)
        return false;
    length = fread(out, 1, size - 1, file);
    out[length] = '\0';
    fclose(file);
    return length > 0;
}

static bool ticks_read(uint64_t pid, struct process *out)
{
    char path[64];
    char text[1024];
    const char *fields;
    unsigned long long user;
    unsigned long long system;
    unsigned long long start;
    uint64_t tick_ns = 1000000000u / (uint64_t)sysconf(_SC_CLK_TCK);

    snprintf(path, sizeof(path), "/proc/%llu/stat", (unsigned long long)pid);
    if (!file_read(path, text, sizeof(text)))
        return false;
    fields = strrchr(text, ')'); /* the name before it may hold anything */
    if (fields == NULL ||
        sscanf(
            fields + 1,
            " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu %*d %*d %*d %*d %*d %*d %llu",
            &user, &system, &start) != 3)
        return false;
    out->start_ticks = start;
    out->user_ns = user * tick_ns;
    out->system_ns = system * tick_ns;
    return true;
}

static void runtime_read(uint64_t pid, struct process *out)
{
    char path[320];
    char text[128];
    struct dirent *entry;
    DIR *tasks;

    snprintf(path, sizeof(path), "/proc/%llu/task", (unsigned long long)pid);
    tasks = opendir(path);
    if (tasks == NULL)
        return;
    while ((entry = readdir(tasks)) != NULL) {
        unsigned long long runtime;

        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof(path), "/proc/%llu/task/%s/schedstat", (unsigned long long)pid,
                 entry->d_name);
        if (file_read(path, text, sizeof(text)) && sscanf(text, "%llu", &runtime) == 1)
            out->runtime_ns += runtime;
    }
    closedir(tasks);
}

static uint64_t status_number(const char *text, const char *name)
{
    const char *at = strstr(text, name);
    unsigned long long number = 0;

    if (at != NULL)
        sscanf(at + strlen(name), " %llu", &number);
    return number;
}

static bool status_read(uint64_t pid, struct process *out)
{
    char path[64];
    char text[8192];

    snprintf(path, sizeof(path), "/proc/%llu/status", (unsigned long long)pid);
    if (!file_read(path, text, sizeof(text)))
        return false;
    out->rss_bytes = status_number(text, "VmRSS:") * 1024;
    out->hwm_bytes = status_number(text, "VmHWM:") * 1024;
    out->anon_bytes = status_number(text, "RssAnon:") * 1024;
    out->threads = status_number(text, "Threads:");
    out->is_zombie = strstr(text, "State:\tZ") != NULL;
    return true;
}

bool process_read(uint64_t pid, struct process *out)
{
    *out = (struct process){0};
    if (pid == 0 || !ticks_read(pid, out) || !status_read(pid, out))
        return false;
    runtime_read(pid, out);
    return true;
}

uint64_t process_cpu_ns(const struct process *before, const struct process *after)
{
    uint64_t ticks = after->user_ns + after->system_ns - before->user_ns - before->system_ns;
    uint64_t exact = after->runtime_ns - before->runtime_ns;

    if (after->runtime_ns < before->runtime_ns || exact + CLOCKS_DIFFER_NS < ticks)
        return ticks;
    return exact;
}
