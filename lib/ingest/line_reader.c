/* line_reader.c: see line_reader.h. */
#include "ingest/line_reader.h"

#include "base/ensure.h"

void line_reader_init(struct line_reader *reader, char *buffer, size_t buffer_bytes,
                      size_t line_max)
{
    *reader = (struct line_reader){
        .buffer = buffer,
        .buffer_bytes = buffer_bytes,
        .line_max = line_max,
    };
}

static struct bytes without_carriage_return(struct bytes line)
{
    if (line.length > 0 && line.at[line.length - 1] == '\r')
        line.length--;
    return line;
}

/* A line that began in an earlier feed ends in this one: `head` is its rest. */
static enum line_event join(struct line_reader *reader, struct bytes head, struct bytes *line)
{
    bool skipping = reader->skipping;
    size_t kept = reader->kept;
    reader->skipping = false;
    reader->kept = 0;
    if (skipping || kept + head.length > reader->line_max)
        return LINE_TOO_LONG;
    ENSURE(head.length <= reader->buffer_bytes - kept);
    memcpy(reader->buffer + kept, head.at, head.length);
    *line = without_carriage_return((struct bytes){reader->buffer, kept + head.length});
    return LINE_WHOLE;
}

enum line_event line_reader_next(struct line_reader *reader, struct bytes *input,
                                 struct bytes *line)
{
    if (input->length == 0)
        return LINE_NONE;
    const char *newline = memchr(input->at, '\n', input->length);
    if (newline == NULL)
        return LINE_NONE;
    struct bytes head = {input->at, (size_t)(newline - input->at)};
    *input = (struct bytes){newline + 1, input->length - head.length - 1};
    reader->line++;
    if (reader->skipping || reader->kept > 0)
        return join(reader, head, line);
    if (head.length > reader->line_max)
        return LINE_TOO_LONG;
    *line = without_carriage_return(head);
    return LINE_WHOLE;
}

void line_reader_keep(struct line_reader *reader, struct bytes rest)
{
    if (reader->skipping || rest.length == 0)
        return;
    if (rest.length > reader->line_max - reader->kept) {
        reader->skipping = true;
        reader->kept = 0;
        return;
    }
    ENSURE(rest.length <= reader->buffer_bytes - reader->kept);
    memcpy(reader->buffer + reader->kept, rest.at, rest.length);
    reader->kept += rest.length;
}

enum line_event line_reader_finish(struct line_reader *reader, struct bytes *line)
{
    if (!reader->skipping && reader->kept == 0)
        return LINE_NONE;
    reader->line++;
    return join(reader, (struct bytes){"", 0}, line);
}
