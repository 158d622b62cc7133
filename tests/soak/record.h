/*
 * record.h: DIR/record.ndjson, which survives the run: a line of JSON for each thing that was seen.
 *
 *     {"type":"start"…}\n{"type":"sample"…}\n … {"type":"quiet"…}\n … {"type":"samp
 *                                                 fsync ^             a cut line: taken away when
 *                                                                     the run is taken up again
 *
 * Appended only. What is not yet synchronised is lost when the machine dies, not when we do.
 *
 * Owner: the run. Threads: one.
 */
#ifndef SOAK_RECORD_H
#define SOAK_RECORD_H

#include <jansson.h>
#include <stdbool.h>

/* What a run that is taken up again has to know of the one before. */
struct record_past {
    bool any;             /* it has a first start */
    double first_at;      /* when that was */
    double last_quiet_at; /* 0: there was no quiet point */
    bool was_stopped;     /* after it, cleanly: nothing was sent since */
    int next_index;       /* of the next quiet point */
    json_t *first_quiet;  /* its line, whose figures the later ones are held against; or NULL */
};

struct record {
    int file;
    bool failed; /* something could not be written */
};

/* Opens it, makes it where there is none, locks it against another run, and reads what it has.
 * False, with a reason on stderr, when that cannot be done. */
bool record_open(struct record *record, const char *directory, struct record_past *past);
void record_close(struct record *record);

/* Takes over the reference. */
void record_write(struct record *record, json_t *line);

/* All that was written so far is on the disk. */
void record_sync(struct record *record);

#endif
