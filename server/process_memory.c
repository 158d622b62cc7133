/* process_memory.c: see process_memory.h. */
#include "process_memory.h"

#include "machine_file.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* Fields of /proc/self/stat from the third on, which is 0: the second may hold blanks and `)`. */
enum stat_field {
    STAT_MINOR_FAULTS = 7,
    STAT_MAJOR_FAULTS = 9,
    STAT_USER_TICKS = 11,
    STAT_SYSTEM_TICKS = 12,
    STAT_START_TICKS = 19,
};

static uint64_t stat_number(const char *text, enum stat_field field)
{
    const char *at = strrchr(text, ')');
    for (int i = 0; at != NULL && i <= (int)field; i++)
        at = strchr(at + 1, ' ');
    return at == NULL ? 0 : machine_number_at(at + 1);
}

static int64_t clock_ms(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

uint64_t process_start_ms(const struct machine *machine)
{
    char text[MACHINE_FILE_BYTES];
    int64_t boot_ms = clock_ms(CLOCK_REALTIME) - clock_ms(CLOCK_BOOTTIME);
    if (!machine_file_read(bytes_of(machine->proc), "/self/stat", text))
        return 0;
    uint64_t since_boot = stat_number(text, STAT_START_TICKS) * 1000 / machine->ticks_per_second;
    return (uint64_t)boot_ms + since_boot;
}

static bool status_read(const struct machine *machine, struct process_memory *memory)
{
    char text[MACHINE_FILE_BYTES];
    if (!machine_file_read(bytes_of(machine->proc), "/self/status", text))
        return false;
    memory->rss_bytes = machine_kib_of(text, "VmRSS");
    memory->rss_peak_bytes = machine_kib_of(text, "VmHWM");
    memory->rss_anon_bytes = machine_kib_of(text, "RssAnon");
    memory->rss_file_bytes = machine_kib_of(text, "RssFile") + machine_kib_of(text, "RssShmem");
    memory->swap_bytes = machine_kib_of(text, "VmSwap");
    memory->virtual_bytes = machine_kib_of(text, "VmSize");
    memory->virtual_peak_bytes = machine_kib_of(text, "VmPeak");
    memory->threads = machine_number_of(text, "Threads");
    return true;
}

static bool stat_read(const struct machine *machine, struct process_memory *memory)
{
    char text[MACHINE_FILE_BYTES];
    uint64_t per_second = machine->ticks_per_second;
    if (!machine_file_read(bytes_of(machine->proc), "/self/stat", text))
        return false;
    memory->minor_faults = stat_number(text, STAT_MINOR_FAULTS);
    memory->major_faults = stat_number(text, STAT_MAJOR_FAULTS);
    memory->cpu_user_ms = stat_number(text, STAT_USER_TICKS) * 1000 / per_second;
    memory->cpu_system_ms = stat_number(text, STAT_SYSTEM_TICKS) * 1000 / per_second;
    memory->start_ms = machine->start_ms;
    return true;
}

/* Entries that are descriptors, without the one through which they are read. */
static uint64_t entries_count(const char *entries, long bytes, int own)
{
    uint64_t count = 0;
    for (long at = 0; at < bytes;) {
        const struct dirent64 *entry = (const struct dirent64 *)(const void *)(entries + at);
        if (isdigit((unsigned char)entry->d_name[0]) &&
            machine_number_at(entry->d_name) != (uint64_t)own)
            count++;
        at += entry->d_reclen;
    }
    return count;
}

/* readdir() would allocate its buffer. */
static uint64_t descriptors_count(const struct machine *machine)
{
    char path[MACHINE_FILE_PATH_BYTES];
    _Alignas(struct dirent64) char entries[4096];
    uint64_t count = 0;
    long got;
    machine_path_join(path, sizeof(path), bytes_of(machine->proc), "/self/fd");
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return MACHINE_NONE; /* there may be no descriptor left to ask with */
    while ((got = syscall(SYS_getdents64, fd, entries, sizeof(entries))) > 0)
        count += entries_count(entries, got, fd);
    close(fd);
    return count;
}

bool process_memory_read(const struct machine *machine, struct process_memory *memory)
{
    memset(memory, 0, sizeof(*memory));
    if (!status_read(machine, memory) || !stat_read(machine, memory)) {
        memset(memory, 0, sizeof(*memory));
        return false;
    }
    memory->open_fds = descriptors_count(machine);
    return true;
}

bool process_pss_read(const struct machine *machine, uint64_t *pss_bytes)
{
    char text[MACHINE_FILE_BYTES];
    *pss_bytes = 0;
    if (!machine_file_read(bytes_of(machine->proc), "/self/smaps_rollup", text))
        return false;
    *pss_bytes = machine_kib_of(text, "Pss");
    return true;
}
