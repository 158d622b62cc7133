/* status.c: see status.h. */
#include "base/status.h"

#include "base/ensure.h"
#include "base/settings.h"

struct status_row {
    const char *code;
    unsigned http;
    const char *message;
};

static const struct status_row rows[STATUS_COUNT] = {
    [STATUS_OK] = {"ok", 200, "ok"},
#define STATUS(id, code, http, message) [STATUS_##id] = {code, http, message},
#include "base/status.def"
#undef STATUS
};

static const struct status_row *row(enum status status)
{
    ENSURE((unsigned)status < STATUS_COUNT);
    return &rows[status];
}

const char *status_code(enum status status)
{
    return row(status)->code;
}

unsigned status_http(enum status status)
{
    return row(status)->http;
}

const char *status_message(enum status status)
{
    return row(status)->message;
}

struct governed {
    enum status status;
    const char *setting;
    size_t offset;
};

#define GOVERNED(status, path, ident) {STATUS_##status, path, offsetof(struct settings, ident)}

/* Which setting is behind which limit: the one place that knows. */
static const struct governed governed[] = {
    GOVERNED(TARGET_TOO_LONG, "limits.target_bytes", limits_target_bytes),
    GOVERNED(HEADERS_TOO_LARGE, "server.connection_bytes", server_connection_bytes),
    GOVERNED(INFLATED_TOO_LARGE, "limits.inflated_bytes", limits_inflated_bytes),
    GOVERNED(WINDOW_TOO_LARGE, "limits.zstd_window_bytes", limits_zstd_window_bytes),
    GOVERNED(REQUEST_TOO_LARGE, "limits.request_bytes", limits_request_bytes),
    GOVERNED(BUSY, "requests.bytes", requests_bytes),
    GOVERNED(TRACE_OFF, "trace", trace),
    GOVERNED(LINE_TOO_LONG, "limits.line_bytes", limits_line_bytes),
    GOVERNED(NAME_TOO_LONG, "limits.name_bytes", limits_name_bytes),
    GOVERNED(LABEL_NAME_TOO_LONG, "limits.label_name_bytes", limits_label_name_bytes),
    GOVERNED(LABEL_VALUE_TOO_LONG, "limits.label_value_bytes", limits_label_value_bytes),
    GOVERNED(LABEL_SET_TOO_LONG, "limits.label_set_bytes", limits_label_set_bytes),
    GOVERNED(TOO_MANY_LABELS, "limits.labels", limits_labels),
    GOVERNED(ELEMENT_TOO_LARGE, "limits.element_bytes", limits_element_bytes),
    GOVERNED(REGEX_TOO_COSTLY, "limits.regex_steps", limits_regex_steps),
    GOVERNED(TOO_MANY_CELLS, "limits.query_cells", limits_query_cells),
    GOVERNED(TOO_MANY_GROUPS, "limits.query_groups", limits_query_groups),
    GOVERNED(TOO_MANY_POINTS, "limits.query_points", limits_query_points),
    GOVERNED(DRILLS_OFF, "drills", drills),
    GOVERNED(TOO_DEEP, "limits.json_depth", limits_json_depth),
};

struct refusal refusal_of(enum status status, const struct settings *settings)
{
    struct refusal refusal = refusal_plain(status);
    for (size_t i = 0; i < sizeof governed / sizeof governed[0]; i++) {
        if (governed[i].status != status)
            continue;
        refusal.setting = governed[i].setting;
        memcpy(&refusal.limit, (const char *)settings + governed[i].offset, sizeof refusal.limit);
    }
    return refusal;
}
