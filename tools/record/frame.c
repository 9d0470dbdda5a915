/* The state of a stopped thread of x86-64 (frame.h). */
#if defined(__x86_64__)
#include "frame.h"

#include <cpuid.h>
#include <elf.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <ucontext.h>
#include <unistd.h>

#include "cli.h"

/* What the kernel leaves in the result of an interrupted system call that it makes again. */
#define RESTART_PLAIN   (-512)
#define RESTART_ALWAYS  (-513)
#define RESTART_NO_HAND (-514)
#define RESTART_BLOCK   (-516)

bool frame_read(struct frame *f, pid_t tid)
{
	f->tid = tid;
	return ptrace(PTRACE_GETREGS, tid, 0, &f->registers) == 0 &&
	       ptrace(PTRACE_GETSIGMASK, tid, sizeof f->signals, &f->signals) == 0;
}

bool frame_is_in_call(const struct frame *f)
{
	return (long long)f->registers.orig_rax >= 0;
}

static void repeat(struct user_regs_struct *r)
{
	r->rip -= 2;
	r->rax = r->orig_rax;
	r->orig_rax = ULLONG_MAX;
}

bool frame_repeat(struct frame *f)
{
	if (!frame_is_in_call(f) || (long long)f->registers.rax != -EINTR)
		return false;
	repeat(&f->registers);
	return true;
}

/* ---- waiting ---- */

static bool is_no_file(const struct frame *f)
{
	char link[64], target[64];
	snprintf(link, sizeof link, "/proc/%d/fd/%d", (int)f->tid, (int)f->registers.rdi);
	ssize_t size = readlink(link, target, sizeof target - 1);
	target[size > 0 ? size : 0] = '\0';
	static const char *const kinds[] = {"pipe:", "socket:", "anon_inode:", "/dev/pts/",
					    "/dev/tty"};
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
		if (strncmp(target, kinds[i], strlen(kinds[i])) == 0)
			return true;
	return false;
}

bool frame_is_interrupted(const struct frame *f)
{
	long long result = (long long)f->registers.rax;
	return frame_is_in_call(f) &&
	       (result == RESTART_PLAIN || result == RESTART_ALWAYS || result == RESTART_NO_HAND ||
		result == RESTART_BLOCK || result == -EINTR);
}

bool frame_waits(const struct frame *f)
{
	if (!frame_is_interrupted(f))
		return false;
	switch (f->registers.orig_rax) {
	case SYS_poll:
	case SYS_ppoll:
	case SYS_select:
	case SYS_pselect6:
	case SYS_epoll_wait:
	case SYS_epoll_pwait:
	case SYS_nanosleep:
	case SYS_clock_nanosleep:
	case SYS_restart_syscall:
	case SYS_pause:
	case SYS_accept:
	case SYS_accept4:
	case SYS_connect:
	case SYS_recvfrom:
	case SYS_recvmsg:
	case SYS_recvmmsg:
	case SYS_sendto:
	case SYS_sendmsg:
	case SYS_sendmmsg:
	case SYS_wait4:
	case SYS_waitid:
	case SYS_rt_sigsuspend:
	case SYS_rt_sigtimedwait:
	case SYS_semop:
	case SYS_semtimedop:
	case SYS_msgrcv:
	case SYS_msgsnd:
	case SYS_io_getevents:
	case SYS_flock: return true;
	case SYS_read:
	case SYS_readv:
	case SYS_write:
	case SYS_writev: return is_no_file(f);
	/* Conditions, semaphores and ends of threads; plain locks wait without a bit set. */
	case SYS_futex: return (f->registers.rsi & 0x7f) == 9;
	default: return false;
	}
}

/* ---- the frame ---- */

#define EXTENDED_MAX ((size_t)1 << 16)
#define SOFTWARE_AT  464u /* of the legacy area: what the kernel finds in frames of signals */
#define FEATURES_AT  512u
#define LEGACY_SIZE  576u
#define TILES        ((uint64_t)1 << 18) /* in frames only of threads that use them */
#define MAGIC_BEGIN  0x46505853u
#define MAGIC_END    0x46505845u

/* How much of the extended state the kernel takes from a frame. */
static size_t frame_size_of(uint64_t features)
{
	size_t size = LEGACY_SIZE;
	for (unsigned i = 2, a, b, c, d; i < 63; i++)
		if ((features >> i & 1) && __get_cpuid_count(0xd, i, &a, &b, &c, &d) &&
		    (size_t)a + b > size)
			size = (size_t)a + b;
	return size;
}

/* Puts what the kernel expects around the extended state; returns its size with that. */
static size_t prepare_extended(const struct frame *f, uint8_t *bytes)
{
	uint64_t used, features;
	memcpy(bytes, f->extended, f->extended_size);
	memcpy(&features, bytes + SOFTWARE_AT, sizeof features);
	memcpy(&used, bytes + FEATURES_AT, sizeof used);
	if (!(used & TILES))
		features &= ~TILES;
	uint32_t size = (uint32_t)frame_size_of(features), end = MAGIC_END;
	if (size > f->extended_size)
		size = (uint32_t)f->extended_size;
	uint32_t software[12] = {MAGIC_BEGIN, size + (uint32_t)sizeof end, (uint32_t)features,
				 (uint32_t)(features >> 32), size};
	memcpy(bytes + SOFTWARE_AT, software, sizeof software);
	memcpy(bytes + size, &end, sizeof end);
	return size + sizeof end;
}

/* As they are to be where no system call is to be restarted by the kernel. */
static struct user_regs_struct settled(const struct frame *f)
{
	struct user_regs_struct r = f->registers;
	long long result = (long long)r.rax;
	if (frame_is_in_call(f) && result <= RESTART_PLAIN && result >= RESTART_BLOCK)
		repeat(&r);
	r.orig_rax = ULLONG_MAX;
	return r;
}

