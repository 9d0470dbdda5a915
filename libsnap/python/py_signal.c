/* A signal as a request: its handler wakes a thread, which may
 * wait for the interpreter's lock as the handler may not. */
#include <errno.h>
#include <semaphore.h>
#include <signal.h>

#include "py_tracer.h"

static sem_t requested; /* the process's, as its signals are */
static struct sigaction before;
static int armed; /* signal number, or 0 */

static void handle(int number)
{
	int failure = errno;
	(void)number;
	sem_post(&requested);
	errno = failure;
}

int py_signal_arm(int number)
{
	struct sigaction action = {.sa_handler = handle, .sa_flags = SA_RESTART};
	sigemptyset(&action.sa_mask);
	if (armed)
		return EBUSY;
	if (sem_init(&requested, 0, 0) < 0 || sigaction(number, &action, &before) < 0)
		return errno;
	armed = number;
	return 0;
}

void py_signal_disarm(void)
{
	if (!armed)
		return;
	sigaction(armed, &before, NULL);
	armed = 0;
	sem_post(&requested);
}

bool py_signal_wait(void)
{
	while (sem_wait(&requested) < 0 && errno == EINTR)
		continue;
	return armed != 0;
}
