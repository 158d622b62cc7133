/*
 * ensure.h: what the program promises itself.
 *
 * ENSURE stays on in release: a broken promise inside a bounded service is worse than a stop. It is
 * for our own invariants only; whatever a client can cause is a status (base/status.h), never an
 * ENSURE. VERIFY is for walks that cost time; it is compiled into test builds (MAYFLY_VERIFY)
 * alone.
 *
 * lib/ only declares ensure_failed(); each program defines it: the server writes one line and
 * aborts, a test prints where it stood.
 */
#ifndef BASE_ENSURE_H
#define BASE_ENSURE_H

_Noreturn void ensure_failed(const char *condition, const char *file, int line);

#define ENSURE(condition) ((condition) ? (void)0 : ensure_failed(#condition, __FILE__, __LINE__))

#ifdef MAYFLY_VERIFY
#define VERIFY(condition) ENSURE(condition)
#else
#define VERIFY(condition) ((void)sizeof(condition))
#endif

#endif
