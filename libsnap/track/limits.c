/* Whether memory is nearly exhausted: by the process's own
 * limits, or by those of the control groups that it is in.
 *
 * What is looked at, is found once; limits themselves may change.  Files
 * are opened anew each time: the program's descriptors are its own. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "track.h"

#define GROUPS_MAX 16u
#define PATH_SIZE  4096u /* PATH_MAX: nothing longer can be opened */
/* address space for the child, of which the program then has less */
#define RESERVE     ((size_t)32 << 20)
#define STEP_MIN    ((uint64_t)1 << 18)
#define STEP_MAX    ((uint64_t)1 << 26)
#define STEPS       16u /* as many looks until what is left is used up */
#define NO_LIMIT    ((uint64_t)1 << 60)
#define REARM_SHARE 16u /* below the mark by such a part of the limit, it may be reached again */

/* A file with a limit, in the folder of a control group. */
struct group {
	char folder[PATH_SIZE];
	const char *limit, *usage, *inactive;
};
static struct group groups[GROUPS_MAX];
static size_t group_count;
static bool was_near[GROUPS_MAX + 2];
static void *reserve;

struct track_limit track_limit;

/* ---- files ---- */

static size_t read_text(const char *from, char *out, size_t size)
{
	int file = open(from, O_RDONLY | O_CLOEXEC);
	size_t done = 0;
	for (ssize_t got = 1;
	     file >= 0 && got > 0 && done<size - 1; done += got> 0 ? (size_t)got : 0)
		got = read(file, out + done, size - 1 - done);
	if (file >= 0)
		close(file);
	out[done] = '\0';
	return done;
}

static const char *parse(const char *at, uint64_t *value)
{
	for (*value = 0; *at >= '0' && *at <= '9'; at++)
		*value = *value * 10 + (unsigned)(*at - '0');
	return at;
}

/* What is read below is in memory of its own, not on
 * stacks that may be small: one thread at a time. */
static char path[PATH_SIZE + 64], text[65536]; /* 64: a slash and a name, which are ours */

static size_t read_file(const struct group *g, const char *name)
{
	stpcpy(stpcpy(stpcpy(path, g->folder), "/"), name);
	return read_text(path, text, sizeof text);
}

/* false: there is none, or it says "max". */
static bool read_number(const struct group *g, const char *name, uint64_t *value)
{
	return read_file(g, name) > 0 && parse(text, value) != text;
}

/* Of what a group uses, what the system would give back before it ended anybody. */
static uint64_t reclaimable(const struct group *g)
{
	uint64_t value = 0;
	read_file(g, "memory.stat");
	size_t size = strlen(g->inactive);
	for (const char *at = text; at; at = strchr(at, '\n')) {
		at += *at == '\n';
		if (strncmp(at, g->inactive, size) == 0 && at[size] == ' ') {
			parse(at + size + 1, &value);
			break;
		}
	}
	return value;
}

/* ---- what is looked at ---- */

static void add_group(const char *folder, const char *limit, const char *usage,
		      const char *inactive)
{
	struct group *g = &groups[group_count];
	uint64_t value;
	if (group_count == GROUPS_MAX || strlen(folder) >= PATH_SIZE)
		return;
	*g = (struct group){.limit = limit, .usage = usage, .inactive = inactive};
	memcpy(g->folder, folder, strlen(folder) + 1);
	if (read_number(g, limit, &value) && value < NO_LIMIT)
		group_count++;
}

/* A group and those that it is in, up to the mount. */
static void add_groups(char *folder, size_t mount, bool is_second)
{
	for (;;) {
		if (is_second) {
			add_group(folder, "memory.max", "memory.current", "inactive_file");
			add_group(folder, "memory.high", "memory.current", "inactive_file");
		} else {
			add_group(folder, "memory.limit_in_bytes", "memory.usage_in_bytes",
				  "total_inactive_file");
		}
		char *slash = strrchr(folder, '/');
		if (!slash || (size_t)(slash - folder) < mount)
			return;
		*slash = '\0';
	}
}

/* The path after "...:" in the line of /proc/self/cgroup for memory, or for version 2. */
static bool own_group(const char *lines, bool is_second, char *out)
{
	for (const char *at = lines; *at; at = strchr(at, '\n') ? strchr(at, '\n') + 1 : "") {
		const char *names = strchr(at, ':'), *own = names ? strchr(names + 1, ':') : NULL,
			   *end = strchrnul(at, '\n');
		if (!own || own > end || (size_t)(end - own) >= PATH_SIZE)
			continue;
		const char *found = is_second ? names + 1 : strstr(names, "memory");
		if (is_second ? own != found : !found || found > own)
			continue;
		memcpy(out, own + 1, (size_t)(end - own - 1));
		out[end - own - 1] = '\0';
		return true;
	}
	return false;
}

/* "ID PARENT DEVICE ROOT MOUNT OPTIONS... - TYPE SOURCE
 * OPTIONS": the mount's path without its root is a group's. */
