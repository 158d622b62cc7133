/* machine.c: see machine.h. */
#include "machine.h"

#include "base/bytes.h"
#include "base/number.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* A v1 cgroup without a limit says LONG_MAX rounded down to a page. Nobody has 2^62 bytes. */
#define NO_LIMIT_V1 ((uint64_t)1 << 62)

/* What one fault maps around itself (fault_around_bytes, 64 KiB unless a debugger changed it). */
#define FAULT_AROUND_BYTES 65536

/* The .bss of a library has some tens of KiB; an anonymous mapping beyond it is something else. */
#define BSS_BYTES_MAX (1 << 20)

#define FILE_BYTES 8192 /* /proc/self/status has 1.5 KiB, the others less */

/* --- reading small files --- */

static bool path_join(char *out, size_t out_bytes, struct bytes directory, const char *name)
{
    size_t length = strlen(name);
    if (directory.length + length >= out_bytes)
        return false;
    memcpy(out, directory.at, directory.length);
    memcpy(out + directory.length, name, length + 1);
    return true;
}

/* The beginning of a file, terminated; false when it cannot be read or is empty. */
static bool file_read(struct bytes directory, const char *name, char out[static FILE_BYTES])
{
    char path[MACHINE_PATH_BYTES + 64];
    size_t length = 0;
    ssize_t got;
    if (!path_join(path, sizeof(path), directory, name))
        return false;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    while ((got = read(fd, out + length, FILE_BYTES - 1 - length)) > 0 ||
           (got < 0 && errno == EINTR))
        length += got > 0 ? (size_t)got : 0;
    close(fd);
    out[length] = '\0';
    return length > 0;
}

/* The digits that begin `text`; MACHINE_NONE for "max", "-1" and all else that is no number. */
static uint64_t number_at(const char *text)
{
    uint64_t number = MACHINE_NONE;
    struct bytes digits = {text, strspn(text, "0123456789")};
    number_parse_u64(digits, &number);
    return number;
}

/* The number in the line "KEY 12", "KEY: 12 kB" or "KEY=12"; MACHINE_NONE without such a line. */
static uint64_t number_of(const char *text, const char *key)
{
    size_t length = strlen(key);
    for (const char *line = text; line != NULL; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, key, length) == 0 && strchr(": =\t", line[length]) != NULL)
            return number_at(line + length + strspn(line + length, ": =\t"));
    }
    return MACHINE_NONE;
}

static uint64_t file_number(struct bytes directory, const char *name)
{
    char text[FILE_BYTES];
    return file_read(directory, name, text) ? number_at(text) : MACHINE_NONE;
}

static struct bytes proc_of(const struct machine *machine)
{
    return bytes_of(machine->proc);
}

/* --- finding the cgroups --- */

/* A word of a list such as "rw,cpu,cpuacct". */
static bool list_has(const char *list, const char *word)
{
    size_t length = strlen(word);
    for (const char *at = list; at != NULL; at = strchr(at, ',')) {
        at += *at == ',';
        if (strncmp(at, word, length) == 0 && strchr(",\n", at[length]) != NULL)
            return true;
    }
    return false;
}

static FILE *proc_open(const char *proc, const char *name)
{
    char path[MACHINE_PATH_BYTES + 64];
    return path_join(path, sizeof(path), bytes_of(proc), name) ? fopen(path, "re") : NULL;
}

/* "4:memory:/a/b" names v1's controllers, "0::/a/b" is v2. The path after it, NULL if not ours. */
static const char *membership_path(char *line, const char *controller)
{
    char *list = strchr(line, ':');
    char *path = list == NULL ? NULL : strchr(list + 1, ':');
    if (path == NULL)
        return NULL;
    *path++ = '\0';
    path[strcspn(path, "\n")] = '\0';
    if (controller == NULL ? list[1] != '\0' : !list_has(list + 1, controller))
        return NULL;
    return path;
}

/* Where the process is in one hierarchy, as the kernel names it; NULL controller: v2's. */
static bool membership_find(const char *proc, const char *controller,
                            char out[static MACHINE_PATH_BYTES])
{
    bool found = false;
    char *line = NULL;
    size_t bytes = 0;
    FILE *file = proc_open(proc, "/self/cgroup");
    while (file != NULL && !found && getline(&line, &bytes, file) > 0) {
        const char *path = membership_path(line, controller);
        found = path != NULL && path_join(out, MACHINE_PATH_BYTES, (struct bytes){"", 0}, path);
    }
    free(line);
    if (file != NULL)
        fclose(file);
    return found;
}

