/*
 * run.h: the soak's run: load, samples, quiet points, events; DIR/record.ndjson has all of it.
 *
 *     start │ quiet 0 │ drill? │ load … sample … sample … │ quiet 1 │ load … │ quiet n │ finished
 *              waits for a      the traffic, until the        the pause holds a multiple of
 *              window's begin   next sample or quiet point    --quiet of the service's clock
 *
 * Taken up again with the same DIR it goes on where the clock says it is. What the last process
 * sent after its last quiet point nobody knows any more, so conservation begins anew; all else is
 * held against the first quiet point of the first process.
 *
 * Peers' dialects know no quiet points: their process is looked at, no more.
 */
#ifndef SOAK_RUN_H
#define SOAK_RUN_H

/* The arguments of main(), whose argv[1] is "run". 0: it ran to its end, or was stopped; 1: the
 * server went away or was restarted, or the run could not go on; 2: usage. */
int run_main(int argc, char **argv);

#endif
