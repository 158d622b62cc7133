/*
 * negotiate.h: what a client would like to read, from its Accept and Accept-Encoding headers (RFC
 * 9110, 12.5).
 */
#ifndef SERVER_NEGOTIATE_H
#define SERVER_NEGOTIATE_H

#include "base/bytes.h"

/*
 * How much the header wants this name, from 0 to 1000; -1 when it does not mention it. Wildcards
 * are not looked at.
 */
int accept_quality(struct bytes header, struct bytes name);

enum exposition_format {
    EXPOSE_DEFAULT, /* neither is asked for */
    EXPOSE_TEXT,
    EXPOSE_OPENMETRICS,
    EXPOSE_JSON,
};

/*
 * What is asked for by name, and most; with equal quality OpenMetrics before text, and JSON before
 * both.
 */
enum exposition_format accept_exposition(struct bytes accept);

/* gzip is mentioned and not refused with q=0. */
bool accept_gzip(struct bytes accept_encoding);

#endif
