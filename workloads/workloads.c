/* All workloads. */
#include <string.h>

#include "workloads/drive.h"

const struct workload *const workloads[] = {
    &workload_bank, &workload_register, &workload_append, &workload_sql, NULL,
};

const struct workload *workload_find(const char *name)
{
    for (size_t i = 0; workloads[i] != NULL; i++) {
        if (strcmp(workloads[i]->name, name) == 0)
            return workloads[i];
    }
    return NULL;
}
