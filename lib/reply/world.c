/* world.c: the tables of world.h. */
#include "reply/world.h"

const uint32_t request_bounds_ms[REQUEST_BOUNDS] = {1, 10, 100, 1000, 10000};

const char *const closed_cause_names[CLOSED_CAUSES] = {
    [CLOSED_HEADER_TIMEOUT] = "header_timeout",
    [CLOSED_BODY_TIMEOUT] = "body_timeout",
    [CLOSED_REPLY_TIMEOUT] = "reply_timeout",
    [CLOSED_DRAIN] = "drain",
    [CLOSED_CLIENT] = "client",
};
