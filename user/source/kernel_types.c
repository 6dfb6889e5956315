/* SPDX-License-Identifier: GPL-2.0-only */
#include "source/kernel_types.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/btf.h>

#include <uthash.h>

/* One name may be a structure's, a typedef's and a function's. */
#define KINDS_MAX 4

struct name {
	char *text;
	bool of_programs;
	uint32_t ids[KINDS_MAX];
	unsigned int count;
	UT_hash_handle hh;
};

struct kernel_types {
	struct btf *btf;
	struct name *names;
};

static const char tracepoint_prefix[] = "btf_trace_";

/* What a program calls one version of a kernel's type: NAME___FLAVOUR. */
static size_t essential_length(const char *text)
{
	const char *flavour = strstr(text, "___");

	return flavour ? (size_t)(flavour - text) : strlen(text);
}

static int add_name(struct kernel_types *types, const char *text, size_t length, bool of_programs)
{
	struct name *name;

	HASH_FIND(hh, types->names, text, length, name);
	if (name)
		return 0;
	name = calloc(1, sizeof(*name));
	if (!name)
		return -ENOMEM;
	name->of_programs = of_programs;
	name->text = strndup(text, length);
	if (!name->text) {
		free(name);
		return -ENOMEM;
	}
	HASH_ADD_KEYPTR(hh, types->names, name->text, length, name);
	return 0;
}

static bool has_members(uint32_t kind)
{
	return kind == BTF_KIND_STRUCT || kind == BTF_KIND_UNION;
}

static bool is_enum(uint32_t kind)
{
	return kind == BTF_KIND_ENUM || kind == BTF_KIND_ENUM64;
}

/* What CO-RE starts from. */
static bool is_root(uint32_t kind)
{
	return has_members(kind) || is_enum(kind) || kind == BTF_KIND_TYPEDEF;
}

static int add_names(struct kernel_types *types, const struct btf *programs,
		     const char *const *functions)
{
	int err = 0;

	for (uint32_t id = 1; !err && id < btf__type_cnt(programs); id++) {
		const struct btf_type *type = btf__type_by_id(programs, id);
		const char *text = btf__name_by_offset(programs, type->name_off);

		if (*text && is_root(btf_kind(type)))
			err = add_name(types, text, essential_length(text), true);
	}
	for (; !err && *functions; functions++)
		err = add_name(types, *functions, strlen(*functions), false);
	return err;
}

static int find_all(struct kernel_types *types)
{
	uint32_t count = btf__type_cnt(types->btf);

	for (uint32_t id = 1; id < count; id++) {
		const struct btf_type *type = btf__type_by_id(types->btf, id);
		uint32_t kind = btf_kind(type);
		struct name *name;
		const char *text;
		size_t length;

		if (!is_root(kind) && kind != BTF_KIND_FUNC)
			continue;
		text = btf__name_by_offset(types->btf, type->name_off);
		length = strlen(text);
		if (kind == BTF_KIND_TYPEDEF &&
		    !strncmp(text, tracepoint_prefix, sizeof(tracepoint_prefix) - 1) &&
		    add_name(types, text, length, false))
			return -ENOMEM;
		HASH_FIND(hh, types->names, text, length, name);
		if (name && name->count < KINDS_MAX)
			name->ids[name->count++] = id;
	}
	return 0;
}

int kernel_types_index(struct btf *kernel, const struct btf *programs, const char *const *functions,
		       struct kernel_types **ret_types)
{
	struct kernel_types *types = calloc(1, sizeof(*types));
	int err;

	if (!types) {
		btf__free(kernel);
		return -ENOMEM;
	}
	types->btf = kernel;
	err = add_names(types, programs, functions);
	if (!err)
		err = find_all(types);
	if (err) {
		kernel_types_free(types);
		return err;
	}
	*ret_types = types;
	return 0;
}

void kernel_types_free(struct kernel_types *types)
{
	struct name *name, *next;

	if (!types)
		return;
	HASH_ITER (hh, types->names, name, next) {
		HASH_DEL(types->names, name);
		free(name->text);
		free(name);
	}
	btf__free(types->btf);
	free(types);
}

const struct btf *kernel_types_btf(const struct kernel_types *types)
{
	return types->btf;
}

int kernel_types_find(const struct kernel_types *types, const char *text, uint32_t kind)
{
	struct name *name;
	int id;

	HASH_FIND_STR(types->names, text, name);
	if (!name) {
		id = btf__find_by_name_kind(types->btf, text, kind);
		return id < 0 ? -ENOENT : id;
	}
	for (unsigned int i = 0; i < name->count; i++)
		if (btf_kind(btf__type_by_id(types->btf, name->ids[i])) == kind)
			return name->ids[i];
	return -ENOENT;
}

/* --- the copy --- */

struct copy {
	const struct btf *from;
	struct btf *to;
	uint32_t *numbers; /* of from's types in to; 0: not there yet */
	int pointer;	   /* to void */
};

static int copy_type(struct copy *copy, uint32_t id);

/* Of a type that is another one's part; 0, void, is itself. */
static int copied(const struct copy *copy, uint32_t id)
{
	if (!id)
		return 0;
	return btf_is_ptr(btf__type_by_id(copy->from, id)) ? copy->pointer : (int)copy->numbers[id];
}

