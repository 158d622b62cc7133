/* regex.c: see regex.h. */
#include "query/regex.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

/* The compiler calls itself for each level of brackets, some hundred bytes of the stack each. */
#define NEST_MAX 50

#define OPTIONS                                                                                    \
    (PCRE2_UTF | PCRE2_ANCHORED | PCRE2_ENDANCHORED | PCRE2_DOTALL | PCRE2_DOLLAR_ENDONLY |        \
     PCRE2_NO_AUTO_CAPTURE | PCRE2_NEVER_BACKSLASH_C)

struct regexes {
    struct arena *arena;
    pcre2_general_context *general;
    pcre2_compile_context *compiling;
    pcre2_match_context *context;
    pcre2_match_data *data;
    uint64_t steps_max; /* limits.regex_steps */
    uint64_t work_left; /* of the request */
    bool refused;       /* by the arena, since the last look */
};

/* ---- PCRE2's memory ---- */

static void *take(size_t bytes, void *context)
{
    struct regexes *regexes = context;
    void *at = arena_push(regexes->arena, bytes);
    if (at == NULL)
        regexes->refused = true;
    return at;
}

static void give(void *at, void *context)
{
    (void)at; /* it goes with the arena */
    (void)context;
}

/* ---- making ---- */

static pcre2_match_context *match_context(pcre2_general_context *general,
                                          const struct settings *settings)
{
    pcre2_match_context *context = pcre2_match_context_create(general);
    if (context == NULL)
        return NULL;
    uint64_t heap_kib = settings->limits_request_bytes / 4 / 1024;
    pcre2_set_heap_limit(context, (uint32_t)heap_kib);
    return context;
}

struct regexes *regexes_make(const struct settings *settings, struct arena *arena)
{
    struct regexes *regexes = arena_push_zero(arena, sizeof *regexes);
    if (regexes == NULL)
        return NULL;
    regexes->arena = arena;
    pcre2_general_context *general = pcre2_general_context_create(take, give, regexes);
    if (general == NULL)
        return NULL;
    regexes->general = general;
    regexes->compiling = pcre2_compile_context_create(general);
    regexes->context = match_context(general, settings);
    regexes->steps_max = settings->limits_regex_steps;
    regexes->work_left = settings->limits_regex_steps * REGEX_REQUEST_WORK;
    regexes->data = pcre2_match_data_create(1, general); /* where the match lies is not asked */
    if (regexes->refused)
        return NULL;
    pcre2_set_parens_nest_limit(regexes->compiling, NEST_MAX);
    return regexes;
}

enum status regexes_renew(struct regexes *regexes)
{
    regexes->refused = false;
    regexes->data = pcre2_match_data_create(1, regexes->general);
    return regexes->refused ? regexes->arena->refusal : STATUS_OK;
}

struct complaint {
    int error;
    const char *detail;
};

/* PCRE2's own texts would have to be copied; these are literals, which outlive the request. */
static const struct complaint complaints[] = {
    {PCRE2_ERROR_END_BACKSLASH, "it ends in a backslash"},
    {PCRE2_ERROR_UNKNOWN_ESCAPE, "a backslash before a letter that it means nothing with"},
    {PCRE2_ERROR_ESCAPE_INVALID_IN_CLASS, "an escape that means nothing between [ and ]"},
    {PCRE2_ERROR_MISSING_SQUARE_BRACKET, "a [ is not closed"},
    {PCRE2_ERROR_CLASS_RANGE_ORDER, "a range between [ and ] that runs backwards"},
    {PCRE2_ERROR_CLASS_INVALID_RANGE, "a range between [ and ] that does not end in a character"},
    {PCRE2_ERROR_UNKNOWN_POSIX_CLASS, "an unknown class like [:this:]"},
    {PCRE2_ERROR_POSIX_CLASS_NOT_IN_CLASS, "a class like [:this:] belongs between [ and ]"},
    {PCRE2_ERROR_QUANTIFIER_INVALID, "there is nothing to repeat before *, +, ? or {"},
    {PCRE2_ERROR_QUANTIFIER_OUT_OF_ORDER, "the numbers between { and } run backwards"},
    {PCRE2_ERROR_QUANTIFIER_TOO_BIG, "a number between { and } is too large"},
    {PCRE2_ERROR_MISSING_CLOSING_PARENTHESIS, "a ( is not closed"},
    {PCRE2_ERROR_UNMATCHED_CLOSING_PARENTHESIS, "a ) was not opened"},
    {PCRE2_ERROR_INVALID_AFTER_PARENS_QUERY, "an unknown group like (?this"},
    {PCRE2_ERROR_BAD_SUBPATTERN_REFERENCE, "a reference to a group that is not there"},
    {PCRE2_ERROR_PARENTHESES_NEST_TOO_DEEP, "brackets are nested deeper than 50 levels"},
    {PCRE2_ERROR_PATTERN_TOO_LARGE, "it is too large once its repetitions are written out"},
    {PCRE2_ERROR_LOOKBEHIND_NOT_FIXED_LENGTH, "a text looked behind for has no fixed length"},
    {PCRE2_ERROR_MALFORMED_UNICODE_PROPERTY, "\\p or \\P without a property"},
    {PCRE2_ERROR_UNKNOWN_UNICODE_PROPERTY, "\\p or \\P with an unknown property"},
    {PCRE2_ERROR_CODE_POINT_TOO_BIG, "a character beyond U+10FFFF"},
};

