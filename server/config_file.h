/*
 * config_file.h: the YAML file named by --config, through libcyaml.
 *
 *     limits:                                 text[OPTION_ROW_limits_line_bytes] = "16KiB"
 *       line_bytes: 16KiB    ── read ──>      and NULL in all the others
 *
 * This file knows which keys there are and how a document is built up; whether a value will do is
 * decided where the values of all sources are, in options.c. Every scalar is taken as the text that
 * stands there, so that 1e3 or yes means the same in a file and in a flag.
 *
 * Owner:    options.c; on its stack. The texts and the document are libcyaml's, on the heap.
 * Lifetime: read .. release, both while the settings are read.
 * Threads:  one.
 */
#ifndef SERVER_CONFIG_FILE_H
#define SERVER_CONFIG_FILE_H

#include "options.h"

struct config_file {
    const char *path;                   /* the caller's */
    const char *text[OPTION_ROWS];      /* NULL where the file says nothing; part of `document` */
    void *document;                     /* libcyaml's */
    char problem[OPTION_PROBLEM_BYTES]; /* when it was refused: one line that says where and why */
};

/*
 * Reads at most OPTION_FILE_BYTES. False, with `problem` filled in and nothing to release, for a
 * file that cannot be read or is not a document of known keys; `path_from` says there who named it.
 */
bool config_file_read(struct config_file *file, const char *path, const char *path_from);

void config_file_release(struct config_file *file);

#endif
