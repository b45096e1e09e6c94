/*
 * watchdog: starts the process, and is it (see watchdog.h). Orders go through a pair of sockets; an
 * end of file there means that whoever applies is gone.
 */
#include "apply/watchdog.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "state/pending.h"

static const int64_t NANOSECONDS = 1000000000;

enum {
	NAME_ROOM = 128,
	LATE_SECONDS = 60, /* that an apply may take beyond its deadline before it is ended */
};

enum order_kind { ORDER_ARM, ORDER_RELEASE, ORDER_LEAVE };

struct order {
	enum order_kind kind;
	int64_t deadline;
	char policy[NAME_ROOM];
};

/* ---- the process ---- */

struct watch {
	int socket, timer;
	pid_t parent;
	bool is_alone; /* whoever applies is done, or gone */
	bool is_late;
	struct order armed; /* by this order */
	struct pending self;
};

/* Nothing that is open here may keep a foreign pipe or terminal from closing. */
static void drop_files(struct watch *watch)
{
	const char *asked = getenv("TPC_RUN_DIR");
	int null;

	if (watch->socket != STDERR_FILENO + 1)
		watch->socket = dup2(watch->socket, STDERR_FILENO + 1);
	syscall(SYS_close_range, STDERR_FILENO + 2, ~0U, 0);
	null = open("/dev/null", O_RDWR);
	for (int fd = 0; fd <= STDERR_FILENO; fd++)
		if (null < 0)
			close(fd);
		else
			dup2(null, fd);
	if (null > STDERR_FILENO)
		close(null);
	fcntl(watch->socket, F_SETFD, FD_CLOEXEC);
	if (!asked || *asked == '/')
		null = chdir("/");
}

static void detach(struct watch *watch)
{
	sigset_t all;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	setsid();
	prctl(PR_SET_NAME, "tpc-watchdog");
	drop_files(watch);
}

static void set_timer(struct watch *watch, int64_t moment)
{
	struct itimerspec time = { .it_value = { moment / NANOSECONDS, moment % NANOSECONDS } };

	timerfd_settime(watch->timer, TFD_TIMER_ABSTIME, &time, NULL);
}

/* False: the other end is closed. */
static bool take_order(const struct watch *watch, struct order *out)
{
	ssize_t length;

	do
		length = recv(watch->socket, out, sizeof(*out), 0);
	while (length < 0 && errno == EINTR);
	return length == sizeof(*out);
}

/* Ends the process when it is never armed. */
static void wait_for_arms(struct watch *watch)
{
	struct order *order = &watch->armed;

	if (!take_order(watch, order) || order->kind != ORDER_ARM)
		_exit(0);
	watch->timer = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC);
	if (watch->timer < 0)
		_exit(1);
	set_timer(watch, order->deadline);
	watch->self =
		(struct pending){ getpid(), pending_started(getpid()), order->deadline, NULL };
	if (send(watch->socket, &watch->self, sizeof(watch->self), MSG_NOSIGNAL) < 0)
		_exit(1);
}

static void hear(struct watch *watch)
{
	struct order order;

	watch->is_alone = true;
	if (!take_order(watch, &order))
		return;
	if (order.kind == ORDER_LEAVE)
		_exit(0);
	watch->self.deadline = order.deadline;
	watch->is_late = false;
	set_timer(watch, order.deadline);
}

/* An apply that is still at work gets some more time; one that hangs would hold the lock for good.
 */
static bool is_time(struct watch *watch)
{
	if (watch->is_alone)
		return true;
	if (!watch->is_late) {
		watch->is_late = true;
		set_timer(watch, watch->self.deadline + LATE_SECONDS * NANOSECONDS);
		return false;
	}
	if (getppid() == watch->parent)
		kill(watch->parent, SIGKILL);
	return true;
}

static void wait_for_deadline(struct watch *watch)
{
	for (;;) {
		struct pollfd wanted[] = {
			{ .fd = watch->is_alone ? -1 : watch->socket, .events = POLLIN },
			{ .fd = watch->timer, .events = POLLIN },
		};

		if (watch->is_alone && watch->is_late)
			return;
		if (poll(wanted, 2, -1) < 0)
			continue;
		if (wanted[0].revents)
			hear(watch);
		else if (wanted[1].revents && is_time(watch))
			return;
	}
}

static _Noreturn void be_watchdog(int socket, pid_t parent, watchdog_overdue *overdue)
{
	struct watch watch = { .socket = socket, .parent = parent };

	detach(&watch);
	wait_for_arms(&watch);
	wait_for_deadline(&watch);
	close(watch.socket);
	overdue(watch.armed.policy, &watch.self);
	_exit(0);
}

/* ---- its owner ---- */

bool watchdog_start(struct watchdog *watchdog, unsigned int seconds, watchdog_overdue *overdue)
{
	pid_t parent = getpid();
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return false;
	watchdog->pid = fork();
	if (watchdog->pid == 0) {
		close(ends[0]);
		be_watchdog(ends[1], parent, overdue);
	}
	close(ends[1]);
	watchdog->socket = ends[0];
	watchdog->seconds = seconds;
	if (watchdog->pid > 0)
		return true;
	close(ends[0]);
	return false;
}

static bool send_order(struct watchdog *watchdog, enum order_kind kind, int64_t deadline,
		       const char *policy)
{
	struct order order = { .kind = kind, .deadline = deadline };

	snprintf(order.policy, sizeof(order.policy), "%s", policy);
	return send(watchdog->socket, &order, sizeof(order), MSG_NOSIGNAL) == sizeof(order);
}

bool watchdog_arm(struct watchdog *watchdog, const char *policy)
{
	struct pending *pending = &watchdog->pending;
	ssize_t length;

	if (!send_order(watchdog, ORDER_ARM, pending_deadline(watchdog->seconds), policy))
		return false;
	do
		length = recv(watchdog->socket, pending, sizeof(*pending), 0);
	while (length < 0 && errno == EINTR);
	return length == sizeof(*pending);
}

static void forget(struct watchdog *watchdog)
{
	close(watchdog->socket);
	watchdog->pid = 0;
}

void watchdog_release(struct watchdog *watchdog)
{
	send_order(watchdog, ORDER_RELEASE, watchdog->pending.deadline, "");
	watchdog->is_released = true;
	forget(watchdog);
}

void watchdog_dismiss(struct watchdog *watchdog)
{
	if (watchdog->pid <= 0)
		return;
	send_order(watchdog, ORDER_LEAVE, 0, "");
	while (waitpid(watchdog->pid, NULL, 0) < 0 && errno == EINTR)
		;
	forget(watchdog);
}
