/*
 * proc.h: what the kernel says of the server's process.
 */
#ifndef SOAK_PROC_H
#define SOAK_PROC_H

#include <jansson.h>
#include <stdint.h>

/* {"rss","hwm","anon","threads","fds","cpu_seconds","start_ticks"}, null when there is no such
 * process, or none was named (pid 0). What we may not see of it (fds of another user's) is null. */
json_t *proc_read(uint64_t pid);

#endif
