/*
 * bare.c: the least that a service on libmicrohttpd can cost: bodies are discarded, a small reply
 * is made for each request.
 *
 *     bench-bare [--port PORT]      on 127.0.0.1; without it a free port. SIGTERM or SIGINT ends it
 *
 * As mayfly runs it: epoll, an internal thread pool of 2, 32 KiB for a connection, one response
 * with one header made, queued and destroyed for each request. What mayfly takes more than this is
 * its own work.
 */
#define _GNU_SOURCE 1
#include <microhttpd.h>

#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "text.h"

#define THREADS 2u
#define CONNECTION_BYTES (32u * 1024u)
#define CONNECTIONS_MAX 1024u

static enum MHD_Result reply_queue(struct MHD_Connection *connection)
{
    static char body[] = "{\"accepted\":1,\"rejected\":0}";
    struct MHD_Response *response =
        MHD_create_response_from_buffer(sizeof(body) - 1, body, MHD_RESPMEM_PERSISTENT);
    enum MHD_Result result;

    if (response == NULL)
        return MHD_NO;
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, "application/json");
    result = MHD_queue_response(connection, MHD_HTTP_OK, response);
    MHD_destroy_response(response);
    return result;
}

/* libmicrohttpd calls once for the headers, once for each piece of the body, once at its end. */
static enum MHD_Result request_handle(void *cls, struct MHD_Connection *connection, const char *url,
                                      const char *method, const char *version,
                                      const char *upload_data, size_t *upload_data_size,
                                      void **state)
{
    static char begun;

    (void)cls, (void)url, (void)method, (void)version, (void)upload_data;
    if (*state == NULL) {
        *state = &begun;
        return MHD_YES;
    }
    if (*upload_data_size > 0) {
        *upload_data_size = 0;
        return MHD_YES;
    }
    return reply_queue(connection);
}

static uint16_t port_parse(int argc, char **argv)
{
    long port = 0;

    if (argc == 3 && strcmp(argv[1], "--port") == 0)
        port = strtol(argv[2], NULL, 10);
    else if (argc != 1)
        die("usage: bench-bare [--port PORT]");
    if (port < 0 || port > 65535)
        die("not a port: %s", argv[2]);
    return (uint16_t)port;
}

static struct MHD_Daemon *server_start(uint16_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct MHD_Daemon *server;

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    server = MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD, port, NULL, NULL, request_handle, NULL,
                              MHD_OPTION_SOCK_ADDR, &address, MHD_OPTION_THREAD_POOL_SIZE, THREADS,
                              MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_BYTES,
                              MHD_OPTION_CONNECTION_LIMIT, CONNECTIONS_MAX, MHD_OPTION_END);
    if (server == NULL)
        die("cannot listen on port %u", port);
    return server;
}

int main(int argc, char **argv)
{
    uint16_t port = port_parse(argc, argv);
    struct MHD_Daemon *server;
    sigset_t ends;
    int signal_number;

    sigemptyset(&ends);
    sigaddset(&ends, SIGTERM);
    sigaddset(&ends, SIGINT);
    sigprocmask(SIG_BLOCK, &ends, NULL); /* before the threads, which inherit it */
    server = server_start(port);
    fprintf(stderr, "msg=listening listen=127.0.0.1:%u\n",
            MHD_get_daemon_info(server, MHD_DAEMON_INFO_BIND_PORT)->port);
    sigwait(&ends, &signal_number);
    MHD_stop_daemon(server);
    return EXIT_SUCCESS;
}
