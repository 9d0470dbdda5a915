/* TAP for unit tests: CHECK() lines and one DONE at the end.  A failed CHECK goes on. */
#ifndef TAP_H
#define TAP_H

#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* How many times fewer are enough where each takes
 * so much longer; has no factor in common with 8. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { TAP_FEWER = 7 };
#else
enum { TAP_FEWER = 1 };
#endif

static int tap_count, tap_failures;

static inline bool tap_check(bool good, const char *text, const char *file, int line)
{
	printf("%sok %d - %s\n", good ? "" : "not ", ++tap_count, text);
	if (!good) {
		tap_failures++;
		/* stderr, which prove lets pass */
		fprintf(stderr, "# %s:%d: not ok %d - %s\n", file, line, tap_count, text);
	}
	return good;
}

/* CHECK(condition) or, in loops, quiet until it fails: REQUIRE. */
#define CHECK(condition)             tap_check((condition), #condition, __FILE__, __LINE__)
#define CHECK_NAMED(condition, name) tap_check((condition), name, __FILE__, __LINE__)
#define REQUIRE(condition) \
	do { \
		if (!(condition)) { \
			tap_check(false, #condition, __FILE__, __LINE__); \
			exit(1); \
		} \
	} while (0)
#define DONE() (printf("1..%d\n", tap_count), tap_failures ? 1 : 0)

#endif
