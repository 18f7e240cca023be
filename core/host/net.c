/* HTTP over libcurl. A session is a curl handle with connections of its own; an exchange borrows
 * one from the pool and the caller's thread drives it, in start until the head is in and in read
 * until bytes are. Between calls nothing runs: a body that nobody reads fills a bounded buffer,
 * pauses the transfer, and TCP tells the sender. HTTP/1.1 alone, since a second stream on a
 * connection would be received, and buffered, without anybody asking. */
#include <curl/curl.h>
#include <linux/sockios.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <time.h>

#include "base/assert.h"
#include "base/buf.h"
#include "base/checksum.h"
#include "host/parts.h"

#define IDLE_SESSIONS_MAX 16U
#define CONNECTIONS_PER_SESSION_MAX 4L
#define HEAD_BYTES_MAX (64U << 10)
#define BODY_BUFFER_BYTES (64U << 10) /* at least CURL_MAX_WRITE_SIZE, one delivery */
#define RECEIVE_BYTES (256L << 10)
#define POLL_MS_MAX 1000U

_Static_assert(BODY_BUFFER_BYTES >= CURL_MAX_WRITE_SIZE,
               "an empty buffer takes whatever curl delivers at once");

struct host_net {
    struct graft_net net;
    struct graft_alloc *alloc;
    pthread_mutex_t mutex; /* guards the pool */
    struct session *idle;  /* the most recently used first */
    size_t idle_count;
};

struct session {
    struct graft_exchange exchange;
    struct session *next; /* in the pool */
    CURLM *multi;
    CURL *easy;
    struct curl_slist *headers;
    uint64_t origin; /* hash of the scheme, host and port that its connection leads to */
    CURLcode setup;  /* the first option that failed */
    char problem[CURL_ERROR_SIZE];
    char subject[256]; /* "<method> <url>", for errors */

    /* The request's body, pulled while start runs. */
    graft_body_fn *body;
    void *body_arg;
    uint64_t body_left;
    enum graft_rc body_rc;
    struct graft_err *body_err;

    /* The response. */
    uint32_t status;
    bool head_done;
    struct graft_buf head; /* "name\0value\0" for each header */
    enum graft_rc head_rc;
    bool paused;
    size_t buffer_from, buffer_to; /* the unread part of the buffer */
    uint8_t *target;               /* where the running read wants bytes */
    size_t target_size, target_got;
    uint32_t stall_timeout_ms;
    bool added; /* to the multi handle */
    bool done;
    bool broken; /* not fit for another exchange */
    CURLcode result;

    /* Whether it gets on. Time counts only while somebody waits for it. */
    uint64_t moved;        /* bytes, since the last look */
    int unsent;            /* bytes in the socket's queue at the last look */
    uint64_t looked_ms;    /* when that was */
    uint64_t moved_ms;     /* when bytes moved last */
    uint64_t window_ms;    /* waited in this window of the stall time-out */
    uint64_t window_bytes; /* moved in it */
    bool stalled, too_slow;
    uint8_t buffer[BODY_BUFFER_BYTES];
};

/* The one static of host/: libcurl wants to be set up once a process. */
static pthread_once_t curl_once = PTHREAD_ONCE_INIT;
static CURLcode curl_ready;

static void start_curl(void)
{
    curl_ready = curl_global_init(CURL_GLOBAL_DEFAULT);
}

static uint64_t now_ms(void)
{
    struct timespec time = {0};
    GRAFT_ASSERT(clock_gettime(CLOCK_MONOTONIC, &time) == 0);
    return (uint64_t)time.tv_sec * 1000 + (uint64_t)time.tv_nsec / 1000000;
}

static struct host_net *net_of(const struct session *self)
{
    return (struct host_net *)self->exchange.net;
}

/* What comes next, the body or the answer to it, has a speed of its own. */
static void begin_window(struct session *self)
{
    self->window_ms = self->window_bytes = 0;
}

/* ---- The callbacks. */

