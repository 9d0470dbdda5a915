/* The tracker from the inside: what is live, where it
 * was allocated, and how a picture of it is taken.
 *
 * A call of malloc ends in track_allocated() (record.c): the stack is walked (unwind.c,
 * with rules from cfi.c), becomes a node of a tree of frames (stacks.c), and the block
 * goes into a table by its address (blocks.c).  Taking a snapshot is a fork: the child
 * (child.c) reads the tables and writes, with memory of its own.  Nothing here calls
 * the program's allocator, takes a lock that others know, or needs the loader; own
 * locks are held for moments, by one that cannot be interrupted by another user of them
 * in its thread (track_self()->busy), and one held at a fork is free in the child. */
#ifndef TRACK_H
#define TRACK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define TRACK_LIKELY(x)   __builtin_expect(!!(x), 1)
#define TRACK_UNLIKELY(x) __builtin_expect(!!(x), 0)
#define TRACK_MAX_DEPTH   512
#define TRACK_PATH        4096

/* ---- memory and locks (memory.c) ---- */

/* Zeroed pages, or NULL; never given back.  errno is kept. */
void *track_map(size_t size);
/* Zeroed, aligned to 64 bytes, from larger pieces; never given back.  NULL: no memory. */
void *track_alloc(size_t size);

/* For the child of a snapshot (heap.c): blocks that are given back. */
#define TRACK_HEAP_SMALL 17u /* log2 */
struct track_heap {
	void *free[TRACK_HEAP_SMALL + 1];
};
/* As struct snap_allocator has it. */
void *track_heap_resize(void *heap, void *pointer, size_t old_size, size_t new_size);

/* A stretch of addresses: at least one byte. */
struct track_range {
	uintptr_t start, end;
};
/* What track_map() gave, in the order in which it did; later ones than this many are not known. */
#define TRACK_OWN_MAX 8192u
size_t track_own_count(void);
struct track_range track_own(size_t index);

/* Free where it was taken before a fork that only this thread survived. */
struct track_lock {
	_Atomic uint32_t owner;
};
void track_lock(struct track_lock *);
void track_unlock(struct track_lock *);
/* To be called in the child of a fork. */
void track_locks_forked(void);

/* ---- modules (modules.c) ---- */

struct track_module {
	uintptr_t start, end;
	const void *link_map;
	const void *unwind_header; /* .eh_frame_hdr, or NULL */
	char *path;                /* "" for the program itself */
	uint8_t build_id[32];
	uint8_t build_id_size;
	bool gone;
};
#define TRACK_NO_MODULE 0u /* modules count from 1 */

/* The module that holds an address; TRACK_NO_MODULE if none or there are too many. */
uint32_t track_module_of(uintptr_t address);
const struct track_module *track_module_at(uint32_t number);
uint32_t track_module_count(void);
/* Something may have been unloaded; true if it was. */
bool track_modules_check(void);

/* ---- unwinding (cfi.c, unwind.c) ---- */

/* How to get from a frame to its caller's.  CFA: the stack pointer before the call. */
enum track_rule_kind {
	TRACK_RULE_UNKNOWN, /* the stack is cut here */
	/* code without rules: outermost if the base pointer is 0, as the ABI has it */
	TRACK_RULE_NONE,
	TRACK_RULE_END,    /* the outermost frame */
	TRACK_RULE_SP,     /* CFA = stack pointer + cfa_offset */
	TRACK_RULE_BP,     /* CFA = base pointer + cfa_offset */
	TRACK_RULE_BP_AT,  /* CFA = *(base pointer + cfa_offset) */
	TRACK_RULE_SIGNAL, /* the caller's registers lie on the stack */
};
struct track_rule {
	enum track_rule_kind kind;
	int32_t cfa_offset;
	/* of the saved base pointer from the CFA, or from
	 * the base pointer if bp_from_bp; 0: not saved */
	int16_t bp_offset;
	bool bp_from_bp;
	uint16_t module;
};
/* The rule of the call before return_address (exact: of the instruction at it). */
struct track_rule track_cfi_rule(uintptr_t address, const struct track_module *);
/* Registers of the callers' that a frame keeps, by their numbers in DWARF: a bit
 * for each that lies at its offset from the CFA, or from the base pointer. */
