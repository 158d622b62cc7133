/*
 * config_file.c: see config_file.h.
 *
 * Three parts: the schema that tells libcyaml what may be in the file, the complaint that makes one
 * sentence of what it says of a file it refuses, and the reading itself.
 */
#include "config_file.h"

#include "option_words.h"

#include <cyaml/cyaml.h>

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* --- the schema --- */

/*
 * libcyaml fills structs by a schema of keys and offsets. Ours is one array of text pointers for
 * the top level and one for each section, all with the same places, so that row i is always slot i:
 *
 *     top      [memory][listen]...[(row i)]...[ptr to section 0][ptr to section 1]...
 *     section  [      ][      ]...[  row i]...
 */
struct schema {
    cyaml_schema_value_t root;
    cyaml_schema_field_t top[OPTION_ROWS + 1];
    cyaml_schema_field_t fields[2 * OPTION_ROWS]; /* of all sections, each ended by a NULL key */
    char sections[OPTION_ROWS][OPTION_NAME_BYTES];
    size_t section_count;
};

#define SLOT_BYTES(slots) ((uint32_t)((slots) * sizeof(void *)))

static cyaml_schema_field_t text_field(size_t row)
{
    return (cyaml_schema_field_t){
        .key = option_key(&settings_rows[row]),
        .data_offset = SLOT_BYTES(row),
        .value = {.type = CYAML_STRING,
                  .flags = CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL,
                  .data_size = sizeof(char),
                  .string = {.min = 0, .max = CYAML_UNLIMITED}},
    };
}

/* A section may be empty ("limits:"): in the template all its settings are commented out. */
static cyaml_schema_field_t section_field(size_t section, const char *key,
                                          const cyaml_schema_field_t *fields)
{
    return (cyaml_schema_field_t){
        .key = key,
        .data_offset = SLOT_BYTES(OPTION_ROWS + section),
        .value = {.type = CYAML_MAPPING,
                  .flags = CYAML_FLAG_POINTER_NULL_STR | CYAML_FLAG_OPTIONAL,
                  .data_size = SLOT_BYTES(OPTION_ROWS),
                  .mapping = {.fields = fields}},
    };
}

/* The section's place, or section_count when it is not there. */
static size_t section_find(const struct schema *schema, struct bytes name)
{
    size_t i = 0;
    while (i < schema->section_count && !bytes_equal(bytes_of(schema->sections[i]), name))
        i++;
    return i;
}

static void sections_make(struct schema *schema)
{
    for (size_t i = 0; i < OPTION_ROWS; i++) {
        struct bytes name = option_section(&settings_rows[i]);
        if (name.length > 0 && section_find(schema, name) == schema->section_count)
            option_cut_write(schema->sections[schema->section_count++], OPTION_NAME_BYTES, "%.*s",
                             (int)name.length, name.at);
    }
}

static size_t fields_make(cyaml_schema_field_t *fields, struct bytes section)
{
    size_t count = 0;
    for (size_t i = 0; i < OPTION_ROWS; i++) {
        if (bytes_equal(option_section(&settings_rows[i]), section))
            fields[count++] = text_field(i);
    }
    return count;
}

static void schema_make(struct schema *schema)
{
    memset(schema, 0, sizeof(*schema));
    sections_make(schema);
    size_t top = fields_make(schema->top, (struct bytes){NULL, 0});
    cyaml_schema_field_t *fields = schema->fields;
    for (size_t i = 0; i < schema->section_count; i++) {
        schema->top[top++] = section_field(i, schema->sections[i], fields);
        fields += fields_make(fields, bytes_of(schema->sections[i])) + 1;
    }
    schema->root = (cyaml_schema_value_t){
        .type = CYAML_MAPPING,
        .flags = CYAML_FLAG_POINTER,
        .data_size = SLOT_BYTES(OPTION_ROWS + schema->section_count),
        .mapping = {.fields = schema->top},
    };
}

/* --- complaints --- */

__attribute__((format(printf, 2, 3))) static bool refuse(struct config_file *file,
                                                         const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(file->problem, sizeof(file->problem), format, arguments);
    va_end(arguments);
    return false;
}

