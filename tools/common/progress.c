/* A bar on stderr for people who wait: only on a terminal, only after a second. */
#include <inttypes.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "cli.h"
#include "private.h"

static struct {
	bool running, shown;
	int64_t started_ms, printed_ms;
} bar;

static int64_t now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void cli_progress(const char *what, uint64_t done, uint64_t total)
{
	if (cli_common.quiet || !isatty(STDERR_FILENO))
		return;
	int64_t now = now_ms();
	if (!bar.running) {
		bar.running = true;
		bar.started_ms = bar.printed_ms = now;
	}
	if (now - bar.started_ms < 1000 || (bar.shown && now - bar.printed_ms < 100))
		return;
	bar.shown = true;
	bar.printed_ms = now;
	if (total > 0)
		fprintf(stderr, "\r%s: %s %3.0f %%", cli_name, what,
			100.0 * (double)done / (double)total);
	else
		fprintf(stderr, "\r%s: %s %" PRIu64, cli_name, what, done);
}

void cli_progress_end(void)
{
	if (bar.shown)
		fputs("\r\033[K", stderr);
	bar.running = bar.shown = false;
}