struct track_saved {
	uint32_t from_cfa, from_bp;
	int32_t offsets[16];
};
/* The same, and *saved, where there is a rule that leads to a CFA; else left as it is. */
struct track_rule track_cfi_row(uintptr_t address, const struct track_module *,
				struct track_saved *saved);

struct track_thread;
/* The site of an allocation: the stack of the function
 * with this frame address, the thread, the domain. */
uint32_t track_walk(struct track_thread *, const uintptr_t *frame, uint32_t domain);
/* Something was unloaded: rules and stacks seen are worth nothing. */
void track_unwind_forget(void);

/* ---- stacks (stacks.c) ---- */

/* A node is a frame called from its parent.  Two parents are no nodes: */
#define TRACK_ROOT      0u
#define TRACK_TRUNCATED 1u
#define TRACK_NODE_MAX  ((1u << 28) - 2)
/* A frame is an address with its module above; the module number THREAD
 * means: the thread with that number, DOMAIN: that domain, INTERPRETED:
 * the node of the interpreter's stack, LINE: one of its lines. */
#define TRACK_FRAME(module, address) \
	((uint64_t)(module) << 48 | ((uint64_t)(address)&0xffffffffffffu))
#define TRACK_FRAME_MODULE(frame)  ((uint32_t)((frame) >> 48))
#define TRACK_FRAME_ADDRESS(frame) ((uintptr_t)((frame)&0xffffffffffffu))
#define TRACK_THREAD_MODULE        0xffffu
#define TRACK_DOMAIN_MODULE        0xfffeu
#define TRACK_INTERPRETED_MODULE   0xfffdu
#define TRACK_LINE_MODULE          0xfffcu

struct track_node {
	uint64_t frame;
	uint32_t parent, spare;
};
/* TRACK_TRUNCATED where there is no memory. */
uint32_t track_node(uint32_t parent, uint64_t frame);
/* Whole stacks by a hash of them, and a check; 0 if not there yet. */
uint32_t track_site_find(uint64_t hash, uint32_t check);
void track_site_add(uint64_t hash, uint32_t check, uint32_t site);
const struct track_node *track_node_at(uint32_t id);
uint32_t track_node_count(void);

/* ---- an interpreter's stacks (lines.c) ---- */

struct track_line {
	const char *function, *file;
	uint32_t line;
};
/* Of a frame with the module number LINE. */
const struct track_line *track_line_at(uint64_t frame);
/* The site with the interpreter's stack of this thread above it, if there is one. */
uint32_t track_interpreted(uint32_t site);
/* Whether an address is the interpreter's. */
bool track_is_interpreter(uint32_t module);

/* ---- blocks (blocks.c) ---- */

/* It will be added soon. */
void track_block_expect(uintptr_t address);
/* site: the node of a stack, or of what else there is to say above it; not TRACK_ROOT. */
bool track_block_add(uintptr_t address, size_t size, uint32_t site);
/* The address of the first live block from start on, below end; 0: none. */
uintptr_t track_block_next(uintptr_t start, uintptr_t end);
struct track_block {
	uintptr_t address;
	size_t size;
	uint32_t site;
};
/* Takes a block out; false if it is not there. */
bool track_block_remove(uintptr_t address, struct track_block *out);
/* The block as it was described, if another has been put
 * at its address since; else as track_block_remove. */
bool track_block_remove_exact(const struct track_block *);
bool track_block_find(uintptr_t address, struct track_block *out);
/* By ascending address; duplicates (one address twice) are dropped and counted.  Stops at false. */
bool track_blocks_each(bool (*each)(void *context, const struct track_block *), void *context,
		       uint64_t *duplicates);

/* ---- threads (thread.c) ---- */

