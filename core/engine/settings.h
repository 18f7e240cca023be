/* The configuration of a database directory, as the engine changes it. */
#ifndef GRAFT_ENGINE_SETTINGS_H
#define GRAFT_ENGINE_SETTINGS_H

#include "format/config.h"

/* A deep copy into `to` (initialised). ENOMEM. */
GRAFT_MUST_USE enum graft_rc graft_config_clone(const struct graft_config *from,
                                                struct graft_config *to);

#endif
