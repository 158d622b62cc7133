/*
 * soak.c: mayfly-soak: drives the load of a soak, and tells what became of it.
 */
#include <stdio.h>
#include <string.h>

#include "report.h"
#include "run.h"
#include "wall.h"

static const struct command {
    const char *name;
    int (*main)(int argc, char **argv);
    const char *help;
} COMMANDS[] = {
    {"run", run_main, "DIR --target HOST:PORT --operator HOST:PORT [options]"},
    {"report", report_main, "DIR [--follow] [--docker FILE]"},
    {"wall", wall_main, "OUT.svg LABEL=DIR..."},
};

#define COMMAND_COUNT (sizeof COMMANDS / sizeof COMMANDS[0])

int main(int argc, char **argv)
{
    for (size_t i = 0; i < COMMAND_COUNT && argc > 1; i++)
        if (strcmp(argv[1], COMMANDS[i].name) == 0)
            return COMMANDS[i].main(argc, argv);
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        fprintf(stderr, "mayfly-soak %s %s\n", COMMANDS[i].name, COMMANDS[i].help);
    return 2;
}
