/* timed FILE COMMAND...: runs the command and appends "SECONDS PEAK_KIB CPU_SECONDS" to FILE.
 * Small, because a child's peak begins with its parent's. */
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double cpu(const struct rusage *usage)
{
	return (double)(usage->ru_utime.tv_sec + usage->ru_stime.tv_sec) +
	       (double)(usage->ru_utime.tv_usec + usage->ru_stime.tv_usec) / 1e6;
}

int main(int argc, char **argv)
{
	if (argc < 3) {
		fprintf(stderr, "usage: timed FILE COMMAND...\n");
		return 2;
	}
	double start = now();
	pid_t child = fork();
	if (child == 0) {
		execvp(argv[2], argv + 2);
		perror(argv[2]);
		_exit(127);
	}
	int status;
	struct rusage usage;
	if (child < 0 || wait4(child, &status, 0, &usage) != child) {
		perror("timed");
		return 2;
	}
	double seconds = now() - start;
	FILE *file = fopen(argv[1], "a");
	if (file == NULL ||
	    fprintf(file, "%.6f %ld %.6f\n", seconds, usage.ru_maxrss, cpu(&usage)) < 0 ||
	    fclose(file) != 0) {
		perror(argv[1]);
		return 2;
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
