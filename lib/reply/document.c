/* document.c: see document.h. */
#include "reply/document.h"

#include "reply/members.h"

/*
 * Words in braces stand for the refusal's own figures. Literals only: nothing of a client's is
 * echoed.
 */
static void write_word(struct writer *writer, struct bytes word, const struct refusal *refusal)
{
    if (bytes_equal(word, BYTES("limit")))
        writer_u64(writer, refusal->limit);
    else if (bytes_equal(word, BYTES("setting")))
        writer_string(writer, refusal->setting == NULL ? "" : refusal->setting);
    else if (bytes_equal(word, BYTES("needed")))
        writer_u64(writer, refusal->needed);
    else if (bytes_equal(word, BYTES("detail")))
        writer_string(writer, refusal->detail == NULL ? "" : refusal->detail);
}

static void write_place(struct writer *writer, const struct refusal *refusal)
{
    if (refusal->element != 0) {
        writer_bytes(writer, BYTES("element "));
        writer_u64(writer, refusal->element);
    } else if (refusal->line != 0) {
        writer_bytes(writer, BYTES("line "));
        writer_u64(writer, refusal->line);
    } else {
        return;
    }
    writer_bytes(writer, BYTES(": "));
}

static void write_message(struct writer *writer, const struct refusal *refusal)
{
    write_place(writer, refusal);
    const char *at = status_message(refusal->status);
    for (const char *open; (open = strchr(at, '{')) != NULL;) {
        const char *close = strchr(open, '}');
        writer_bytes(writer, (struct bytes){at, (size_t)(open - at)});
        write_word(writer, (struct bytes){open + 1, (size_t)(close - open - 1)}, refusal);
        at = close + 1;
    }
    writer_string(writer, at);
    if (bytes_end_with(writer_text(writer), BYTES(": ")))
        writer->used -= 2; /* there was no detail to give */
}

static void write_refusal(struct writer *writer, const struct refusal *refusal)
{
    char text[512];
    struct writer message = writer_make(text, sizeof text);
    write_message(&message, refusal);
    writer_string(writer, "{\"code\": \"");
    writer_string(writer, status_code(refusal->status));
    writer_string(writer, "\", \"message\": ");
    writer_json_string(writer, writer_text(&message));
    if (refusal->line != 0)
        member_u64(writer, "line", refusal->line);
    if (refusal->element != 0)
        member_u64(writer, "element", refusal->element);
    if (refusal->setting != NULL) {
        if (refusal->limit != 0) /* a switch has none */
            member_u64(writer, "limit", refusal->limit);
        if (refusal->needed != 0)
            member_u64(writer, "needed", refusal->needed);
        member_text(writer, "setting", refusal->setting);
    }
    writer_char(writer, '}');
}

static void write_counts(struct writer *writer, const struct report *report)
{
    writer_string(writer, "\"accepted\": ");
    writer_u64(writer, report->accepted);
    writer_string(writer, ", \"rejected\": ");
    writer_u64(writer, report->rejected);
    if (report->overflowed > 0)
        member_u64(writer, "overflowed", report->overflowed);
}

void document_error_write(struct writer *writer, const struct refusal *refusal,
                          const struct report *report)
{
    writer_string(writer, "{\"error\": ");
    write_refusal(writer, refusal);
    if (report != NULL) {
        writer_string(writer, ", ");
        write_counts(writer, report);
    }
    writer_string(writer, "}\n");
}

void document_errors_write(struct writer *writer, const struct report *report)
{
    writer_char(writer, '[');
    for (uint32_t i = 0; i < report->error_count; i++) {
        writer_string(writer, i == 0 ? "" : ", ");
        write_refusal(writer, &report->errors[i]);
    }
    writer_char(writer, ']');
}

void document_push_write(struct writer *writer, const struct report *report)
{
    writer_char(writer, '{');
    write_counts(writer, report);
    if (report->error_count > 0) {
        writer_string(writer, ", \"errors\": ");
        document_errors_write(writer, report);
    }
    writer_string(writer, "}\n");
}
