/*
 * quantiles.h: what a query says of a distribution, beside what the values say.
 */
#ifndef BENCH_QUANTILES_H
#define BENCH_QUANTILES_H

void quantiles_measure(void);

#endif
