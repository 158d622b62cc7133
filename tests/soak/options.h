/*
 * options.h: the command line and environment of `mayfly-soak run`, one row of options.c for each.
 */
#ifndef SOAK_OPTIONS_H
#define SOAK_OPTIONS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

enum soak_dialect {
    DIALECT_MAYFLY,
    DIALECT_PUSHGATEWAY,
    DIALECT_VICTORIA,
};

struct soak_endpoint {
    const char *name; /* as written: host:port */
    struct sockaddr_in address;
};

struct soak_options {
    const char *directory;
    struct soak_endpoint target;
    struct soak_endpoint operator; /* unused by the dialects of peers */
    uint64_t pid;                  /* 0: the server's /proc is not looked at */
    enum soak_dialect dialect;
    double duration_seconds;
    double day_seconds;    /* of the wave in the rate, and of the churn: a generation is day / 24 */
    double quiet_seconds;  /* between quiet points */
    double sample_seconds; /* between samples */
    double rate;           /* valid requests a second, the mean over a day */
    double hostile;        /* hostile clients begun a second, the mean; 0: none */
    uint32_t pods;         /* that push at a time */
    uint64_t seed;
    const char *drill;  /* NULL: none; else its kind */
    const char *commit; /* of the server, for the record; NULL: not known */
};

/* The arguments of main(), whose argv[1] is "run". Ends the program with 2 and a list of the
 * options when they make no sense. */
struct soak_options soak_options_parse(int argc, char **argv);

#endif
