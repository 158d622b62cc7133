/*
 * model.h: what the engine should know, the dumbest way: a log of all samples.
 *
 *     | window 7, family 3, series 0, 5 | window 7, family 1, series 4, 1 | … since the start
 *
 * A question is answered by reading it from one end to the other. Which series a sample went to,
 * and which window was open for it, is looked up in the engine right after it was applied, for both
 * are the engine's to decide; what samples come to is worked out here. A window closes for a series
 * when sealing passes it, so a sample that arrives behind that belongs to the next one.
 *
 * Damaged bodies bring values and labels that this model has no mind to follow: such samples are
 * odd. They are counted, and questions they have a part in are not compared.
 *
 * DELETE gives a family a new id: what is sealed stays under the old one, which nobody asks for;
 * what is open goes on under the new one.
 *
 * Owner: the simulation. Lifetime: process; memory is malloc's. Threads: one.
 */
#ifndef TESTS_SIM_MODEL_H
#define TESTS_SIM_MODEL_H

#include "engine/engine.h"
#include "query/query.h"

struct entry {
    uint64_t family; /* id; 0: deleted while its window was open */
    uint64_t sequence;
    uint32_t window;
    uint32_t open_window; /* the history's when it came: rises along the log */
    uint8_t kind;
    bool is_odd;     /* it is counted, and what it comes to is not followed */
    bool is_outside; /* it is not even counted: its series took it, its window did not */
    double last;     /* gauges: which value stood after this one, and since when */
    int64_t last_ms;
    union {
        double value;
        uint64_t member; /* sets */
        struct {
            uint32_t first; /* in the model's observations: histograms in buckets, summaries */
            uint32_t count;
            double sum;
        } observed;
    };
};

struct model {
    struct entry *entries;
    size_t count;
    size_t size;
    double *observations;
    size_t observation_count;
    size_t observation_size;
    struct {
        uint32_t window; /* no entry of this window or a later one is before */
        size_t at;
    } * marks;
    size_t mark_count;
    size_t mark_size;
    double sum;         /* of all that have totals, since the start */
    double deleted_sum; /* of series that were deleted: their totals are not kept */
    uint64_t odd;       /* entries */
};

/* The series that took the sample just applied: its own, or an overflow series. */
const struct series *model_series(const struct store *store, const struct sample *sample);

/* The sample was applied and accepted, and went to that series. */
void model_apply(struct model *model, const struct engine *engine, const struct series *series,
                 const struct sample *sample);

/* The series, which is no overflow series, is about to be deleted. */
void model_delete(struct model *model, const struct engine *engine, uint32_t series);

void model_end(struct model *model);

/* The part of the log that has all entries of these windows, and few others. */
size_t model_find(const struct model *model, uint32_t window);

/* All that is left in the history and the open windows, of one kind: samples, and what they are. */
struct model_total {
    uint64_t samples;
    uint64_t observations;
    double sum;
};

struct model_total model_total(const struct model *model, enum kind kind, uint32_t from_window);

/* ---- answers ---- */

enum match_operator { MATCH_EQUAL, MATCH_NOT_EQUAL, MATCH_REGEX };

/* An expression is made of literals and `literal.*`, with | between. */
struct model_match {
    const char *label;
    enum match_operator operator;
    const char *value;
};

#define MODEL_MATCHES 2
#define MODEL_LABELS 2

struct model_question {
    uint32_t match_count;
    struct model_match matches[MODEL_MATCHES];
    bool without;
    uint32_t label_count;
    const char *labels[MODEL_LABELS]; /* by= or without= */
    int64_t start_ms;
    int64_t end_ms;
    int64_t step_ms;
};

/* One sample at its place in the answer. */
struct model_place {
    uint32_t group;
    uint64_t bucket;
    const struct entry *entry;
};

struct model_answer {
    char (*groups)[256]; /* their labels */
    uint32_t group_count;
    struct model_place *places; /* by group, bucket, and in order of the log */
    size_t place_count;
    bool overflow_is_alone; /* group 0 has the overflow series and no other */
    bool is_odd;            /* some samples or labels are: there is no answer to compare with */
};

/* Which series there are is as the store has it now. */
void model_ask(const struct model *model, const struct store *store, const struct family *family,
               const struct model_question *question, struct model_answer *answer);
void model_answer_end(struct model_answer *answer);

/* The group with these labels; group_count when there is none. */
uint32_t model_group(const struct model_answer *answer, struct bytes labels);

/* The places of a group's bucket. Returns how many. */
size_t model_bucket(const struct model_answer *answer, uint32_t group, uint64_t bucket,
                    const struct model_place **first);

#endif
