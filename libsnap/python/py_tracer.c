/* The tracer: hooks around the interpreter's allocators.  The domains
 * of memory and objects are used under its lock only, the raw one
 * without, so that its blocks have a table and a lock of their own. */
#include <pthread.h>
#include <sys/random.h>

#include "py_activation.h"
#include "py_tracer.h"
#include "sample.h"

struct pool {
	struct py_blocks blocks;
	int64_t until_sample;
	uint64_t random;
	uint64_t lost;
};

struct domain {
	PyMemAllocatorEx below; /* what was there before */
	bool hooked;
};

/* One for the process, as the allocators are. */
static struct {
	_Atomic bool on; /* changes under both locks */
	bool has_fork_hooks;
	uint64_t interval;
	const PyInterpreterState *interpreter;
	struct domain domains[3]; /* by PyMemAllocatorDomain */
	struct pool held, raw;    /* raw: under raw_lock */
	struct py_stacks stacks;
} tracer;
static pthread_mutex_t raw_lock = PTHREAD_MUTEX_INITIALIZER;

/* Whether this thread is inside of an allocator, which may call another, or told not to record. */
static __thread bool inside __attribute__((tls_model("initial-exec")));

/* ---- samples ---- */

static bool is_sample(struct pool *pool, size_t size)
{
	if ((uint64_t)pool->until_sample >= size) {
		pool->until_sample -= (int64_t)size;
		return false;
	}
	pool->until_sample = sample_gap(&pool->random, tracer.interval);
	return true;
}

/* ---- what becomes of a block ---- */

static struct pool *lock_pool(const struct domain *domain)
{
	if (domain != &tracer.domains[PYMEM_DOMAIN_RAW])
		return &tracer.held;
	pthread_mutex_lock(&raw_lock);
	return &tracer.raw;
}

static void unlock_pool(const struct pool *pool)
{
	if (pool == &tracer.raw)
		pthread_mutex_unlock(&raw_lock);
}

/* Whether the running thread is another interpreter's, whose lock may be another. */
static inline bool is_foreign(const PyThreadState *thread)
{
#if PY_SINCE(3, 12)
	return thread && thread->interp != tracer.interpreter;
#else
	(void)thread;
	return false;
#endif
}

/* This thread's state, if it holds the interpreter's lock. */
static const PyThreadState *own_thread(const struct domain *domain)
{
	const PyThreadState *thread = py_running_thread();
	bool may_lack_lock = domain == &tracer.domains[PYMEM_DOMAIN_RAW];
	if (!thread || !may_lack_lock)
		return thread;
	return is_foreign(thread) || PyGILState_GetThisThreadState() != thread ? NULL : thread;
}

static void put(const struct domain *domain, const void *address, size_t size, uint32_t stack)
{
	struct pool *pool = lock_pool(domain);
	if (tracer.on && !py_blocks_put(&pool->blocks, address, size, stack))
		pool->lost++;
	unlock_pool(pool);
}

static void note(const struct domain *domain, const void *block, size_t size)
{
	if (tracer.interval) {
		struct pool *pool = lock_pool(domain);
		bool chosen = is_sample(pool, size);
		unlock_pool(pool);
		if (!chosen)
			return;
	}
	const PyThreadState *thread = own_thread(domain);
	uint32_t stack = thread ? py_stacks_here(&tracer.stacks, thread) : PY_STACK_NONE;
	put(domain, block, size, stack);
}

static bool take(const struct domain *domain, const void *address, struct py_block *out)
{
	struct pool *pool = lock_pool(domain);
	bool known = py_blocks_take(&pool->blocks, address, out);
	unlock_pool(pool);
	return known;
}

/* ---- hooks ---- */

/* Whether what this thread asks for is not to be recorded. */
static inline bool is_passing(const struct domain *domain)
{
	return inside || !tracer.on ||
	       (domain != &tracer.domains[PYMEM_DOMAIN_RAW] && is_foreign(py_running_thread()));
}

static void *hook_malloc(void *context, size_t size)
{
	const struct domain *domain = context;
	const PyMemAllocatorEx *below = &domain->below;
	if (is_passing(domain))
		return below->malloc(below->ctx, size);
	inside = true;
	void *block = below->malloc(below->ctx, size);
	if (block)
		note(domain, block, size);
	inside = false;
	return block;
}

static void *hook_calloc(void *context, size_t count, size_t size)
{
	const struct domain *domain = context;
	const PyMemAllocatorEx *below = &domain->below;
	if (is_passing(domain))
		return below->calloc(below->ctx, count, size);
	inside = true;
	void *block = below->calloc(below->ctx, count, size);
	if (block)
		note(domain, block, count * size);
	inside = false;
	return block;
}