static int copy_members(struct copy *copy, const struct btf_type *type)
{
	const struct btf_member *members = btf_members(type);
	int err = 0;

	for (unsigned int i = 0; !err && i < btf_vlen(type); i++)
		err = btf__add_field(copy->to, btf__name_by_offset(copy->from, members[i].name_off),
				     copied(copy, members[i].type), btf_member_bit_offset(type, i),
				     btf_member_bitfield_size(type, i));
	return err;
}

/* Its members' types are there. */
static int copy_composite(struct copy *copy, const struct btf_type *type, const char *name)
{
	int number = btf_is_struct(type) ? btf__add_struct(copy->to, name, type->size)
					 : btf__add_union(copy->to, name, type->size);
	int err = number < 0 ? number : copy_members(copy, type);

	return err ? err : number;
}

static int copy_enum(struct copy *copy, const struct btf_type *type, const char *name)
{
	bool is_wide = btf_is_enum64(type);
	int number = is_wide ? btf__add_enum64(copy->to, name, type->size, btf_kflag(type))
			     : btf__add_enum(copy->to, name, type->size);
	int err = number < 0 ? number : 0;

	for (unsigned int i = 0; !err && i < btf_vlen(type); i++) {
		const struct btf_enum64 *wide = btf_enum64(type) + i;
		const struct btf_enum *plain = btf_enum(type) + i;

		err = is_wide ? btf__add_enum64_value(
					copy->to, btf__name_by_offset(copy->from, wide->name_off),
					btf_enum64_value(wide))
			      : btf__add_enum_value(
					copy->to, btf__name_by_offset(copy->from, plain->name_off),
					plain->val);
	}
	return err ? err : number;
}

/* The types that it is made of. */
static int copy_parts(struct copy *copy, const struct btf_type *type)
{
	int err = 0;

	if (has_members(btf_kind(type))) {
		for (unsigned int i = 0; !err && i < btf_vlen(type); i++)
			err = copy_type(copy, btf_members(type)[i].type);
		return err;
	}
	if (btf_is_array(type)) {
		err = copy_type(copy, btf_array(type)->type);
		return err ? err : copy_type(copy, btf_array(type)->index_type);
	}
	if (btf_is_mod(type) || btf_is_typedef(type) || btf_is_type_tag(type))
		return copy_type(copy, type->type);
	return 0;
}

/* Returns its number or a negative errno. */
static int copy_itself(struct copy *copy, const struct btf_type *type)
{
	const char *name = btf__name_by_offset(copy->from, type->name_off);

	switch (btf_kind(type)) {
	case BTF_KIND_STRUCT:
	case BTF_KIND_UNION:
		return copy_composite(copy, type, name);
	case BTF_KIND_ENUM:
	case BTF_KIND_ENUM64:
		return copy_enum(copy, type, name);
	case BTF_KIND_INT:
		return btf__add_int(copy->to, name, type->size, btf_int_encoding(type));
	case BTF_KIND_FLOAT:
		return btf__add_float(copy->to, name, type->size);
	case BTF_KIND_ARRAY:
		return btf__add_array(copy->to, copied(copy, btf_array(type)->index_type),
				      copied(copy, btf_array(type)->type), btf_array(type)->nelems);
	case BTF_KIND_TYPEDEF:
		return btf__add_typedef(copy->to, name, copied(copy, type->type));
	default:
		/* const and its like, which CO-RE passes over; what is pointed at is left
		 * out, so what has no size is not met. */
		return btf__add_const(copy->to, copied(copy, type->type));
	}
}

static int copy_type(struct copy *copy, uint32_t id)
{
	const struct btf_type *type = btf__type_by_id(copy->from, id);
	int result;

	/* Nothing contains itself but by a pointer. */
	if (!id || copy->numbers[id] || btf_is_ptr(type))
		return 0;
	result = copy_parts(copy, type);
	if (!result)
		result = copy_itself(copy, type);
	if (result < 0)
		return result;
	copy->numbers[id] = result;
	return 0;
}

static int copy_roots(struct copy *copy, const struct kernel_types *types)
{
	int err = 0;

	for (struct name *name = types->names; !err && name; name = name->hh.next) {
		for (unsigned int i = 0; !err && name->of_programs && i < name->count; i++)
			if (is_root(btf_kind(btf__type_by_id(copy->from, name->ids[i]))))
				err = copy_type(copy, name->ids[i]);
	}
	return err;
}

static int write_all(int fd, const char *data, size_t size)
{
	while (size) {
		ssize_t written = write(fd, data, size);

		if (written < 0 && errno != EINTR)
			return -errno;
		if (written > 0) {
			data += written;
			size -= written;
		}
	}
	return 0;
}

static int write_btf(const struct btf *btf, int fd)
{
	__u32 size;
	const void *data = btf__raw_data(btf, &size);

	return data ? write_all(fd, data, size) : -ENOMEM;
}

int kernel_types_copy(const struct kernel_types *types, int fd)
{
	struct copy copy = {.from = types->btf};
	int err = -ENOMEM;

	copy.to = btf__new_empty();
	copy.numbers = calloc(btf__type_cnt(types->btf), sizeof(*copy.numbers));
	if (copy.to && copy.numbers) {
		copy.pointer = btf__add_ptr(copy.to, 0);
		err = copy.pointer < 0 ? copy.pointer : copy_roots(&copy, types);
	}
	if (!err)
		err = write_btf(copy.to, fd);
	free(copy.numbers);
	btf__free(copy.to);
	return err;
}