struct mount {
    char *root; /* the directory of the hierarchy that is mounted, "/" for all of it */
    char *point;
    char *type;
    char *options; /* of the hierarchy: its controllers */
};

/* mountinfo writes blanks and backslashes of a path as \040. */
static void unescape(char *text)
{
    char *out = text;
    for (; *text != '\0'; out++) {
        unsigned code = 0;
        if (text[0] == '\\' && sscanf(text + 1, "%3o", &code) == 1) {
            *out = (char)code;
            text += 4;
        } else {
            *out = *text++;
        }
    }
    *out = '\0';
}

/* "31 23 0:28 / /sys/fs/cgroup/memory rw,relatime shared:9 - cgroup cgroup rw,memory" */
static bool mount_parse(char *line, struct mount *mount)
{
    char *field[6];
    for (size_t i = 0; i < sizeof(field) / sizeof(field[0]); i++)
        field[i] = strsep(&line, " ");
    char *word = field[5];
    while (word != NULL && strcmp(word, "-") != 0)
        word = strsep(&line, " ");
    mount->root = field[3];
    mount->point = field[4];
    mount->type = strsep(&line, " ");
    strsep(&line, " "); /* the source says nothing */
    mount->options = strsep(&line, " ");
    if (mount->options == NULL)
        return false;
    unescape(mount->root);
    unescape(mount->point);
    return true;
}

static bool mount_is_of(const struct mount *mount, const char *controller)
{
    if (controller == NULL)
        return strcmp(mount->type, "cgroup2") == 0;
    return strcmp(mount->type, "cgroup") == 0 && list_has(mount->options, controller);
}

/*
 * Below the mount point. The kernel names our cgroup from the hierarchy's top (or from the top of
 * the cgroup namespace), while the mount may show only a part: the container's. When the name does
 * not lie in that part, the top of what we are shown is the best there is.
 */
static const char *below_mount(const struct mount *mount, const char *own)
{
    size_t length = strcmp(mount->root, "/") == 0 ? 0 : strlen(mount->root);
    if (strncmp(own, mount->root, length) != 0 || (own[length] != '/' && own[length] != '\0'))
        return "";
    own += length;
    return strcmp(own, "/") == 0 || strncmp(own, "/..", 3) == 0 ? "" : own;
}

static void place_ascend(const struct cgroup_place *place, size_t *length)
{
    while (*length > place->mount_length && place->path[*length - 1] != '/')
        --*length;
    if (*length > place->mount_length)
        --*length;
}

static void place_set(struct cgroup_place *place, const char *fs_root, const struct mount *mount,
                      const char *own)
{
    char point[MACHINE_PATH_BYTES];
    place->mount_length = 0;
    if (!path_join(point, sizeof(point), bytes_of(fs_root), mount->point))
        return;
    if (path_join(place->path, sizeof(place->path), bytes_of(point), below_mount(mount, own)))
        place->mount_length = strlen(point);
}

/* The nearest ancestor that has this file; with none of them the place stays where it is. */
static void place_settle(struct cgroup_place *place, const char *name)
{
    char path[MACHINE_PATH_BYTES + 64];
    size_t length = strlen(place->path);
    while (path_join(path, sizeof(path), (struct bytes){place->path, length}, name) &&
           access(path, R_OK) != 0) {
        if (length == place->mount_length)
            return;
        place_ascend(place, &length);
    }
    place->path[length] = '\0';
}

/*
 * A hierarchy can be mounted more than once (a host's, bound into a container beside its own): the
 * mount whose part holds our cgroup is taken, else the first.
 */
