/*
 * watch: the loop (see watch.h). All times are milliseconds of the monotonic clock.
 */
#include "watch/watch.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/buf.h"
#include "kernel/monitor.h"
#include "watch/files.h"
#include "watch/notify.h"
#include "watch/privileges.h"

enum {
	SETTLE_HOST = 3,    /* one command changes several things */
	SETTLE_FILES = 300, /* an editor, or a download, writes several times */
	STORM_SPAN = 10000, /* so many repairs within so long are a storm */
	STORM_REPAIRS = 8,
	PAUSE_LEAST = 1000,
	PAUSE_MOST = 60000,
	NAMES_MOST = 1 << 20,
};

struct watch {
	const struct watch_job *job;
	struct monitor monitor;
	struct files files;
	int signals;
	struct timespec begun; /* the work */
	pid_t child;           /* 0: none is at work */
	int names;             /* what it tells of files; -1: nothing */
	struct buf said;
	enum watch_work doing;
	int64_t due[WATCH_WORKS];       /* when each kind of work is wanted; 0: it is not */
	int64_t retry, storm;           /* the pauses after a failure, and in a storm; 0: none */
	int64_t repairs[STORM_REPAIRS]; /* when; the oldest is at `next` */
	size_t next;
	char *policy;         /* the name of what is applied; "": not known */
	unsigned int changes; /* of the host, since the last repair began */
	bool is_storm;        /* the repair at work follows no link: another program has changed
				 what was the policy's */
	bool is_ready, is_gone, is_ending, is_reloading;
};

static int64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (int64_t)time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

/* The newest repair is long enough ago. */
static bool is_calm(const struct watch *watch)
{
	size_t newest = (watch->next + STORM_REPAIRS - 1) % STORM_REPAIRS;

	return now() - watch->repairs[newest] > STORM_SPAN + 2 * watch->storm;
}

/* Something of the host has changed. What waits for its next attempt waits no longer; in a storm
 * only what follows a link does not wait. */
static void want_host(struct watch *watch, unsigned int changes)
{
	bool follows = changes & MONITOR_LINKS;
	int64_t due;

	if (is_calm(watch))
		watch->storm = 0;
	watch->changes |= changes;
	due = now() + SETTLE_HOST + (follows ? 0 : watch->storm);
	if (follows && watch->due[WATCH_REPAIR] > due)
		watch->due[WATCH_REPAIR] = due;
	for (int work = WATCH_APPLY; watch->retry && work <= WATCH_APPLY_AGAIN; work++)
		if (watch->due[work] > due)
			watch->due[work] = due;
	if (!watch->due[WATCH_REPAIR])
		watch->due[WATCH_REPAIR] = due;
}

/* It is written once more: the end of it is waited for. */
static void want_files(struct watch *watch)
{
	watch->due[watch->is_ready ? WATCH_APPLY_AGAIN : WATCH_APPLY] = now() + SETTLE_FILES;
}

static void want_now(struct watch *watch)
{
	watch->due[watch->job->file ? WATCH_APPLY : WATCH_REPAIR] = now();
	watch->due[WATCH_APPLY_AGAIN] = 0;
}

/* The one that is due first; an apply repairs, too. */
static enum watch_work next_work(const struct watch *watch)
{
	enum watch_work next = WATCH_NOTHING;

	for (int work = WATCH_REPAIR; work < WATCH_WORKS; work++)
		if (watch->due[work] && (!next || watch->due[work] <= watch->due[next]))
			next = (enum watch_work)work;
	return next;
}

static int64_t longer(int64_t pause)
{
	if (!pause)
		return PAUSE_LEAST;
	return pause * 2 < PAUSE_MOST ? pause * 2 : PAUSE_MOST;
}

static void fail(struct watch *watch)
{
	watch->retry = longer(watch->retry);
	if (!watch->due[watch->doing])
		watch->due[watch->doing] = now() + watch->retry;
}

/* ---- the child ---- */

static _Noreturn void be_child(struct watch *watch, int names)
{
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	_exit(watch->job->run(watch->job->user, watch->doing, watch->policy, names));
}