/* Whether the frame of a return address is a record of frame pointers. */
struct track_known {
	uintptr_t address; /* inverted: it is none */
	union {
		uint64_t mixed; /* of a record: what it is to the hash of a stack */
		struct {
			uint32_t size; /* 0: it varies */
			bool saves_bp;
		};
	};
};
#define TRACK_KNOWN         1024u
#define TRACK_STRETCHES     16384u
#define TRACK_STRETCH_BYTES ((size_t)1 << 21)
struct track_thread {
	_Atomic pid_t tid; /* 0: free */
	uint32_t number;   /* of the thread, 0: main or unknown */
	bool busy;
	bool is_deep;         /* the last stack had more frames than are kept */
	int64_t bytes;        /* not yet added to the sums */
	uint32_t until_flush; /* blocks that may come or go before they are */
	uint64_t random;
	uintptr_t stack_low, stack_high; /* known to be mapped */
	uint32_t epoch;
	uint64_t ran_ns; /* before the last snapshot; 0: unknown */
	struct track_thread *next;
	uint8_t *stretches; /* of its stack, seen in walks (unwind.c); NULL: none yet */
	uint32_t stretches_used, stretch_last; /* the one that the last walk began with; 0: none */
	struct track_known known[TRACK_KNOWN]; /* return addresses, by a hash */
	uint32_t stretch_index[TRACK_STRETCHES]; /* their places; 0: none */
	uint64_t frames[TRACK_MAX_DEPTH];        /* of a stack that is new, from the innermost */
};
extern __thread struct track_thread *track_current
	__attribute__((tls_model("initial-exec"), visibility("hidden")));

/* NULL where there is no memory. */
struct track_thread *track_thread_begin(void);
static inline struct track_thread *track_self(void)
{
	struct track_thread *self = track_current;
	return TRACK_LIKELY(self != NULL) ? self : track_thread_begin();
}
struct track_thread_record {
	pid_t tid;
	char name[16];
};
#define TRACK_THREADS_MAX 16384u
const struct track_thread_record *track_thread_record(uint32_t number);
uint32_t track_thread_count(void);
void track_threads_forked(void);
void track_threads_init(void);
/* Notes how long each but this one has run, before a fork;
 * then, in the child, how long that was: 0: unknown. */
void track_threads_note(void);
uint64_t track_thread_ran(pid_t tid);

/* ---- memory, seen from the child of a snapshot (maps.c, account.c) ---- */

struct track_mapping {
	uintptr_t start, end, offset;
	const char *path; /* "": anonymous */
	bool readable, writable, executable, shared;
	uint64_t resident; /* bytes; 0 where the system does not tell */
};
/* The part of /proc/PID/pagemap that was read last. */
#define TRACK_PAGEMAP_ENTRIES 512u
struct track_pagemap {
	int file; /* -1: it cannot be read */
	size_t count;
	uintptr_t first; /* page */
	uint64_t entries[TRACK_PAGEMAP_ENTRIES];
};
struct track_maps {
	struct track_mapping *all; /* ascending */
	size_t count;
	uintptr_t run_start, run_end; /* known to be readable */
	struct track_pagemap pages;
};
bool track_maps_read(struct track_maps *);
/* Of the bytes from start to below end, those that are in memory; all if that is not known. */
uint64_t track_pagemap_resident(struct track_pagemap *, uintptr_t start, uintptr_t end);
/* The mapping that holds an address, or the first above it; NULL: there is none. */
const struct track_mapping *track_mapping_from(const struct track_maps *, uintptr_t address);
/* Moves start to the first byte from it on that can be read; returns the
 * end of what can be read there, at most end; 0: there is nothing more. */
uintptr_t track_maps_readable(struct track_maps *, uintptr_t *start, uintptr_t end);
/* The same, of memory that is neither shared nor a file's. */
uintptr_t track_maps_private(struct track_maps *, uintptr_t *start, uintptr_t end);
/* Where a module ends whose first mapping this is; 0: it is not. */
uintptr_t track_mapping_module_end(const struct track_maps *, const struct track_mapping *);

/* What a stretch of the address space is for. */
struct track_stretch {
	uintptr_t start, end;
	const struct track_mapping *mapping;
	uint64_t resident;
	uint64_t live; /* bytes of blocks that are resident */
	uint32_t kind; /* SNAP_MAPPING_... */
	bool has_blocks;
};
struct track_account {
	struct track_stretch *all; /* ascending; those that the child made itself are left out */
	size_t count, at;
	uintptr_t counted;         /* blocks are, up to here */
	struct track_range module; /* the tracker's own */
};
/* own_count: of what the tracker mapped, what is the program's and not the child's. */
bool track_account_begin(struct track_account *, struct track_maps *, size_t own_count);
/* Moves start to the first byte from it on that is not the tracker's; returns
 * where the stretch ends that it is in, at most end; 0: there is nothing more. */
