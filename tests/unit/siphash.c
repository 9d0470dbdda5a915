/* SipHash-2-4 against its authors' vectors, and derived keys. */
#include "tap.h"

#include "siphash.h"

/* Key 00 01 .. 0f, input 00 01 .. (n - 1): from the reference implementation's vectors. */
static const struct {
	size_t size;
	uint64_t hash;
} vectors[] = {
	{0, UINT64_C(0x726fdb47dd0e0e31)},  {1, UINT64_C(0x74f839c593dc67fd)},
	{2, UINT64_C(0x0d6c8009d9a94f5a)},  {3, UINT64_C(0x85676696d7fb7e2d)},
	{7, UINT64_C(0xab0200f58b01d137)},  {8, UINT64_C(0x93f5f5799a932462)},
	{15, UINT64_C(0xa129ca6149be45e5)}, {63, UINT64_C(0x958a324ceb064572)},
};

static struct siphash_key derive(const char *const *strings, size_t count)
{
	struct siphash_state state;
	siphash_derive_begin(&state);
	for (size_t i = 0; i < count; i++)
		siphash_derive_add(&state, strings[i], strlen(strings[i]));
	return siphash_derive_finish(&state);
}

static bool same(struct siphash_key a, struct siphash_key b)
{
	return a.low == b.low && a.high == b.high;
}

int main(void)
{
	uint8_t key_bytes[16], input[64];
	for (size_t i = 0; i < sizeof(key_bytes); i++)
		key_bytes[i] = (uint8_t)i;
	for (size_t i = 0; i < sizeof(input); i++)
		input[i] = (uint8_t)i;
	struct siphash_key key = siphash_key_from_bytes(key_bytes);
	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		char name[40];
		snprintf(name, sizeof(name), "vector of %zu bytes", vectors[i].size);
		CHECK_NAMED(siphash(key, input, vectors[i].size) == vectors[i].hash, name);
	}

	const char *one[] = {"ab", "c"}, *two[] = {"a", "bc"}, *three[] = {"c", "ab"},
		   *four[] = {"abc"};
	const char *five[] = {"ab", "c", ""}, *six[] = {"ab", "d"};
	CHECK(same(derive(one, 2), derive(one, 2)));
	CHECK(!same(derive(one, 2), derive(two, 2)));
	CHECK(!same(derive(one, 2), derive(three, 2)));
	CHECK(!same(derive(one, 2), derive(four, 1)));
	CHECK(!same(derive(one, 2), derive(five, 3)));
	CHECK(!same(derive(one, 2), derive(six, 2)));
	struct siphash_key derived = derive(one, 2);
	CHECK(derived.low != derived.high);
	return DONE();
}