static void place_init(struct cgroup_place *place, const char *proc, const char *fs_root,
                       const char *controller)
{
    char own[MACHINE_PATH_BYTES];
    bool settled = false;
    char *line = NULL;
    size_t bytes = 0;
    memset(place, 0, sizeof(*place));
    if (!membership_find(proc, controller, own))
        return;
    FILE *file = proc_open(proc, "/self/mountinfo");
    while (file != NULL && !settled && getline(&line, &bytes, file) > 0) {
        struct mount mount;
        if (!mount_parse(line, &mount) || !mount_is_of(&mount, controller))
            continue;
        settled = strcmp(mount.root, "/") == 0 || *below_mount(&mount, own) != '\0' ||
                  strcmp(mount.root, own) == 0;
        if (settled || place->mount_length == 0)
            place_set(place, fs_root, &mount, own);
    }
    free(line);
    if (file != NULL)
        fclose(file);
}

/* --- limits --- */

/* The smallest that `read` finds in the place and the ancestors we can see. */
static uint64_t least_of(const struct cgroup_place *place, uint64_t (*read)(struct bytes directory))
{
    uint64_t least = MACHINE_NONE;
    size_t length = strlen(place->path);
    if (place->mount_length == 0)
        return least;
    for (;;) {
        uint64_t value = read((struct bytes){place->path, length});
        least = value < least ? value : least;
        if (length <= place->mount_length)
            return least;
        place_ascend(place, &length);
    }
}

/* hierarchical_memory_limit counts the ancestors that a container is not shown, too. */
static uint64_t memory_limit_v1(struct bytes directory)
{
    char text[FILE_BYTES];
    uint64_t least = file_number(directory, "/memory.limit_in_bytes");
    if (file_read(directory, "/memory.stat", text)) {
        uint64_t hierarchical = number_of(text, "hierarchical_memory_limit");
        least = hierarchical < least ? hierarchical : least;
    }
    return least < NO_LIMIT_V1 ? least : MACHINE_NONE;
}

static uint64_t memory_limit_v2(struct bytes directory)
{
    return file_number(directory, "/memory.max");
}

/* CPUs' worth of time in each period, rounded up: half a CPU still needs one thread. */
static uint64_t quota_cpus(uint64_t quota, uint64_t period)
{
    if (quota == MACHINE_NONE || period == MACHINE_NONE || period == 0)
        return MACHINE_NONE;
    return quota / period + (quota % period != 0);
}

static uint64_t cpus_v1(struct bytes directory)
{
    return quota_cpus(file_number(directory, "/cpu.cfs_quota_us"),
                      file_number(directory, "/cpu.cfs_period_us"));
}

/* "200000 100000", or "max 100000" */
static uint64_t cpus_v2(struct bytes directory)
{
    char text[FILE_BYTES];
    if (!file_read(directory, "/cpu.max", text))
        return MACHINE_NONE;
    const char *period = strchr(text, ' ');
    return period == NULL ? MACHINE_NONE : quota_cpus(number_at(text), number_at(period + 1));
}

static unsigned affinity_cpus(void)
{
    cpu_set_t sets[8]; /* 8,192 CPUs: the kernel refuses a mask shorter than its own */
    if (sched_getaffinity(0, sizeof(sets), sets) != 0)
        return 1;
    int count = CPU_COUNT_S(sizeof(sets), sets);
    return count < 1 ? 1 : (unsigned)count;
}

uint64_t machine_memory_limit(const struct machine *machine)
{
    uint64_t v1 = least_of(&machine->memory_v1, memory_limit_v1);
    uint64_t v2 = least_of(&machine->memory_v2, memory_limit_v2);
    return v1 < v2 ? v1 : v2;
}

unsigned machine_cpus(const struct machine *machine)
{
    if (machine->cpus_quota == 0 || machine->cpus_quota > machine->cpus_affinity)
        return machine->cpus_affinity;
    return machine->cpus_quota;
}

/* --- the process --- */

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
    return at == NULL ? 0 : number_at(at + 1);
}