static void begin(struct watch *watch)
{
	int ends[2] = { -1, -1 };

	watch->doing = next_work(watch);
	watch->due[watch->doing] = 0;
	clock_gettime(CLOCK_REALTIME_COARSE, &watch->begun); /* as the kernel stamps files */
	watch->is_storm = watch->changes == MONITOR_TABLES;
	watch->changes = 0;
	if (watch->doing != WATCH_REPAIR)
		watch->due[WATCH_REPAIR] = 0;
	if (pipe(ends) == 0)
		watch->child = fork();
	if (watch->child == 0 && ends[0] >= 0) {
		close(ends[0]);
		be_child(watch, ends[1]);
	}
	if (ends[1] >= 0)
		close(ends[1]);
	watch->names = ends[0];
	watch->said.length = 0;
	if (watch->child > 0)
		return;
	watch->child = 0;
	watch->job->say(watch->job->user, "watch-failed", strerror(errno));
	fail(watch);
}

static void hear_names(struct watch *watch)
{
	char room[4096];
	ssize_t length = read(watch->names, room, sizeof(room));

	if (length > 0 && watch->said.length < NAMES_MOST)
		buf_add(&watch->said, room, (size_t)length);
	if (length > 0)
		return;
	close(watch->names);
	watch->names = -1;
}

/* Nothing waited for changes of a file while it was read for the first time. */
static bool is_written_since(const char *const *paths, size_t count, const struct timespec *moment)
{
	for (size_t i = 0; i < count; i++) {
		struct stat info;

		if (stat(paths[i], &info) == 0 && (info.st_ctim.tv_sec > moment->tv_sec ||
						   (info.st_ctim.tv_sec == moment->tv_sec &&
						    info.st_ctim.tv_nsec >= moment->tv_nsec)))
			return true;
	}
	return false;
}

static void take_names(struct watch *watch)
{
	const char *at = buf_text(&watch->said), *end = at + watch->said.length;
	struct arena *arena;
	const char **paths = NULL;
	size_t count = 0;

	if (at == end || end[-1])
		return;
	if (*at) {
		free(watch->policy);
		watch->policy = strdup(at);
	}
	arena = arena_new();
	for (at += strlen(at) + 1; at < end; at += strlen(at) + 1)
		*arena_append(arena, paths, count) = at;
	files_set(&watch->files, paths, count);
	if (is_written_since(paths, count, &watch->begun))
		want_files(watch);
	arena_free(arena);
}

/* Another program changes what this one puts back: neither gives in by itself. */
static void count_repair(struct watch *watch)
{
	int64_t moment = now(), oldest = watch->repairs[watch->next];
	int64_t span = STORM_SPAN + 2 * watch->storm * STORM_REPAIRS;

	watch->repairs[watch->next] = moment;
	watch->next = (watch->next + 1) % STORM_REPAIRS;
	if (!oldest || moment - oldest > span) {
		watch->storm = 0;
		return;
	}
	watch->storm = longer(watch->storm);
	watch->job
		->say(watch->job->user, "watch-storm",
		      "another program changes again and again what is put back; it is put back more seldom from now on");
}

static void tell_manager(struct watch *watch, enum watch_end end)
{
	static const char *const words[] = {
		[WATCH_UNCHANGED] = "the policy holds",
		[WATCH_DONE] = "the policy holds",
		[WATCH_GONE] = "the policy was removed; it is left alone until it is applied",
		[WATCH_WRONG] = "the policy's file has errors; the one before stays in force",
		[WATCH_REFUSED] = "the host refuses the policy; trying again",
	};
	char text[200];
	bool is_in_force = end == WATCH_UNCHANGED || end == WATCH_DONE;

	snprintf(text, sizeof(text), "%sSTATUS=%s",
		 (is_in_force && !watch->is_ready) || watch->is_reloading ? "READY=1\n" : "",
		 words[end]);
	watch->is_ready |= is_in_force;
	watch->is_reloading = false;
	notify_send(text);
}

static void end(struct watch *watch, int status)
{
	enum watch_end end = WIFEXITED(status) && WEXITSTATUS(status) <= WATCH_REFUSED
				     ? (enum watch_end)WEXITSTATUS(status)
				     : WATCH_REFUSED;

	watch->child = 0;
	while (watch->names >= 0)
		hear_names(watch);
	if (end == WATCH_GONE && !watch->is_gone)
		watch->job->say(watch->job->user, "watch-gone",
				"the policy was removed, so it is left alone until it is applied");
	watch->is_gone = end == WATCH_GONE;
	if (end == WATCH_REFUSED)
		fail(watch);
	else
		watch->retry = 0;
	if (end == WATCH_DONE && watch->doing == WATCH_REPAIR && watch->is_storm)
		count_repair(watch);
	tell_manager(watch, end);
	take_names(watch);
}

