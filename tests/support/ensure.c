/* ensure.c: where a broken promise ends in a test program: it says where it stood, and stops. */
#include "base/ensure.h"

#include "support.h"

#include <stdlib.h>

static bool stop_is_expected;

void test_expect_stop(void)
{
    stop_is_expected = true;
}

_Noreturn void ensure_failed(const char *condition, const char *file, int line)
{
    if (!stop_is_expected)
        fprintf(stderr, "ENSURE failed: %s (%s:%d)\n", condition, file, line);
    abort();
}