uintptr_t track_account_programs(const struct track_account *, uintptr_t *start, uintptr_t end);
/* For each live block, by ascending address. */
void track_account_block(struct track_account *, struct track_maps *, const struct track_block *);
void track_account_end(struct track_account *);
/* Bytes in memory that are anonymous, the program's alone, and
 * neither stacks nor where blocks are: after the end. */
uint64_t track_account_other(const struct track_account *);
/* A thread's descriptor may be here: glibc's struct pthread,
 * which points to itself in its first and third words. */
bool track_is_descriptor(uintptr_t address);
#define TRACK_DESCRIPTOR_ALIGN 64u
#define TRACK_DESCRIPTOR_SIZE  4096u

/* ---- who holds what (glibc.c, holders.c, older.c, types.c,
 * asleep.c, frames.c, roots.c, variables.c) ---- */

/* Ascending; what begins where it ends is none. */
struct track_chunks {
	struct track_range *all;
	size_t count, capacity;
	size_t unseen; /* heaps that could not be read */
};
/* What the C library's allocator, whose malloc() is function, has given
 * out, but for live blocks.  Some of it may be free.  False: no memory. */
bool track_glibc_read(struct track_chunks *, struct track_maps *, const struct track_account *,
		      uintptr_t function);

/* All live blocks, to be found by an address inside of them: 16 to
 * 32 bytes for each, and 32 to 64 for each page that they touch. */
struct track_holders {
	struct track_range *blocks;
	size_t count;
	struct track_holders_page *pages; /* a hash table */
	size_t page_mask;
	uintptr_t low, high;
	bool nested; /* some blocks are parts of others */
};
bool track_holders_read(struct track_holders *, const struct track_chunks *older);
/* The block that holds an address (of nested ones the innermost), or NULL. */
const struct track_range *track_holders_find(const struct track_holders *, uintptr_t address);
/* The words of a block that point into another, without
 * those of blocks inside of it.  Stops at false. */
bool track_holders_words(const struct track_holders *, struct track_maps *,
			 const struct track_block *,
			 bool (*each)(void *context, size_t offset, uintptr_t target),
			 void *context);

/* The classes of C++ objects (types.c). */
struct track_types {
	struct known *known; /* a hash table */
	size_t count, capacity;
	struct table *tables; /* by symbols; read when they are needed */
	size_t table_count, table_capacity;
	bool has_tables;
};
/* The mangled name of the class that a block begins an
 * object of; NULL: unknown.  Lives as long as the module. */
const char *track_types_of(struct track_types *, struct track_maps *, const struct track_block *);

#define TRACK_ARGUMENTS 6u
/* Where a thread slept; sp 0: that is not known. */
struct track_sleep {
	uintptr_t pc, sp, arguments[TRACK_ARGUMENTS]; /* of the system call */
	size_t argument_count;
};
/* Whether a thread slept from before the fork until now, so that its stack is whole. */
bool track_slept(pid_t tid, struct track_sleep *);

#define TRACK_KEPT     6u   /* registers that functions leave as they were: rbx, rbp, r12 to r15 */
#define TRACK_RED_ZONE 128u /* below the stack pointer, and in use */
/* Where a function is. */
struct track_place {
	uintptr_t address; /* behind the instruction, or one more than it has; 0: unknown */
	uintptr_t start;   /* of the frame */
	uintptr_t sp, bp;
	bool has_bp;
	uintptr_t kept[TRACK_KEPT]; /* where the registers are stored; 0: nowhere that is known */
};
struct track_frame {
	uintptr_t start, end;
	uint64_t frame;
	uint32_t node; /* of its stack */
};
#define TRACK_NO_FRAME UINT32_MAX
struct track_stored {
	uintptr_t at;
	uint32_t frame; /* that the word belongs to */
};
/* From the innermost. */
struct track_frames {
	struct track_frame all[TRACK_MAX_DEPTH];
	/* words in others' frames */
	struct track_stored stored[2 * (TRACK_MAX_DEPTH + 1) * TRACK_KEPT];
	size_t count, stored_count;
};
/* From a place, and from another one further out, where
 * its address is not 0, if the way does not lead there. */
void track_frames_walk(struct track_frames *, struct track_maps *, const struct track_place *from,
		       const struct track_place *then);
