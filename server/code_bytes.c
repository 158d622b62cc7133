/* code_bytes.c: see code_bytes.h. */
#include "code_bytes.h"

#include "machine_file.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What one fault maps around itself (fault_around_bytes, 64 KiB unless a debugger changed it). */
#define FAULT_AROUND_BYTES 65536

/* The .bss of a library has some tens of KiB; an anonymous mapping beyond it is something else. */
#define BSS_BYTES_MAX (1 << 20)

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
            object.resident_bytes += machine_kib_of(line, "Rss");
    }
    object_charge(code, &object);
    free(line);
    code->total_bytes = code->program_bytes + code->libraries_bytes + code->unused_bytes +
                        code->unused_margin_bytes + code->anonymous_bytes;
}

bool machine_code_bytes(const struct machine *machine, struct code_bytes *code)
{
    char link[MACHINE_FILE_PATH_BYTES];
    char program[MACHINE_PATH_BYTES] = "";
    memset(code, 0, sizeof(*code));
    machine_path_join(link, sizeof(link), bytes_of(machine->proc), "/self/exe");
    ssize_t length = readlink(link, program, sizeof(program) - 1);
    program[length > 0 ? length : 0] = '\0';
    FILE *smaps = machine_file_open(bytes_of(machine->proc), "/self/smaps");
    if (smaps == NULL)
        return false;
    smaps_add_up(smaps, code, program);
    fclose(smaps);
    return true;
}
