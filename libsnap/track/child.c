/* What the child of a fork does: reads the tables, writes the snapshot, ends.
 *
 * Any thread of the program may have been anywhere when the fork came: nothing of the
 * program, and nothing of the C library that takes a lock or allocates, is called. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "picture.h"

/* ---- names ---- */

uint32_t track_picture_string(struct picture *p, const char *text, size_t size)
{
	uint32_t id = 0;
	if (p->status == SNAP_OK && size)
		p->status = snap_writer_string(p->writer, text, size, &id, &p->error);
	return id;
}

static void property(struct picture *p, const char *key, const char *value)
{
	if (p->status == SNAP_OK && *value)
		p->status = snap_writer_property(p->writer, key, value, &p->error);
}

static void number_property(struct picture *p, const char *key, uint64_t value)
{
	char text[24];
	snprintf(text, sizeof text, "%llu", (unsigned long long)value);
	property(p, key, text);
}

/* The bytes of a small file, with a NUL. */
static size_t read_file(const char *path, char *out, size_t size)
{
	size_t done = 0;
	int file = open(path, O_RDONLY | O_CLOEXEC);
	if (file < 0)
		return 0;
	for (ssize_t got = 1; got > 0 && done < size - 1;) {
		got = read(file, out + done, size - 1 - done);
		done += got > 0 ? (size_t)got : 0;
	}
	close(file);
	out[done] = '\0';
	return done;
}

static uint32_t module_id(struct picture *p, uint32_t number)
{
	static const char digits[] = "0123456789abcdef";
	if (number == TRACK_NO_MODULE || number > track_module_count())
		return 0;
	if (p->modules[number])
		return p->modules[number];
	const struct track_module *m = track_module_at(number);
	char id[2 * sizeof m->build_id], path[TRACK_PATH];
	for (size_t i = 0; i < m->build_id_size; i++) {
		id[2 * i] = digits[m->build_id[i] >> 4];
		id[2 * i + 1] = digits[m->build_id[i] & 15];
	}
	size_t size = m->path ? strlen(m->path) : 0;
	if (size == 0) {
		ssize_t got = readlink("/proc/self/exe", path, sizeof path);
		size = got > 0 ? (size_t)got : 0;
	} else {
		memcpy(path, m->path, size);
	}
	struct snap_module module = {
		.path = track_picture_string(p, size ? path : "?", size ? size : 1),
		.build_id = track_picture_string(p, id, 2u * m->build_id_size),
		.base = m->start,
		.size = m->end - m->start};
	if (p->status == SNAP_OK)
		p->status = snap_writer_module(p->writer, &module, &p->modules[number], &p->error);
	return p->modules[number];
}

static uint32_t line_frame_id(struct picture *p, const struct track_line *line)
{
	uint32_t id = 0;
	struct snap_frame f = {
		.function = track_picture_string(p, line->function, strlen(line->function)),
		.file = track_picture_string(p, line->file, strlen(line->file)),
		.line = line->line};
	if (p->status == SNAP_OK)
		p->status = snap_writer_frame(p->writer, &f, &id, &p->error);
	return id;
}

/* Of a return address the byte before counts: it is in the call. */
static uint32_t frame_id(struct picture *p, uint64_t frame)
{
	if (TRACK_FRAME_MODULE(frame) == TRACK_LINE_MODULE)
		return line_frame_id(p, track_line_at(frame));
	uint32_t number = TRACK_FRAME_MODULE(frame), id = 0;
	struct snap_frame f = {.module = module_id(p, number),
			       .offset = TRACK_FRAME_ADDRESS(frame) - 1};
	if (f.module)
		f.offset -= track_module_at(number)->start;
	if (p->status == SNAP_OK)
		p->status = snap_writer_frame(p->writer, &f, &id, &p->error);
	return id;
}

