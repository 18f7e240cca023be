/* A thread a connection, blocking sockets, and no more of HTTP than the tests ask for. */
#include "server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/assert.h"

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct server_seen seen;

unsigned char server_big_byte(size_t index)
{
    return (unsigned char)(index * 2654435761U >> 13);
}

struct server_seen server_seen(void)
{
    pthread_mutex_lock(&mutex);
    struct server_seen copy = seen;
    pthread_mutex_unlock(&mutex);
    return copy;
}

static bool send_all(int fd, const void *bytes, size_t size)
{
    const char *at = bytes;
    while (size > 0) {
        ssize_t done = send(fd, at, size, MSG_NOSIGNAL);
        if (done <= 0)
            return false;
        at += done;
        size -= (size_t)done;
    }
    return true;
}

static bool send_text(int fd, const char *text)
{
    return send_all(fd, text, strlen(text));
}

static void wait_for_close(int fd)
{
    char bytes[256];
    while (recv(fd, bytes, sizeof bytes, 0) > 0) {
    }
}

static bool send_big(int fd)
{
    char head[128];
    snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\nContent-Length: %u\r\n\r\n", SERVER_BIG_BYTES);
    if (!send_text(fd, head))
        return false;
    static _Thread_local unsigned char bytes[65536];
    for (size_t at = 0; at < SERVER_BIG_BYTES; at += sizeof bytes) {
        for (size_t i = 0; i < sizeof bytes; i++)
            bytes[i] = server_big_byte(at + i);
        if (!send_all(fd, bytes, sizeof bytes))
            return false;
    }
    return true;
}

