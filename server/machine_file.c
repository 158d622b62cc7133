/* machine_file.c: see machine_file.h. */
#include "machine_file.h"

#include "base/number.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

bool machine_path_join(char *out, size_t out_bytes, struct bytes directory, const char *name)
{
    size_t length = strlen(name);
    if (directory.length + length >= out_bytes)
        return false;
    memcpy(out, directory.at, directory.length);
    memcpy(out + directory.length, name, length + 1);
    return true;
}

bool machine_file_read(struct bytes directory, const char *name,
                       char out[static MACHINE_FILE_BYTES])
{
    char path[MACHINE_FILE_PATH_BYTES];
    size_t length = 0;
    ssize_t got;
    if (!machine_path_join(path, sizeof(path), directory, name))
        return false;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    while ((got = read(fd, out + length, MACHINE_FILE_BYTES - 1 - length)) > 0 ||
           (got < 0 && errno == EINTR))
        length += got > 0 ? (size_t)got : 0;
    close(fd);
    out[length] = '\0';
    return length > 0;
}

uint64_t machine_file_number(struct bytes directory, const char *name)
{
    char text[MACHINE_FILE_BYTES];
    return machine_file_read(directory, name, text) ? machine_number_at(text) : MACHINE_NONE;
}

FILE *machine_file_open(struct bytes directory, const char *name)
{
    char path[MACHINE_FILE_PATH_BYTES];
    return machine_path_join(path, sizeof(path), directory, name) ? fopen(path, "re") : NULL;
}

uint64_t machine_number_at(const char *text)
{
    uint64_t number = MACHINE_NONE;
    struct bytes digits = {text, strspn(text, "0123456789")};
    number_parse_u64(digits, &number);
    return number;
}

uint64_t machine_number_of(const char *text, const char *key)
{
    size_t length = strlen(key);
    for (const char *line = text; line != NULL; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, key, length) == 0 && strchr(": =\t", line[length]) != NULL)
            return machine_number_at(line + length + strspn(line + length, ": =\t"));
    }
    return MACHINE_NONE;
}

uint64_t machine_kib_of(const char *text, const char *key)
{
    uint64_t number = machine_number_of(text, key);
    return number == MACHINE_NONE ? 0 : number << 10;
}