/* The callers of a node are made first, from the outermost one that is not made yet. */
uint32_t track_picture_stack(struct picture *p, uint32_t node)
{
	uint32_t chain[TRACK_MAX_DEPTH + 1];
	size_t depth = 0;
	uint32_t at = node;
	for (; at > TRACK_TRUNCATED && !p->stacks[at] && depth <= TRACK_MAX_DEPTH;
	     at = track_node_at(at)->parent)
		chain[depth++] = at;
	uint32_t id = at > TRACK_TRUNCATED ? p->stacks[at] : 0;
	uint32_t flags = at == TRACK_TRUNCATED ? SNAP_STACK_TRUNCATED : 0;
	while (depth-- > 0 && p->status == SNAP_OK) {
		uint32_t frame = frame_id(p, track_node_at(chain[depth])->frame);
		if (p->status == SNAP_OK)
			p->status = snap_writer_stack(p->writer, id, frame, flags, &id, &p->error);
		p->stacks[chain[depth]] = id;
		flags = 0;
	}
	return id;
}

/* The interpreter's lines, and above them those of the machine's
 * frames that it called; which are not kept: few have them. */
static uint32_t interpreted_stack_id(struct picture *p, uint32_t lines, uint32_t node)
{
	uint64_t chain[TRACK_MAX_DEPTH];
	size_t depth = 0;
	for (; node > TRACK_TRUNCATED && depth < TRACK_MAX_DEPTH;
	     node = track_node_at(node)->parent) {
		chain[depth] = track_node_at(node)->frame;
		if (track_is_interpreter(TRACK_FRAME_MODULE(chain[depth])))
			break;
		depth++;
	}
	uint32_t id = track_picture_stack(p, lines);
	while (depth-- > 0 && p->status == SNAP_OK) {
		uint32_t frame = frame_id(p, chain[depth]);
		if (p->status == SNAP_OK)
			p->status = snap_writer_stack(p->writer, id, frame, 0, &id, &p->error);
	}
	return id;
}

/* Its name, as far as it is known. */
static uint32_t thread_name(struct picture *p, uint32_t number)
{
	const struct track_thread_record *record = track_thread_record(number);
	char path[64], name[32];
	size_t size = strnlen(record->name, sizeof record->name);
	memcpy(name, record->name, size);
	if (size == 0 || number == 0) {
		snprintf(path, sizeof path, "/proc/%d/task/%d/comm", (int)getppid(),
			 (int)record->tid);
		size_t got = read_file(path, name, sizeof name);
		size = got ? got - 1 : size;
	}
	return track_picture_string(p, name, size);
}

struct picture_thread track_picture_thread(struct picture *p, uint32_t number)
{
	if (number >= track_thread_count())
		return (struct picture_thread){0};
	struct picture_thread *thread = &p->threads[number];
	if (thread->id == 0 && p->status == SNAP_OK) {
		thread->name = thread_name(p, number);
		if (p->status == SNAP_OK)
			p->status = snap_writer_thread(p->writer,
						       (uint64_t)track_thread_record(number)->tid,
						       thread->name, &thread->id, &p->error);
	}
	return *thread;
}

/* ---- blocks ---- */

/* What a site says beside its stack. */
static uint32_t strip(uint32_t *node, uint32_t what)
{
	if (*node <= TRACK_TRUNCATED || TRACK_FRAME_MODULE(track_node_at(*node)->frame) != what)
		return 0;
	uint32_t number = (uint32_t)TRACK_FRAME_ADDRESS(track_node_at(*node)->frame);
	*node = track_node_at(*node)->parent;
	return number;
}

static struct picture_site read_site(struct picture *p, uint32_t node)
{
	struct picture_site site = {.known = true};
	uint32_t lines = strip(&node, TRACK_INTERPRETED_MODULE);
	site.domain = strip(&node, TRACK_DOMAIN_MODULE);
	uint32_t thread = strip(&node, TRACK_THREAD_MODULE);
	site.stack = lines ? interpreted_stack_id(p, lines, node) : track_picture_stack(p, node);
	site.thread = track_picture_thread(p, thread).id;
	return site;
}

static bool write_object(struct picture *p, const struct track_block *block,
			 struct snap_object object)
{
	object.size = block->size;
	object.count = 1;
	if (p->has_account)
		track_account_block(&p->account, &p->maps, block);
	if (p->status == SNAP_OK)
		p->status = snap_writer_object(p->writer, &object, &p->error);
	return p->status == SNAP_OK;
}

static bool add_object(struct picture *p, const struct track_block *block,
		       struct snap_object object)
{
	struct picture_site *site = &p->sites[block->site];
	if (TRACK_UNLIKELY(!site->known))
		*site = read_site(p, block->site);
	object.stack = site->stack;
	object.thread = site->thread;
	object.domain = site->domain;
	p->bytes += block->size;
	p->count++;
	return write_object(p, block, object);
}