static size_t on_header(char *bytes, size_t one, size_t size, void *arg)
{
    struct session *self = arg;
    (void)one;
    self->moved += size;
    if (self->head_done)
        return size; /* a trailer */
    size_t length = size;
    while (length > 0 && (bytes[length - 1] == '\n' || bytes[length - 1] == '\r'))
        length--;
    if (length == 0) {
        long status = 0;
        (void)curl_easy_getinfo(self->easy, CURLINFO_RESPONSE_CODE, &status);
        self->status = (uint32_t)status;
        self->head_done = status >= 200; /* what comes before is informational */
        return size;
    }
    if (length >= 5 && memcmp(bytes, "HTTP/", 5) == 0) {
        graft_buf_clear(&self->head);
        return size;
    }
    const char *colon = memchr(bytes, ':', length);
    if (colon == NULL)
        return size;
    const char *value = colon + 1;
    const char *end = bytes + length;
    while (value < end && (*value == ' ' || *value == '\t'))
        value++;
    while (end > value && (end[-1] == ' ' || end[-1] == '\t'))
        end--;
    if (self->head.size + length + 2 > HEAD_BYTES_MAX)
        self->head_rc = GRAFT_ELIMIT;
    if (self->head_rc == GRAFT_OK)
        self->head_rc = graft_buf_append(&self->head, bytes, (size_t)(colon - bytes));
    if (self->head_rc == GRAFT_OK)
        self->head_rc = graft_buf_append(&self->head, "", 1);
    if (self->head_rc == GRAFT_OK)
        self->head_rc = graft_buf_append(&self->head, value, (size_t)(end - value));
    if (self->head_rc == GRAFT_OK)
        self->head_rc = graft_buf_append(&self->head, "", 1);
    return self->head_rc == GRAFT_OK ? size : 0;
}

static size_t on_body(char *bytes, size_t one, size_t size, void *arg)
{
    struct session *self = arg;
    (void)one;
    size_t wanted = self->target_size - self->target_got;
    size_t direct = size < wanted ? size : wanted;
    if (self->buffer_from == self->buffer_to)
        self->buffer_from = self->buffer_to = 0;
    if (size - direct > BODY_BUFFER_BYTES - self->buffer_to) {
        self->paused = true;
        return CURL_WRITEFUNC_PAUSE;
    }
    self->moved += size;
    if (direct > 0)
        memcpy(self->target + self->target_got, bytes, direct);
    self->target_got += direct;
    if (size > direct)
        memcpy(self->buffer + self->buffer_to, bytes + direct, size - direct);
    self->buffer_to += size - direct;
    return size;
}

static size_t on_upload(char *bytes, size_t one, size_t size, void *arg)
{
    struct session *self = arg;
    size_t room = one * size;
    if (room > self->body_left)
        room = (size_t)self->body_left;
    if (room == 0)
        return 0;
    if (self->body == NULL)
        return CURL_READFUNC_ABORT; /* the head came first, and start has returned */
    size_t got = 0;
    self->body_rc = self->body(self->body_arg, bytes, room, &got, self->body_err);
    if (self->body_rc == GRAFT_OK && got == 0)
        self->body_rc = graft_err_set(self->body_err, GRAFT_EINVAL,
                                      "%s: the body ended %llu bytes before its length",
                                      self->subject, (unsigned long long)self->body_left);
    if (self->body_rc != GRAFT_OK)
        return CURL_READFUNC_ABORT;
    GRAFT_ASSERT(got <= room);
    self->moved += got;
    self->body_left -= got;
    if (self->body_left == 0)
        begin_window(self);
    return got;
}

/* ---- The pool. */

static void session_free(struct session *self)
{
    if (self == NULL)
        return;
    struct graft_alloc *alloc = net_of(self)->alloc;
    if (self->easy != NULL)
        curl_easy_cleanup(self->easy);
    if (self->multi != NULL)
        (void)curl_multi_cleanup(self->multi);
    graft_buf_deinit(&self->head);
    graft_free(alloc, self);
}