static struct refusal bad_regex(int error)
{
    if (error < 0) /* all others are positive while compiling */
        return refusal_detail(STATUS_BAD_REGEX, "it is not UTF-8");
    for (size_t i = 0; i < sizeof complaints / sizeof complaints[0]; i++) {
        if (complaints[i].error == error)
            return refusal_detail(STATUS_BAD_REGEX, complaints[i].detail);
    }
    return refusal_detail(STATUS_BAD_REGEX, "it is malformed");
}

struct refusal regex_make(struct regexes *regexes, struct bytes pattern, const struct regex **regex)
{
    int error;
    size_t offset;
    regexes->refused = false;
    pcre2_code *code = pcre2_compile((PCRE2_SPTR)pattern.at, pattern.length, OPTIONS, &error,
                                     &offset, regexes->compiling);
    if (regexes->refused)
        return refusal_plain(regexes->arena->refusal);
    if (code == NULL)
        return bad_regex(error);
    *regex = (const struct regex *)code;
    return refusal_plain(STATUS_OK);
}

/* ---- matching ---- */

/*
 * What PCRE2 reads within one step is not counted, and may be all of the text: so a step is taken
 * to be as much work as the text is long.
 */
static uint64_t work_of(uint64_t steps, struct bytes text)
{
    return steps * (REGEX_STEP_BYTES + text.length) / REGEX_STEP_BYTES;
}

/* Few steps are enough to look at each place of the text once or twice. */
static uint64_t few_steps(struct bytes text)
{
    return REGEX_FEW_STEPS + 2 * text.length;
}

static uint64_t all_steps(const struct regexes *regexes, struct bytes text)
{
    uint64_t steps = regexes->steps_max * REGEX_STEP_BYTES / (REGEX_STEP_BYTES + text.length);
    return steps > few_steps(text) ? steps : few_steps(text);
}

static int match(struct regexes *regexes, const struct regex *regex, struct bytes text,
                 uint64_t steps)
{
    uint64_t work = work_of(steps, text);
    if (work > regexes->work_left)
        return PCRE2_ERROR_MATCHLIMIT;
    regexes->work_left -= work;
    pcre2_set_match_limit(regexes->context, (uint32_t)steps);
    pcre2_set_depth_limit(regexes->context, (uint32_t)steps);
    return pcre2_match((const pcre2_code *)regex, (PCRE2_SPTR)text.at, text.length, 0, 0,
                       regexes->data, regexes->context);
}

/*
 * An expression that calls itself without end stops before the limit does (RECURSELOOP), but no
 * limit would be enough for it.
 */
static enum status status_of(const struct regexes *regexes, int result)
{
    if (result >= 0 || result == PCRE2_ERROR_NOMATCH)
        return STATUS_OK;
    if (result == PCRE2_ERROR_NOMEMORY)
        return regexes->arena->refusal;
    if (result == PCRE2_ERROR_HEAPLIMIT)
        return STATUS_REQUEST_TOO_LARGE;
    return STATUS_REGEX_TOO_COSTLY;
}

struct regex_verdict regex_match(struct regexes *regexes, const struct regex *regex,
                                 struct bytes text)
{
    int result = match(regexes, regex, text, few_steps(text));
    bool costly = result == PCRE2_ERROR_MATCHLIMIT || result == PCRE2_ERROR_DEPTHLIMIT;
    if (costly)
        result = match(regexes, regex, text, all_steps(regexes, text));
    return (struct regex_verdict){
        .status = status_of(regexes, result),
        .matches = result >= 0,
        .costly = costly,
    };
}
