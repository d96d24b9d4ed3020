// A heap for the small objects that an instance makes while it serves.
//
// componentize-py's Python is built without pymalloc: each object is a call of libc's malloc, which looks for the block that fits best,
// and finds it in the holes of the snapshot, so that an instance has more and more of the snapshot's pages for itself. This heap is
// what pymalloc is, a pool for each size, made for a memory that no two threads use and that is small at first: pools of 2 KiB, and
// of 4 GiB one byte for each 64 KiB tells whether they are the heap's.

#include "heap.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { UNIT = 16, SIZES = 16, LARGEST = UNIT * SIZES, POOL = 2048, ARENA = 65536, ARENAS_AT_ONCE = 16 };

// Blocks of one size. They follow it.
typedef struct Pool {
    struct Pool *next, *previous;  // of those of its size that have room
    void *released;                // the block that was given back last; in it is the one before
    uint16_t lent;                 // how many blocks are
    uint16_t untouched;            // where the first block is that was never lent
    uint16_t size;                 // of a block, in bytes
    uint16_t number;               // of the size
    _Alignas(UNIT) char blocks[];
} Pool;

static Pool *with_room[SIZES];
static Pool *unused;          // pools of which no block is lent; linked by `next`
static uintptr_t arena, end;  // what was never a pool
static uint8_t is_arena[65536];
static PyMemAllocatorEx beneath[2];

static inline Pool *pool_of(void *block) {
    return (Pool *)((uintptr_t)block & ~(uintptr_t)(POOL - 1));
}

static inline int is_ours(void *block) {
    return is_arena[(uintptr_t)block / ARENA];
}

static inline int is_used_up(Pool *pool) {
    return pool->untouched + pool->size > POOL;
}

static void enlist(Pool *pool) {
    Pool *first = with_room[pool->number];
    pool->previous = NULL;
    pool->next = first;
    if (first != NULL) {
        first->previous = pool;
    }
    with_room[pool->number] = pool;
}

static void delist(Pool *pool) {
    if (pool->previous != NULL) {
        pool->previous->next = pool->next;
    } else {
        with_room[pool->number] = pool->next;
    }
    if (pool->next != NULL) {
        pool->next->previous = pool->previous;
    }
}

// Takes arenas from libc: several, since beside each block so aligned it leaves a gap of almost an arena; or one, if there are no more.
static int add_arenas(void) {
    for (unsigned count = ARENAS_AT_ONCE; count > 0; count = count > 1 ? 1 : 0) {
        arena = (uintptr_t)aligned_alloc(ARENA, count * ARENA);
        if (arena != 0) {
            end = arena + count * ARENA;
            memset(&is_arena[arena / ARENA], 1, count);
            return 1;
        }
    }
    end = 0;
    return 0;
}

static __attribute__((noinline)) Pool *add_pool(unsigned number) {
    Pool *pool = unused;
    if (pool != NULL) {
        unused = pool->next;
    } else {
        if (arena == end && !add_arenas()) {
            return NULL;
        }
        pool = (Pool *)arena;
        arena += POOL;
    }
    pool->released = NULL;
    pool->lent = 0;
    pool->untouched = sizeof(Pool);
    pool->size = (uint16_t)((number + 1) * UNIT);
    pool->number = (uint16_t)number;
    enlist(pool);
    return pool;
}

// A block of at least this size, from 1 to LARGEST; NULL when memory is at its end.
static inline void *lend(size_t size) {
    unsigned number = (unsigned)((size - 1) / UNIT);
    Pool *pool = with_room[number];
    if (pool == NULL && (pool = add_pool(number)) == NULL) {
        return NULL;
    }
    void *block = pool->released;
    pool->lent++;
    if (block != NULL) {
        pool->released = *(void **)block;
    } else {
        block = (char *)pool + pool->untouched;
        pool->untouched = (uint16_t)(pool->untouched + pool->size);
    }
    if (pool->released == NULL && is_used_up(pool)) {
        delist(pool);
    }
    return block;
}

static inline void take_back(void *block) {
    Pool *pool = pool_of(block);
    int had_room = pool->released != NULL || !is_used_up(pool);
    *(void **)block = pool->released;
    pool->released = block;
    pool->lent--;
    if (!had_room) {
        enlist(pool);
    } else if (pool->lent == 0 && (pool->next != NULL || pool->previous != NULL)) {
        // One of a size stays: what is lent next is most likely of a size that was lent before.
        delist(pool);
        pool->next = unused;
        unused = pool;
    }
}

static void *heap_malloc(void *context, size_t size) {
    if (size <= LARGEST) {
        void *block = lend(size + (size == 0));
        if (block != NULL) {
            return block;
        }
    }
    PyMemAllocatorEx *other = context;
    return other->malloc(other->ctx, size);
}

static void *heap_calloc(void *context, size_t count, size_t size) {
    if (count <= LARGEST && size <= LARGEST && count * size <= LARGEST) {
        void *block = heap_malloc(context, count * size);
        return block == NULL ? NULL : memset(block, 0, count * size);
    }
    PyMemAllocatorEx *other = context;
    return other->calloc(other->ctx, count, size);
}

static void heap_free(void *context, void *block) {
    if (block != NULL && is_ours(block)) {
        take_back(block);
    } else {
        PyMemAllocatorEx *other = context;
        other->free(other->ctx, block);
    }
}

static void *heap_realloc(void *context, void *block, size_t size) {
    if (block == NULL || !is_ours(block)) {
        PyMemAllocatorEx *other = context;
        return block == NULL ? heap_malloc(context, size) : other->realloc(other->ctx, block, size);
    }
    size_t had = pool_of(block)->size;
    if (size <= had && size > had / 2) {
        return block;
    }
    void *moved = heap_malloc(context, size);
    if (moved == NULL) {
        return size <= had ? block : NULL;
    }
    memcpy(moved, block, size < had ? size : had);
    take_back(block);
    return moved;
}

// Takes the holes that libc's heap has between what the snapshot holds, and never gives them back: what libc lends later, to whomever,
// comes from one place, not from a page here and a page there. A run of blocks side by side is no hole if it is as long as an arena.
static void fill_holes(void) {
    enum { WORD = 4, CHUNK = 16, LARGEST_CHUNK = 1024 };
    static void *run[ARENA / CHUNK];
    for (size_t chunk = LARGEST_CHUNK; chunk >= CHUNK; chunk -= CHUNK) {
        size_t length = 0;
        while (length < ARENA / chunk) {
            char *block = malloc(chunk - WORD);
            if (block == NULL) {
                break;
            }
            if (length > 0 && block != (char *)run[length - 1] + chunk) {
                length = 0;
            }
            run[length++] = block;
        }
        while (length > 0) {
            free(run[--length]);
        }
    }
}

PyObject *use_heap(PyObject *module, PyObject *nothing) {
    (void)module;
    (void)nothing;
    fill_holes();
    add_arenas();  // the first ones are in the snapshot: an instance need not ask for more memory soon
    static const PyMemAllocatorDomain domains[] = {PYMEM_DOMAIN_MEM, PYMEM_DOMAIN_OBJ};
    for (int n = 0; n < 2; n++) {
        if (beneath[n].malloc == NULL) {
            PyMem_GetAllocator(domains[n], &beneath[n]);
        }
        PyMemAllocatorEx heap = {&beneath[n], heap_malloc, heap_calloc, heap_realloc, heap_free};
        PyMem_SetAllocator(domains[n], &heap);
    }
    Py_RETURN_NONE;
}
