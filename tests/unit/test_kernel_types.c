/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <sys/mman.h>

#include <cmocka.h>

#include <bpf/btf.h>

#include "source/kernel_types.h"

/*
 * The kernel of these tests:
 *
 * enum reason { LOW, HIGH = 7 };
 * enum big : u64 { HUGE = 1 << 40 };
 * typedef struct { int owned; } lock_t;
 * struct other;
 * struct part {
 *         u8 a : 1, b : 7;
 *         union { u32 first; struct other *second; };
 * };
 * struct whole {
 *         const struct part parts[3];
 *         lock_t lock;
 *         struct whole *next;
 *         void (*call)(int);
 *         double real;
 *         enum reason reason;
 *         enum big big;
 * };
 * struct other { struct whole whole; };
 * typedef void (*btf_trace_event)(void *, int, int);
 * void function(int);
 */
static struct btf *make_kernel(void)
{
	struct btf *btf = btf__new_empty();
	int u8, u32, i32, real, reason, big, lock, lock_t, other_fwd, other_ptr, either, part;
	int const_part, parts, whole, proto, call, event;

	assert_non_null(btf);
	u8 = btf__add_int(btf, "unsigned char", 1, 0);
	u32 = btf__add_int(btf, "unsigned int", 4, 0);
	i32 = btf__add_int(btf, "int", 4, BTF_INT_SIGNED);
	real = btf__add_float(btf, "double", 8);
	reason = btf__add_enum(btf, "reason", 4);
	assert_int_equal(btf__add_enum_value(btf, "LOW", 0), 0);
	assert_int_equal(btf__add_enum_value(btf, "HIGH", 7), 0);
	big = btf__add_enum64(btf, "big", 8, false);
	assert_int_equal(btf__add_enum64_value(btf, "HUGE", 1ULL << 40), 0);
	lock = btf__add_struct(btf, "", 4);
	assert_int_equal(btf__add_field(btf, "owned", i32, 0, 0), 0);
	lock_t = btf__add_typedef(btf, "lock_t", lock);
	other_fwd = btf__add_fwd(btf, "other", BTF_FWD_STRUCT);
	other_ptr = btf__add_ptr(btf, other_fwd);
	either = btf__add_union(btf, "", 8);
	assert_int_equal(btf__add_field(btf, "first", u32, 0, 0), 0);
	assert_int_equal(btf__add_field(btf, "second", other_ptr, 0, 0), 0);
	part = btf__add_struct(btf, "part", 16);
	assert_int_equal(btf__add_field(btf, "a", u8, 0, 1), 0);
	assert_int_equal(btf__add_field(btf, "b", u8, 1, 7), 0);
	assert_int_equal(btf__add_field(btf, "", either, 64, 0), 0);
	const_part = btf__add_const(btf, part);
	parts = btf__add_array(btf, u32, const_part, 3);
	/* It points at itself, and comes right after the pointer. */
	whole = btf__add_ptr(btf, btf__type_cnt(btf) + 3) + 3;
	proto = btf__add_func_proto(btf, 0);
	assert_int_equal(btf__add_func_param(btf, "number", i32), 0);
	call = btf__add_ptr(btf, proto);
	assert_int_equal(btf__add_struct(btf, "whole", 96), whole);
	assert_int_equal(btf__add_field(btf, "parts", parts, 0, 0), 0);
	assert_int_equal(btf__add_field(btf, "lock", lock_t, 384, 0), 0);
	assert_int_equal(btf__add_field(btf, "next", whole - 3, 448, 0), 0);
	assert_int_equal(btf__add_field(btf, "call", call, 512, 0), 0);
	assert_int_equal(btf__add_field(btf, "real", real, 576, 0), 0);
	assert_int_equal(btf__add_field(btf, "reason", reason, 640, 0), 0);
	assert_int_equal(btf__add_field(btf, "big", big, 704, 0), 0);
	assert_true(btf__add_struct(btf, "other", 96) > 0);
	assert_int_equal(btf__add_field(btf, "whole", whole, 0, 0), 0);
	event = btf__add_func_proto(btf, 0);
	assert_int_equal(btf__add_func_param(btf, "", 0), 0);
	assert_true(btf__add_typedef(btf, "btf_trace_event", btf__add_ptr(btf, event)) > 0);
	assert_true(btf__add_func(btf, "function", BTF_FUNC_STATIC, proto) > 0);
	return btf;
}

/* Programs that name these structures. */
static struct btf *make_programs(const char *const *names)
{
	struct btf *btf = btf__new_empty();

