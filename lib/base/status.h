/*
 * status.h: how things end.
 *
 * One list (status.def) of outcomes; a function that can refuse returns one, and its outputs are
 * untouched unless it is STATUS_OK. A refusal carries what a client needs to act on it: which
 * limit, what its number is, which setting governs it, and where in the body it was met.
 */
#ifndef BASE_STATUS_H
#define BASE_STATUS_H

#include <stdint.h>

enum status {
    STATUS_OK,
#define STATUS(id, code, http, message) STATUS_##id,
#include "base/status.def"
#undef STATUS
    STATUS_COUNT,
};

/*
 * `limit` 0 and NULL texts mean that the outcome has none. The texts are literals: they outlive
 * every request.
 */
struct refusal {
    enum status status;
    uint32_t element; /* counted from 1 in a JSON array, else 0 */
    uint64_t line;    /* counted from 1, 0 when it is not about a line */
    uint64_t limit;
    uint64_t needed;     /* what it would have taken, where the message says so */
    const char *setting; /* "limits.line_bytes" */
    const char *detail;
};

const char *status_code(enum status status);
unsigned status_http(enum status status);
const char *status_message(enum status status);

struct settings;

/*
 * The refusal of that status with the limit and the setting that govern it, as the settings have
 * them.
 */
struct refusal refusal_of(enum status status, const struct settings *settings);

static inline struct refusal refusal_plain(enum status status)
{
    return (struct refusal){.status = status};
}

static inline struct refusal refusal_detail(enum status status, const char *detail)
{
    return (struct refusal){.status = status, .detail = detail};
}

static inline struct refusal refusal_limit(enum status status, const char *setting, uint64_t limit)
{
    return (struct refusal){.status = status, .setting = setting, .limit = limit};
}

#endif
