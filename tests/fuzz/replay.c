/*
 * replay.c: runs a target over files, without libFuzzer: the corpus as a plain test, and a finding
 * under a debugger.
 *
 *     replay-push tests/fuzz/corpus/push [file | folder]...
 */
#include "fuzz.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>

static const char *current;

static void name_it(int signal)
{
    (void)signal;
    fprintf(stderr, "while replaying %s\n", current);
}

static char *read_whole(const char *path, size_t *length)
{
    struct stat status;
    FILE *file = fopen(path, "rb");
    if (file == NULL || fstat(fileno(file), &status) != 0) {
        fprintf(stderr, "cannot read %s: %s\n", path, strerror(errno));
        exit(2);
    }
    *length = (size_t)status.st_size;
    char *data = malloc(*length + (*length == 0));
    if (data == NULL || fread(data, 1, *length, file) != *length) {
        fprintf(stderr, "cannot read all of %s\n", path);
        exit(2);
    }
    fclose(file);
    return data;
}

static unsigned replay_file(const char *path)
{
    size_t length;
    char *data = read_whole(path, &length);
    current = path;
    LLVMFuzzerTestOneInput((const uint8_t *)data, length);
    free(data);
    return 1;
}

/* In the order of names, so that a run is the same everywhere. */
static unsigned replay_folder(const char *path)
{
    struct dirent **entries;
    unsigned count = 0;
    int found = scandir(path, &entries, NULL, alphasort);
    for (int i = 0; i < found; i++) {
        char full[4096];
        snprintf(full, sizeof full, "%s/%s", path, entries[i]->d_name);
        if (entries[i]->d_name[0] != '.')
            count += replay_file(full);
        free(entries[i]);
    }
    if (found >= 0)
        free(entries);
    return count;
}

int main(int argc, char **argv)
{
    unsigned count = 0;
    struct stat status;
    signal(SIGABRT, name_it);
    LLVMFuzzerInitialize(&argc, &argv);
    for (int i = 1; i < argc; i++) {
        if (stat(argv[i], &status) != 0) {
            fprintf(stderr, "there is no %s\n", argv[i]);
            return 2;
        }
        count += S_ISDIR(status.st_mode) ? replay_folder(argv[i]) : replay_file(argv[i]);
    }
    if (count == 0) {
        fprintf(stderr, "usage: %s file|folder...\n", argv[0]);
        return 2;
    }
    printf("%u inputs replayed\n", count);
    return 0;
}
