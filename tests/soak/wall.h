/*
 * wall.h: `mayfly-soak wall OUT.svg LABEL=DIR...`: resident memory of several runs in one picture.
 *
 * A line for each run, as far as it came; where the server was gone stands a cross, with when. The
 * wall is what the runs' records say, or --wall SIZE (128MiB). --title TEXT, --subtitle TEXT.
 * Exit: 0 drawn, 2 usage, or a run without a record.
 */
#ifndef SOAK_WALL_H
#define SOAK_WALL_H

int wall_main(int argc, char **argv);

#endif