static int64_t clock_ms(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* The kernel counts from boot; when that was, two clocks tell. */
static uint64_t started_ms(const struct machine *machine)
{
    char text[FILE_BYTES];
    int64_t boot_ms = clock_ms(CLOCK_REALTIME) - clock_ms(CLOCK_BOOTTIME);
    if (!file_read(proc_of(machine), "/self/stat", text))
        return 0;
    uint64_t since_boot = stat_number(text, STAT_START_TICKS) * 1000 / machine->ticks_per_second;
    return (uint64_t)boot_ms + since_boot;
}

void machine_init(struct machine *machine, const char *proc_root, const char *fs_root)
{
    memset(machine, 0, sizeof(*machine));
    path_join(machine->proc, sizeof(machine->proc), (struct bytes){"", 0}, proc_root);
    place_init(&machine->memory_v1, machine->proc, fs_root, "memory");
    place_init(&machine->memory_v2, machine->proc, fs_root, NULL);
    place_init(&machine->cpu_v1, machine->proc, fs_root, "cpu");
    machine->cpu_v2 = machine->memory_v2;
    place_settle(&machine->memory_v1, "/memory.usage_in_bytes");
    place_settle(&machine->memory_v2, "/memory.current");

    uint64_t v1 = least_of(&machine->cpu_v1, cpus_v1);
    uint64_t v2 = least_of(&machine->cpu_v2, cpus_v2);
    uint64_t quota = v1 < v2 ? v1 : v2;
    machine->cpus_quota = quota < UINT32_MAX ? (unsigned)quota : 0;
    machine->cpus_affinity = affinity_cpus();

    long ticks = sysconf(_SC_CLK_TCK);
    machine->ticks_per_second = ticks > 0 ? (uint64_t)ticks : 100;
    machine->start_ms = started_ms(machine);
}

static uint64_t kib_of(const char *text, const char *key)
{
    uint64_t number = number_of(text, key);
    return number == MACHINE_NONE ? 0 : number << 10;
}

static bool status_read(const struct machine *machine, struct process_memory *memory)
{
    char text[FILE_BYTES];
    if (!file_read(proc_of(machine), "/self/status", text))
        return false;
    memory->rss_bytes = kib_of(text, "VmRSS");
    memory->rss_peak_bytes = kib_of(text, "VmHWM");
    memory->rss_anon_bytes = kib_of(text, "RssAnon");
    memory->rss_file_bytes = kib_of(text, "RssFile") + kib_of(text, "RssShmem");
    memory->swap_bytes = kib_of(text, "VmSwap");
    memory->virtual_bytes = kib_of(text, "VmSize");
    memory->virtual_peak_bytes = kib_of(text, "VmPeak");
    memory->threads = number_of(text, "Threads");
    return true;
}

static bool stat_read(const struct machine *machine, struct process_memory *memory)
{
    char text[FILE_BYTES];
    uint64_t per_second = machine->ticks_per_second;
    if (!file_read(proc_of(machine), "/self/stat", text))
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
        if (isdigit((unsigned char)entry->d_name[0]) && number_at(entry->d_name) != (uint64_t)own)
            count++;
        at += entry->d_reclen;
    }
    return count;
}

/* readdir() would allocate its buffer. */
static uint64_t descriptors_count(const struct machine *machine)
{
    char path[MACHINE_PATH_BYTES + 64];
    _Alignas(struct dirent64) char entries[4096];
    uint64_t count = 0;
    long got;
    path_join(path, sizeof(path), proc_of(machine), "/self/fd");
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return 0;
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
    char text[FILE_BYTES];
    *pss_bytes = 0;
    if (!file_read(proc_of(machine), "/self/smaps_rollup", text))
        return false;
    *pss_bytes = kib_of(text, "Pss");
    return true;
}

/* --- the cgroup --- */

static double decimal_of(const char *text, const char *key)
{
    double number = 0;
    const char *at = strstr(text, key);
    if (at != NULL) {
        at += strlen(key);
        number_parse((struct bytes){at, strspn(at, "0123456789.")}, &number);
    }
    return number;
}

/* "some avg10=0.12 avg60=0.05 avg300=0.01 total=1234" */
static void pressure_parse(const char *line, struct pressure *pressure)
{
    const char *total = strstr(line, "total=");
    pressure->avg10 = decimal_of(line, "avg10=");
    pressure->avg60 = decimal_of(line, "avg60=");
    pressure->avg300 = decimal_of(line, "avg300=");
    pressure->total_us = total == NULL ? 0 : number_at(total + strlen("total="));
}

