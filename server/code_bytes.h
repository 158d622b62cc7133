/*
 * code_bytes.h: the part "code" of the memory plan, measured before anything runs.
 *
 *     /proc/self/smaps ── adjoining mappings of one file, and its .bss ──> an object
 *
 *     the binary         whole ───────────────────┐
 *     its libraries      whole ───────────────────┤
 *     those not called   resident, and a margin ──┼──> total_bytes
 *     heap and the like  resident ────────────────┘
 *     main's stack       as far as it is mapped ──────> main_stack_bytes
 *
 * Code is counted whole, not as far as it is resident now: any page of it may be called later.
 *
 * Owner:    main; on its stack.
 * Lifetime: start, before the plan is made; it is never measured again.
 * Threads:  one, before there are others: their stacks, and the region, are planned elsewhere.
 */
#ifndef SERVER_CODE_BYTES_H
#define SERVER_CODE_BYTES_H

#include "machine.h"

/*
 * The most that may be resident of the program itself: apart from the region, the stacks and what
 * libmicrohttpd takes for connections and replies.
 */
struct code_bytes {
    uint64_t program_bytes;       /* this binary, whole */
    uint64_t libraries_bytes;     /* the libraries we may call, whole */
    uint64_t unused_bytes;        /* gnutls and its kin, never called: what is resident now */
    uint64_t unused_margin_bytes; /* and one page fault's worth for each of them */
    uint64_t anonymous_bytes;     /* heap and the like: what is resident now */
    uint64_t total_bytes;         /* of these five */
    uint64_t main_stack_bytes;    /* as far as it is mapped; main is one of the plan's threads */
};

/*
 * Adds up /proc/self/smaps; once, at start, before the region and the threads exist. Uses stdio.
 * False, with zeros, when it cannot be read.
 */
bool machine_code_bytes(const struct machine *machine, struct code_bytes *code);

#endif
