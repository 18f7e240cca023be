/* Truths: what the pages of a snapshot are. A state is a tree over page numbers whose leaves hold
 * hashes of contents; the next state shares all of it but the paths to what changed, so that a
 * commit of n pages costs n short paths and the states of a whole run can be kept.
 *
 * A truth has several states where it is not known which one it is. Truths that were built on it
 * have as many, in the same order, and share its fork: whatever rules a candidate out of one rules
 * it out of all. */
#include <string.h>

#include "base/assert.h"
#include "sim/oracle_parts.h"

#define CHANGES_FIRST 64U

struct oracle_node {
    uint64_t edit; /* the change that made it, which may still write to it */
    union {
        struct oracle_node *child[ORACLE_FANOUT];
        uint64_t hash[ORACLE_FANOUT];
    } of;
};

uint64_t oracle_content(const void *bytes, size_t size)
{
    uint64_t hash = graft_checksum64(bytes, size, size);
    return hash == 0 ? 1 : hash;
}

static bool are_zeros(const uint8_t *bytes, size_t size)
{
    return size == 0 || (bytes[0] == 0 && memcmp(bytes, bytes + 1, size - 1) == 0);
}

/* A page that nobody wrote is zeros, of whatever length. */
bool oracle_bytes_are(uint64_t hash, const void *bytes, size_t size)
{
    return hash == 0 ? are_zeros(bytes, size) : hash == oracle_content(bytes, size);
}

/* ---- Trees ---- */

/* The place of a page within a node of this height. */
static uint32_t place_at(uint32_t page, uint32_t height)
{
    return (page - 1) >> (4 * (height - 1)) & (ORACLE_FANOUT - 1);
}

static bool reaches(uint32_t height, uint32_t page)
{
    return height > 0 && (height >= 8 || (page - 1) >> (4 * height) == 0);
}

uint64_t oracle_pages_find(const struct oracle_pages *pages, uint32_t page)
{
    if (page == 0 || !reaches(pages->height, page))
        return 0;
    const struct oracle_node *node = pages->root;
    for (uint32_t height = pages->height; node != NULL; height--) {
        uint32_t at = place_at(page, height);
        if (height == 1)
            return node->of.hash[at];
        node = node->of.child[at];
    }
    return 0;
}

/* The node as this edit may write to it: itself, a copy, or a new one. */
static struct oracle_node *own(struct sim_oracle *oracle, struct oracle_node *node, uint64_t edit)
{
    if (node != NULL && node->edit == edit)
        return node;
    struct oracle_node *copy = oracle_alloc(oracle, sizeof *copy);
    if (node != NULL)
        *copy = *node;
    copy->edit = edit;
    return copy;
}

static void set_page(struct sim_oracle *oracle, struct oracle_pages *pages, uint32_t page,
                     uint64_t hash, uint64_t edit)
{
    while (!reaches(pages->height, page)) {
        struct oracle_node *root = pages->root;
        if (root != NULL) {
            root = own(oracle, NULL, edit);
            root->of.child[0] = pages->root;
        }
        pages->root = root;
        pages->height++;
    }
    struct oracle_node **link = &pages->root;
    for (uint32_t height = pages->height; height > 0; height--) {
        uint32_t at = place_at(page, height);
        *link = own(oracle, *link, edit);
        if (height == 1)
            (*link)->of.hash[at] = hash;
        else
            link = &(*link)->of.child[at];
    }
}

/* Makes everything above page `last` unwritten. */
static void cut_pages(struct sim_oracle *oracle, struct oracle_pages *pages, uint32_t last,
                      uint64_t edit)
{
    if (last == 0) {
        pages->root = NULL;
        return;
    }
    if (!reaches(pages->height, last))
        return;
    struct oracle_node **link = &pages->root;
    for (uint32_t height = pages->height; height > 0 && *link != NULL; height--) {
        uint32_t at = place_at(last, height);
        *link = own(oracle, *link, edit);
        for (uint32_t i = at + 1; i < ORACLE_FANOUT; i++) {
            if (height == 1)
                (*link)->of.hash[i] = 0;
            else
                (*link)->of.child[i] = NULL;
        }
        if (height > 1)
            link = &(*link)->of.child[at];
    }
}

