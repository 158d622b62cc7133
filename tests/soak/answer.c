#include "answer.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* Messages quote at most a few words of a client, so the counts behind one are among the first
 * bytes. */
_Static_assert(REPLY_EXCERPT_MAX >= 800, "an error's code, message and limit, and the counts");

static const char *value_find(const char *text, const char *key)
{
    const char *at = strstr(text, key);

    return at == NULL ? NULL : at + strlen(key);
}

/* A number that is cut off by the end of the excerpt is none. */
static bool number_find(const char *text, const char *key, uint64_t *out)
{
    const char *at = value_find(text, key);
    char *end;

    if (at == NULL || !isdigit((unsigned char)*at))
        return false;
    *out = strtoull(at, &end, 10);
    return *end != '\0';
}

struct answer answer_read(const struct reply *reply)
{
    struct answer answer = {0};
    const char *code = value_find(reply->excerpt, "\"code\": \"");
    size_t length = code == NULL ? 0 : strcspn(code, "\"");

    answer.has_counts = number_find(reply->excerpt, "\"accepted\": ", &answer.accepted) &&
                        number_find(reply->excerpt, "\"rejected\": ", &answer.rejected);
    if (length < sizeof(answer.code))
        memcpy(answer.code, code == NULL ? "" : code, length);
    return answer;
}