/* Where the function called one in which the thread
 * waits, with all registers; false: that was not seen. */
bool track_caller(struct track_maps *, uintptr_t descriptor, uintptr_t sp, struct track_place *);
/* The one that a place belongs to, or NULL. */
const struct track_frame *track_frames_find(const struct track_frames *, uintptr_t address);

/* A word outside of all blocks that points into one. */
struct track_root {
	uintptr_t block, at; /* at 0: a register */
	/* NULL: at lies on a stack, or is a thread's own variable */
	const struct track_mapping *module;
	pid_t tid;
	bool is_stack;
	uint32_t node;        /* of the stack whose innermost frame it is in; 0: unknown */
	uintptr_t descriptor; /* of the thread, if at lies below it in the same stretch; or 0 */
	const char *name;     /* of the variable that at is in; NULL: unknown */
	uintptr_t name_at;
	uint64_t name_size;
};
struct track_roots {
	struct track_root *all;
	size_t count, capacity;
	size_t unseen; /* threads whose registers are not known */
	bool no_memory;
};
/* When recording begins. */
void track_roots_begin(void);
bool track_roots_read(struct track_roots *, struct track_maps *, const struct track_account *,
		      const struct track_holders *);

struct track_mapped;
/* Blocks from before the recording of a process that ran already. */
struct track_older {
	bool is_wanted;
	struct track_chunks chunks;
	uint64_t *all, *reached; /* bits, by the indexes of holders; NULL: there are none */
	size_t next;             /* to be written */
	uint64_t count;          /* written */
};
void track_older_init(void);
/* False: no memory. */
bool track_older_read(struct track_older *, struct track_maps *, const struct track_account *);
/* Which of them, which holders have, are reached: also from what is mapped. */
bool track_older_reach(struct track_older *, struct track_maps *, const struct track_holders *,
		       const struct track_roots *, const struct track_mapped *,
		       size_t mapped_count);

/* Gives names to those in modules, and to threads' own variables. */
void track_variables_name(struct track_roots *, struct track_maps *);
/* Each variable of all modules that has a name.  The names stay. */
void track_variables_each(const struct track_maps *,
			  void (*each)(void *context, uintptr_t start, uint64_t size,
				       const char *name),
			  void *context);
/* The name of the function that an address is in, by the symbols of
 * the file that is mapped at module_start; false: it has none. */
bool track_function_name(const struct track_maps *, uintptr_t module_start, uintptr_t address,
			 char *name, size_t capacity);

/* ---- recording (record.c) ---- */

struct track_settings {
	bool on;
	char output[TRACK_PATH]; /* pattern */
	char report[TRACK_PATH]; /* where failures are told; "" nowhere */
	uint64_t sample_bytes;   /* 0: exact */
	uint64_t growth_bytes, interval_ns;
	unsigned limit_percent; /* 0: limits are not looked at */
	bool peak, references, mapped;
	int signal;
	size_t depth;
	pid_t first_pid;
	int level;
	uint64_t since_ns; /* when recording began in a running process; 0: from its start */
};
extern struct track_settings track_settings __attribute__((visibility("hidden")));
extern _Atomic bool track_on __attribute__((visibility("hidden")));

/* Whether the allocator looks at what comes behind a block that is freed. */
extern bool track_reads_behind __attribute__((visibility("hidden")));

/* What could not be recorded. */
struct track_lost {
	_Atomic uint64_t blocks, duplicates;
	bool allocator; /* the program's own */
	/* of blocks that were there when recording began in a running process */
	_Atomic uint64_t older_frees;
};
extern struct track_lost track_lost __attribute__((visibility("hidden")));
struct track_sums {
	_Atomic int64_t bytes, peak_bytes; /* of a sample: estimates */
};
extern struct track_sums track_sums __attribute__((visibility("hidden")));

/* To and from what an address is while other functions are called: what they save
 * of it stays on the stack, where it would seem to be a pointer to the block. */
static inline uintptr_t track_hidden(uintptr_t address)
{
	address = ~address;
	__asm__("" : "+r"(address));
	return address;
}
void track_allocated(uintptr_t address, size_t size, uint32_t domain, const uintptr_t *frame);
void track_freed(uintptr_t address);
void track_freed_within(uintptr_t start, size_t size);
/* A block may have been moved: was is what it was
 * before (site 0: unknown).  address 0: it is gone. */
