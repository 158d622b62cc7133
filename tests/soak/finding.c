/* finding.c: see finding.h. */
#include "finding.h"

#include "reading.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

json_t *json_number_or_null(double value)
{
    if (!isfinite(value))
        return json_null();
    if (value == round(value) && fabs(value) < 9e15)
        return json_integer((json_int_t)value);
    return json_real(value);
}

static bool has(const json_t *list, const char *code, const char *what)
{
    size_t i;
    json_t *row;
    json_array_foreach (list, i, row) {
        if (strcmp(member_text(row, "code"), code) == 0 &&
            strcmp(member_text(row, "what"), what) == 0)
            return true;
    }
    return false;
}

bool finding_exists(const struct findings *findings, const char *code, const char *what)
{
    return has(findings->findings, code, what);
}

/* What a buffer's end cut within a letter JSON refuses: it is told in ASCII then, for no finding
 * may be lost. */
static json_t *text_json(char *text)
{
    json_t *whole = json_string(text);
    for (char *at = text; whole == NULL && *at != '\0'; at++)
        *at = (unsigned char)*at < 0x80 ? *at : '?';
    return whole != NULL ? whole : json_string(text);
}

__attribute__((format(printf, 5, 0))) static void add(json_t *list, const char *code,
                                                      const char *what, double since,
                                                      const char *format, va_list arguments)
{
    char *text = NULL;
    if (has(list, code, what) || vasprintf(&text, format, arguments) < 0)
        return;
    json_array_append_new(list,
                          json_pack("{s:s, s:s, s:o, s:o}", "code", code, "what", what, "since",
                                    json_number_or_null(since), "text", text_json(text)));
    free(text);
}

void finding_add(struct findings *findings, const char *code, const char *what, double since,
                 const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    add(findings->findings, code, what, since, format, arguments);
    va_end(arguments);
}

void remark_add(struct findings *findings, const char *code, const char *what, double since,
                const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    add(findings->remarks, code, what, since, format, arguments);
    va_end(arguments);
}
