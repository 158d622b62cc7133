/*
 * report.h: `mayfly-soak report DIR [--follow] [--docker FILE]`: what is to be said of a run.
 *
 *     DIR/record.ndjson, DIR/docker.json ──> DIR/report.json, report.html, memory.svg
 *                                            stdout: the verdict and a sentence for each finding
 *
 * Exit: 0 nothing was found in the whole run, 1 something was, 2 too short or unfinished, nothing
 * to report on, or usage. With --follow the files are written anew each minute until the run has
 * ended, or SIGTERM. Each option can be an environment variable: SOAK_FOLLOW (any value but 0),
 * SOAK_DOCKER.
 */
#ifndef SOAK_REPORT_H
#define SOAK_REPORT_H

int report_main(int argc, char **argv);

#endif
