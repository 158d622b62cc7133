/*
 * poison.h: memory that nobody may touch now.
 *
 * What is rewound, released or not yet handed out is poisoned under AddressSanitizer and under
 * Valgrind, so that a pointer which outlived its object stops the test that made it. In release
 * both are nothing.
 */
#ifndef MEMORY_POISON_H
#define MEMORY_POISON_H

#include <stddef.h>

#if defined(__SANITIZE_ADDRESS__)
#define POISON_BY_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define POISON_BY_SANITIZER 1
#endif
#endif

#if defined(POISON_BY_SANITIZER)
#include <sanitizer/asan_interface.h>
#define POISON(at, bytes) __asan_poison_memory_region((at), (bytes))
#define UNPOISON(at, bytes) __asan_unpoison_memory_region((at), (bytes))
#elif defined(MAYFLY_VALGRIND)
#include <valgrind/memcheck.h>
#define POISON(at, bytes) ((void)VALGRIND_MAKE_MEM_NOACCESS((at), (bytes)))
#define UNPOISON(at, bytes) ((void)VALGRIND_MAKE_MEM_UNDEFINED((at), (bytes)))
#else
#define POISON(at, bytes) ((void)(at), (void)(bytes))
#define UNPOISON(at, bytes) ((void)(at), (void)(bytes))
#endif

#endif