/* ---- Truths ---- */

static struct oracle_truth *new_truth(struct sim_oracle *oracle, uint32_t candidates)
{
    GRAFT_ASSERT(candidates > 0 && candidates <= ORACLE_CANDIDATES_MAX);
    struct oracle_truth *truth =
        oracle_alloc(oracle, sizeof *truth + candidates * sizeof truth->pages[0]);
    truth->candidates = candidates;
    return truth;
}

static void make_fork(struct sim_oracle *oracle, struct oracle_truth *truth)
{
    truth->fork = oracle_alloc(oracle, sizeof *truth->fork);
    truth->fork->alive = (UINT32_C(1) << truth->candidates) - 1;
}

static bool is_alive(const struct oracle_truth *truth, uint32_t candidate)
{
    return (truth->fork->alive >> candidate & 1) != 0;
}

struct oracle_truth *oracle_truth_empty(struct sim_oracle *oracle)
{
    struct oracle_truth *truth = new_truth(oracle, 1);
    make_fork(oracle, truth);
    return truth;
}

bool oracle_truth_is_certain(const struct oracle_truth *truth)
{
    return (truth->fork->alive & (truth->fork->alive - 1)) == 0;
}

static void apply(struct sim_oracle *oracle, struct oracle_pages *pages,
                  const struct oracle_changes *changes)
{
    uint64_t edit = ++oracle->serial;
    if (changes->least < changes->base_count)
        cut_pages(oracle, pages, changes->least, edit);
    for (uint32_t i = 0; i < changes->capacity; i++) {
        if (changes->slots[i].page != 0)
            set_page(oracle, pages, changes->slots[i].page, changes->slots[i].hash, edit);
    }
    pages->count = changes->count;
}

struct oracle_truth *oracle_truth_change(struct sim_oracle *oracle, const struct oracle_truth *base,
                                         const struct oracle_changes *changes)
{
    bool certain = oracle_truth_is_certain(base);
    struct oracle_truth *truth = new_truth(oracle, certain ? 1 : base->candidates);
    uint32_t to = 0;
    for (uint32_t i = 0; i < base->candidates; i++) {
        if (is_alive(base, i)) {
            truth->pages[to] = base->pages[i];
            apply(oracle, &truth->pages[to], changes);
        }
        to += certain && !is_alive(base, i) ? 0 : 1;
        if (to == truth->candidates)
            break;
    }
    if (certain)
        make_fork(oracle, truth);
    else
        truth->fork = base->fork;
    return truth;
}

struct oracle_truth *oracle_truth_either(struct sim_oracle *oracle, struct oracle_truth **truths,
                                         uint32_t count)
{
    GRAFT_ASSERT(count > 0);
    if (count == 1)
        return truths[0];
    uint32_t total = 0;
    for (uint32_t i = 0; i < count; i++)
        total += (uint32_t)__builtin_popcount(truths[i]->fork->alive);
    struct oracle_truth *either = new_truth(oracle, total);
    uint32_t to = 0;
    for (uint32_t i = 0; i < count; i++) {
        for (uint32_t k = 0; k < truths[i]->candidates; k++) {
            if (is_alive(truths[i], k))
                either->pages[to++] = truths[i]->pages[k];
        }
    }
    make_fork(oracle, either);
    return either;
}

bool oracle_truth_has_count(struct oracle_truth *truth, uint32_t count)
{
    uint32_t alive = 0;
    for (uint32_t i = 0; i < truth->candidates; i++) {
        if (is_alive(truth, i) && truth->pages[i].count == count)
            alive |= UINT32_C(1) << i;
    }
    if (alive == 0)
        return false;
    truth->fork->alive = alive;
    return true;
}

