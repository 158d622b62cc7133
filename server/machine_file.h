/*
 * machine_file.h: the small files of /proc and /sys in which the kernel answers, and their numbers.
 *
 *     directory  +  name          ──>  text, whole, terminated    ──>  number
 *     /sys/fs/cgroup/a  /memory.max    "max\n"                         MACHINE_NONE
 *     /proc             /self/status   "...VmRSS:\t   20 kB\n..."      20 << 10
 *
 * A directory is given as bytes, so that an ancestor is the beginning of a path. What cannot be
 * read, or is no number, is MACHINE_NONE: no caller can do more about it than go without.
 *
 * Owner:    the caller; MACHINE_FILE_BYTES on its stack for each text.
 * Lifetime: a call; nothing stays open, and only machine_file_open uses the heap.
 * Threads:  any.
 */
#ifndef SERVER_MACHINE_FILE_H
#define SERVER_MACHINE_FILE_H

#include "machine.h"

#include "base/bytes.h"

#include <stdio.h>

#define MACHINE_FILE_BYTES 8192 /* /proc/self/status has 1.5 KiB, the others less */
#define MACHINE_FILE_PATH_BYTES (MACHINE_PATH_BYTES + 64) /* of a directory and a name in it */

/* `name`, which begins with a slash, after `directory`; false when `out` is too small. */
bool machine_path_join(char *out, size_t out_bytes, struct bytes directory, const char *name);

/* The beginning of a file, terminated; false when it cannot be read or is empty. */
bool machine_file_read(struct bytes directory, const char *name,
                       char out[static MACHINE_FILE_BYTES]);

/* The number that a file begins with. */
uint64_t machine_file_number(struct bytes directory, const char *name);

/* For files that may be long, read by line, at start only; NULL when there is none. */
FILE *machine_file_open(struct bytes directory, const char *name);

/* The digits that begin `text`; MACHINE_NONE for "max", "-1" and all else that is no number. */
uint64_t machine_number_at(const char *text);

/* The number in the line "KEY 12", "KEY: 12 kB" or "KEY=12"; MACHINE_NONE without such a line. */
uint64_t machine_number_of(const char *text, const char *key);

/* Of a line "KEY: 12 kB" the bytes; 0 without such a line. */
uint64_t machine_kib_of(const char *text, const char *key);

#endif
