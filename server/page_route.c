/*
 * page_route.c: GET / and GET /licenses/dygraphs: constants of the binary.
 *
 * The reply is sent straight from the constant: no byte of it is in the arena, and none is
 * compressed here. What the page then asks for are the routes that everybody has. The operator's
 * listener serves it too, since it answers when the other one sheds; what is not served there the
 * page hides.
 */
#include "negotiate.h"
#include "page_data.h"
#include "routes.h"

static void reply_document(struct request *request, const char *content_type,
                           const struct page_document *document)
{
    bool gzip = accept_gzip(request->accept_encoding);
    request_reply(request, content_type, gzip ? document->gzip : document->plain);
    request->reply.content_encoding = gzip ? "gzip" : NULL;
    request->reply.vary = true;
    request->reply.page_policy = page_policy;
}

void page_end(struct request *request)
{
    reply_document(request, "text/html; charset=utf-8", &page_html);
}

void page_licence_end(struct request *request)
{
    reply_document(request, "text/plain; charset=utf-8", &page_dygraphs_licence);
}