static struct session *session_new(struct host_net *net)
{
    struct session *self = graft_malloc(net->alloc, sizeof *self);
    if (self == NULL)
        return NULL;
    memset(self, 0, offsetof(struct session, buffer));
    self->exchange.net = &net->net;
    graft_buf_init(&self->head, net->alloc);
    self->multi = curl_multi_init();
    self->easy = curl_easy_init();
    if (self->multi == NULL || self->easy == NULL ||
        curl_multi_setopt(self->multi, CURLMOPT_MAXCONNECTS, CONNECTIONS_PER_SESSION_MAX) !=
            CURLM_OK) {
        session_free(self);
        return NULL;
    }
    return self;
}

/* Scheme, host and port of the URL, as one number. */
static uint64_t origin_of(const char *url)
{
    const char *host = strstr(url, "://");
    host = host == NULL ? url : host + 3;
    return graft_checksum64(url, (size_t)(host - url) + strcspn(host, "/?#"), 0);
}

/* An idle session that was connected to the origin, else a new one. NULL when out of memory. */
static struct session *take_session(struct host_net *net, uint64_t origin)
{
    struct session *found = NULL;
    GRAFT_ASSERT(pthread_mutex_lock(&net->mutex) == 0);
    for (struct session **at = &net->idle; *at != NULL; at = &(*at)->next) {
        if ((*at)->origin != origin)
            continue;
        found = *at;
        *at = found->next;
        found->next = NULL;
        net->idle_count--;
        break;
    }
    GRAFT_ASSERT(pthread_mutex_unlock(&net->mutex) == 0);
    if (found == NULL)
        found = session_new(net);
    if (found != NULL)
        found->origin = origin;
    return found;
}

/* Takes the last (the longest idle) session off the pool's list. */
static struct session *drop_oldest(struct host_net *net)
{
    struct session **at = &net->idle;
    while ((*at)->next != NULL)
        at = &(*at)->next;
    struct session *oldest = *at;
    *at = NULL;
    net->idle_count--;
    return oldest;
}

/* Forgets everything but the handles, and with them the connections. */
static void reset(struct session *self)
{
    struct graft_exchange exchange = self->exchange;
    struct graft_buf head = self->head;
    CURLM *multi = self->multi;
    CURL *easy = self->easy;
    uint64_t origin = self->origin;
    memset(self, 0, offsetof(struct session, buffer));
    self->exchange = exchange;
    self->head = head;
    self->multi = multi;
    self->easy = easy;
    self->origin = origin;
    graft_buf_clear(&self->head);
}

/* Keeps the session for the next exchange, unless it is spoilt or one too many. */
static void give_session(struct session *self)
{
    struct host_net *net = net_of(self);
    bool keep = !self->broken;
    if (self->added)
        (void)curl_multi_remove_handle(self->multi, self->easy);
    curl_easy_reset(self->easy);
    curl_slist_free_all(self->headers);
    reset(self);
    struct session *surplus = self;
    if (keep) {
        GRAFT_ASSERT(pthread_mutex_lock(&net->mutex) == 0);
        self->next = net->idle;
        net->idle = self;
        net->idle_count++;
        surplus = net->idle_count > IDLE_SESSIONS_MAX ? drop_oldest(net) : NULL;
        GRAFT_ASSERT(pthread_mutex_unlock(&net->mutex) == 0);
    }
    session_free(surplus);
}

/* ---- The request. */

static void set_long(struct session *self, CURLoption option, long value)
{
    if (self->setup == CURLE_OK)
        self->setup = curl_easy_setopt(self->easy, option, value);
}

static void set_text(struct session *self, CURLoption option, const char *value)
{
    if (self->setup == CURLE_OK)
        self->setup = curl_easy_setopt(self->easy, option, value);
}

static void set_pointer(struct session *self, CURLoption option, void *value)
{
    if (self->setup == CURLE_OK)
        self->setup = curl_easy_setopt(self->easy, option, value);
}

/* libcurl itself looks at the variables of proxies, and at none of certificates. */
static void set_authorities(struct session *self)
{
    static const char *const files[] = {"AWS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"};
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        const char *file = getenv(files[i]);
        if (file != NULL && file[0] != '\0') {
            set_text(self, CURLOPT_CAINFO, file);
            break;
        }
    }
    const char *directory = getenv("SSL_CERT_DIR");
    if (directory != NULL && directory[0] != '\0')
        set_text(self, CURLOPT_CAPATH, directory);
}