/* What libcyaml says of a file it refuses: one line, then a backtrace from the innermost key. */
struct complaint {
    bool any;
    char said[96];
    char key[OPTION_NAME_BYTES];   /* the key it does not know */
    char place[OPTION_NAME_BYTES]; /* "limits.line_bytes" */
    size_t line; /* where it last read a value: near the place, not always at it */
};

#define KEY_WORDS "Load: Unexpected key: "
#define FIELD_WORDS "  in mapping field '"

/* The backtrace comes inside out: each further key stands before what we have. */
static void complaint_descend(struct complaint *complaint, const char *key, size_t length)
{
    char inner[OPTION_NAME_BYTES];
    memcpy(inner, complaint->place, sizeof(inner));
    option_cut_write(complaint->place, OPTION_NAME_BYTES, "%.*s%s%s", (int)length, key,
                     inner[0] ? "." : "", inner);
}

static void complaint_take(struct complaint *complaint, const char *text)
{
    const char *line = strstr(text, "(line: ");
    if (line != NULL && complaint->line == 0)
        complaint->line = strtoul(line + strlen("(line: "), NULL, 10);
    if (strncmp(text, FIELD_WORDS, strlen(FIELD_WORDS)) == 0) {
        text += strlen(FIELD_WORDS);
        complaint_descend(complaint, text, strcspn(text, "'"));
    } else if (strncmp(text, KEY_WORDS, strlen(KEY_WORDS)) == 0) {
        option_quote_write(text + strlen(KEY_WORDS), complaint->key);
    } else if (!complaint->any) {
        const char *colon = strstr(text, "libyaml: ");
        option_cut_write(complaint->said, sizeof(complaint->said), "%s",
                         colon == NULL ? text : colon + strlen("libyaml: "));
    }
    complaint->any = true;
}

__attribute__((format(printf, 3, 0))) static void
complaint_hear(cyaml_log_t level, void *context, const char *format, va_list arguments)
{
    char text[256];
    (void)level;
    vsnprintf(text, sizeof(text), format, arguments);
    text[strcspn(text, "\n")] = '\0';
    complaint_take(context, text);
}

/* After other errors the backtrace does not name the culprit, but the last value before it. */
static bool complaint_is_placed(cyaml_err_t error)
{
    return error == CYAML_ERR_INVALID_VALUE || error == CYAML_ERR_UNEXPECTED_EVENT ||
           error == CYAML_ERR_ALIAS;
}

static const char *complaint_words(const struct complaint *complaint, cyaml_err_t error)
{
    switch (error) {
    case CYAML_OK: /* it only warned: "Ignoring documents after first in stream" */
        return "the file holds more than one document";
    case CYAML_ERR_ALIAS:
        return "anchors and aliases are not read";
    case CYAML_ERR_LIBYAML_PARSER:
        return complaint->said;
    case CYAML_ERR_UNEXPECTED_EVENT:
        return strstr(complaint->said, "already seen") != NULL ? "is given twice"
                                                               : cyaml_strerror(error);
    case CYAML_ERR_INVALID_VALUE:
        return setting_find(bytes_of(complaint->place)) != NULL ? "takes a single value"
                                                                : "takes `name: value` pairs";
    case CYAML_ERR_INTERNAL_ERROR: /* its answer to a key that is a list or a mapping */
        return "a key is not a name";
    default:
        return cyaml_strerror(error);
    }
}

/* ", near line 7", or nothing. */
static void near_write(const struct complaint *complaint, char out[static 32])
{
    out[0] = '\0';
    if (complaint->line > 0)
        option_cut_write(out, 32, ", near line %zu", complaint->line);
}

