/*
 * finding.h: what is to be said of a run: findings, for which it fails, and remarks, for which it
 * does not.
 *
 * Each has a code for programs, what it is about (a pool, a resource), since when in the run, and a
 * sentence for people. One thing is said once: what has the same code and is about the same is not
 * taken again, so that the strongest evidence, which comes first, has the word.
 */
#ifndef SOAK_FINDING_H
#define SOAK_FINDING_H

#include <jansson.h>
#include <stdbool.h>

struct findings {
    json_t *findings; /* arrays of {code, what, since, text} */
    json_t *remarks;
};

/* since: seconds of the run; NAN: not of a moment. */
__attribute__((format(printf, 5, 6))) void finding_add(struct findings *findings, const char *code,
                                                       const char *what, double since,
                                                       const char *format, ...);
__attribute__((format(printf, 5, 6))) void remark_add(struct findings *findings, const char *code,
                                                      const char *what, double since,
                                                      const char *format, ...);

bool finding_exists(const struct findings *findings, const char *code, const char *what);

/* NULL becomes null, as does what is not finite. */
json_t *json_number_or_null(double value);

#endif
