/* proc.c: see proc.h. */
#include "proc.h"

#include "bench/process.h"

#include <dirent.h>
#include <stdio.h>

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
    struct process process;

    if (!process_read(pid, &process) || process.is_zombie)
        return json_null();
    return json_pack("{s:I, s:I, s:I, s:I, s:o, s:f, s:I}", "rss", (json_int_t)process.rss_bytes,
                     "hwm", (json_int_t)process.hwm_bytes, "anon", (json_int_t)process.anon_bytes,
                     "threads", (json_int_t)process.threads, "fds", fd_count(pid), "cpu_seconds",
                     (double)(process.user_ns + process.system_ns) * 1e-9, "start_ticks",
                     (json_int_t)process.start_ticks);
}
