/*
 * test_machine.c: cgroups of every shape, as trees of small files under a directory of our own;
 * then the real /proc.
 */
#include "server/code_bytes.h"
#include "server/machine.h"
#include "server/process_memory.h"

#include <check.h>
#include <fcntl.h>
#include <ftw.h>
#include <malloc.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

Suite *machine_suite(void);

#define MIB(n) ((uint64_t)(n) << 20)
#define NO_LIMIT_TEXT "9223372036854771712\n" /* what a v1 cgroup without a limit says */

static char root[64];
static struct machine machine;
static struct cgroup_memory memory;

static void setup(void)
{
    strcpy(root, "/tmp/mayfly-machine-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(root));
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *walk)
{
    (void)status;
    (void)type;
    (void)walk;
    return remove(path);
}

static void teardown(void)
{
    nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* A file under the root, with the directories it needs. */
static void put(const char *path, const char *text)
{
    char full[4096];
    snprintf(full, sizeof(full), "%s%s", root, path);
    for (char *slash = full + strlen(root) + 1; (slash = strchr(slash, '/')) != NULL; slash++) {
        *slash = '\0';
        mkdir(full, 0755);
        *slash = '/';
    }
    FILE *file = fopen(full, "w");
    ck_assert_msg(file != NULL, "%s", full);
    fputs(text, file);
    fclose(file);
}

static void init(void)
{
    char proc[128];
    snprintf(proc, sizeof(proc), "%s/proc", root);
    machine_init(&machine, proc, root);
}

static void put_v1(const char *own, const char *mount_root)
{
    char text[512];
    snprintf(text, sizeof(text), "9:cpuset:/\n4:memory:%s\n1:cpu,cpuacct:%s\n0::/\n", own, own);
    put("/proc/self/cgroup", text);
    snprintf(text, sizeof(text),
             "22 27 0:21 / /proc rw,relatime - proc proc rw\n"
             "33 31 0:30 / /cg/cpuset rw,relatime - cgroup cgroup rw,cpuset\n"
             "35 31 0:32 %s /cg/memory rw,relatime shared:7 master:2 - cgroup cgroup rw,memory\n"
             "32 31 0:29 %s /cg/cpu rw,relatime - cgroup cgroup rw,cpu,cpuacct\n",
             mount_root, mount_root);
    put("/proc/self/mountinfo", text);
}

static void put_v2(const char *own, const char *mount_root)
{
    char text[512];
    snprintf(text, sizeof(text), "0::%s\n", own);
    put("/proc/self/cgroup", text);
    snprintf(text, sizeof(text),
             "27 1 254:0 / / rw,relatime - ext4 /dev/vda rw\n"
             "31 27 0:28 %s /cg rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n",
             mount_root);
    put("/proc/self/mountinfo", text);
}

static void check_limit(uint64_t bytes)
{
    init();
    ck_assert_uint_eq(machine_memory_limit(&machine), bytes);
}

/* --- memory limits --- */

START_TEST(nothing_to_see_is_no_limit)
{
    check_limit(MACHINE_NONE);
    ck_assert_uint_eq(machine.cpus_quota, 0);
    ck_assert_uint_ge(machine_cpus(&machine), 1);
    ck_assert(!cgroup_memory_read(&machine, &memory));
    ck_assert_uint_eq(memory.version, 0);
    ck_assert_uint_eq(memory.limit_bytes, MACHINE_NONE);
    ck_assert_uint_eq(memory.current_bytes, MACHINE_NONE);
}
END_TEST

START_TEST(v1_takes_the_smallest_of_itself_and_its_ancestors)
{
    put_v1("/pod/box", "/");
    put("/cg/memory/memory.limit_in_bytes", NO_LIMIT_TEXT);
    put("/cg/memory/pod/memory.limit_in_bytes", NO_LIMIT_TEXT);
    put("/cg/memory/pod/box/memory.limit_in_bytes", NO_LIMIT_TEXT);
    check_limit(MACHINE_NONE);
    put("/cg/memory/pod/box/memory.limit_in_bytes", "134217728\n");
    check_limit(MIB(128));
    put("/cg/memory/pod/memory.limit_in_bytes", "100663296\n");
    check_limit(MIB(96));
    put("/cg/memory/memory.limit_in_bytes", "33554432\n");
    check_limit(MIB(32));
}
END_TEST

/* A sibling's limit, or one below us, is not ours. */
START_TEST(v1_leaves_other_cgroups_alone)
{
    put_v1("/pod/box", "/");
    put("/cg/memory/pod/box/memory.limit_in_bytes", "134217728\n");
    put("/cg/memory/pod/boxer/memory.limit_in_bytes", "1048576\n");
    put("/cg/memory/pod/box/inner/memory.limit_in_bytes", "1048576\n");
    put("/cg/memory.limit_in_bytes", "1048576\n");
    check_limit(MIB(128));
}
END_TEST

/* A container sees its own part of the hierarchy; the pod's limit stands only in memory.stat. */
START_TEST(v1_of_a_container_is_below_the_mounts_root)
{
    put_v1("/docker/abc", "/docker/abc");
    put("/cg/memory/memory.limit_in_bytes", "134217728\n");
    check_limit(MIB(128));
    put_v1("/docker/abc/inner", "/docker/abc");
    put("/cg/memory/inner/memory.limit_in_bytes", "67108864\n");
    check_limit(MIB(64));
    put("/cg/memory/inner/memory.stat",
        "cache 0\nrss 4096\nhierarchical_memory_limit 50331648\nhierarchical_memsw_limit 1\n");
    check_limit(MIB(48));
}
END_TEST

/* Without a cgroup namespace of its own, a name that does not lie in what is mounted. */
START_TEST(name_outside_the_mount_is_its_top)
{
    put_v1("/docker/abc", "/elsewhere");
    put("/cg/memory/memory.limit_in_bytes", "134217728\n");
    check_limit(MIB(128));
    put_v1("/elsewhere2", "/elsewhere");
    put("/cg/memory2/memory.limit_in_bytes", "1048576\n");
    check_limit(MIB(128));
    put_v2("/../sibling", "/");
    put("/cg/memory.max", "67108864\n");
    put("/sibling/memory.max", "1048576\n");
    check_limit(MIB(64));
}
END_TEST

START_TEST(v2_takes_the_smallest_of_itself_and_its_ancestors)
{
    put_v2("/a.slice/b.service", "/");
    put("/cg/a.slice/b.service/memory.max", "max\n");
    put("/cg/a.slice/b.service/memory.current", "1\n");
    put("/cg/a.slice/memory.max", "max\n");
    check_limit(MACHINE_NONE);
    put("/cg/a.slice/memory.max", "134217728\n");
    check_limit(MIB(128));
    put("/cg/a.slice/b.service/memory.max", "67108864\n");
    check_limit(MIB(64));
    put("/cg/a.slice/b.service/memory.max", "0\n");
    check_limit(0);
}
END_TEST

/* A leaf to which the memory controller was not delegated: its parent's files are ours. */
START_TEST(v2_uses_the_nearest_cgroup_with_the_controller)
{
    put_v2("/a/b/c", "/");
    put("/cg/a/b/c/cgroup.procs", "1\n");
    put("/cg/a/b/memory.current", "4096\n");
    put("/cg/a/memory.current", "8192\n");
    put("/cg/a/memory.max", "67108864\n");
    check_limit(MIB(64));
    ck_assert(cgroup_memory_read(&machine, &memory));
    ck_assert_uint_eq(memory.current_bytes, 4096);
    ck_assert_uint_eq(memory.limit_bytes, MIB(64));
}
END_TEST

START_TEST(hybrid_takes_memory_from_v1)
{
    put("/proc/self/cgroup", "4:memory:/box\n1:name=systemd:/memory\n0::/init.scope\n");
    put("/proc/self/mountinfo",
        "41 31 0:38 / /cg/unified rw,relatime - cgroup2 cgroup2 rw\n"
        "40 31 0:37 / /cg/systemd rw,relatime - cgroup cgroup rw,xattr,name=systemd\n"
        "35 31 0:32 / /cg/memory rw,relatime - cgroup cgroup rw,memory\n");
    put("/cg/memory/box/memory.limit_in_bytes", "67108864\n");
    put("/cg/memory/box/memory.usage_in_bytes", "4096\n");
    put("/cg/unified/init.scope/cgroup.procs", "1\n");
    put("/cg/unified/init.scope/cpu.max", "150000 100000\n");
    check_limit(MIB(64));
    ck_assert_uint_eq(machine.cpus_quota, 2);
    ck_assert(cgroup_memory_read(&machine, &memory));
    ck_assert_uint_eq(memory.version, 1);
    ck_assert_uint_eq(memory.current_bytes, 4096);
}
END_TEST

START_TEST(mount_that_holds_us_is_preferred)
{
    put("/proc/self/cgroup", "0::/docker/a b\n");
    put("/proc/self/mountinfo",
        "31 27 0:28 /other /other rw - cgroup2 cgroup2 rw\n"
        "32 27 0:28 /docker/a\\040b /has\\040blank\\134 rw - cgroup2 cgroup2 rw\n"
        "33 27 0:28 / /late rw - cgroup2 cgroup2 rw\n");
    put("/other/memory.max", "1048576\n");
    put("/has blank\\/memory.max", "67108864\n");
    put("/late/docker/a b/memory.max", "2097152\n");
    check_limit(MIB(64));
    put("/proc/self/mountinfo", "31 27 0:28 /other /other rw - cgroup2 cgroup2 rw\n"
                                "32 27 0:28 /another /another rw - cgroup2 cgroup2 rw\n");
    put("/another/memory.max", "2097152\n");
    check_limit(MIB(1));
}
END_TEST

START_TEST(broken_files_are_no_limit)
{
    static const char *const broken[] = {
        "", "\n", ":::\n", "0::", "4:memory\n", "31 27 0:28 / /cg rw - cgroup2\n", "- - - -\n"};
    size_t count = sizeof(broken) / sizeof(broken[0]);
    for (size_t i = 0; i < count * count; i++) {
        put("/proc/self/cgroup", broken[i / count]);
        put("/proc/self/mountinfo", broken[i % count]);
        check_limit(MACHINE_NONE);
    }
}
END_TEST

START_TEST(path_that_is_too_long_is_not_seen)
{
    char own[4000];
    memset(own, 'x', sizeof(own));
    own[0] = '/';
    own[sizeof(own) - 1] = '\0';
    put("/proc/self/mountinfo", "31 27 0:28 / /cg rw - cgroup2 cgroup2 rw\n");
    put("/cg/memory.max", "67108864\n");
    for (size_t length = MACHINE_PATH_BYTES - 128; length < MACHINE_PATH_BYTES + 64; length++) {
        char line[4096];
        snprintf(line, sizeof(line), "0::%.*s\n", (int)length, own);
        put("/proc/self/cgroup", line);
        init();
        bool seen = machine.memory_v2.mount_length > 0;
        ck_assert_int_eq(seen, strlen(root) + strlen("/cg") + length < MACHINE_PATH_BYTES);
    }
}
END_TEST

/* --- CPUs --- */

struct quota {
    const char *quota;
    const char *period;
    unsigned cpus;
};

static const struct quota quotas[] = {
    {"-1", "100000", 0},     {"50000", "100000", 1},  {"100000", "100000", 1},
    {"100001", "100000", 2}, {"150000", "100000", 2}, {"400000", "100000", 4},
    {"1000", "100000", 1},   {"250000", "50000", 5},  {"100000", "0", 0},
};

START_TEST(cpu_quota_is_rounded_up)
{
    const struct quota *quota = &quotas[_i];
    char text[64];
    put_v1("/box", "/");
    put("/cg/cpu/box/cpu.cfs_quota_us", quota->quota);
    put("/cg/cpu/box/cpu.cfs_period_us", quota->period);
    init();
    ck_assert_uint_eq(machine.cpus_quota, quota->cpus);

    snprintf(text, sizeof(text), "%s %s\n", quota->quota[0] == '-' ? "max" : quota->quota,
             quota->period);
    put_v2("/box", "/");
    put("/cg/box/cpu.max", text);
    init();
    ck_assert_uint_eq(machine.cpus_quota, quota->cpus);
}
END_TEST

START_TEST(cpu_quota_of_an_ancestor_counts)
{
    put_v2("/a/b", "/");
    put("/cg/a/b/cpu.max", "800000 100000\n");
    put("/cg/a/cpu.max", "300000 100000\n");
    put("/cg/cpu.max", "max 100000\n");
    init();
    ck_assert_uint_eq(machine.cpus_quota, 3);
    put_v1("/a/b", "/");
    put("/cg/cpu/a/cpu.cfs_quota_us", "200000\n");
    put("/cg/cpu/a/cpu.cfs_period_us", "100000\n");
    init();
    ck_assert_uint_eq(machine.cpus_quota, 2);
}
END_TEST

START_TEST(cpus_are_the_lesser_of_affinity_and_quota)
{
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET((size_t)sched_getcpu(), &one);
    ck_assert_int_eq(sched_setaffinity(0, sizeof(one), &one), 0);
    init();
    ck_assert_uint_eq(machine_cpus(&machine), 1);
    machine.cpus_affinity = 4;
    ck_assert_uint_eq(machine_cpus(&machine), 4);
    machine.cpus_quota = 2;
    ck_assert_uint_eq(machine_cpus(&machine), 2);
    machine.cpus_quota = 8;
    ck_assert_uint_eq(machine_cpus(&machine), 4);
}
END_TEST

/* --- the cgroup's figures --- */

START_TEST(v1_figures_are_read)
{
    put_v1("/box", "/");
    put("/cg/memory/box/memory.usage_in_bytes", "1000\n");
    put("/cg/memory/box/memory.max_usage_in_bytes", "2000\n");
    put("/cg/memory/box/memory.failcnt", "3\n");
    put("/cg/memory/box/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 4\n");
    put("/cg/memory/box/memory.limit_in_bytes", "67108864\n");
    init();
    ck_assert(cgroup_memory_read(&machine, &memory));
    ck_assert_uint_eq(memory.version, 1);
    ck_assert_uint_eq(memory.current_bytes, 1000);
    ck_assert_uint_eq(memory.peak_bytes, 2000);
    ck_assert_uint_eq(memory.limit_bytes, MIB(64));
    ck_assert_uint_eq(memory.max_events, 3);
    ck_assert_uint_eq(memory.oom_kill_events, 4);
    ck_assert(!memory.pressure_is_known);
}
END_TEST

START_TEST(v2_figures_are_read)
{
    put_v2("/box", "/");
    put("/cg/box/memory.current", "1000\n");
    put("/cg/box/memory.peak", "2000\n");
    put("/cg/box/memory.max", "67108864\n");
    put("/cg/box/memory.events", "low 9\nhigh 8\nmax 3\noom 7\noom_kill 4\noom_group_kill 6\n");
    put("/cg/box/memory.pressure", "some avg10=1.25 avg60=0.50 avg300=0.01 total=12345\n"
                                   "full avg10=0.25 avg60=0.00 avg300=0.00 total=678\n");
    init();
    ck_assert(cgroup_memory_read(&machine, &memory));
    ck_assert_uint_eq(memory.version, 2);
    ck_assert_uint_eq(memory.current_bytes, 1000);
    ck_assert_uint_eq(memory.peak_bytes, 2000);
    ck_assert_uint_eq(memory.limit_bytes, MIB(64));
    ck_assert_uint_eq(memory.max_events, 3);
    ck_assert_uint_eq(memory.oom_kill_events, 4);
    ck_assert(memory.pressure_is_known);
    ck_assert(memory.some.avg10 == 1.25 && memory.some.avg60 == 0.5 && memory.some.avg300 == 0.01);
    ck_assert(memory.full.avg10 == 0.25);
    ck_assert_uint_eq(memory.some.total_us, 12345);
    ck_assert_uint_eq(memory.full.total_us, 678);
}
END_TEST

/* Linux 5.18 has no memory.peak, and a kernel without PSI no memory.pressure. */
START_TEST(v2_figures_that_are_not_there_are_none)
{
    put_v2("/box", "/");
    put("/cg/box/memory.current", "1000\n");
    init();
    ck_assert(cgroup_memory_read(&machine, &memory));
    ck_assert_uint_eq(memory.peak_bytes, MACHINE_NONE);
    ck_assert_uint_eq(memory.limit_bytes, MACHINE_NONE);
    ck_assert_uint_eq(memory.max_events, MACHINE_NONE);
    ck_assert_uint_eq(memory.oom_kill_events, MACHINE_NONE);
    ck_assert(!memory.pressure_is_known);
}
END_TEST

/* --- the process --- */

START_TEST(process_figures_are_read)
{
    struct process_memory process;
    put("/proc/self/status", "Name:\tx\nThreads2:\t9\nVmPeak:\t  300 kB\nVmSize:\t  200 kB\n"
                             "VmHWM:\t  30 kB\nVmRSS:\t  20 kB\nRssAnon:\t  12 kB\n"
                             "RssFile:\t   7 kB\nRssShmem:\t   1 kB\nVmSwap:\t   5 kB\n"
                             "Threads:\t6\n");
    put("/proc/self/stat", "1 (a) (b c) S 2 3 4 5 6 7 810 9 11 12 250 70 15 16 17 18 6 20 21 22\n");
    put("/proc/self/fd/100", "");
    put("/proc/self/fd/101", "");
    init();
    ck_assert(process_memory_read(&machine, &process));
    ck_assert_uint_eq(process.virtual_peak_bytes, 300 << 10);
    ck_assert_uint_eq(process.virtual_bytes, 200 << 10);
    ck_assert_uint_eq(process.rss_peak_bytes, 30 << 10);
    ck_assert_uint_eq(process.rss_bytes, 20 << 10);
    ck_assert_uint_eq(process.rss_anon_bytes, 12 << 10);
    ck_assert_uint_eq(process.rss_file_bytes, 8 << 10);
    ck_assert_uint_eq(process.swap_bytes, 5 << 10);
    ck_assert_uint_eq(process.threads, 6);
    ck_assert_uint_eq(process.open_fds, 2);
    ck_assert_uint_eq(process.minor_faults, 810);
    ck_assert_uint_eq(process.major_faults, 11);
    ck_assert_uint_eq(process.cpu_user_ms, 250 * 1000 / machine.ticks_per_second);
    ck_assert_uint_eq(process.cpu_system_ms, 70 * 1000 / machine.ticks_per_second);
}
END_TEST

START_TEST(process_without_files_is_all_zero)
{
    struct process_memory process;
    uint64_t pss = 1;
    init();
    ck_assert(!process_memory_read(&machine, &process));
    ck_assert_uint_eq(process.rss_bytes, 0);
    put("/proc/self/status", "VmRSS:\t  20 kB\n");
    ck_assert(!process_memory_read(&machine, &process));
    ck_assert_uint_eq(process.rss_bytes, 0);
    ck_assert(!process_pss_read(&machine, &pss));
    ck_assert_uint_eq(pss, 0);
}
END_TEST

START_TEST(pss_is_read)
{
    uint64_t pss;
    put("/proc/self/smaps_rollup", "55-7f ---p 0 00:00 0 [rollup]\nRss:   1764 kB\n"
                                   "Pss_Anon:  112 kB\nPss:   409 kB\n");
    init();
    ck_assert(process_pss_read(&machine, &pss));
    ck_assert_uint_eq(pss, 409 << 10);
}
END_TEST

/* --- code --- */

static void put_program(void)
{
    char link[128];
    put("/proc/self/status", "");
    snprintf(link, sizeof(link), "%s/proc/self/exe", root);
    ck_assert_int_eq(symlink("/opt/mayfly", link), 0);
}

START_TEST(code_is_counted_by_what_it_may_become)
{
    struct code_bytes code;
    put_program();
    put("/proc/self/smaps",
        /* the program: 64 + 16 KiB of file, 8 KiB of .bss, whatever is resident */
        "100000-110000 r-xp 00000000 fe:00 1     /opt/mayfly\nSize: 64 kB\nRss: 4 kB\nVmFlags: rd\n"
        "110000-114000 rw-p 00010000 fe:00 1     /opt/mayfly\nRss: 8 kB\n"
        "114000-116000 rw-p 00000000 00:00 0 \nRss: 4 kB\n"
        "200000-242000 rw-p 00000000 00:00 0     [heap]\nRss: 140 kB\nPss: 999 kB\n"
        /* never called: 100 KiB now, and one fault's 64 KiB of the 300 that are left */
        "300000-364000 r-xp 00000000 fe:00 2     /usr/lib/libgnutls.so.30.34.3\nRss: 100 kB\n"
        /* never called: 4 KiB now, and all of the 4 that are left */
        "364000-366000 r-xp 00000000 fe:00 3     /usr/lib/libffi.so.8.1.2\nRss: 4 kB\n"
        /* no access, so never resident; then a megabyte that is no .bss, though it follows */
        "400000-600000 ---p 00000000 fe:00 4     /usr/lib/libz.so.1.2.13\nRss: 0 kB\n"
        "600000-604000 r-xp 00200000 fe:00 4     /usr/lib/libz.so.1.2.13\nRss: 16 kB\n"
        "604000-804000 rw-p 00000000 00:00 0 \nRss: 24 kB\n"
        "900000-910000 r-xp 00000000 fe:00 5     /usr/lib/lib we do not know.so\nRss: 4 kB\n"
        /* not beside what stands before it, so no .bss */
        "a00000-a02000 rw-p 00000000 00:00 0 \nRss: 4 kB\n"
        "7ffd0000-7ffd4000 rw-p 00000000 00:00 0 [stack]\nRss: 8 kB\n"
        "7ffd4000-7ffd6000 rw-p 00000000 00:00 0 \nRss: 4 kB\n"
        "7ffd8000-7ffda000 r--p 00000000 00:00 0 [vvar]\nRss: 0 kB\n"
        "7ffda000-7ffdc000 r-xp 00000000 00:00 0 [vdso]\nRss: 4 kB\n"
        "ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0 [vsyscall]\nRss: 0 kB\n");
    init();
    ck_assert(machine_code_bytes(&machine, &code));
    ck_assert_uint_eq(code.program_bytes, (64 + 16 + 8) << 10);
    ck_assert_uint_eq(code.libraries_bytes, (16 + 64 + 8) << 10);
    ck_assert_uint_eq(code.unused_bytes, (100 + 4) << 10);
    ck_assert_uint_eq(code.unused_margin_bytes, (64 + 4) << 10);
    ck_assert_uint_eq(code.anonymous_bytes, (140 + 24 + 4 + 4) << 10);
    ck_assert_uint_eq(code.main_stack_bytes, 16 << 10);
    ck_assert_uint_eq(code.total_bytes, (88 + 88 + 104 + 68 + 172) << 10);
}
END_TEST

START_TEST(code_without_smaps_is_zero)
{
    struct code_bytes code;
    init();
    ck_assert(!machine_code_bytes(&machine, &code));
    ck_assert_uint_eq(code.total_bytes, 0);
}
END_TEST

/* --- the real machine --- */

static uint64_t count_descriptors(void)
{
    uint64_t count = 0;
    for (int fd = 0; fd < 1024; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

START_TEST(real_process_is_read)
{
    struct process_memory before, after;
    struct timespec now;
    machine_init(&machine, "/proc", "");
    ck_assert(process_memory_read(&machine, &before));
    ck_assert_uint_gt(before.rss_bytes, 100 << 10);
    ck_assert_uint_ge(before.rss_peak_bytes, before.rss_bytes);
    ck_assert_uint_ge(before.virtual_peak_bytes, before.virtual_bytes);
    ck_assert_uint_ge(before.threads, 1);
    ck_assert_uint_eq(before.open_fds, count_descriptors());
    ck_assert_uint_gt(before.minor_faults, 0);
    clock_gettime(CLOCK_REALTIME, &now);
    ck_assert_uint_le(before.start_ms, (uint64_t)(now.tv_sec + 1) * 1000);
    ck_assert_uint_ge(before.start_ms, (uint64_t)(now.tv_sec - 3600) * 1000);

    int fds[300]; /* more than one getdents64 buffer holds */
    for (size_t i = 0; i < 300; i++)
        fds[i] = open("/dev/null", O_RDONLY);
    ck_assert(process_memory_read(&machine, &after));
    for (size_t i = 0; i < 300; i++)
        close(fds[i]);
    ck_assert_uint_eq(after.open_fds, before.open_fds + 300);
}
END_TEST

START_TEST(reading_takes_no_heap)
{
    struct process_memory process;
    uint64_t pss;
    machine_init(&machine, "/proc", "");
    struct mallinfo2 before = mallinfo2();
    process_memory_read(&machine, &process);
    cgroup_memory_read(&machine, &memory);
    process_pss_read(&machine, &pss);
    struct mallinfo2 after = mallinfo2();
    ck_assert_uint_eq(after.uordblks, before.uordblks);
    ck_assert_uint_eq(after.fordblks, before.fordblks);
    ck_assert_uint_eq(after.arena, before.arena);
}
END_TEST

/* The bound that the plan rests on: whatever is resident now is in it. */
START_TEST(real_code_is_at_least_what_is_resident)
{
    struct process_memory process;
    struct code_bytes code;
    machine_init(&machine, "/proc", "");
    ck_assert(process_memory_read(&machine, &process));
    ck_assert(machine_code_bytes(&machine, &code));
    ck_assert_uint_ge(code.total_bytes + code.main_stack_bytes, process.rss_bytes);
    ck_assert_uint_gt(code.program_bytes, 0);
    ck_assert_uint_gt(code.libraries_bytes, 1 << 20);
    ck_assert_uint_gt(code.anonymous_bytes, 0);
}
END_TEST

static TCase *add_case(Suite *suite, const char *name)
{
    TCase *tests = tcase_create(name);
    tcase_add_checked_fixture(tests, setup, teardown);
    suite_add_tcase(suite, tests);
    return tests;
}

static void add_cgroups(Suite *suite)
{
    TCase *limits = add_case(suite, "limits");
    tcase_add_test(limits, nothing_to_see_is_no_limit);
    tcase_add_test(limits, v1_takes_the_smallest_of_itself_and_its_ancestors);
    tcase_add_test(limits, v1_leaves_other_cgroups_alone);
    tcase_add_test(limits, v1_of_a_container_is_below_the_mounts_root);
    tcase_add_test(limits, name_outside_the_mount_is_its_top);
    tcase_add_test(limits, v2_takes_the_smallest_of_itself_and_its_ancestors);
    tcase_add_test(limits, v2_uses_the_nearest_cgroup_with_the_controller);
    tcase_add_test(limits, hybrid_takes_memory_from_v1);
    tcase_add_test(limits, mount_that_holds_us_is_preferred);
    tcase_add_test(limits, broken_files_are_no_limit);
    tcase_add_test(limits, path_that_is_too_long_is_not_seen);

    TCase *cpus = add_case(suite, "cpus");
    tcase_add_loop_test(cpus, cpu_quota_is_rounded_up, 0, sizeof(quotas) / sizeof(quotas[0]));
    tcase_add_test(cpus, cpu_quota_of_an_ancestor_counts);
    tcase_add_test(cpus, cpus_are_the_lesser_of_affinity_and_quota);

    TCase *figures = add_case(suite, "figures");
    tcase_add_test(figures, v1_figures_are_read);
    tcase_add_test(figures, v2_figures_are_read);
    tcase_add_test(figures, v2_figures_that_are_not_there_are_none);
}

static void add_process(Suite *suite)
{
    TCase *process = add_case(suite, "process");
    tcase_add_test(process, process_figures_are_read);
    tcase_add_test(process, process_without_files_is_all_zero);
    tcase_add_test(process, pss_is_read);
    tcase_add_test(process, code_is_counted_by_what_it_may_become);
    tcase_add_test(process, code_without_smaps_is_zero);

    TCase *real = add_case(suite, "real");
    tcase_add_test(real, real_process_is_read);
    tcase_add_test(real, reading_takes_no_heap);
    tcase_add_test(real, real_code_is_at_least_what_is_resident);
}

Suite *machine_suite(void)
{
    Suite *suite = suite_create("machine");
    add_cgroups(suite);
    add_process(suite);
    return suite;
}
