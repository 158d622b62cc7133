/*
 * query_value.h: what a function makes of a tally.
 *
 * Owner: none. Threads: any.
 */
#ifndef QUERY_QUERY_VALUE_H
#define QUERY_QUERY_VALUE_H

#include "query/query.h"
#include "store/cell.h"

/* `seconds` is the time that the tally is over. NaN where there is nothing to say. */
double query_value(const struct query *query, enum kind kind, const struct tally *tally,
                   double seconds);

/*
 * As Prometheus' histogram_quantile(): linear within the bucket, from 0 on in the first one where
 * its bound is above 0; the highest bound for what is above all.
 */
double classic_quantile(const struct classic *classic, double observations, double q);

#endif
