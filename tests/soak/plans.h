/*
 * plans.h: how each hostile kind goes about it: the bytes it sends, and what it does then.
 */
#ifndef SOAK_PLANS_H
#define SOAK_PLANS_H

#include "soak/hostile.h"

/* Writes what hostile->kind sends into its client's head and tail, and its plan. */
void plan_make(struct hostile *hostile, struct load *load, struct arsenal *arsenal);

#endif