/* By its linkage name: that of the class's virtual table. */
static uint32_t class_of_block(struct picture *p, const struct track_block *block)
{
	static char text[1024] = "_ZTV";
	const char *name = track_types_of(&p->types, &p->maps, block);
	uint32_t type = 0;
	if (!name)
		return 0;
	size_t size = strnlen(name, sizeof text - 4);
	memcpy(text + 4, name, size);
	uint32_t id = track_picture_string(p, text, size + 4);
	if (p->status == SNAP_OK)
		p->status = snap_writer_type(p->writer, id, SNAP_TYPE_OBJECT, &type, &p->error);
	return type;
}

static uint32_t mapped_type(struct picture *p, bool is_file)
{
	uint32_t type = 0, name = is_file ? track_picture_string(p, "mmap of a file", 14)
					  : track_picture_string(p, "mmap", 4);
	if (p->status == SNAP_OK)
		p->status = snap_writer_type(p->writer, name, SNAP_TYPE_BLOCK, &type, &p->error);
	return type;
}

/* Those that begin below an address.  They are not in the sums of what was recorded. */
static void add_older(struct picture *p, uintptr_t until)
{
	struct track_block block;
	while (p->status == SNAP_OK && track_picture_older_next(p, until, &block)) {
		uint32_t type = class_of_block(p, &block);
		type = type ? type : track_picture_older_type(p);
		write_object(p, &block,
			     (struct snap_object){.id = block.address,
						  .type = type,
						  .domain = TRACK_DOMAIN_OLDER});
		track_picture_references(p, &block);
	}
}

/* Those that begin up to an address, which a block has if it is not
 * the last there is: then no mapping has it; and older ones. */
static void add_others(struct picture *p, uintptr_t until)
{
	for (; p->mapped_next < p->mapped_count && p->mapped[p->mapped_next].block.address <= until;
	     p->mapped_next++) {
		const struct track_mapped *m = &p->mapped[p->mapped_next];
		struct snap_object object = {.id = m->block.address == until ? 0
									     : m->block.address};
		object.type = mapped_type(p, m->is_file);
		add_older(p, m->block.address);
		if (!add_object(p, &m->block, object))
			return;
		if (track_settings.references && object.id != 0)
			track_picture_mapped_references(p, m);
	}
	add_older(p, until);
}

static bool add_block(void *context, const struct track_block *block)
{
	struct picture *p = context;
	add_others(p, block->address);
	uint32_t type = track_settings.references ? class_of_block(p, block) : 0;
	add_object(p, block, (struct snap_object){.id = block->address, .type = type});
	if (p->status == SNAP_OK && track_settings.references)
		track_picture_references(p, block);
	return p->status == SNAP_OK;
}

/* ---- memory ---- */

static void add_mappings(struct picture *p)
{
	if (!p->has_account)
		return;
	track_account_end(&p->account);
	for (size_t i = 0; i < p->account.count && p->status == SNAP_OK; i++) {
		const struct track_stretch *s = &p->account.all[i];
		const struct track_mapping *m = s->mapping;
		struct snap_mapping mapping = {
			.address = s->start,
			.size = s->end - s->start,
			.resident = s->resident,
			.live = s->live,
			.kind = (enum snap_mapping_kind)s->kind,
			.flags = (m->readable ? SNAP_MAPPING_READABLE : 0u) |
				 (m->writable ? SNAP_MAPPING_WRITABLE : 0u) |
				 (m->executable ? SNAP_MAPPING_EXECUTABLE : 0u) |
				 (m->shared ? SNAP_MAPPING_SHARED : 0u),
			.name = track_picture_string(p, m->path, strlen(m->path)),
		};
		if (p->status == SNAP_OK)
			p->status = snap_writer_mapping(p->writer, &mapping, &p->error);
	}
}

/* ---- the rest ---- */

static void describe_program(struct picture *p)
{
	char text[TRACK_PATH];
	ssize_t got = readlink("/proc/self/exe", text, sizeof text - 1);
	text[got > 0 ? got : 0] = '\0';
	property(p, "program", text);
	size_t size = read_file("/proc/self/cmdline", text, sizeof text);
	for (size_t i = 0; i + 1 < size; i++)
		if (text[i] == '\0')
			text[i] = ' ';
	property(p, "command", text);
	number_property(p, "pid", (uint64_t)getppid());
	if (gethostname(text, sizeof text) == 0)
		property(p, "host", text);
}

