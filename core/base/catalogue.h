/* The catalogue: what the code says about itself, so that those who run it can count, report and
 * steer. One set of macros; the simulator counts and steers them, the container reports them, and
 * other builds compile them to nothing (conditions are then not evaluated).
 *
 *     GRAFT_ALWAYS(condition, "text")     holds whenever the place is reached, and it is reached
 *     GRAFT_SOMETIMES(condition, "text")  holds at least once in a campaign of runs
 *     GRAFT_REACHABLE("text")             is reached at least once in a campaign
 *     GRAFT_UNREACHABLE("text")           never is
 *     GRAFT_BUGGIFY("text")               true now and then: take an odd but legal choice
 *     GRAFT_MUTANT("text")                true in runs that plant this bug: checkers must find it
 *
 * The text names the place: it is unique in the program, a literal, and the same in every build.
 * Libraries that are compiled with GRAFT_INSTRUMENTED call the functions below, which core does not
 * define: the program brings them (sim/catalogue.c, workloads/report.c). */
#ifndef GRAFT_BASE_CATALOGUE_H
#define GRAFT_BASE_CATALOGUE_H

#include <stdbool.h>
#include <stdint.h>

enum graft_point_kind {
    GRAFT_POINT_ALWAYS,
    GRAFT_POINT_SOMETIMES,
    GRAFT_POINT_REACHABLE,
    GRAFT_POINT_UNREACHABLE,
    GRAFT_POINT_BUGGIFY,
    GRAFT_POINT_MUTANT,
};

struct graft_point {
    const char *text;
    const char *file;
    uint32_t line;
    enum graft_point_kind kind;
};

/* All points of the program (none when no instrumented library is in it), in no order that means
 * anything: a place in this array numbers a point for the life of the process. The linker fills it.
 */
extern const struct graft_point *const __start_graft_points[] __attribute__((weak));
extern const struct graft_point *const __stop_graft_points[] __attribute__((weak));

/* The place was reached (`condition`: what it said there; true for reachable and unreachable). */
void graft_point_reached(const struct graft_point *const *slot, bool condition);
/* Whether the odd choice is taken, or the bug is planted, this time. */
bool graft_point_asked(const struct graft_point *const *slot);

#ifdef GRAFT_INSTRUMENTED

#define GRAFT_POINT(kind_, text_)                                              \
    static const struct graft_point graft_point_here = {                       \
        .text = (text_), .file = __FILE__, .line = __LINE__, .kind = (kind_)}; \
    static const struct graft_point *const graft_point_slot                    \
        __attribute__((section("graft_points"), used)) = &graft_point_here

#define GRAFT_POINT_REACHED(kind, text, condition)                \
    do {                                                          \
        GRAFT_POINT(kind, text);                                  \
        graft_point_reached(&graft_point_slot, (condition) != 0); \
    } while (0)
#define GRAFT_POINT_ASKED(kind, text)         \
    (__extension__({                          \
        GRAFT_POINT(kind, text);              \
        graft_point_asked(&graft_point_slot); \
    }))

#define GRAFT_ALWAYS(condition, text) GRAFT_POINT_REACHED(GRAFT_POINT_ALWAYS, text, condition)
#define GRAFT_SOMETIMES(condition, text) GRAFT_POINT_REACHED(GRAFT_POINT_SOMETIMES, text, condition)
#define GRAFT_REACHABLE(text) GRAFT_POINT_REACHED(GRAFT_POINT_REACHABLE, text, true)
#define GRAFT_UNREACHABLE(text) GRAFT_POINT_REACHED(GRAFT_POINT_UNREACHABLE, text, true)
#define GRAFT_BUGGIFY(text) GRAFT_POINT_ASKED(GRAFT_POINT_BUGGIFY, text)
#define GRAFT_MUTANT(text) GRAFT_POINT_ASKED(GRAFT_POINT_MUTANT, text)

#else

#define GRAFT_ALWAYS(condition, text) ((void)sizeof((condition) != 0), (void)sizeof("" text))
#define GRAFT_SOMETIMES(condition, text) GRAFT_ALWAYS(condition, text)
#define GRAFT_REACHABLE(text) ((void)sizeof("" text))
#define GRAFT_UNREACHABLE(text) ((void)sizeof("" text))
#define GRAFT_BUGGIFY(text) (sizeof("" text) == 0)
#define GRAFT_MUTANT(text) (sizeof("" text) == 0)

#endif

#endif