/* The old address is forgotten first: as soon as it is free, another thread may have it. */
static void *hook_realloc(void *context, void *old, size_t size)
{
	const struct domain *domain = context;
	const PyMemAllocatorEx *below = &domain->below;
	struct py_block was;
	if (is_passing(domain))
		return below->realloc(below->ctx, old, size);
	inside = true;
	bool known = old && take(domain, old, &was);
	void *block = below->realloc(below->ctx, old, size);
	if (block)
		note(domain, block, size);
	else if (known)
		put(domain, old, was.size, was.stack);
	inside = false;
	return block;
}

static void hook_free(void *context, void *block)
{
	const struct domain *domain = context;
	const PyMemAllocatorEx *below = &domain->below;
	struct py_block was;
	if (!block || is_passing(domain)) {
		below->free(below->ctx, block);
		return;
	}
	inside = true;
	take(domain, block, &was);
	below->free(below->ctx, block);
	inside = false;
}

static bool is_ours(PyMemAllocatorDomain number)
{
	PyMemAllocatorEx now;
	PyMem_GetAllocator(number, &now);
	return now.ctx == &tracer.domains[number];
}

static void hook(PyMemAllocatorDomain number)
{
	struct domain *domain = &tracer.domains[number];
	PyMemAllocatorEx ours = {domain, hook_malloc, hook_calloc, hook_realloc, hook_free};
	if (domain->hooked)
		return;
	PyMem_GetAllocator(number, &domain->below);
	PyMem_SetAllocator(number, &ours);
	domain->hooked = true;
}

/* Where another's hook lies above ours, it stays, and lets everything pass. */
static void unhook(PyMemAllocatorDomain number)
{
	struct domain *domain = &tracer.domains[number];
	if (!is_ours(number))
		return;
	PyMem_SetAllocator(number, &domain->below);
	domain->hooked = false;
}

/* ---- start and stop ---- */

static void before_fork(void)
{
	pthread_mutex_lock(&raw_lock);
}

static void after_fork(void)
{
	pthread_mutex_unlock(&raw_lock);
}

static void forget(struct pool *pool)
{
	py_blocks_free(&pool->blocks);
	*pool = (struct pool){0};
}

static bool begin(struct pool *pool, uint64_t interval)
{
	if (getrandom(&pool->random, sizeof(pool->random), 0) != (ssize_t)sizeof(pool->random))
		return false;
	pool->until_sample = interval ? sample_gap(&pool->random, tracer.interval) : 0;
	return true;
}

bool py_tracer_start(size_t limit, uint64_t interval)
{
	if (tracer.on) {
		PyErr_SetString(PyExc_ValueError, "allocations are being traced already");
		return false;
	}
	if (!tracer.has_fork_hooks && pthread_atfork(before_fork, after_fork, after_fork) == 0)
		tracer.has_fork_hooks = true;
	tracer.interval = interval;
	tracer.interpreter = PyThreadState_Get()->interp;
	if (!tracer.has_fork_hooks || !begin(&tracer.held, interval) ||
	    !begin(&tracer.raw, interval) || !py_stacks_init(&tracer.stacks, limit)) {
		py_stacks_free(&tracer.stacks);
		tracer.interval = 0;
		PyErr_NoMemory();
		return false;
	}
	tracer.on = true;
	for (PyMemAllocatorDomain number = PYMEM_DOMAIN_RAW; number <= PYMEM_DOMAIN_OBJ; number++)
		hook(number);
	return true;
}

void py_tracer_stop(void)
{
	if (!tracer.on)
		return;
	for (PyMemAllocatorDomain number = PYMEM_DOMAIN_RAW; number <= PYMEM_DOMAIN_OBJ; number++)
		unhook(number);
	pthread_mutex_lock(&raw_lock);
	tracer.on = false;
	forget(&tracer.raw);
	pthread_mutex_unlock(&raw_lock);
	forget(&tracer.held);
	tracer.interval = 0;
	py_stacks_free(&tracer.stacks);
}

/* ---- what is known ---- */

size_t py_tracer_limit(void)
{
	return tracer.on ? tracer.stacks.limit : 0;
}

uint64_t py_tracer_interval(void)
{
	return tracer.interval;
}

void py_tracer_silence(void)
{
	inside = true;
}

const struct py_stacks *py_tracer_stacks(void)
{
	return &tracer.stacks;
}

bool py_tracer_find(const void *address, struct py_block *out)
{
	return py_blocks_find(&tracer.held.blocks, address, out) ||
	       py_blocks_find(&tracer.raw.blocks, address, out);
}

const struct py_blocks *py_tracer_blocks(unsigned number)
{
	return number == 0 ? &tracer.held.blocks : number == 1 ? &tracer.raw.blocks : NULL;
}

uint64_t py_tracer_lost(void)
{
	return tracer.held.lost + tracer.raw.lost;
}