/* The registers as a handler's end would restore them; the
 * kernel is asked to leave the alternate stack as it is. */
static void describe(const struct frame *f, uintptr_t extended, ucontext_t *out)
{
	const struct user_regs_struct r = settled(f);
	const unsigned long long general[] = {r.r8,  r.r9,  r.r10, r.r11, r.r12, r.r13,
					      r.r14, r.r15, r.rdi, r.rsi, r.rbp, r.rbx,
					      r.rdx, r.rax, r.rcx, r.rsp, r.rip, r.eflags};
	memset(out, 0, sizeof *out);
	out->uc_flags = 7; /* extended state, stack segment */
	out->uc_stack.ss_flags = INT_MAX;
	memcpy(out->uc_mcontext.gregs, general, sizeof general);
	out->uc_mcontext.gregs[REG_CSGSFS] = (greg_t)(r.cs | r.gs << 16 | r.fs << 32 | r.ss << 48);
	memcpy(&out->uc_mcontext.fpregs, &extended, sizeof extended);
	memcpy(&out->uc_sigmask, &f->signals, sizeof f->signals);
}

bool frame_keep(struct frame *f, const struct process *p, uintptr_t top, uintptr_t restorer)
{
	f->extended = cli_resize(f->extended, EXTENDED_MAX);
	struct iovec all = {f->extended, EXTENDED_MAX};
	if (ptrace(PTRACE_GETREGSET, f->tid, NT_X86_XSTATE, &all) != 0 || all.iov_len < LEGACY_SIZE)
		return false;
	f->extended_size = all.iov_len;
	uint8_t *bytes = cli_resize(NULL, f->extended_size + sizeof(uint32_t));
	size_t size = prepare_extended(f, bytes);
	uintptr_t extended = (top - size) & ~(uintptr_t)63;
	struct {
		uintptr_t restorer;
		ucontext_t context;
	} frame = {.restorer = restorer};
	describe(f, extended, &frame.context);
	/* A function begins with its stack 8 bytes off a multiple of 16. */
	f->at = ((extended - sizeof frame) & ~(uintptr_t)15) - sizeof(uintptr_t);
	bool done = process_poke(p, extended, bytes, size) &&
		    process_poke(p, f->at, &frame, sizeof frame);
	free(bytes);
	return done;
}

bool frame_call(const struct frame *f, uintptr_t function, const uintptr_t arguments[2])
{
	struct user_regs_struct r = f->registers;
	uint64_t all = ~(uint64_t)0;
	r.rip = function;
	r.rsp = f->at;
	r.rbp = 0;
	r.rdi = arguments[0];
	r.rsi = arguments[1];
	r.rax = 0;
	r.eflags &= ~0x400ull; /* the direction of strings, as functions expect it */
	r.orig_rax = ULLONG_MAX;
	/* In this order: whatever is done, the thread comes back
	 * to its own registers and signals if we are killed. */
	return ptrace(PTRACE_SETREGS, f->tid, 0, &r) == 0 &&
	       ptrace(PTRACE_SETSIGMASK, f->tid, sizeof all, &all) == 0;
}

bool frame_returned(const struct frame *f)
{
	struct user_regs_struct r;
	return ptrace(PTRACE_GETREGS, f->tid, 0, &r) == 0 && r.orig_rax == SYS_rt_sigreturn &&
	       r.rsp == f->at + sizeof(uintptr_t);
}

bool frame_result(const struct frame *f, uintptr_t restorer, uintptr_t *result)
{
	struct user_regs_struct r;
	if (ptrace(PTRACE_GETREGS, f->tid, 0, &r) != 0 || r.rip != restorer ||
	    r.rsp != f->at + sizeof(uintptr_t))
		return false;
	*result = r.rax;
	return true;
}

static void restore_others(const struct frame *f)
{
	if (f->extended_size) {
		struct iovec all = {f->extended, f->extended_size};
		ptrace(PTRACE_SETREGSET, f->tid, NT_X86_XSTATE, &all);
	}
	ptrace(PTRACE_SETSIGMASK, f->tid, sizeof f->signals, &f->signals);
}

void frame_leave(const struct frame *f)
{
	struct user_regs_struct r = settled(f);
	restore_others(f);
	ptrace(PTRACE_SETREGS, f->tid, 0, &r);
}

void frame_restore(const struct frame *f)
{
	restore_others(f);
	ptrace(PTRACE_SETREGS, f->tid, 0, &f->registers);
}

/* ---- the restorer ---- */

uintptr_t frame_restorer(const struct process *p)
{
	static const uint8_t code[] = {0x48, 0xc7, 0xc0, SYS_rt_sigreturn, 0, 0, 0, 0x0f, 0x05};
	const struct process_mapping *library =
		process_mapping_at(p, process_symbol(p, "__libc_start_main"));
	uint8_t bytes[16384];
	if (!library)
		return 0;
	for (size_t i = 0; i < p->count; i++) {
		const struct process_mapping *m = &p->mappings[i];
		if (!m->executable || strcmp(m->path, library->path) != 0)
			continue;
		for (uintptr_t at = m->start; at + sizeof code <= m->end;
		     at += sizeof bytes - sizeof code) {
			size_t size = m->end - at < sizeof bytes ? m->end - at : sizeof bytes;
			const uint8_t *found = process_peek(p, at, bytes, size)
						       ? memmem(bytes, size, code, sizeof code)
						       : NULL;
			if (found)
				return at + (uintptr_t)(found - bytes);
		}
	}
	return 0;
}

#endif
