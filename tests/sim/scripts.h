/*
 * scripts.h: what a client asks for, as the swarm has it: a target, headers, a body.
 *
 * Owner: the simulation. Threads: one.
 */
#ifndef TESTS_SIM_SCRIPTS_H
#define TESTS_SIM_SCRIPTS_H

#include "sim.h"

void script_choose(struct sim *sim, struct script *script, bool storm);

#endif
