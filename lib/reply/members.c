/* members.c: see members.h. */
#include "reply/members.h"

void member_separate(struct writer *writer, const char *comma)
{
    char last = writer->used > 0 ? writer->at[writer->used - 1] : '{';
    if (last != '{' && last != '[')
        writer_string(writer, comma);
}

static void key(struct writer *writer, const char *name)
{
    writer_json_string(writer, bytes_of(name));
    writer_string(writer, ": ");
}

void member(struct writer *writer, const char *name)
{
    member_separate(writer, ", ");
    key(writer, name);
}

void member_section(struct writer *writer, const char *name)
{
    member_separate(writer, ",");
    writer_string(writer, "\n ");
    key(writer, name);
}

void member_row(struct writer *writer)
{
    member_separate(writer, ",");
    writer_string(writer, "\n  {");
}

void member_u64(struct writer *writer, const char *name, uint64_t value)
{
    member(writer, name);
    writer_u64(writer, value);
}

void member_i64(struct writer *writer, const char *name, int64_t value)
{
    member(writer, name);
    writer_i64(writer, value);
}

void member_number(struct writer *writer, const char *name, double value)
{
    member(writer, name);
    writer_json_number(writer, value);
}

void member_seconds(struct writer *writer, const char *name, int64_t ms)
{
    member(writer, name);
    writer_seconds(writer, ms);
}

void member_time(struct writer *writer, const char *name, int64_t ms)
{
    member(writer, name);
    if (ms == 0)
        writer_string(writer, "null");
    else
        writer_seconds(writer, ms);
}

void member_text(struct writer *writer, const char *name, const char *value)
{
    member(writer, name);
    writer_json_string(writer, bytes_of(value));
}

void member_bool(struct writer *writer, const char *name, bool value)
{
    member(writer, name);
    writer_string(writer, value ? "true" : "false");
}
