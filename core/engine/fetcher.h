/* The fetcher: gets frames from the remote, each once however many readers wait for it. A token
 * stands for one fetch in flight and is keyed by what is physically fetched, (object, offset), so
 * that readers at two LSNs share the fetch of a page that did not change between them. A finished
 * token stays for a while as a small cache: it serves readers of older snapshots, whose versions
 * may not be put into the image. */
#ifndef GRAFT_ENGINE_FETCHER_H
#define GRAFT_ENGINE_FETCHER_H

#include "engine/view.h"
#include "env/task.h"
#include "format/frame.h"

struct graft_token;
struct graft_session;

struct graft_fetcher {
    struct graft_mutex *mutex;
    struct graft_cond *done;    /* a token's state changed */
    struct graft_token *tokens; /* newest use first */
};

GRAFT_MUST_USE enum graft_rc graft_fetcher_init(struct graft_fetcher *fetcher,
                                                struct graft_volume *volume);
void graft_fetcher_deinit(struct graft_fetcher *fetcher, struct graft_volume *volume);

/* Copies the page's version at the view's LSN to `bytes` (page_bytes of room), fetching its frame
 * when it is neither cached nor in flight, and installs what the frame has for the newest snapshot.
 */
GRAFT_MUST_USE enum graft_rc graft_fetch_page(struct graft_session *session,
                                              const struct graft_view *view, uint32_t page,
                                              void *bytes, size_t *got, struct graft_err *err);
/* Puts every page of a decoded frame that `view` finds there into the store; counts those
 * installed. */
GRAFT_MUST_USE enum graft_rc graft_fetcher_install(struct graft_volume *volume,
                                                   const struct graft_view *view,
                                                   const struct graft_object_ref *object,
                                                   uint64_t offset, const struct graft_frame *frame,
                                                   uint64_t *installed, struct graft_err *err);

#endif
