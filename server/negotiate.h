/*
 * negotiate.h: what a client would like to read, from its Accept and Accept-Encoding headers (RFC
 * 9110, 12.5), and what it says it sends, from Content-Type and Content-Encoding.
 */
#ifndef SERVER_NEGOTIATE_H
#define SERVER_NEGOTIATE_H

#include "ingest/inflate.h"

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

/* A media type without its parameters: "text/plain; version=0.0.4" is text/plain. */
struct bytes media_type(struct bytes header);

/* What a Content-Encoding header says; none is identity. False: it is not one that is read here. */
bool encoding_of(struct bytes header, enum encoding *encoding);

#endif