/* The calendar from days since 1970-01-01, without the locks of gmtime(). */
static void civil(int64_t days, int *year, int *month, int *day)
{
	int64_t z = days + 719468, era = z / 146097;
	int64_t doe = z - era * 146097, yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;
	*day = (int)(doy - (153 * mp + 2) / 5 + 1);
	*month = (int)(mp < 10 ? mp + 3 : mp - 9);
	*year = (int)(yoe + era * 400 + (*month <= 2));
}

static uint64_t resident_bytes(void)
{
	char path[64], text[128];
	unsigned long long resident = 0;
	snprintf(path, sizeof path, "/proc/%d/statm", (int)getppid());
	if (read_file(path, text, sizeof text) == 0)
		return 0;
	char *at = strchr(text, ' ');
	for (at = at ? at + 1 : text; *at >= '0' && *at <= '9'; at++)
		resident = resident * 10 + (unsigned)(*at - '0');
	return resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void time_property(struct picture *p, const char *key, uint64_t ns)
{
	char text[64];
	int year, month, day, second = (int)(ns / 1000000000u % 86400);
	civil((int64_t)(ns / 1000000000u / 86400), &year, &month, &day);
	snprintf(text, sizeof text, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", year, month, day,
		 second / 3600, second / 60 % 60, second % 60, (int)(ns / 1000000 % 1000));
	property(p, key, text);
}

static void describe_moment(struct picture *p, enum track_reason reason)
{
	static const char *const reasons[] = {"exit", "crash", "request", "interval", "growth",
					      "peak", "limit", "request", "detach"};
	uint64_t now = track_now_ns();
	time_property(p, "time", now);
	property(p, "taken_at", reasons[reason]);
	if (reason == TRACK_AT_LIMIT) {
		property(p, "limit", track_limit.name);
		number_property(p, "limit_bytes", track_limit.bytes);
		number_property(p, "limit_used_bytes", track_limit.used);
	}
	number_property(p, "resident_bytes", p->resident);
	if (!track_settings.sample_bytes)
		number_property(p, "peak_bytes", (uint64_t)track_sums.peak_bytes);
	if (p->status == SNAP_OK)
		p->status = snap_writer_timeline(p->writer, now, p->bytes, p->count, p->resident,
						 &p->error);
}

static void describe_recording(struct picture *p)
{
	property(p, "runtime", "native");
	property(p, "producer", "snap-record " SNAP_VERSION);
	number_property(p, "traceback_limit", track_settings.depth);
	if (track_settings.references)
		property(p, "references", "conservative");
	if (p->roots.unseen)
		number_property(p, "unseen_registers", p->roots.unseen);
	if (track_settings.references && !p->has_mapped && p->has_account)
		number_property(p, "unseen_mappings", track_account_other(&p->account));
	if (track_settings.since_ns) {
		time_property(p, "recorded_since", track_settings.since_ns);
		number_property(p, "older_frees", track_lost.older_frees);
	}
	if (p->older.is_wanted)
		number_property(p, "older_blocks", p->older.count);
	if (p->older.chunks.unseen)
		number_property(p, "unseen_heaps", p->older.chunks.unseen);
	if (track_lost.allocator)
		property(p, "unseen_allocator", "malloc");
	if (track_lost.blocks)
		number_property(p, "lost_blocks", track_lost.blocks);
	if (p->lost_frees)
		number_property(p, "lost_frees", p->lost_frees);
}

static bool read_mapped(struct picture *p)
{
	size_t count = track_mapped_read(NULL, 0);
	p->mapped = track_map((count + 1) * sizeof *p->mapped);
	if (!p->mapped)
		return false;
	p->mapped_count = track_mapped_read(p->mapped, count);
	for (size_t step = count / 2; step > 0; step /= 2)
		for (size_t i = step; i < count; i++) {
			struct track_mapped moved = p->mapped[i];
			size_t at = i;
			for (;
			     at >= step && p->mapped[at - step].block.address > moved.block.address;
			     at -= step)
				p->mapped[at] = p->mapped[at - step];
			p->mapped[at] = moved;
		}
	return true;
}

static bool make_maps(struct picture *p)
{
	p->stacks = track_map((track_node_count() + 1) * sizeof *p->stacks);
	p->sites = track_map((track_node_count() + 1) * sizeof *p->sites);
	p->modules = track_map((track_module_count() + 1) * sizeof *p->modules);
	p->threads = track_map((track_thread_count() + 1) * sizeof *p->threads);
	return p->stacks && p->sites && p->modules && p->threads;
}

static enum snap_status open_writer(struct picture *p, bool append,
				    const struct snap_allocator *allocator)
{
	struct snap_writer_options options = SNAP_WRITER_OPTIONS_INIT;
	char folder[TRACK_PATH];
	const char *path = track_output;
	const char *slash = strrchr(path, '/');
	size_t size = slash ? (size_t)(slash - path) : 1;
	memcpy(folder, slash ? path : ".", size);
	folder[size] = '\0';
	options.temporary_folder = size ? folder : "/";
	options.allocator = allocator;
	options.append = append;
	options.direct = !track_settings.references;
	options.level = track_settings.level;
	options.max_memory_bytes =
		track_settings.limit_percent ? (uint64_t)16 << 20 : (uint64_t)64 << 20;
	if (track_lost.blocks || track_lost.allocator)
		options.flags |= SNAP_SNAPSHOT_PARTIAL;
	if (track_settings.sample_bytes) {
		options.flags |= SNAP_SNAPSHOT_SAMPLED;
		options.sampling_interval_bytes = track_settings.sample_bytes;
	}
	return snap_writer_open(&p->writer, path, &options, &p->error);
}

static void write_picture(struct picture *p, enum track_reason reason)
{
	if (!track_blocks_each(add_block, p, &p->lost_frees) && p->status == SNAP_OK)
		p->status = SNAP_NO_MEMORY;
	add_others(p, UINTPTR_MAX);
	track_picture_roots(p);
	add_mappings(p);
	describe_program(p);
	describe_moment(p, reason);
	describe_recording(p);
	if (p->status == SNAP_OK)
		p->status = snap_writer_finish(p->writer, NULL, &p->error);
	else
		snap_writer_abort(p->writer);
}

/* Who waits for the end of the program waits for what is locked, too. */
static int open_report(void)
{
	int file = *track_settings.report
			   ? open(track_settings.report, O_WRONLY | O_APPEND | O_CLOEXEC)
			   : -1;
	if (file >= 0)
		flock(file, LOCK_SH);
	return file;
}

/* What became of it. */
static void tell(int report, const char *reason, bool lost_frees)
{
	static char line[TRACK_PATH + sizeof((struct snap_error *)0)->message];
	if (report < 0)
		return;
	char what = reason ? '-' : track_lost.allocator ? '?' : lost_frees ? '!' : '+';
	int size = snprintf(line, sizeof line, "%c%s%s%s\n", what, track_output, reason ? ": " : "",
			    reason ? reason : "");
	if (write(report, line, (size_t)size) == size)
		close(report);
}

_Noreturn void track_child(enum track_reason reason, bool append)
{
	static struct picture picture;
	struct picture *p = &picture;
	const struct snap_allocator allocator = {.context = &p->heap, .resize = track_heap_resize};
	size_t own_count = track_own_count();
	p->has_mapped = track_settings.mapped;
	track_settings.mapped = false; /* what the child maps is nobody's concern */
	syscall(SYS_close_range, 0u, ~0u, 0u);
	umask(umask(0) | S_IWGRP | S_IWOTH); /* daemons have none */
	const int report = open_report();
	track_locks_forked(); /* another thread may have held one */
	track_limits_child();
	p->resident = resident_bytes();
	p->has_account =
		track_maps_read(&p->maps) && track_account_begin(&p->account, &p->maps, own_count);
	if (!read_mapped(p) || (track_settings.references && !track_picture_read_references(p)) ||
	    !make_maps(p))
		p->status = SNAP_NO_MEMORY;
	else
		p->status = open_writer(p, append, &allocator);
	if (p->status == SNAP_OK)
		write_picture(p, reason);
	tell(report,
	     p->status == SNAP_OK ? NULL
	     : *p->error.message  ? p->error.message
				  : "no memory",
	     p->lost_frees != 0);
	for (;;)
		syscall(SYS_exit_group, p->status != SNAP_OK);
}
