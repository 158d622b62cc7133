/* probe.c: see probe.h. */
#include <stdbool.h>

#include "probe.h"

#include "http.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PROBE_SECONDS 2

static bool ask(int fd)
{
    static const char request[] =
        "GET /healthz HTTP/1.1\r\nHost: probe\r\nConnection: close\r\n\r\n";
    static const char expected[] = "HTTP/1.1 200";
    char reply[sizeof expected - 1];
    size_t got = 0;
    if (send(fd, request, sizeof request - 1, MSG_NOSIGNAL) != (ssize_t)(sizeof request - 1))
        return false;
    while (got < sizeof reply) {
        ssize_t part = recv(fd, reply + got, sizeof reply - got, 0);
        if (part <= 0)
            return false;
        got += (size_t)part;
    }
    return memcmp(reply, expected, sizeof reply) == 0;
}

bool probe(const char *address)
{
    int fd = http_connect(address, PROBE_SECONDS);
    if (fd < 0)
        return false;
    bool alive = ask(fd);
    close(fd);
    return alive;
}
