/*
 * malloc_count.c: LD_PRELOADed into a program, counts its malloc-family calls by who called.
 *
 *     caller ──malloc──> here ──> glibc's own
 *                          └──> row of the caller's shared object: + 1
 *
 * Rows are made when the program starts, from the objects that are loaded then; "other" is for what
 * comes later. A call that libc makes (strdup, fopen, opendir) is counted for libc, and as "via
 * libc" for whoever had called libc: the stack is unwound for it.
 *
 * On SIGUSR1 the table goes to the file that MALLOC_COUNT_FILE names, complete when it is there: a
 * header, a row for each object with tabs between the figures, and a line with the number of dumps
 * so far. Nothing here allocates.
 *
 * Threads: any; the figures are relaxed atomics.
 */
#undef _FILE_OFFSET_BITS /* with it the headers name mmap mmap64, and both are defined here */

#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <unwind.h>

#define OBJECTS_MAX 64
#define RANGES_MAX 256
#define NAME_BYTES 64
#define OTHER 0 /* the first row */

enum figure {
    ALLOCATIONS, /* malloc, calloc, aligned_alloc, posix_memalign, realloc of NULL */
    REALLOCATIONS,
    FREES,
    MAPPINGS,
    UNMAPPINGS,
    VIA_LIBC, /* of ALLOCATIONS, REALLOCATIONS and MAPPINGS of libc: this object had called it */
    FIGURES,
};

static const char *const figure_names[FIGURES] = {
    "allocations", "reallocations", "frees", "mappings", "unmappings", "via_libc",
};

struct object {
    char name[NAME_BYTES];
    _Atomic uint64_t figures[FIGURES];
};

struct range {
    uintptr_t from;
    uintptr_t to;
    unsigned object;
};

/* Filled by the constructor, before there are threads. */
static struct object objects[OBJECTS_MAX] = {[OTHER] = {.name = "other"}};
static unsigned object_count = 1;
static struct range ranges[RANGES_MAX];
static unsigned range_count;
static unsigned libc_object, own_object;
static char file_name[256];
static char part_name[256 + 8];
static unsigned dumps;

/* Unwinding may take memory itself: that is not counted. */
static _Thread_local bool unwinding __attribute__((tls_model("initial-exec")));

void *__libc_malloc(size_t bytes);
void *__libc_calloc(size_t count, size_t bytes);
void *__libc_realloc(void *at, size_t bytes);
void *__libc_memalign(size_t alignment, size_t bytes);
void __libc_free(void *at);

/* ---- who called ---- */

static unsigned object_of(const void *address)
{
    uintptr_t at = (uintptr_t)address;
    for (unsigned i = 0; i < range_count; i++) {
        if (at >= ranges[i].from && at < ranges[i].to)
            return ranges[i].object;
    }
    return OTHER;
}

static void add(unsigned object, enum figure figure)
{
    atomic_fetch_add_explicit(&objects[object].figures[figure], 1, memory_order_relaxed);
}

/* The first frame that is neither ours nor libc's. */
static _Unwind_Reason_Code look_at_frame(struct _Unwind_Context *context, void *found)
{
    unsigned object = object_of((const void *)_Unwind_GetIP(context));
    if (object == own_object || object == libc_object)
        return _URC_NO_REASON;
    *(unsigned *)found = object;
    return _URC_END_OF_STACK;
}

static void count(const void *caller, enum figure figure)
{
    if (unwinding)
        return;
    unsigned object = object_of(caller);
    add(object, figure);
    if (object != libc_object || figure == FREES || figure == UNMAPPINGS || range_count == 0)
        return;
    unsigned asked = OTHER;
    unwinding = true;
    _Unwind_Backtrace(look_at_frame, &asked);
    unwinding = false;
    add(asked, VIA_LIBC);
}

#define CALLER __builtin_return_address(0)

/* ---- the family ---- */

#define EXPORT __attribute__((visibility("default"), noinline))

EXPORT void *malloc(size_t bytes)
{
    count(CALLER, ALLOCATIONS);
    return __libc_malloc(bytes);
}

EXPORT void *calloc(size_t number, size_t bytes)
{
    count(CALLER, ALLOCATIONS);
    return __libc_calloc(number, bytes);
}

EXPORT void *realloc(void *at, size_t bytes)
{
    count(CALLER, at == NULL ? ALLOCATIONS : REALLOCATIONS);
    return __libc_realloc(at, bytes);
}

EXPORT void *reallocarray(void *at, size_t number, size_t bytes)
{
    size_t product;
    count(CALLER, at == NULL ? ALLOCATIONS : REALLOCATIONS);
    if (__builtin_mul_overflow(number, bytes, &product)) {
        errno = ENOMEM;
        return NULL;
    }
    return __libc_realloc(at, product);
}

EXPORT void *aligned_alloc(size_t alignment, size_t bytes)
{
    count(CALLER, ALLOCATIONS);
    return __libc_memalign(alignment, bytes);
}

