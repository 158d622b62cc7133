/*
 * pictures.h: the plots of a run.
 *
 * Owner: who writes them. Lifetime: one call. Threads: one.
 */
#ifndef SOAK_PICTURES_H
#define SOAK_PICTURES_H

#include "figures.h"
#include "reading.h"

#include <stdio.h>

/* memory.svg: resident memory, the cgroup's and live bytes under their limits. */
void picture_memory(FILE *out, const struct reading *reading, const struct figures *figures);

/* All of the page's, each as an <svg> element. */
void pictures_write(FILE *out, const struct reading *reading, const struct figures *figures);

#endif
