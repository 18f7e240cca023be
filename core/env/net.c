/* The choke point of the network seam: checks what is asked and counts it. */
#include "env/net.h"

#include "base/assert.h"
#include "base/catalogue.h"

enum graft_rc graft_net_start(struct graft_net *net, const struct graft_request *request,
                              struct graft_exchange **out, struct graft_err *err)
{
    GRAFT_ASSERT(net != NULL && request != NULL && out != NULL);
    GRAFT_ASSERT(request->method != NULL && request->url != NULL);
    GRAFT_ASSERT(request->headers != NULL || request->header_count == 0);
    GRAFT_ASSERT(request->body != NULL || request->body_bytes == 0);
    const struct graft_sigv4 *sigv4 = request->sigv4;
    GRAFT_ASSERT(sigv4 == NULL || (sigv4->access_key != NULL && sigv4->secret_key != NULL &&
                                   sigv4->region != NULL && sigv4->service != NULL));
    net->requests += 1;
    struct graft_exchange *exchange = NULL;
    GRAFT_TRY(net->ops->start(net, request, &exchange, err));
    GRAFT_ASSERT(exchange != NULL && exchange->net == net);
    *out = exchange;
    return GRAFT_OK;
}

uint32_t graft_exchange_status(struct graft_exchange *exchange)
{
    GRAFT_ASSERT(exchange != NULL);
    return exchange->net->ops->status(exchange);
}

const char *graft_exchange_header(struct graft_exchange *exchange, const char *name)
{
    GRAFT_ASSERT(exchange != NULL && name != NULL);
    return exchange->net->ops->header(exchange, name);
}

enum graft_rc graft_exchange_read(struct graft_exchange *exchange, void *bytes, size_t size,
                                  size_t *got, struct graft_err *err)
{
    GRAFT_ASSERT(exchange != NULL && bytes != NULL && got != NULL);
    GRAFT_ASSERT(size > 0);
    if (size > 100 && GRAFT_BUGGIFY("network: a few bytes of an answer at a time"))
        size = 100;
    size_t count = 0;
    GRAFT_TRY(exchange->net->ops->read(exchange, bytes, size, &count, err));
    GRAFT_ASSERT(count <= size);
    *got = count;
    return GRAFT_OK;
}

void graft_exchange_finish(struct graft_exchange *exchange)
{
    if (exchange != NULL)
        exchange->net->ops->finish(exchange);
}

enum graft_rc graft_net_aws(struct graft_net *net, struct graft_aws *out, struct graft_err *err)
{
    GRAFT_ASSERT(net != NULL && out != NULL);
    struct graft_aws aws = {.region = ""};
    GRAFT_TRY(net->ops->aws(net, &aws, err));
    GRAFT_ASSERT((aws.access_key[0] == '\0') == (aws.secret_key[0] == '\0'));
    *out = aws;
    return GRAFT_OK;
}
