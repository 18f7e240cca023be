/* A small HTTP server on a loopback port, whose paths misbehave in the ways that a client must
 * bear. One a process; it runs until the process ends. */
#ifndef GRAFT_TESTS_HOST_SERVER_H
#define GRAFT_TESTS_HOST_SERVER_H

#include <stddef.h>

#define SERVER_BIG_BYTES (8U << 20)

/* What the server has seen. */
struct server_seen {
    unsigned connections;
    unsigned requests;
    char head[8192]; /* of the last request, from its request line on */
    size_t body_bytes;
};

/* Starts it; returns "http://127.0.0.1:<port>". Paths:
 *   /hello      200, a header in mixed case, "hello"
 *   /big        200, SERVER_BIG_BYTES bytes of server_big_byte
 *   /chunked    200, "one two three" in chunks
 *   /echo       200, the request's body
 *   /missing    404, "no such thing"
 *   /empty      204
 *   /redirect   302 to /hello
 *   /continue   100 with a header, then 200, "after"
 *   /truncated  200, ten bytes of a hundred
 *   /stall      200, five bytes of a hundred, and silence
 *   /trickle    200, and a byte of a million every 20 ms
 *   /slowhead   a byte of a head every 20 ms, for good
 *   /silent     nothing, for good
 *   /hangup     nothing, and the connection ends
 *   /early      403 before the body is read, and the connection ends
 *   /longhead   200 with 100 kB of headers
 *   /garbage    bytes that are not HTTP */
const char *server_start(void);
struct server_seen server_seen(void);
unsigned char server_big_byte(size_t index);

#endif
