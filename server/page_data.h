/*
 * page_data.h: the page at / and what is served beside it, as constants of the binary.
 *
 *     server/dashboard/ {index.html, *.css, *.js} ─┐
 *     dygraphs, of Debian's libjs-dygraphs ────────┴─ embed.py ──> page_data.c
 *
 * Owner: the binary. Lifetime: process. Threads: constant.
 */
#ifndef SERVER_PAGE_DATA_H
#define SERVER_PAGE_DATA_H

#include "base/bytes.h"

/* The same text twice. */
struct page_document {
    struct bytes plain;
    struct bytes gzip;
};

extern const struct page_document page_html;
extern const struct page_document page_dygraphs_licence;

/* The page's Content-Security-Policy: its own scripts and styles by their hashes, and no others. */
extern const char page_policy[];

#endif
