/*
 * trend.h: does this figure grow?
 *
 *     observed     . .  .  .  .|.  . .  . .|  .  . . . |. .  . .       as often as one likes
 *     minima          dropped  |    [0]    |    [1]    |   lowest      one for each block
 *                    (warm-up)
 *                              |======= first half =====|
 *                                                 |===== second half =====|
 *
 * The lowest value of a block is what is left when the load is least, so waves shorter than a block
 * and the sawteeth of caches leave it alone, and neighbours hardly depend on each other, which the
 * interval supposes: fed with raw samples, tests like this flag healthy processes (Machida et al.,
 * ISSREW 2013). How long a block is, is not this file's affair: x is the block's number, and slopes
 * are per block. Meant are six hours, four to a day. The last 28 are kept and no wider ones made,
 * so that a leak that begins on day 30 is found as soon as one that begins on day 1.
 *
 * The slope is Theil and Sen's: the median of the slopes between any two blocks, with Sen's 99 %
 * interval (Sen, JASA 63, 1968, equation 2.6; scipy.stats.theilslopes does the same). A step, up
 * and once, would pass for growth by that alone. So both halves must grow, and so must days: each
 * block is held against the one of the same hour a day before, of which a step lifts four and no
 * more.
 *
 * Shapes are judged here, no more: whether what grows is a pool that fills or a leak is known to
 * those who know what the figure is.
 *
 * Owner: whoever watches the figure. Lifetime: process. Threads: one at a time.
 */
#ifndef MEMORY_TREND_H
#define MEMORY_TREND_H

#include <stdint.h>

#define TREND_BLOCKS 28 /* a week; the 378 slopes between them fit the stack */
#define TREND_DAY_BLOCKS 4
#define TREND_BLOCKS_MIN 12 /* three days: in fewer, two waves of a day can pass for growth */

/* Of blocks a day apart: a step lifts as many pairs as a day has blocks, of one more not all. */
#define TREND_DAY_PAIRS_MIN (TREND_DAY_BLOCKS + 1)

struct trend {
    double minima[TREND_BLOCKS]; /* a ring; NAN: nothing was observed in this block */
    double lowest;               /* of the open block; NAN: nothing yet */
    uint32_t next;               /* where the next minimum goes */
    uint32_t count;              /* minima held, with those that are NAN */
    uint32_t warm_up_blocks;     /* still to come */
};

/* The first `warm_up_blocks` that close are forgotten: what a process takes once, to keep. */
void trend_init(struct trend *trend, uint32_t warm_up_blocks);

/* What is not finite (nothing divided by nothing, say) was not observed. */
void trend_observe(struct trend *trend, double value);

/* The open block ends, and its minimum takes the place of the one 28 blocks ago. */
void trend_close_block(struct trend *trend);

/* The nth of the minima that are held, the oldest first; n < trend->count. NAN: see above. */
double trend_minimum(const struct trend *trend, uint32_t n);

/* Of the closed blocks. Slopes and rises are per block; NAN where there are too few to say. */
struct trend_estimate {
    uint32_t blocks; /* in which something was observed */
    uint32_t day_pairs;
    double level; /* the median of the minima */
    double slope;
    double low; /* of the 99 % interval of the slope */
    double high;
    double first_half; /* the slope of one half alone; with an odd number the middle is of both */
    double second_half;
    double day_rise; /* from a block to the one a day later: the median, and the least */
    double day_rise_least;
};

/* With 28 blocks it takes some 30 us and 4 KiB of stack. */
struct trend_estimate trend_estimate_make(const struct trend *trend);

/* What matters, per block: growth exceeds both. */
struct trend_rule {
    double relative; /* to the level */
    double absolute;
};

enum trend_shape {
    TREND_TOO_EARLY, /* nothing can be said yet */
    TREND_FLAT,
    TREND_GROWING,
};

/*
 * Growing: of at least 12 blocks the slope, the slope of the second half and the median rise over a
 * day are above the rule's threshold, and the lower end of the interval and the slope of the first
 * half are above 0.
 */
enum trend_shape trend_judge(const struct trend_estimate *estimate, const struct trend_rule *rule);

/*
 * A hint, when 12 blocks are not there yet: growing when every block is above the one a day before
 * by more than the threshold. From 9 blocks on.
 */
enum trend_shape trend_judge_days(const struct trend_estimate *estimate,
                                  const struct trend_rule *rule);

#endif