static bool refuse_key(struct config_file *file, const struct complaint *complaint)
{
    struct option_flags flags;
    char path[2 * OPTION_NAME_BYTES];
    char near[32];
    option_flags_make(&flags);
    option_cut_write(path, sizeof(path), "%s%s%s", complaint->place, complaint->place[0] ? "." : "",
                     complaint->key);
    int like = option_closest(&flags, path, OPTION_ROWS);
    near_write(complaint, near);
    if (like < 0)
        return refuse(file, "%s: there is no such setting (from %s%s)", path, file->path, near);
    return refuse(file, "%s: there is no such setting; did you mean %s? (from %s%s)", path,
                  settings_rows[like].path, file->path, near);
}

static bool refuse_document(struct config_file *file, const struct complaint *complaint,
                            cyaml_err_t error)
{
    const char *place = complaint_is_placed(error) ? complaint->place : "";
    char near[32];
    if (error == CYAML_ERR_INVALID_KEY)
        return refuse_key(file, complaint);
    near_write(complaint, near);
    return refuse(file, "%s: %s (from %s%s)", place[0] == '\0' ? "config" : place,
                  complaint_words(complaint, error), file->path, near);
}

/* --- the file --- */

static void texts_find(struct config_file *file, const struct schema *schema)
{
    void *const *top = file->document;
    for (size_t i = 0; top != NULL && i < OPTION_ROWS; i++) {
        struct bytes section = option_section(&settings_rows[i]);
        void *const *slots = top;
        if (section.length > 0)
            slots = top[OPTION_ROWS + section_find(schema, section)];
        if (slots != NULL)
            file->text[i] = slots[i];
    }
}

static bool document_load(struct config_file *file, const char *text, size_t length)
{
    struct complaint complaint = {.any = false};
    const cyaml_config_t config = {
        .log_fn = complaint_hear,
        .log_ctx = &complaint,
        .log_level = CYAML_LOG_WARNING,
        .mem_fn = cyaml_mem,
        .flags = CYAML_CFG_NO_ALIAS,
    };
    struct schema schema;
    schema_make(&schema);
    cyaml_err_t error = cyaml_load_data((const uint8_t *)text, length, &config, &schema.root,
                                        &file->document, NULL);
    if (error != CYAML_OK || complaint.any)
        return refuse_document(file, &complaint, error);
    texts_find(file, &schema);
    return true;
}

/* How much there is, at most `limit`; -1 with errno when it cannot be read. */
static ssize_t bytes_read(const char *path, char *out, size_t limit)
{
    size_t length = 0;
    ssize_t got = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    do {
        got = read(fd, out + length, limit - length);
        if (got > 0)
            length += (size_t)got;
    } while (length < limit && (got > 0 || (got < 0 && errno == EINTR)));
    int error = errno;
    close(fd);
    errno = error;
    return got < 0 ? -1 : (ssize_t)length;
}

/* libcyaml has copied what it keeps: the text is not needed beyond this. */
static bool file_load(struct config_file *file, const char *path_from)
{
    bool fine = false;
    char *text = malloc(OPTION_FILE_BYTES + 1);
    if (text == NULL)
        return refuse(file, "config: there is no memory to read %s", file->path);
    ssize_t length = bytes_read(file->path, text, OPTION_FILE_BYTES + 1);
    if (length < 0)
        refuse(file, "config: cannot read %s: %s (from %s)", file->path, strerror(errno),
               path_from);
    else if (length > OPTION_FILE_BYTES)
        refuse(file, "config: %s has over %d bytes (from %s)", file->path, OPTION_FILE_BYTES,
               path_from);
    else
        fine = document_load(file, text, (size_t)length);
    free(text);
    return fine;
}

bool config_file_read(struct config_file *file, const char *path, const char *path_from)
{
    memset(file, 0, sizeof(*file));
    file->path = path;
    if (file_load(file, path_from))
        return true;
    config_file_release(file); /* libcyaml has a document even where it only warned */
    return false;
}

void config_file_release(struct config_file *file)
{
    static const cyaml_config_t config = {.mem_fn = cyaml_mem};
    struct schema schema;
    if (file->document == NULL)
        return;
    schema_make(&schema); /* says what to free */
    cyaml_free(&config, &schema.root, file->document, 0);
    file->document = NULL;
    memset(file->text, 0, sizeof(file->text));
}
