/* Signals: one that asks for a snapshot, and those that end the program, where it does
 * not handle them itself.  To the program the latter look as if they were left alone. */
#include <dlfcn.h>
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "track.h"

#define EXPORTED __attribute__((visibility("default")))

static const int ending[] = {SIGHUP, SIGINT,  SIGQUIT, SIGILL,  SIGTRAP, SIGABRT, SIGBUS,
			     SIGFPE, SIGSEGV, SIGPIPE, SIGTERM, SIGXCPU, SIGSYS};

static struct {
	int (*sigaction)(int, const struct sigaction *, struct sigaction *);
	void (*(*signal)(int, void (*)(int)))(int);
} next;

static bool find_next(void)
{
	void *action = track_next("sigaction"), *simple = track_next("signal");
	memcpy(&next.sigaction, &action, sizeof action);
	memcpy(&next.signal, &simple, sizeof simple);
	return action && simple;
}

/* The signal is as it was before; what made it makes it again. */
static void at_end(int number, siginfo_t *about, void *context)
{
	(void)context;
	int kept = errno;
	track_take(TRACK_AT_CRASH);
	if (about->si_code <= 0 || number == SIGPIPE)
		syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), number);
	errno = kept;
}

static void when_asked(int number)
{
	(void)number;
	track_ask();
}

static bool is_ours(const struct sigaction *action)
{
	return (action->sa_flags & SA_SIGINFO) && action->sa_sigaction == at_end;
}

EXPORTED int sigaction(int number, const struct sigaction *action, struct sigaction *old)
{
	if (!next.sigaction && !find_next()) {
		errno = ENOSYS;
		return -1;
	}
	int result = next.sigaction(number, action, old);
	if (result == 0 && old && is_ours(old)) {
		memset(old, 0, sizeof *old);
		old->sa_handler = SIG_DFL;
	}
	return result;
}

EXPORTED void (*signal(int number, void (*handler)(int)))(int)
{
	if (!next.signal && !find_next()) {
		errno = ENOSYS;
		return SIG_ERR;
	}
	void (*old)(int) = next.signal(number, handler);
	void (*ours)(int);
	void (*end)(int, siginfo_t *, void *) = at_end;
	memcpy(&ours, &end, sizeof ours);
	return old == ours ? SIG_DFL : old;
}

void track_signals_init(void)
{
	struct sigaction old,
		end = {.sa_sigaction = at_end,
		       .sa_flags = (int)(SA_SIGINFO | SA_ONSTACK | SA_RESETHAND | SA_NODEFER)};
	struct sigaction ask = {.sa_handler = when_asked, .sa_flags = SA_RESTART | SA_ONSTACK};
	if (!find_next())
		return;
	for (size_t i = 0; i < sizeof ending / sizeof *ending; i++)
		if (next.sigaction(ending[i], NULL, &old) == 0 && !(old.sa_flags & SA_SIGINFO) &&
		    old.sa_handler == SIG_DFL)
			next.sigaction(ending[i], &end, NULL);
	if (track_settings.signal)
		next.sigaction(track_settings.signal, &ask, NULL);
}

void track_signals_end(void)
{
	struct sigaction old, plain = {.sa_handler = SIG_DFL};
	for (size_t i = 0; i < sizeof ending / sizeof *ending; i++)
		if (next.sigaction(ending[i], NULL, &old) == 0 && is_ours(&old))
			next.sigaction(ending[i], &plain, NULL);
	int asking = track_settings.signal;
	if (asking && next.sigaction(asking, NULL, &old) == 0 && !(old.sa_flags & SA_SIGINFO) &&
	    old.sa_handler == when_asked)
		next.sigaction(asking, &plain, NULL);
}
