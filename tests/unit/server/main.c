/* main.c: runs the suites of what server/ has that needs no sockets. */
#include <check.h>

Suite *machine_suite(void);
Suite *options_suite(void);

int main(void)
{
    SRunner *runner = srunner_create(options_suite());
    srunner_add_suite(runner, machine_suite());
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