	assert_non_null(btf);
	for (; *names; names++)
		assert_true(btf__add_struct(btf, *names, 0) > 0);
	return btf;
}

static struct kernel_types *index_for(const char *const *names)
{
	static const char *const functions[] = {"function", "absent", NULL};
	struct btf *programs = make_programs(names);
	struct kernel_types *types = NULL;

	assert_int_equal(kernel_types_index(make_kernel(), programs, functions, &types), 0);
	btf__free(programs);
	return types;
}

static const char *const names_whole[] = {"whole", "absent", NULL};
static const char *const names_flavours[] = {"part___5_17", "part___6_1", "reason", NULL};

static struct btf *copy_of(const struct kernel_types *types)
{
	int fd = memfd_create("types", MFD_CLOEXEC);
	char path[64];
	struct btf *copy;

	assert_true(fd >= 0);
	assert_int_equal(kernel_types_copy(types, fd), 0);
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	copy = btf__parse(path, NULL);
	assert_non_null(copy);
	assert_int_equal(close(fd), 0);
	return copy;
}

static const struct btf_type *find(const struct btf *btf, const char *name, uint32_t kind)
{
	int id = btf__find_by_name_kind(btf, name, kind);

	return id < 0 ? NULL : btf__type_by_id(btf, id);
}

static const struct btf_type *find_struct(const struct btf *btf, const char *name)
{
	return find(btf, name, BTF_KIND_STRUCT);
}

static void every_kind_is_found_by_name(void **state)
{
	struct kernel_types *types = index_for(names_whole);
	const struct btf *btf = kernel_types_btf(types);

	(void)state;
	assert_int_equal(kernel_types_find(types, "whole", BTF_KIND_STRUCT),
			 btf__find_by_name_kind(btf, "whole", BTF_KIND_STRUCT));
	assert_int_equal(kernel_types_find(types, "btf_trace_event", BTF_KIND_TYPEDEF),
			 btf__find_by_name_kind(btf, "btf_trace_event", BTF_KIND_TYPEDEF));
	assert_int_equal(kernel_types_find(types, "function", BTF_KIND_FUNC),
			 btf__find_by_name_kind(btf, "function", BTF_KIND_FUNC));
	kernel_types_free(types);
}

static void what_nobody_announced_is_found_too(void **state)
{
	struct kernel_types *types = index_for(names_whole);

	(void)state;
	assert_int_equal(kernel_types_find(types, "lock_t", BTF_KIND_TYPEDEF),
			 btf__find_by_name_kind(kernel_types_btf(types), "lock_t",
						BTF_KIND_TYPEDEF));
	kernel_types_free(types);
}

static void what_is_not_there_or_of_another_kind_is_not_found(void **state)
{
	struct kernel_types *types = index_for(names_whole);

	(void)state;
	assert_int_equal(kernel_types_find(types, "absent", BTF_KIND_STRUCT), -ENOENT);
	assert_int_equal(kernel_types_find(types, "absent", BTF_KIND_FUNC), -ENOENT);
	assert_int_equal(kernel_types_find(types, "nowhere", BTF_KIND_STRUCT), -ENOENT);
	assert_int_equal(kernel_types_find(types, "whole", BTF_KIND_UNION), -ENOENT);
	kernel_types_free(types);
}

static void assert_same_members(const struct btf *a_btf, const struct btf_type *a,
				const struct btf *b_btf, const struct btf_type *b)
{
	assert_non_null(a);
	assert_non_null(b);
	assert_int_equal(a->size, b->size);
	assert_int_equal(btf_vlen(a), btf_vlen(b));
	for (unsigned int i = 0; i < btf_vlen(a); i++) {
		assert_string_equal(btf__name_by_offset(a_btf, btf_members(a)[i].name_off),
				    btf__name_by_offset(b_btf, btf_members(b)[i].name_off));
		assert_int_equal(btf_member_bit_offset(a, i), btf_member_bit_offset(b, i));
		assert_int_equal(btf_member_bitfield_size(a, i), btf_member_bitfield_size(b, i));
		assert_int_equal(btf__resolve_size(a_btf, btf_members(a)[i].type),
				 btf__resolve_size(b_btf, btf_members(b)[i].type));
	}
}

static void a_copy_has_what_is_named_and_what_that_is_made_of(void **state)
{
	struct kernel_types *types = index_for(names_whole);
	const struct btf *all = kernel_types_btf(types);
	struct btf *copy = copy_of(types);

	(void)state;
	assert_same_members(all, find_struct(all, "whole"), copy, find_struct(copy, "whole"));
	assert_same_members(all, find_struct(all, "part"), copy, find_struct(copy, "part"));
	btf__free(copy);
	kernel_types_free(types);
}

