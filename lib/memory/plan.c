/* plan.c: see plan.h. */
#include "memory/plan.h"

const char *const plan_part_names[PLAN_PARTS] = {
    [PLAN_REGION] = "region", [PLAN_LIBMICROHTTPD] = "libmicrohttpd", [PLAN_STACKS] = "stacks",
    [PLAN_CODE] = "code",     [PLAN_SLACK] = "slack",
    [PLAN_DRILLS] = "drills",
};
