/*
 * killat: runs a command and kills it with SIGKILL as it enters its N-th system call.
 *
 *     killat N all|child COMMAND...
 *
 * The calls of the command and of its children are counted together, in the order in which they
 * happen. `all` kills the command itself, whoever makes the call, as `kill -9` would; `child` kills
 * the child that makes it, and does nothing where it is the command's own. Prints how the command
 * ended ("exit 3", "signal 9"), how many calls were counted, the number of the one it was killed at
 * (-1: none), and which were the first behind one that sent something or moved a file: between two
 * of them the kernel's state may be another, or what is remembered of it. N is 0 to count only.
 */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/ptrace.h>

struct run {
	pid_t command;
	unsigned long calls, at;
	bool only_child, is_killed, has_changed;
	long long killed_at;
	int status;
	FILE *changed; /* into `numbers` */
	char *numbers;
	size_t length;
};

static void start(char **argv)
{
	raise(SIGSTOP);
	execvp(argv[0], argv);
	perror(argv[0]);
	_exit(127);
}

/* Does the call change the kernel's state, or a file of the run directory? */
static bool is_change(uint64_t number)
{
	static const uint64_t changes[] = {
		SYS_sendto, SYS_sendmsg, SYS_renameat, SYS_renameat2, SYS_unlinkat,
#ifdef SYS_rename /* newer architectures have the other ones alone */
		SYS_rename, SYS_unlink,
#endif
	};

	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++)
		if (changes[i] == number)
			return true;
	return false;
}

/* At the stop before or behind a call: counts those before. */
static void take_call(struct run *run, pid_t who)
{
	struct __ptrace_syscall_info about;

	if (ptrace(PTRACE_GET_SYSCALL_INFO, who, sizeof(about), &about) < 0 ||
	    about.op != PTRACE_SYSCALL_INFO_ENTRY)
		return;
	run->calls++;
	if (run->has_changed)
		fprintf(run->changed, " %lu", run->calls);
	run->has_changed = is_change(about.entry.nr);
	if (run->calls != run->at || (run->only_child && who == run->command))
		return;
	run->is_killed = true;
	run->killed_at = (long long)about.entry.nr;
	kill(run->only_child ? who : run->command, SIGKILL);
}

/* What the stopped process is to be given: a signal that was meant for it, or 0. */
static int take_stop(struct run *run, pid_t who, int status)
{
	int signal = WSTOPSIG(status);

	if (signal == (SIGTRAP | 0x80))
		take_call(run, who);
	else if (status >> 16 == 0 && signal != SIGTRAP && signal != SIGSTOP)
		return signal;
	return 0;
}

static void follow(struct run *run)
{
	int status;
	pid_t who;

	while ((who = waitpid(-1, &status, __WALL)) > 0 || errno == EINTR) {
		if (who <= 0)
			continue;
		if (!WIFSTOPPED(status)) {
			if (who == run->command)
				run->status = status;
			continue;
		}
		ptrace(PTRACE_SYSCALL, who, 0, take_stop(run, who, status));
	}
}

int main(int argc, char **argv)
{
	const long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK |
			     PTRACE_O_TRACECLONE | PTRACE_O_EXITKILL;
	struct run run = { .killed_at = -1 };
	int status;

	if (argc < 4 || (strcmp(argv[2], "all") != 0 && strcmp(argv[2], "child") != 0)) {
		fputs("usage: killat N all|child COMMAND...\n", stderr);
		return 2;
	}
	run.changed = open_memstream(&run.numbers, &run.length);
	if (!run.changed) {
		perror("killat");
		return 2;
	}
	run.at = strtoul(argv[1], NULL, 10);
	run.only_child = strcmp(argv[2], "child") == 0;
	run.command = fork();
	if (run.command == 0)
		start(argv + 3);
	waitpid(run.command, &status, WUNTRACED);
	if (ptrace(PTRACE_SEIZE, run.command, 0, options) < 0) {
		perror("ptrace");
		kill(run.command, SIGKILL);
		return 2;
	}
	kill(run.command, SIGCONT);
	follow(&run);
	fclose(run.changed);
	printf("%s %d %lu %lld%s\n", WIFSIGNALED(run.status) ? "signal" : "exit",
	       WIFSIGNALED(run.status) ? WTERMSIG(run.status) : WEXITSTATUS(run.status), run.calls,
	       run.killed_at, run.numbers);
	free(run.numbers);
	return 0;
}