bool oracle_truth_has_page(struct oracle_truth *truth, uint32_t page, const void *bytes,
                           size_t size)
{
    uint64_t hash = oracle_content(bytes, size);
    uint32_t alive = 0;
    for (uint32_t i = 0; i < truth->candidates; i++) {
        if (!is_alive(truth, i))
            continue;
        uint64_t expected = oracle_pages_find(&truth->pages[i], page);
        if (expected == 0 ? are_zeros(bytes, size) : expected == hash)
            alive |= UINT32_C(1) << i;
    }
    if (alive == 0)
        return false;
    truth->fork->alive = alive;
    return true;
}

bool oracle_truth_may_have(const struct oracle_truth *truth, uint32_t page, uint64_t hash)
{
    for (uint32_t i = 0; i < truth->candidates; i++) {
        uint64_t known = oracle_pages_find(&truth->pages[i], page);
        if (is_alive(truth, i) && (known == 0 || known == hash))
            return true;
    }
    return false;
}

bool oracle_truths_may_agree(const struct oracle_truth *a, const struct oracle_truth *b,
                             uint32_t page)
{
    for (uint32_t i = 0; i < a->candidates; i++) {
        uint64_t hash = oracle_pages_find(&a->pages[i], page);
        if (is_alive(a, i) && (hash == 0 || oracle_truth_may_have(b, page, hash)))
            return true;
    }
    return false;
}

/* ---- Changes ---- */

void oracle_changes_begin(struct oracle_changes *changes, uint32_t page_count)
{
    if (changes->used > 0)
        memset(changes->slots, 0, changes->capacity * sizeof changes->slots[0]);
    changes->used = 0;
    changes->base_count = changes->least = changes->count = page_count;
}

void oracle_changes_deinit(struct oracle_changes *changes)
{
    sim_host_free(changes->slots);
    *changes = (struct oracle_changes){0};
}

static struct oracle_change *slot_of(const struct oracle_changes *changes, uint32_t page)
{
    uint32_t mask = changes->capacity - 1;
    uint32_t at = page * UINT32_C(2654435761) >> 7 & mask;
    while (changes->slots[at].page != 0 && changes->slots[at].page != page)
        at = (at + 1) & mask;
    return &changes->slots[at];
}

static void make_room(struct oracle_changes *changes)
{
    if (changes->used * 2 < changes->capacity)
        return;
    struct oracle_changes old = *changes;
    changes->capacity = old.capacity == 0 ? CHANGES_FIRST : old.capacity * 2;
    changes->slots = sim_host_alloc(changes->capacity * sizeof changes->slots[0]);
    for (uint32_t i = 0; i < old.capacity; i++) {
        if (old.slots[i].page != 0)
            *slot_of(changes, old.slots[i].page) = old.slots[i];
    }
    sim_host_free(old.slots);
}

void oracle_changes_write(struct oracle_changes *changes, uint32_t page, uint64_t hash)
{
    make_room(changes);
    struct oracle_change *slot = slot_of(changes, page);
    changes->used += slot->page == 0 ? 1 : 0;
    slot->page = page;
    slot->hash = hash;
    if (page > changes->count)
        changes->count = page;
}

void oracle_changes_resize(struct oracle_changes *changes, uint32_t page_count)
{
    /* What a cut takes is zeros, should the transaction grow over it again. */
    for (uint32_t i = 0; i < changes->capacity; i++) {
        if (changes->slots[i].page > page_count)
            changes->slots[i].hash = 0;
    }
    if (page_count < changes->least)
        changes->least = page_count;
    changes->count = page_count;
}

bool oracle_changes_find(const struct oracle_changes *changes, uint32_t page, uint64_t *hash)
{
    *hash = 0;
    if (changes->used > 0) {
        const struct oracle_change *slot = slot_of(changes, page);
        if (slot->page == page) {
            *hash = slot->hash;
            return true;
        }
    }
    return page > changes->least;
}