static void pressure_read(struct bytes directory, struct cgroup_memory *memory)
{
    char text[FILE_BYTES];
    if (!file_read(directory, "/memory.pressure", text))
        return;
    const char *some = strstr(text, "some ");
    const char *full = strstr(text, "full ");
    memory->pressure_is_known = some != NULL && full != NULL;
    if (memory->pressure_is_known) {
        pressure_parse(some, &memory->some);
        pressure_parse(full, &memory->full);
    }
}

static bool memory_v1_read(struct bytes directory, struct cgroup_memory *memory)
{
    char text[FILE_BYTES];
    memory->current_bytes = file_number(directory, "/memory.usage_in_bytes");
    if (memory->current_bytes == MACHINE_NONE)
        return false;
    memory->version = 1;
    memory->peak_bytes = file_number(directory, "/memory.max_usage_in_bytes");
    memory->max_events = file_number(directory, "/memory.failcnt");
    if (file_read(directory, "/memory.oom_control", text))
        memory->oom_kill_events = number_of(text, "oom_kill");
    return true;
}

static bool memory_v2_read(struct bytes directory, struct cgroup_memory *memory)
{
    char text[FILE_BYTES];
    memory->current_bytes = file_number(directory, "/memory.current");
    if (memory->current_bytes == MACHINE_NONE)
        return false;
    memory->version = 2;
    memory->peak_bytes = file_number(directory, "/memory.peak");
    if (file_read(directory, "/memory.events", text)) {
        memory->max_events = number_of(text, "max");
        memory->oom_kill_events = number_of(text, "oom_kill");
    }
    pressure_read(directory, memory);
    return true;
}

bool cgroup_memory_read(const struct machine *machine, struct cgroup_memory *memory)
{
    const struct cgroup_place *v1 = &machine->memory_v1;
    const struct cgroup_place *v2 = &machine->memory_v2;
    *memory = (struct cgroup_memory){
        .current_bytes = MACHINE_NONE,
        .peak_bytes = MACHINE_NONE,
        .limit_bytes = machine_memory_limit(machine),
        .max_events = MACHINE_NONE,
        .oom_kill_events = MACHINE_NONE,
    };
    return (v1->mount_length > 0 && memory_v1_read(bytes_of(v1->path), memory)) ||
           (v2->mount_length > 0 && memory_v2_read(bytes_of(v2->path), memory));
}

/* --- code --- */

enum object_kind {
    OBJECT_PROGRAM,
    OBJECT_LIBRARY,
    OBJECT_UNUSED,
    OBJECT_ANONYMOUS,
    OBJECT_STACK,
    OBJECT_KERNEL, /* vvar: never counted as resident */
};

/* The mappings of one file, and its .bss after them: they stand together in smaps. */
struct object {
    enum object_kind kind;
    char path[MACHINE_PATH_BYTES];
    uint64_t end;
    uint64_t size_bytes; /* of what can be resident */
    uint64_t resident_bytes;
};

struct mapping {
    uint64_t begin;
    uint64_t end;
    bool accessible;
    char path[MACHINE_PATH_BYTES];
};

/*
 * Debian's libmicrohttpd is linked with gnutls, which pulls in the others. We serve no TLS, so of
 * these nothing is called between their constructors and their destructors (which touch another
 * 150 KiB at exit: the margin holds it). A library that is not listed is counted whole: a list that
 * lags behind makes the plan too large, never too small.
 */
static const char *const unused_libraries[] = {
    "libgnutls.so", "libp11-kit.so",      "libidn2.so",      "libunistring.so",
    "libtasn1.so",  "libnettle.so",       "libhogweed.so",   "libgmp.so",
    "libffi.so",    "libbrotlicommon.so", "libbrotlienc.so", "libbrotlidec.so",
};

static enum object_kind object_kind(const char *path, const char *program)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash == NULL ? path : slash + 1;
    if (path[0] == '\0' || strncmp(path, "[heap", 5) == 0 || strncmp(path, "[anon", 5) == 0)
        return OBJECT_ANONYMOUS;
    if (strcmp(path, "[stack]") == 0)
        return OBJECT_STACK;
    if (strcmp(path, program) == 0)
        return OBJECT_PROGRAM;
    if (strncmp(path, "[v", 2) == 0 && strcmp(path, "[vdso]") != 0)
        return OBJECT_KERNEL;
    for (size_t i = 0; i < sizeof(unused_libraries) / sizeof(unused_libraries[0]); i++) {
        if (strncmp(name, unused_libraries[i], strlen(unused_libraries[i])) == 0)
            return OBJECT_UNUSED;
    }
    return OBJECT_LIBRARY;
}