static void reap(struct watch *watch)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		if (pid == watch->child)
			end(watch, status);
}

/* ---- what comes ---- */

static void hear_signal(struct watch *watch)
{
	struct signalfd_siginfo info;

	while (read(watch->signals, &info, sizeof(info)) == sizeof(info))
		switch (info.ssi_signo) {
		case SIGCHLD:
			reap(watch);
			break;
		case SIGHUP:
			notify_send("RELOADING=1");
			watch->is_reloading = true;
			want_now(watch);
			break;
		default:
			watch->is_ending = true;
		}
}

static int timeout(const struct watch *watch)
{
	enum watch_work next = watch->child ? WATCH_NOTHING : next_work(watch);
	int64_t ping = notify_watchdog(), left;

	if (next == WATCH_NOTHING)
		return ping ? (int)ping : -1;
	left = watch->due[next] - now();
	if (left < 0)
		left = 0;
	return (int)(ping && ping < left ? ping : left);
}

static void wait_once(struct watch *watch)
{
	unsigned int changes = 0;
	enum watch_work next;
	struct pollfd wanted[] = {
		{ .fd = watch->signals, .events = POLLIN },
		{ .fd = monitor_route_fd(&watch->monitor), .events = POLLIN },
		{ .fd = monitor_nft_fd(&watch->monitor), .events = POLLIN },
		{ .fd = watch->files.inotify, .events = POLLIN },
		{ .fd = watch->names, .events = POLLIN },
	};

	if (poll(wanted, sizeof(wanted) / sizeof(wanted[0]), timeout(watch)) < 0)
		return;
	if (notify_watchdog())
		notify_send("WATCHDOG=1");
	if (wanted[4].revents)
		hear_names(watch);
	if (wanted[0].revents)
		hear_signal(watch);
	if (wanted[1].revents || wanted[2].revents)
		changes = monitor_take(&watch->monitor);
	if (changes)
		want_host(watch, changes);
	if (wanted[3].revents && files_take(&watch->files) && !watch->is_gone)
		want_files(watch);
	next = watch->child ? WATCH_NOTHING : next_work(watch);
	if (next != WATCH_NOTHING && now() >= watch->due[next])
		begin(watch);
}

static bool open_signals(struct watch *watch)
{
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, SIGCHLD);
	sigaddset(&signals, SIGHUP);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	watch->signals = signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC);
	return watch->signals >= 0;
}

/* What stays is said: an administrator may have meant to remove it. */
static void say_end(const struct watch *watch)
{
	char text[200];

	if (!watch->is_ready || watch->is_gone)
		return;
	snprintf(text, sizeof(text), "the policy stays in force; remove it with: tpc remove %s",
		 watch->policy);
	watch->job->say(watch->job->user, "watch-ended", text);
}

static void finish(struct watch *watch)
{
	int status;

	notify_send("STOPPING=1");
	if (watch->child)
		waitpid(watch->child, &status, 0);
	say_end(watch);
	files_set(&watch->files, NULL, 0);
	arena_free(watch->files.arena);
	close(watch->files.inotify);
	close(watch->signals);
	netlink_close(&watch->monitor.route);
	netlink_close(&watch->monitor.nft);
	buf_free(&watch->said);
	free(watch->policy);
}

bool watch_run(struct arena *arena, const struct watch_job *job, const char **why)
{
	struct netlink_error error;
	struct watch watch = { .job = job,
			       .names = -1,
			       .policy = strdup(job->name ? job->name : "") };

	if (!monitor_open(&watch.monitor, &error)) {
		*why = arena_strdup(arena, error.text);
		return false;
	}
	if (!open_signals(&watch) || !files_open(&watch.files) || !privileges_drop()) {
		*why = strerror(errno);
		return false;
	}
	want_now(&watch);
	while (!watch.is_ending)
		wait_once(&watch);
	finish(&watch);
	return true;
}
