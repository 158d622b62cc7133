/*
 * cells.h: bytes a series takes in a sealed window, by kind and by what was pushed.
 */
#ifndef BENCH_CELLS_H
#define BENCH_CELLS_H

void cells_measure(void);

#endif
