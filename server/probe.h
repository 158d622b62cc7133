/*
 * probe.h: mayfly --probe asks a running mayfly's /healthz, for a container's HEALTHCHECK.
 */
#ifndef SERVER_PROBE_H
#define SERVER_PROBE_H

/* True when GET /healthz at ADDR:PORT is answered with 200 within two seconds. */
bool probe(const char *address);

#endif