static void set_options(struct session *self, const struct graft_request *request)
{
    set_text(self, CURLOPT_URL, request->url);
    set_text(self, CURLOPT_PROTOCOLS_STR, "http,https");
    set_authorities(self);
    set_long(self, CURLOPT_PATH_AS_IS, 1); /* what is signed is what is sent */
    set_long(self, CURLOPT_FOLLOWLOCATION, 0);
    set_long(self, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    set_long(self, CURLOPT_NOSIGNAL, 1);
    set_long(self, CURLOPT_TCP_NODELAY, 1);
    set_long(self, CURLOPT_TCP_KEEPALIVE, 1);
    set_long(self, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1);
    set_long(self, CURLOPT_BUFFERSIZE, RECEIVE_BYTES);
    /* Large bodies announce themselves; who does not answer that is sent them all the same. The
     * announcement cannot be taken out, since curl would sign the header it was told to omit. */
    set_long(self, CURLOPT_EXPECT_100_TIMEOUT_MS, 1);
    set_text(self, CURLOPT_USERAGENT, "graft");
    set_pointer(self, CURLOPT_ERRORBUFFER, self->problem);
    set_pointer(self, CURLOPT_HEADERDATA, self);
    set_pointer(self, CURLOPT_WRITEDATA, self);
    set_pointer(self, CURLOPT_READDATA, self);
    if (request->connect_timeout_ms > 0)
        set_long(self, CURLOPT_CONNECTTIMEOUT_MS, (long)request->connect_timeout_ms);
    if (self->setup == CURLE_OK)
        self->setup = curl_easy_setopt(self->easy, CURLOPT_HEADERFUNCTION, on_header);
    if (self->setup == CURLE_OK)
        self->setup = curl_easy_setopt(self->easy, CURLOPT_WRITEFUNCTION, on_body);
    if (self->setup == CURLE_OK)
        self->setup = curl_easy_setopt(self->easy, CURLOPT_READFUNCTION, on_upload);
}

/* PUT and POST state a length even when it is 0: servers ask for it. */
static void set_method(struct session *self, const struct graft_request *request)
{
    bool upload = request->body != NULL || strcmp(request->method, "PUT") == 0 ||
                  strcmp(request->method, "POST") == 0;
    if (upload) {
        set_long(self, CURLOPT_UPLOAD, 1);
        if (self->setup == CURLE_OK)
            self->setup = curl_easy_setopt(self->easy, CURLOPT_INFILESIZE_LARGE,
                                           (curl_off_t)request->body_bytes);
    } else if (strcmp(request->method, "HEAD") == 0) {
        set_long(self, CURLOPT_NOBODY, 1);
        return;
    }
    set_text(self, CURLOPT_CUSTOMREQUEST, request->method);
}

static enum graft_rc add_header(struct session *self, const char *name, const char *value,
                                struct graft_err *err)
{
    char space[1024];
    struct graft_alloc *alloc = net_of(self)->alloc;
    size_t size = strlen(name) + strlen(value) + 3;
    if (strpbrk(name, "\r\n:; ") != NULL || strpbrk(value, "\r\n") != NULL)
        return graft_err_set(err, GRAFT_EINVAL, "%s: header '%s' is malformed", self->subject,
                             name);
    char *line = size <= sizeof space ? space : graft_malloc(alloc, size);
    if (line == NULL)
        return graft_host_no_memory(err, "send", self->subject);
    /* libcurl takes "name:" for an order to leave the header out, and "name;" for an empty one. */
    if (value[0] == '\0')
        (void)snprintf(line, size, "%s;", name);
    else
        (void)snprintf(line, size, "%s: %s", name, value);
    struct curl_slist *longer = curl_slist_append(self->headers, line);
    if (line != space)
        graft_free(alloc, line);
    if (longer == NULL)
        return graft_host_no_memory(err, "send", self->subject);
    self->headers = longer;
    return GRAFT_OK;
}

static enum graft_rc sign(struct session *self, const struct graft_sigv4 *sigv4,
                          struct graft_err *err)
{
    char provider[256];
    int length =
        snprintf(provider, sizeof provider, "aws:amz:%s:%s", sigv4->region, sigv4->service);
    if (length < 0 || (size_t)length >= sizeof provider)
        return graft_err_set(err, GRAFT_EINVAL, "%s: the region's name is too long", self->subject);
    set_text(self, CURLOPT_AWS_SIGV4, provider);
    set_text(self, CURLOPT_USERNAME, sigv4->access_key);
    set_text(self, CURLOPT_PASSWORD, sigv4->secret_key);
    if (sigv4->session_token == NULL)
        return GRAFT_OK;
    return add_header(self, "x-amz-security-token", sigv4->session_token, err);
}

static enum graft_rc prepare(struct session *self, const struct graft_request *request,
                             struct graft_err *err)
{
    /* A query may carry a secret; errors do without it. */
    (void)snprintf(self->subject, sizeof self->subject, "%s %.*s", request->method,
                   (int)strcspn(request->url, "?"), request->url);
    self->body = request->body;
    self->body_arg = request->body_arg;
    self->body_left = request->body_bytes;
    self->body_err = err;
    self->stall_timeout_ms = request->stall_timeout_ms;
    set_options(self, request);
    set_method(self, request);
    if (request->sigv4 != NULL)
        GRAFT_TRY(sign(self, request->sigv4, err));
    for (size_t i = 0; i < request->header_count; i++)
        GRAFT_TRY(add_header(self, request->headers[i].name, request->headers[i].value, err));
    set_pointer(self, CURLOPT_HTTPHEADER, self->headers);
    if (self->setup == CURLE_OUT_OF_MEMORY)
        return graft_host_no_memory(err, "send", self->subject);
    if (self->setup != CURLE_OK)
        return graft_err_set(err, GRAFT_EINVAL, "%s: %s", self->subject,
                             curl_easy_strerror(self->setup));
    CURLMcode code = curl_multi_add_handle(self->multi, self->easy);
    if (code != CURLM_OK)
        return graft_err_set(err, GRAFT_ENOMEM, "%s: %s", self->subject, curl_multi_strerror(code));
    self->added = true;
    return GRAFT_OK;
}

/* ---- The drive. */

static bool head_is_in(const struct session *self)
{
    return self->head_done;
}

static bool target_has_bytes(const struct session *self)
{
    return self->target_got > 0;
}

static void collect_result(struct session *self)
{
    int left = 0;
    const CURLMsg *message = NULL;
    while ((message = curl_multi_info_read(self->multi, &left)) != NULL) {
        if (message->msg != CURLMSG_DONE)
            continue;
        self->done = true;
        self->result = message->data.result;
    }
}

/* Whether the request itself has begun. */
static bool connected(struct session *self)
{
    curl_off_t connected_us = 0;
    return curl_easy_getinfo(self->easy, CURLINFO_PRETRANSFER_TIME_T, &connected_us) == CURLE_OK &&
           connected_us > 0;
}

/* Bytes that moved since the last look. What curl has handed to the kernel moves when the socket's
 * queue gets shorter. */
static uint64_t take_moved(struct session *self)
{
    uint64_t moved = self->moved;
    curl_socket_t socket = CURL_SOCKET_BAD;
    int unsent = 0;
    self->moved = 0;
    if (curl_easy_getinfo(self->easy, CURLINFO_ACTIVESOCKET, &socket) == CURLE_OK &&
        socket != CURL_SOCKET_BAD && ioctl(socket, SIOCOUTQ, &unsent) == 0) {
        moved += unsent < self->unsent ? (uint64_t)(self->unsent - unsent) : 0;
        self->unsent = unsent;
    }
    return moved;
}

/* Whether the other side has stopped, or gets on so slowly that it might as well have. The connect
 * time-out covers what precedes the request. */
static bool has_stalled(struct session *self)
{
    uint64_t now = now_ms();
    uint64_t moved = take_moved(self);
    self->window_ms += now - self->looked_ms;
    self->window_bytes += moved;
    self->looked_ms = now;
    if (moved > 0 || !connected(self))
        self->moved_ms = now;
    if (!connected(self))
        begin_window(self);
    self->stalled = now - self->moved_ms >= self->stall_timeout_ms;
    if (self->window_ms < self->stall_timeout_ms)
        return self->stalled;
    self->too_slow = self->window_bytes < self->stall_timeout_ms;
    begin_window(self);
    return self->stalled || self->too_slow;
}

static void drive(struct session *self, bool (*satisfied)(const struct session *))
{
    self->moved_ms = self->looked_ms = now_ms();
    while (!self->done && !satisfied(self)) {
        int running = 0;
        CURLMcode code = curl_multi_perform(self->multi, &running);
        collect_result(self);
        if (code != CURLM_OK) {
            self->broken = true;
            self->done = true;
            self->result = code == CURLM_OUT_OF_MEMORY ? CURLE_OUT_OF_MEMORY : CURLE_RECV_ERROR;
        }
        bool hopeless = self->stall_timeout_ms > 0 && !self->done && has_stalled(self);
        if (hopeless && (self->too_slow || !satisfied(self))) {
            self->done = self->broken = true;
            self->result = CURLE_OPERATION_TIMEDOUT;
        }
        if (self->done || satisfied(self))
            return;
        uint64_t wait_ms = POLL_MS_MAX;
        if (self->stall_timeout_ms > 0) {
            uint64_t left_ms = self->stall_timeout_ms - (self->looked_ms - self->moved_ms);
            wait_ms = left_ms < wait_ms ? left_ms : wait_ms;
        }
        (void)curl_multi_poll(self->multi, NULL, 0, (int)wait_ms, NULL);
    }
}

/* The code and text of an exchange that ended badly. */
static enum graft_rc failure(struct session *self, struct graft_err *err)
{
    if (self->body_rc != GRAFT_OK)
        return self->body_rc; /* its reader has said why */
    if (self->head_rc != GRAFT_OK)
        return graft_err_set(err, self->head_rc, "%s: response head: %s", self->subject,
                             graft_rc_text(self->head_rc));
    if (self->stalled)
        return graft_err_set(err, GRAFT_EUNREACHABLE, "%s: no byte for %u ms", self->subject,
                             self->stall_timeout_ms);
    if (self->too_slow)
        return graft_err_set(err, GRAFT_EUNREACHABLE, "%s: fewer than %u bytes in %u ms",
                             self->subject, self->stall_timeout_ms, self->stall_timeout_ms);
    const char *text = self->problem[0] != '\0' ? self->problem : curl_easy_strerror(self->result);
    enum graft_rc rc = GRAFT_EUNREACHABLE;
    /* An answer that is not HTTP is an unsupported protocol to curl as well. */
    if (self->result == CURLE_URL_MALFORMAT ||
        (self->result == CURLE_UNSUPPORTED_PROTOCOL && !connected(self)))
        rc = GRAFT_EINVAL;
    else if (self->result == CURLE_OUT_OF_MEMORY)
        rc = GRAFT_ENOMEM;
    /* A wrong certificate is no better in a while. */
    else if (self->result == CURLE_PEER_FAILED_VERIFICATION ||
             self->result == CURLE_SSL_CACERT_BADFILE)
        return graft_err_set(err, GRAFT_EDENIED,
                             "%s: %s; AWS_CA_BUNDLE names a file of authorities to trust",
                             self->subject, text);
    return graft_err_set(err, rc, "%s: %s", self->subject, text);
}

/* ---- The seam. */

static enum graft_rc start(struct graft_net *net, const struct graft_request *request,
                           struct graft_exchange **out, struct graft_err *err)
{
    struct host_net *self = (struct host_net *)net;
    struct session *session = take_session(self, origin_of(request->url));
    if (session == NULL)
        return graft_host_no_memory(err, request->method, request->url);
    enum graft_rc rc = prepare(session, request, err);
    if (rc == GRAFT_OK) {
        drive(session, head_is_in);
        if (!session->head_done)
            rc = session->done && session->result == CURLE_OK
                     ? graft_err_set(err, GRAFT_EUNREACHABLE, "%s: no response", session->subject)
                     : failure(session, err);
    }
    begin_window(session);
    /* What belongs to the caller is not touched once this returns. */
    session->body = NULL;
    session->body_arg = NULL;
    session->body_err = NULL;
    if (rc != GRAFT_OK) {
        give_session(session);
        return rc;
    }
    *out = &session->exchange;
    return GRAFT_OK;
}

static uint32_t status(struct graft_exchange *exchange)
{
    return ((struct session *)exchange)->status;
}

static const char *header(struct graft_exchange *exchange, const char *name)
{
    const struct session *self = (struct session *)exchange;
    const char *at = (const char *)self->head.bytes;
    const char *end = at + self->head.size;
    while (at < end) {
        const char *value = at + strlen(at) + 1;
        if (strcasecmp(at, name) == 0)
            return value;
        at = value + strlen(value) + 1;
    }
    return NULL;
}

static size_t take_buffered(struct session *self, void *bytes, size_t size)
{
    size_t held = self->buffer_to - self->buffer_from;
    size_t count = held < size ? held : size;
    memcpy(bytes, self->buffer + self->buffer_from, count);
    self->buffer_from += count;
    return count;
}

static enum graft_rc read_body(struct graft_exchange *exchange, void *bytes, size_t size,
                               size_t *got, struct graft_err *err)
{
    struct session *self = (struct session *)exchange;
    size_t count = take_buffered(self, bytes, size);
    if (count > 0) {
        *got = count;
        return GRAFT_OK;
    }
    self->target = bytes;
    self->target_size = size;
    self->target_got = 0;
    if (self->paused && !self->done) {
        self->paused = false;
        CURLcode code = curl_easy_pause(self->easy, CURLPAUSE_CONT);
        if (code != CURLE_OK) {
            self->done = self->broken = true;
            self->result = code;
        }
    }
    drive(self, target_has_bytes);
    count = self->target_got;
    self->target = NULL;
    self->target_size = self->target_got = 0;
    if (count == 0 && self->result != CURLE_OK)
        return failure(self, err);
    *got = count;
    return GRAFT_OK;
}

static void finish(struct graft_exchange *exchange)
{
    struct session *self = (struct session *)exchange;
    /* A reader that stopped right at the length has not let curl see the end: without this look
     * the connection would be thrown away. */
    int running = 0;
    if (!self->done && !self->paused)
        (void)curl_multi_perform(self->multi, &running);
    give_session(self);
}

static enum graft_rc aws(struct graft_net *net, struct graft_aws *out, struct graft_err *err)
{
    return graft_host_aws(((struct host_net *)net)->alloc, out, err);
}

static const struct graft_net_ops ops = {
    .start = start,
    .status = status,
    .header = header,
    .read = read_body,
    .finish = finish,
    .aws = aws,
};

enum graft_rc graft_host_net_new(struct graft_alloc *alloc, struct graft_net **out,
                                 struct graft_err *err)
{
    GRAFT_ASSERT(pthread_once(&curl_once, start_curl) == 0);
    if (curl_ready != CURLE_OK)
        return graft_err_set(err, GRAFT_EIO, "libcurl: %s", curl_easy_strerror(curl_ready));
    struct host_net *self = graft_calloc(alloc, 1, sizeof *self);
    if (self == NULL)
        return graft_host_no_memory(err, "start", "libcurl");
    self->net.ops = &ops;
    self->alloc = alloc;
    GRAFT_ASSERT(pthread_mutex_init(&self->mutex, NULL) == 0);
    *out = &self->net;
    return GRAFT_OK;
}

void graft_host_net_free(struct graft_net *net)
{
    struct host_net *self = (struct host_net *)net;
    if (self == NULL)
        return;
    while (self->idle != NULL) {
        struct session *session = self->idle;
        self->idle = session->next;
        session_free(session);
    }
    (void)pthread_mutex_destroy(&self->mutex);
    graft_free(self->alloc, self);
}