static void add_mount(char *line, const char *lines)
{
	static char own[PATH_SIZE], folder[2 * PATH_SIZE + 64];
	char *field[5], *rest = strstr(line, " - ");
	bool is_second = rest && strncmp(rest, " - cgroup2 ", 11) == 0;
	if (!rest ||
	    (!is_second && (strncmp(rest, " - cgroup ", 10) != 0 || !strstr(rest, "memory"))))
		return;
	char *save = line;
	for (size_t i = 0; i < 5; i++)
		if (!(field[i] = strsep(&save, " ")))
			return;
	if (!own_group(lines, is_second, own))
		return;
	size_t root = strcmp(field[3], "/") == 0 ? 0 : strlen(field[3]), mount = strlen(field[4]);
	bool is_below =
		strncmp(own, field[3], root) == 0 && (own[root] == '/' || own[root] == '\0');
	int size = snprintf(folder, sizeof folder, "%s%s", field[4], is_below ? own + root : "");
	if ((size_t)size >= sizeof folder)
		return;
	while (size > 1 && folder[size - 1] == '/')
		folder[--size] = '\0';
	add_groups(folder, mount, is_second);
}

static void find_groups(void)
{
	static char own[4 * PATH_SIZE], mounts[65536];
	read_text("/proc/self/cgroup", own, sizeof own);
	read_text("/proc/self/mountinfo", mounts, sizeof mounts);
	char *rest = mounts;
	for (char *line; (line = strsep(&rest, "\n"));)
		add_mount(line, own);
}

enum own_limit { SPACE, DATA };

static bool get_limit(enum own_limit what, struct rlimit *limit)
{
	return (what == SPACE ? getrlimit(RLIMIT_AS, limit) : getrlimit(RLIMIT_DATA, limit)) == 0;
}

static uint64_t limit_of(enum own_limit what)
{
	struct rlimit limit;
	return get_limit(what, &limit) && limit.rlim_cur < NO_LIMIT ? (uint64_t)limit.rlim_cur
								    : UINT64_MAX;
}

void track_limits_init(void)
{
	if (track_settings.limit_percent == 0)
		return;
	int kept = errno;
	find_groups();
	if (limit_of(SPACE) != UINT64_MAX || limit_of(DATA) != UINT64_MAX)
		reserve = track_map(RESERVE);
	errno = kept;
}

/* ---- how near ---- */

struct look {
	uint64_t wanted, left; /* left: the least until a mark */
	bool is_near;
};

/* Each limit counts once until less is used again. */
static void judge(struct look *look, size_t which, const char *name, uint64_t limit, uint64_t used)
{
	uint64_t mark = limit / 100 * track_settings.limit_percent;
	used = used < UINT64_MAX - look->wanted ? used + look->wanted : UINT64_MAX;
	if (used < mark) {
		look->left = mark - used < look->left ? mark - used : look->left;
		was_near[which] = was_near[which] && used > mark - mark / REARM_SHARE;
		return;
	}
	if (was_near[which])
		return;
	was_near[which] = look->is_near = true;
	track_limit = (struct track_limit){name, limit, used};
}

/* "total resident shared text library data dirty", in pages. */
static void judge_process(struct look *look)
{
	uint64_t space = limit_of(SPACE), data = limit_of(DATA), pages[6] = {0};
	if ((space == UINT64_MAX && data == UINT64_MAX) ||
	    read_text("/proc/self/statm", text, sizeof text) == 0)
		return;
	const char *at = text;
	for (size_t i = 0; i < 6; i++) {
		at = parse(at, &pages[i]);
		at += *at == ' ';
	}
	if (space != UINT64_MAX)
		judge(look, GROUPS_MAX, "RLIMIT_AS", space,
		      pages[0] * (uint64_t)sysconf(_SC_PAGESIZE));
	if (data != UINT64_MAX)
		judge(look, GROUPS_MAX + 1, "RLIMIT_DATA", data,
		      pages[5] * (uint64_t)sysconf(_SC_PAGESIZE));
}

bool track_limits_near(uint64_t wanted, int64_t *step)
{
	struct look look = {.wanted = wanted, .left = STEP_MAX * STEPS};
	int kept = errno;
	judge_process(&look);
	for (size_t i = 0; i < group_count; i++) {
		uint64_t limit, used;
		const struct group *g = &groups[i];
		if (!read_number(g, g->limit, &limit) || limit >= NO_LIMIT ||
		    !read_number(g, g->usage, &used))
			continue;
		if (used >= limit / 100 * track_settings.limit_percent) {
			uint64_t given_back = reclaimable(g);
			used -= given_back < used ? given_back : used;
		}
		judge(&look, i, g->limit, limit, used);
	}
	errno = kept;
	uint64_t next = look.left / STEPS < STEP_MIN ? STEP_MIN : look.left / STEPS;
	*step = (int64_t)next;
	return look.is_near;
}

void track_limits_child(void)
{
	struct rlimit limit;
	if (get_limit(SPACE, &limit)) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_AS, &limit);
	}
	if (get_limit(DATA, &limit)) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_DATA, &limit);
	}
	if (reserve)
		munmap(reserve, RESERVE);
}