static bool send_long_head(int fd)
{
    if (!send_text(fd, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n"))
        return false;
    for (unsigned i = 0; i < 1000; i++) {
        char line[128];
        snprintf(line, sizeof line, "X-Header-%u: %0100u\r\n", i, i);
        if (!send_text(fd, line))
            return false;
    }
    return send_text(fd, "\r\n");
}

/* Until the other side has had enough. */
static void send_slowly(int fd, char byte)
{
    while (send_all(fd, &byte, 1))
        usleep(20000);
}

/* Whether the connection can serve another request. */
static bool answer(int fd, const char *path, const char *body, size_t body_bytes)
{
    if (strcmp(path, "/hello") == 0)
        return send_text(fd, "HTTP/1.1 200 OK\r\nX-MiXed-Case:  a value \r\nContent-Length: 5\r\n"
                             "ETag: \"e\"\r\n\r\nhello");
    if (strcmp(path, "/big") == 0)
        return send_big(fd);
    if (strcmp(path, "/chunked") == 0)
        return send_text(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                             "4\r\none \r\n9\r\ntwo three\r\n0\r\nX-Trailer: late\r\n\r\n");
    if (strcmp(path, "/echo") == 0) {
        char head[128];
        snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", body_bytes);
        return send_text(fd, head) && send_all(fd, body, body_bytes);
    }
    if (strcmp(path, "/missing") == 0)
        return send_text(fd, "HTTP/1.1 404 Not Found\r\nContent-Length: 13\r\n\r\nno such thing");
    if (strcmp(path, "/empty") == 0)
        return send_text(fd, "HTTP/1.1 204 No Content\r\n\r\n");
    if (strcmp(path, "/redirect") == 0)
        return send_text(fd, "HTTP/1.1 302 Found\r\nLocation: /hello\r\nContent-Length: 0\r\n\r\n");
    if (strcmp(path, "/continue") == 0)
        return send_text(fd, "HTTP/1.1 100 Continue\r\nX-Early: yes\r\n\r\n"
                             "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nafter");
    if (strcmp(path, "/longhead") == 0)
        return send_long_head(fd);
    if (strcmp(path, "/truncated") == 0)
        send_text(fd, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n0123456789");
    else if (strcmp(path, "/stall") == 0)
        send_text(fd, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n01234");
    else if (strcmp(path, "/trickle") == 0 &&
             send_text(fd, "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n"))
        send_slowly(fd, 'x');
    else if (strcmp(path, "/slowhead") == 0 && send_text(fd, "HTTP/1.1 200 OK\r\nX: "))
        send_slowly(fd, 'x');
    else if (strcmp(path, "/garbage") == 0)
        send_text(fd, "\x16\x03\x01 this is not HTTP\r\n\r\n");
    if (strcmp(path, "/stall") == 0 || strcmp(path, "/silent") == 0)
        wait_for_close(fd);
    return false;
}

/* Reads a request's head into `head`; returns the bytes of body that came with it, or -1. */
static ssize_t receive_head(int fd, char *head, size_t size, char **body)
{
    size_t used = 0;
    while (used < size - 1) {
        ssize_t got = recv(fd, head + used, size - 1 - used, 0);
        if (got <= 0)
            return -1;
        used += (size_t)got;
        head[used] = '\0';
        char *end = strstr(head, "\r\n\r\n");
        if (end == NULL)
            continue;
        end[2] = '\0';
        *body = end + 4;
        return (ssize_t)(used - (size_t)(*body - head));
    }
    return -1;
}

static bool serve_one(int fd)
{
    char head[8192];
    char *early = NULL;
    ssize_t got = receive_head(fd, head, sizeof head, &early);
    if (got < 0)
        return false;
    pthread_mutex_lock(&mutex);
    seen.requests++;
    snprintf(seen.head, sizeof seen.head, "%s", head);
    pthread_mutex_unlock(&mutex);

    char path[256] = "";
    sscanf(head, "%*s %255[^ ?]", path);
    if (strcmp(path, "/early") == 0) {
        send_text(fd, "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\nConnection: close\r\n\r\n"
                      "no");
        shutdown(fd, SHUT_WR);
        wait_for_close(fd);
        return false;
    }
    if (strcasestr(head, "\r\nExpect: 100-continue") != NULL)
        send_text(fd, "HTTP/1.1 100 Continue\r\n\r\n");
    const char *length = strcasestr(head, "\r\nContent-Length:");
    size_t body_bytes = length == NULL ? 0 : strtoul(length + 17, NULL, 10);
    char *body = malloc(body_bytes + 1);
    GRAFT_ASSERT(body != NULL && (size_t)got <= body_bytes);
    memcpy(body, early, (size_t)got);
    size_t have = (size_t)got;
    while (have < body_bytes) {
        ssize_t more = recv(fd, body + have, body_bytes - have, 0);
        if (more <= 0)
            break;
        have += (size_t)more;
    }
    pthread_mutex_lock(&mutex);
    seen.body_bytes = have;
    pthread_mutex_unlock(&mutex);
    bool again = have == body_bytes && answer(fd, path, body, body_bytes);
    free(body);
    return again;
}

static void *serve_connection(void *arg)
{
    int fd = (int)(intptr_t)arg;
    while (serve_one(fd)) {
    }
    close(fd);
    return NULL;
}

static void start_thread(void *(*run)(void *), int fd)
{
    pthread_t thread;
    GRAFT_ASSERT(pthread_create(&thread, NULL, run, (void *)(intptr_t)fd) == 0);
    pthread_detach(thread);
}

static void *accept_connections(void *arg)
{
    int listener = (int)(intptr_t)arg;
    for (;;) {
        int fd = accept(listener, NULL, NULL);
        GRAFT_ASSERT(fd >= 0);
        pthread_mutex_lock(&mutex);
        seen.connections++;
        pthread_mutex_unlock(&mutex);
        start_thread(serve_connection, fd);
    }
    return NULL;
}

const char *server_start(void)
{
    static char url[64];
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    GRAFT_ASSERT(listener >= 0);
    GRAFT_ASSERT(bind(listener, (struct sockaddr *)&address, sizeof address) == 0);
    GRAFT_ASSERT(listen(listener, 64) == 0);
    GRAFT_ASSERT(getsockname(listener, (struct sockaddr *)&address, &size) == 0);
    snprintf(url, sizeof url, "http://127.0.0.1:%u", ntohs(address.sin_port));
    start_thread(accept_connections, listener);
    return url;
}
