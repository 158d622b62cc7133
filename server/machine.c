/* machine.c: see machine.h. */
#include "machine.h"

#include "machine_file.h"
#include "process_memory.h"

#include "base/number.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A v1 cgroup without a limit says LONG_MAX rounded down to a page. Nobody has 2^62 bytes. */
#define NO_LIMIT_V1 ((uint64_t)1 << 62)

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
    FILE *file = machine_file_open(bytes_of(proc), "/self/cgroup");
    while (file != NULL && !found && getline(&line, &bytes, file) > 0) {
        const char *path = membership_path(line, controller);
        found = path != NULL &&
                machine_path_join(out, MACHINE_PATH_BYTES, (struct bytes){"", 0}, path);
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
    if (!machine_path_join(point, sizeof(point), bytes_of(fs_root), mount->point))
        return;
    if (machine_path_join(place->path, sizeof(place->path), bytes_of(point),
                          below_mount(mount, own)))
        place->mount_length = strlen(point);
}

/* The nearest ancestor that has this file; with none of them the place stays where it is. */
static void place_settle(struct cgroup_place *place, const char *name)
{
    char path[MACHINE_FILE_PATH_BYTES];
    size_t length = strlen(place->path);
    while (machine_path_join(path, sizeof(path), (struct bytes){place->path, length}, name) &&
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
    FILE *file = machine_file_open(bytes_of(proc), "/self/mountinfo");
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
    char text[MACHINE_FILE_BYTES];
    uint64_t least = machine_file_number(directory, "/memory.limit_in_bytes");
    if (machine_file_read(directory, "/memory.stat", text)) {
        uint64_t hierarchical = machine_number_of(text, "hierarchical_memory_limit");
        least = hierarchical < least ? hierarchical : least;
    }
    return least < NO_LIMIT_V1 ? least : MACHINE_NONE;
}

static uint64_t memory_limit_v2(struct bytes directory)
{
    return machine_file_number(directory, "/memory.max");
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
    return quota_cpus(machine_file_number(directory, "/cpu.cfs_quota_us"),
                      machine_file_number(directory, "/cpu.cfs_period_us"));
}

/* "200000 100000", or "max 100000" */
static uint64_t cpus_v2(struct bytes directory)
{
    char text[MACHINE_FILE_BYTES];
    if (!machine_file_read(directory, "/cpu.max", text))
        return MACHINE_NONE;
    const char *period = strchr(text, ' ');
    if (period == NULL)
        return MACHINE_NONE;
    return quota_cpus(machine_number_at(text), machine_number_at(period + 1));
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

void machine_init(struct machine *machine, const char *proc_root, const char *fs_root)
{
    memset(machine, 0, sizeof(*machine));
    machine_path_join(machine->proc, sizeof(machine->proc), (struct bytes){"", 0}, proc_root);
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
    machine->start_ms = process_start_ms(machine);
}

/* --- figures --- */

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
    pressure->total_us = total == NULL ? 0 : machine_number_at(total + strlen("total="));
}

static void pressure_read(struct bytes directory, struct cgroup_memory *memory)
{
    char text[MACHINE_FILE_BYTES];
    if (!machine_file_read(directory, "/memory.pressure", text))
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
    char text[MACHINE_FILE_BYTES];
    memory->current_bytes = machine_file_number(directory, "/memory.usage_in_bytes");
    if (memory->current_bytes == MACHINE_NONE)
        return false;
    memory->version = 1;
    memory->peak_bytes = machine_file_number(directory, "/memory.max_usage_in_bytes");
    memory->max_events = machine_file_number(directory, "/memory.failcnt");
    if (machine_file_read(directory, "/memory.oom_control", text))
        memory->oom_kill_events = machine_number_of(text, "oom_kill");
    return true;
}

static bool memory_v2_read(struct bytes directory, struct cgroup_memory *memory)
{
    char text[MACHINE_FILE_BYTES];
    memory->current_bytes = machine_file_number(directory, "/memory.current");
    if (memory->current_bytes == MACHINE_NONE)
        return false;
    memory->version = 2;
    memory->peak_bytes = machine_file_number(directory, "/memory.peak");
    if (machine_file_read(directory, "/memory.events", text)) {
        memory->max_events = machine_number_of(text, "max");
        memory->oom_kill_events = machine_number_of(text, "oom_kill");
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
