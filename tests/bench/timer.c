/*
 * timer: what one run of a command costs.
 *
 *   timer RUNS COMMAND [ARGUMENT...]
 *
 * Runs the command RUNS times, one after another, and prints the median and the shortest wall time
 * in microseconds and the largest resident set in KiB. What the command prints on standard output
 * is thrown away; a run that does not exit with 0 ends the measurement with that status.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { RUNS_MOST = 1000 };

static long now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000L + now.tv_nsec / 1000;
}

static void run(char **command)
{
	int nowhere = open("/dev/null", O_WRONLY);

	if (nowhere < 0 || dup2(nowhere, STDOUT_FILENO) < 0)
		_exit(127);
	execvp(command[0], command);
	perror(command[0]);
	_exit(127);
}

/* The wall time of one run; *status and *memory (KiB) are those of the command. */
static long measure(char **command, int *status, long *memory)
{
	struct rusage usage;
	long begin = now_us();
	pid_t child = fork();

	if (child == 0)
		run(command);
	if (child < 0 || wait4(child, status, 0, &usage) != child) {
		perror("timer");
		exit(1);
	}
	if (usage.ru_maxrss > *memory)
		*memory = usage.ru_maxrss;
	return now_us() - begin;
}

static int by_size(const void *a, const void *b)
{
	long left = *(const long *)a, right = *(const long *)b;

	return (left > right) - (left < right);
}

int main(int argc, char **argv)
{
	long times[RUNS_MOST], memory = 0;
	int runs = argc > 2 ? atoi(argv[1]) : 0;

	if (runs < 1 || runs > RUNS_MOST) {
		fprintf(stderr, "usage: timer RUNS COMMAND [ARGUMENT...] (1 to %d runs)\n",
			RUNS_MOST);
		return 2;
	}
	for (int i = 0; i < runs; i++) {
		int status = 0;

		times[i] = measure(argv + 2, &status, &memory);
		if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
			return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
	}
	qsort(times, (size_t)runs, sizeof(times[0]), by_size);
	printf("%ld %ld %ld\n", times[runs / 2], times[0], memory);
	return 0;
}