static void object_charge(struct code_bytes *code, const struct object *object)
{
    uint64_t size = object->size_bytes;
    uint64_t left = size > object->resident_bytes ? size - object->resident_bytes : 0;
    switch (object->kind) {
    case OBJECT_PROGRAM:
        code->program_bytes += size;
        break;
    case OBJECT_LIBRARY:
        code->libraries_bytes += size;
        break;
    case OBJECT_UNUSED:
        code->unused_bytes += object->resident_bytes;
        code->unused_margin_bytes += left < FAULT_AROUND_BYTES ? left : FAULT_AROUND_BYTES;
        break;
    case OBJECT_ANONYMOUS:
        code->anonymous_bytes += object->resident_bytes;
        break;
    case OBJECT_STACK:
        code->main_stack_bytes += size;
        break;
    case OBJECT_KERNEL:
        break;
    }
}

/* "7ff87a-7ff87b r-xp 0000b000 fe:00 333037     /usr/lib/libgmp.so.10"; false for other lines. */
static bool mapping_parse(const char *line, struct mapping *mapping)
{
    char access[5];
    int path_at = 0;
    int fields = sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s %*x %*x:%*x %*u %n", &mapping->begin,
                        &mapping->end, access, &path_at);
    if (fields != 3 || path_at == 0)
        return false;
    size_t length = strcspn(line + path_at, "\n");
    length = length < MACHINE_PATH_BYTES ? length : MACHINE_PATH_BYTES - 1;
    memcpy(mapping->path, line + path_at, length);
    mapping->path[length] = '\0';
    mapping->accessible = strncmp(access, "---", 3) != 0;
    return true;
}

/* Anonymous memory that begins where a file's mappings end is its .bss. */
static bool is_bss(const struct object *object, const struct mapping *mapping)
{
    return object->kind <= OBJECT_UNUSED && mapping->path[0] == '\0' &&
           mapping->begin == object->end && mapping->end - mapping->begin <= BSS_BYTES_MAX;
}

/* The mapping joins the object before it, or charges that and begins a new one. */
static void mapping_add(struct code_bytes *code, struct object *object,
                        const struct mapping *mapping, const char *program)
{
    uint64_t size = mapping->accessible ? mapping->end - mapping->begin : 0;
    if (strcmp(mapping->path, object->path) != 0 && !is_bss(object, mapping)) {
        object_charge(code, object);
        *object = (struct object){.kind = object_kind(mapping->path, program)};
        memcpy(object->path, mapping->path, sizeof(object->path));
    }
    object->size_bytes += size;
    object->end = mapping->end;
}

static void smaps_add_up(FILE *smaps, struct code_bytes *code, const char *program)
{
    char *line = NULL;
    size_t bytes = 0;
    struct object object = {.kind = OBJECT_KERNEL, .path = "[none]"};
    while (getline(&line, &bytes, smaps) > 0) {
        struct mapping mapping;
        if (mapping_parse(line, &mapping))
            mapping_add(code, &object, &mapping, program);
        else if (strncmp(line, "Rss:", 4) == 0)
            object.resident_bytes += kib_of(line, "Rss");
    }
    object_charge(code, &object);
    free(line);
    code->total_bytes = code->program_bytes + code->libraries_bytes + code->unused_bytes +
                        code->unused_margin_bytes + code->anonymous_bytes;
}

bool machine_code_bytes(const struct machine *machine, struct code_bytes *code)
{
    char link[MACHINE_PATH_BYTES + 64];
    char program[MACHINE_PATH_BYTES] = "";
    memset(code, 0, sizeof(*code));
    path_join(link, sizeof(link), proc_of(machine), "/self/exe");
    ssize_t length = readlink(link, program, sizeof(program) - 1);
    program[length > 0 ? length : 0] = '\0';
    FILE *smaps = proc_open(machine->proc, "/self/smaps");
    if (smaps == NULL)
        return false;
    smaps_add_up(smaps, code, program);
    fclose(smaps);
    return true;
}
