/* The functions of the C library in which threads wait, led through code that first
 * stores the registers which functions leave as they are.  So a snapshot finds them on
 * the stack, of threads that sleep: in no other way can it without a stop, after which
 * epoll_wait() fails with EINTR, and write() has written less than it was given.
 *
 * Preloaded behind libsnap-track.so where references are recorded. */
#include "calls.h"

#if defined(__x86_64__)
#include <dlfcn.h>
#include <errno.h>
#include <sys/syscall.h>

/* clang-format off */
#define FUNCTIONS \
	F(read) F(readv) F(write) F(writev) F(recv) F(recvfrom) F(recvmsg) F(recvmmsg) F(send) \
	F(sendto) F(sendmsg) F(sendmmsg) F(accept) F(accept4) F(connect) F(__read_chk) \
	F(__recv_chk) F(__recvfrom_chk) F(poll) F(ppoll) F(select) F(pselect) F(epoll_wait) \
	F(epoll_pwait) F(epoll_pwait2) F(__poll_chk) F(__ppoll_chk) F(sleep) F(usleep) \
	F(nanosleep) F(clock_nanosleep) F(thrd_sleep) F(pause) F(sigsuspend) F(sigwait) \
	F(sigwaitinfo) F(sigtimedwait) F(wait) F(wait3) F(wait4) F(waitpid) F(waitid) F(system) \
	F(flock) F(lockf) F(lockf64) F(semop) F(semtimedop) F(msgrcv) F(msgsnd) F(mq_receive) \
	F(mq_timedreceive) F(mq_send) F(mq_timedsend) F(sem_wait) F(sem_timedwait) \
	F(sem_clockwait) F(pthread_cond_wait) F(pthread_cond_timedwait) F(pthread_cond_clockwait) \
	F(pthread_barrier_wait) F(pthread_join) F(pthread_timedjoin_np) F(pthread_clockjoin_np) \
	F(pthread_mutex_lock) F(pthread_mutex_timedlock) F(pthread_mutex_clocklock) \
	F(pthread_rwlock_rdlock) F(pthread_rwlock_wrlock) F(cnd_wait) F(cnd_timedwait) F(mtx_lock) \
	F(mtx_timedlock) F(thrd_join) F(fgets) F(__fgets_chk) F(getline) F(getdelim)
/* clang-format on */

enum {
#define F(name) NUMBER_##name,
	FUNCTIONS
#undef F
		NUMBER_syscall,
	FUNCTION_COUNT
};
static const char *const names[FUNCTION_COUNT] = {
#define F(name) #name,
	FUNCTIONS
#undef F
	"syscall",
};

struct waiting {
	uintptr_t frame; /* of the call; 0: none */
	uintptr_t is_known;
};
extern __thread struct waiting snap_calls_waiting
	__attribute__((tls_model("initial-exec"), visibility("hidden")));
__thread struct waiting snap_calls_waiting;
extern uintptr_t snap_calls_next[FUNCTION_COUNT] __attribute__((visibility("hidden")));
uintptr_t snap_calls_next[FUNCTION_COUNT];
extern const char snap_calls_back[] __attribute__((visibility("hidden")));
extern const char snap_calls_back_more[] __attribute__((visibility("hidden")));
void snap_calls_begin(void) __attribute__((visibility("hidden")));

#pragma weak snap_tracker_calls
#pragma weak snap_tracker_thread

static long missing(void)
{
	errno = ENOSYS;
	return -1;
}

static void find_next(void)
{
	for (size_t i = 0; i < FUNCTION_COUNT; i++) {
		uintptr_t found = (uintptr_t)dlsym(RTLD_NEXT, names[i]);
		snap_calls_next[i] = found ? found : (uintptr_t)missing;
	}
}

/* The first call of a thread. */
void snap_calls_begin(void)
{
	int kept = errno;
	snap_calls_waiting.is_known = 1;
	if (snap_calls_next[FUNCTION_COUNT - 1] == 0)
		find_next();
	if (snap_tracker_thread)
		snap_tracker_thread();
	errno = kept;
}

__attribute__((constructor)) static void start(void)
{
	int kept = errno;
	uintptr_t pointer = (uintptr_t)__builtin_thread_pointer();
	const struct snap_calls calls = {
		.frame = (ptrdiff_t)((uintptr_t)&snap_calls_waiting.frame - pointer),
		.back = (uintptr_t)snap_calls_back,
		.back_more = (uintptr_t)snap_calls_back_more};
	find_next();
	if (snap_tracker_calls)
		snap_tracker_calls(&calls);
	errno = kept;
}

/* clang-format off */

/* al says how many arguments are in vector registers; registers 10 and 11 are
 * nobody's.  syscall() has an argument on the stack, which is passed on. */
#define PUSH(register) "push %" register "\n .cfi_adjust_cfa_offset 8\n"
#define POP(register)  "pop %" register "\n .cfi_adjust_cfa_offset -8\n"
#define STORE(register) PUSH(register) ".cfi_rel_offset " register ", 0\n"
#define LOAD(register)  POP(register) ".cfi_restore " register "\n"
#define LED(name, back, before, after) \
	".type " name ", @function\n" name ":\n .cfi_startproc\n" \
	STORE("rbx") STORE("rbp") STORE("r12") STORE("r13") STORE("r14") STORE("r15") \
	"mov snap_calls_waiting@gottpoff(%rip), %r10\n" \
	"push %fs:(%r10)\n .cfi_adjust_cfa_offset 8\n" \
	"mov %rsp, %fs:(%r10)\n" \
	"cmpq $0, %fs:8(%r10)\n jne 1f\n" \
	PUSH("rax") PUSH("rdi") PUSH("rsi") PUSH("rdx") PUSH("rcx") PUSH("r8") PUSH("r9") PUSH("r11") \
	"call snap_calls_begin\n" \
	POP("r11") POP("r9") POP("r8") POP("rcx") POP("rdx") POP("rsi") POP("rdi") POP("rax") \
	"1:" before "lea snap_calls_next(%rip), %r10\n call *(%r10,%r11,8)\n" \
	".globl " back "\n .hidden " back "\n" back ":\n" after \
	"mov snap_calls_waiting@gottpoff(%rip), %r10\n" \
	"pop %fs:(%r10)\n .cfi_adjust_cfa_offset -8\n" \
	LOAD("r15") LOAD("r14") LOAD("r13") LOAD("r12") LOAD("rbp") LOAD("rbx") \
	"ret\n .cfi_endproc\n .size " name ", . - " name "\n"

__asm__(".text\n"
	LED("snap_calls_led", "snap_calls_back", "", "")
	LED("snap_calls_led_more", "snap_calls_back_more",
	    "push 64(%rsp)\n push 72(%rsp)\n .cfi_adjust_cfa_offset 16\n",
	    "add $16, %rsp\n .cfi_adjust_cfa_offset -16\n")
	".macro lead name, number, led\n"
	".balign 16\n .globl \\name\n .type \\name, @function\n"
	"\\name:\n .cfi_startproc\n endbr64\n"
	"mov $\\number, %r11d\n jmp \\led\n"
	".cfi_endproc\n .size \\name, . - \\name\n"
	".endm\n"
	".set number, 0\n"
#define F(name) "lead " #name ", number, snap_calls_led\n .set number, number + 1\n"
	FUNCTIONS
#undef F
	"lead syscall, number, snap_calls_led_more\n");
/* clang-format on */

#endif