EXPORT void *memalign(size_t alignment, size_t bytes)
{
    count(CALLER, ALLOCATIONS);
    return __libc_memalign(alignment, bytes);
}

EXPORT int posix_memalign(void **out, size_t alignment, size_t bytes)
{
    count(CALLER, ALLOCATIONS);
    void *at = __libc_memalign(alignment, bytes);
    if (at == NULL)
        return ENOMEM;
    *out = at;
    return 0;
}

EXPORT void free(void *at)
{
    if (at != NULL)
        count(CALLER, FREES);
    __libc_free(at);
}

EXPORT void *mmap(void *at, size_t bytes, int protection, int flags, int fd, off_t offset)
{
    count(CALLER, MAPPINGS);
    return (void *)syscall(SYS_mmap, at, bytes, protection, flags, fd, offset);
}

EXPORT void *mmap64(void *at, size_t bytes, int protection, int flags, int fd, off_t offset)
{
    count(CALLER, MAPPINGS);
    return (void *)syscall(SYS_mmap, at, bytes, protection, flags, fd, offset);
}

EXPORT int munmap(void *at, size_t bytes)
{
    count(CALLER, UNMAPPINGS);
    return (int)syscall(SYS_munmap, at, bytes);
}

/* ---- the table ---- */

static void put(int fd, const char *text)
{
    size_t left = strlen(text);
    while (left > 0) {
        ssize_t written = write(fd, text, left);
        if (written <= 0)
            return;
        text += written;
        left -= (size_t)written;
    }
}

static void put_number(int fd, uint64_t number)
{
    char digits[24];
    char *at = digits + sizeof digits - 1;
    *at = '\0';
    do {
        *--at = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    put(fd, at);
}

static void put_object(int fd, const struct object *object)
{
    put(fd, object->name);
    for (unsigned figure = 0; figure < FIGURES; figure++) {
        put(fd, "\t");
        put_number(fd, atomic_load_explicit(&object->figures[figure], memory_order_relaxed));
    }
    put(fd, "\n");
}

/* Async-signal-safe: open, write, close and rename. */
static void dump(int signal)
{
    (void)signal;
    int saved = errno;
    int fd = open(part_name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd >= 0) {
        put(fd, "object");
        for (unsigned figure = 0; figure < FIGURES; figure++) {
            put(fd, "\t");
            put(fd, figure_names[figure]);
        }
        put(fd, "\n");
        for (unsigned i = 0; i < object_count; i++)
            put_object(fd, &objects[i]);
        put(fd, "dump\t");
        put_number(fd, ++dumps);
        put(fd, "\n");
        close(fd);
        rename(part_name, file_name);
    }
    errno = saved;
}

/* ---- start ---- */

static void name_object(struct object *object, const char *path)
{
    char own[256] = "";
    if (path[0] == '\0') { /* the program */
        ssize_t length = readlink("/proc/self/exe", own, sizeof own - 1);
        own[length > 0 ? length : 0] = '\0';
        path = own;
    }
    const char *slash = strrchr(path, '/');
    const char *name = slash == NULL ? path : slash + 1;
    size_t length = strlen(name);
    length = length < NAME_BYTES - 1 ? length : NAME_BYTES - 1;
    memcpy(object->name, name, length);
}

static int take_object(struct dl_phdr_info *info, size_t bytes, void *context)
{
    (void)bytes;
    (void)context;
    if (object_count == OBJECTS_MAX)
        return 1;
    unsigned object = object_count++;
    name_object(&objects[object], info->dlpi_name);
    for (int i = 0; i < info->dlpi_phnum && range_count < RANGES_MAX; i++) {
        const ElfW(Phdr) *header = &info->dlpi_phdr[i];
        if (header->p_type != PT_LOAD || (header->p_flags & PF_X) == 0)
            continue;
        uintptr_t from = info->dlpi_addr + header->p_vaddr;
        ranges[range_count++] = (struct range){from, from + header->p_memsz, object};
    }
    return 0;
}

static void count_nothing(void)
{
    for (unsigned i = 0; i < object_count; i++) {
        for (unsigned figure = 0; figure < FIGURES; figure++)
            atomic_store(&objects[i].figures[figure], 0);
    }
}

__attribute__((constructor)) static void start(void)
{
    const char *name = getenv("MALLOC_COUNT_FILE");
    if (name == NULL || strlen(name) >= sizeof file_name)
        return;
    memcpy(file_name, name, strlen(name) + 1);
    snprintf(part_name, sizeof part_name, "%s.part", file_name);
    dl_iterate_phdr(take_object, NULL);
    own_object = object_of((const void *)(uintptr_t)start);
    libc_object = object_of((const void *)(uintptr_t)getenv);
    /* the unwinder does what it does once, now */
    unsigned unused = OTHER;
    unwinding = true;
    _Unwind_Backtrace(look_at_frame, &unused);
    unwinding = false;
    count_nothing();
    struct sigaction action = {.sa_handler = dump, .sa_flags = SA_RESTART};
    sigemptyset(&action.sa_mask);
    sigaction(SIGUSR1, &action, NULL);
}
