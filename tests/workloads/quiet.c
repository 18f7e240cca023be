/* Stands in for those who follow the catalogue: checkers over histories reach none of it. */
#include "base/catalogue.h"

void graft_point_reached(const struct graft_point *const *slot, bool condition)
{
    (void)slot;
    (void)condition;
}

bool graft_point_asked(const struct graft_point *const *slot)
{
    (void)slot;
    return false;
}
