/* Part of what tests load into an interpreter: the next child that it forks dies. */
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

static volatile int is_next;
static void in_parent(void)
{
	is_next = 0;
}
static void in_child(void)
{
	if (is_next)
		kill(getpid(), SIGKILL);
}
void die(void)
{
	is_next = 1;
	pthread_atfork(NULL, in_parent, in_child);
}
