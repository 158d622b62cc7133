/* proc.c: see proc.h. */
#include "proc.h"

#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static bool file_read(uint64_t pid, const char *name, char *text, size_t size)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%llu/%s", (unsigned long long)pid, name);
    FILE *file = fopen(path, "re");

    if (file == NULL)
        return false;
    size_t length = fread(text, 1, size - 1, file);
    text[length] = '\0';
    fclose(file);
    return length > 0;
}

static json_int_t status_number(const char *status, const char *name, json_int_t unit)
{
    const char *at = strstr(status, name);
    long long number = 0;

    if (at != NULL)
        sscanf(at + strlen(name), " %lld", &number);
    return number * unit;
}

/* Fields 14, 15 and 22; the name before them may hold anything, and is in brackets. */
static bool stat_read(uint64_t pid, double *cpu_seconds, json_int_t *start_ticks)
{
    char text[1024];
    unsigned long long user, system, start;
    const char *fields = file_read(pid, "stat", text, sizeof text) ? strrchr(text, ')') : NULL;

    if (fields == NULL || sscanf(fields + 1,
                                 " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu"
                                 " %*d %*d %*d %*d %*d %*d %llu",
                                 &user, &system, &start) != 3)
        return false;
    *cpu_seconds = (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
    *start_ticks = (json_int_t)start;
    return true;
}

static json_t *fd_count(uint64_t pid)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%llu/fd", (unsigned long long)pid);
    DIR *folder = opendir(path);
    struct dirent *entry;
    json_int_t count = 0;

    if (folder == NULL)
        return json_null();
    while ((entry = readdir(folder)) != NULL)
        count += entry->d_name[0] != '.';
    closedir(folder);
    return json_integer(count);
}

json_t *proc_read(uint64_t pid)
{
    char status[8192];
    double cpu_seconds;
    json_int_t start_ticks;

    if (pid == 0 || !file_read(pid, "status", status, sizeof status) ||
        strstr(status, "State:\tZ") != NULL || !stat_read(pid, &cpu_seconds, &start_ticks))
        return json_null();
    return json_pack(
        "{s:I, s:I, s:I, s:I, s:o, s:f, s:I}", "rss", status_number(status, "VmRSS:", 1024), "hwm",
        status_number(status, "VmHWM:", 1024), "anon", status_number(status, "RssAnon:", 1024),
        "threads", status_number(status, "Threads:", 1), "fds", fd_count(pid), "cpu_seconds",
        cpu_seconds, "start_ticks", start_ticks);
}