static const struct btf_type *member_type(const struct btf *btf, const struct btf_type *type,
					  unsigned int number)
{
	return btf__type_by_id(btf, btf__resolve_type(btf, btf_members(type)[number].type));
}

static void a_copy_keeps_kinds_so_that_core_finds_them_compatible(void **state)
{
	struct kernel_types *types = index_for(names_whole);
	struct btf *copy = copy_of(types);
	const struct btf_type *whole = find_struct(copy, "whole");
	const struct btf_type *parts = member_type(copy, whole, 0);
	const struct btf_type *lock = member_type(copy, whole, 1);
	const struct btf_type *part;

	(void)state;
	assert_true(btf_is_array(parts));
	assert_int_equal(btf_array(parts)->nelems, 3);
	part = btf__type_by_id(copy, btf__resolve_type(copy, btf_array(parts)->type));
	assert_true(btf_is_struct(part));
	assert_true(btf_is_union(member_type(copy, part, 2)));
	assert_true(btf_is_struct(lock));
	assert_true(btf_is_ptr(member_type(copy, whole, 2)));
	assert_true(btf_is_ptr(member_type(copy, whole, 3)));
	assert_int_equal(btf_kind(member_type(copy, whole, 4)), BTF_KIND_FLOAT);
	btf__free(copy);
	kernel_types_free(types);
}

static void a_copy_has_the_values_of_enumerations(void **state)
{
	struct kernel_types *types = index_for(names_whole);
	struct btf *copy = copy_of(types);
	const struct btf_type *reason = find(copy, "reason", BTF_KIND_ENUM);
	const struct btf_type *big = find(copy, "big", BTF_KIND_ENUM64);

	(void)state;
	assert_non_null(reason);
	assert_int_equal(btf_vlen(reason), 2);
	assert_string_equal(btf__name_by_offset(copy, btf_enum(reason)[1].name_off), "HIGH");
	assert_int_equal(btf_enum(reason)[1].val, 7);
	assert_non_null(big);
	assert_true(btf_enum64_value(btf_enum64(big)) == 1ULL << 40);
	btf__free(copy);
	kernel_types_free(types);
}

static void a_copy_leaves_out_what_is_pointed_at_and_what_nobody_names(void **state)
{
	struct kernel_types *types = index_for(names_flavours);
	struct btf *copy = copy_of(types);

	(void)state;
	assert_null(find_struct(copy, "whole"));
	assert_null(find_struct(copy, "other"));
	assert_null(find(copy, "other", BTF_KIND_FWD));
	assert_null(find(copy, "function", BTF_KIND_FUNC));
	assert_null(find(copy, "btf_trace_event", BTF_KIND_TYPEDEF));
	btf__free(copy);
	kernel_types_free(types);
}

static void a_flavour_is_looked_for_without_it_and_once(void **state)
{
	struct kernel_types *types = index_for(names_flavours);
	struct btf *copy = copy_of(types);
	unsigned int parts = 0;

	(void)state;
	assert_non_null(find(copy, "reason", BTF_KIND_ENUM));
	for (uint32_t id = 1; id < btf__type_cnt(copy); id++) {
		const struct btf_type *type = btf__type_by_id(copy, id);

		parts += !strcmp(btf__name_by_offset(copy, type->name_off), "part");
	}
	assert_int_equal(parts, 1);
	btf__free(copy);
	kernel_types_free(types);
}

static void a_copy_that_cannot_be_written_is_an_error(void **state)
{
	struct kernel_types *types = index_for(names_whole);
	int full = memfd_create("types", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	(void)state;
	assert_true(full >= 0);
	assert_int_equal(fcntl(full, F_ADD_SEALS, F_SEAL_GROW), 0);
	assert_int_equal(kernel_types_copy(types, full), -EPERM);
	assert_int_equal(close(full), 0);
	kernel_types_free(types);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_kind_is_found_by_name),
		cmocka_unit_test(what_nobody_announced_is_found_too),
		cmocka_unit_test(what_is_not_there_or_of_another_kind_is_not_found),
		cmocka_unit_test(a_copy_has_what_is_named_and_what_that_is_made_of),
		cmocka_unit_test(a_copy_keeps_kinds_so_that_core_finds_them_compatible),
		cmocka_unit_test(a_copy_has_the_values_of_enumerations),
		cmocka_unit_test(a_copy_leaves_out_what_is_pointed_at_and_what_nobody_names),
		cmocka_unit_test(a_flavour_is_looked_for_without_it_and_once),
		cmocka_unit_test(a_copy_that_cannot_be_written_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
