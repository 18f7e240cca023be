/* The one look of the oracle into a store: whose it is, before its log is recovered. What the store
 * says of itself then (graft_store_config) takes the page size over from a table that may be wrong.
 * It stands alone since the inside of the store and that of the engine use a name for two things.
 */
#include "store/parts.h"

const struct graft_client_id *oracle_client_of(const struct graft_store *store);

const struct graft_client_id *oracle_client_of(const struct graft_store *store)
{
    return &store->config.client;
}