bool track_moving(uintptr_t address, struct track_block *was);
void track_moved(const struct track_block *was, uintptr_t address, size_t size,
		 const uintptr_t *frame);

/* Adds to the sums; flush: of a busy thread, then looks whether a snapshot is due. */
void track_count(int64_t bytes);
/* How many blocks may come or go in a thread before its sums are added to these. */
uint32_t track_blocks_between(void);
void track_flush(struct track_thread *);

/* ---- what the program maps (mapped.c) ---- */

#define TRACK_DOMAIN_MAPPED 0xffffffffu
#define TRACK_DOMAIN_OLDER  0xfffffffeu
struct track_mapped {
	struct track_block block;
	bool is_file;
};
void track_mapped_init(void);
/* A mapping that begins here is raw material, and counts no more. */
void track_mapped_disown(uintptr_t address);
/* All of them, in no order, as far as there is room; returns how many there are. */
size_t track_mapped_read(struct track_mapped *out, size_t capacity);

/* ---- snapshots (take.c, child.c, triggers.c, signals.c, start.c) ---- */

extern _Atomic pid_t track_pid __attribute__((visibility("hidden")));
extern char track_output[TRACK_PATH] __attribute__((visibility("hidden")));

enum track_reason {
	TRACK_AT_EXIT,
	TRACK_AT_CRASH,
	TRACK_ASKED,
	TRACK_AT_INTERVAL,
	TRACK_AT_GROWTH,
	TRACK_AT_PEAK,
	TRACK_AT_LIMIT,
	TRACK_FROM_OUTSIDE,
	TRACK_AT_DETACH
};
/* Safe in signal handlers.  At an end, near a limit and asked
 * from outside waits until it is written; false if it is not. */
bool track_take(enum track_reason);
bool track_take_failed(void); /* the last one that was waited for was not written */
bool track_is_writing(void);  /* another one is begun only after that */
/* For the one that is being written; or sees whether it is, so that its writer is no zombie. */
void track_wait(bool until_written);
/* Where the thread that takes a snapshot was. */
struct track_moment {
	uintptr_t sp;     /* its registers lie above */
	uintptr_t pc, bp; /* 0: unknown */
	pid_t tid;
};
extern struct track_moment track_moment __attribute__((visibility("hidden")));
void track_take_forked(void);
/* In the child, which then ends. */
_Noreturn void track_child(enum track_reason, bool append);

/* The sums have changed; bytes: live now. */
void track_triggers(int64_t bytes);
void track_triggers_forked(void);
/* An allocation failed. */
void track_refused(size_t size);

/* Limits of memory (limits.c): what was nearly exhausted last. */
struct track_limit {
	const char *name;
	uint64_t bytes, used;
};
extern struct track_limit track_limit __attribute__((visibility("hidden")));
void track_limits_init(void);
/* Whether some limit is newly near, if so much more is wanted; one thread
 * at a time.  step: how much growth until it is worth looking again. */
bool track_limits_near(uint64_t wanted, int64_t *step);
/* Gives the child of a snapshot room. */
void track_limits_child(void);
/* Now, or as soon as the one that is being written is done. */
void track_ask(void);
/* Whether one was taken at a peak that was no lower than this. */
bool track_peak_was_taken(int64_t bytes);
void track_signals_init(void);
/* Signals are again as they were, where the program has not changed them. */
void track_signals_end(void);
/* Recording begins, as track_settings say. */
void track_begin(void);
uint64_t track_now_ns(void); /* by the calendar */

/* ---- attaching (attach.c, patch.c) ---- */

extern struct snap_attach snap_track_attach;
/* Not preloaded: slots are filled in instead. */
extern bool track_attached __attribute__((visibility("hidden")));
/* The functions in front of which ours are; before they are patched in. */
void track_find_next(void);
/* The settings are known: what need not be told is not, from now on. */
void track_skim(void);
/* The program brings malloc() itself, so that ours is not called. */
bool track_is_bypassed(void);
/* The function of that name that the program would have without us; NULL: there is none. */
void *track_next(const char *name);
/* All modules call our functions; again after modules have come.  False: they cannot be found. */
bool track_patch(void);
void track_unpatch(void);
void *track_dlopen(const char *path, int flags);

#endif
