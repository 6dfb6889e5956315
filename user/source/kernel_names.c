/* SPDX-License-Identifier: GPL-2.0-only */
#include "source/kernel_names.h"

#include <stdlib.h>
#include <string.h>

#include <bpf/btf.h>

#include "source/kallsyms.h"

/* Drops happen at few places and for few reasons; a kernel has some 120 of
 * these and far fewer of those that free a SYN. */
#define TOLD_MAX    256
#define REASONS_MAX 512

#define SYMBOLS_LOOKED_AT 10000

struct told {
	enum sw_name_of of;
	uint64_t number;
};

struct reason {
	uint32_t number;
	char name[SW_NAME_LEN];
};

struct kernel_names {
	kernel_names_fn tell;
	void *ctx;
	FILE *symbols; /* NULL: none to be had */
	struct told told[TOLD_MAX];
	size_t count;
	struct reason *reasons; /* read when first needed */
	size_t reason_count;
};

struct kernel_names *kernel_names_new(kernel_names_fn tell, void *ctx)
{
	struct kernel_names *names = calloc(1, sizeof(*names));

	if (!names)
		return NULL;
	names->tell = tell;
	names->ctx = ctx;
	/* Who opens it decides whether it shows addresses: now there are privileges. */
	names->symbols = fopen("/proc/kallsyms", "re");
	return names;
}

struct kernel_names *kernel_names_free(struct kernel_names *names)
{
	if (!names)
		return NULL;
	if (names->symbols)
		(void)fclose(names->symbols);
	free(names->reasons);
	free(names);
	return NULL;
}

/* "SKB_DROP_REASON_NETFILTER_DROP" -> "NETFILTER_DROP" */
static const char *without_prefix(const char *name)
{
	static const char *const prefixes[] = {"SKB_DROP_REASON_", "SKB_"};

	for (size_t i = 0; i < sizeof(prefixes) / sizeof(*prefixes); i++) {
		size_t length = strlen(prefixes[i]);

		if (!strncmp(name, prefixes[i], length))
			return name + length;
	}
	return name;
}

/* The names are copied, for the kernel's BTF takes some ten MB. */
static void read_reasons(struct kernel_names *names)
{
	struct btf *btf = btf__load_vmlinux_btf();
	const struct btf_type *type;
	int id;

	if (!btf)
		return;
	id = btf__find_by_name_kind(btf, "skb_drop_reason", BTF_KIND_ENUM);
	if (id < 0)
		goto out;
	type = btf__type_by_id(btf, id);
	names->reasons = calloc(REASONS_MAX, sizeof(*names->reasons));
	for (int i = 0; names->reasons && i < btf_vlen(type) && i < REASONS_MAX; i++) {
		const struct btf_enum *value = btf_enum(type) + i;
		struct reason *reason = &names->reasons[names->reason_count++];

		reason->number = value->val;
		(void)snprintf(reason->name, sizeof(reason->name), "%s",
			       without_prefix(btf__name_by_offset(btf, value->name_off)));
	}
out:
	btf__free(btf);
}

static void find_reason(struct kernel_names *names, uint32_t number, char *ret_name, size_t size)
{
	*ret_name = '\0';
	if (!names->reasons)
		read_reasons(names);
	for (size_t i = 0; i < names->reason_count; i++) {
		if (names->reasons[i].number == number)
			(void)snprintf(ret_name, size, "%s", names->reasons[i].name);
	}
}

/* The first symbols may be at 0 (of a CPU's own area); where addresses are hidden all
 * are. */
bool kernel_names_has_places(const struct kernel_names *names)
{
	char line[256];

	if (!names->symbols)
		return false;
	rewind(names->symbols);
	for (int i = 0; i < SYMBOLS_LOOKED_AT && fgets(line, sizeof(line), names->symbols); i++) {
		if (strtoull(line, NULL, 16))
			return true;
	}
	return false;
}

/* Read through once for each place: some 10 MB of symbols are not worth keeping
 * for a handful of look-ups. */
static void find_place(const struct kernel_names *names, uint64_t address, char *ret_name,
		       size_t size)
{
	*ret_name = '\0';
	if (!names->symbols)
		return;
	rewind(names->symbols);
	(void)kallsyms_function(names->symbols, address, ret_name, size);
}

static bool is_told(const struct kernel_names *names, enum sw_name_of of, uint64_t number)
{
	for (size_t i = 0; i < names->count; i++) {
		if (names->told[i].of == of && names->told[i].number == number)
			return true;
	}
	return false;
}

/* A table that is full stays as it is: the numbers after it have no names. */
static void tell_once(struct kernel_names *names, enum sw_name_of of, uint64_t number)
{
	char name[SW_NAME_LEN];

	if (!number || is_told(names, of, number) || names->count == TOLD_MAX)
		return;
	names->told[names->count++] = (struct told){.of = of, .number = number};
	if (of == SW_NAME_REASON)
		find_reason(names, number, name, sizeof(name));
	else
		find_place(names, number, name, sizeof(name));
	names->tell(names->ctx, of, number, name);
}

void kernel_names_of_drop(struct kernel_names *names, const struct sw_drop *drop)
{
	tell_once(names, SW_NAME_REASON, drop->reason);
	tell_once(names, SW_NAME_PLACE, drop->place);
}

void kernel_names_of_reason(struct kernel_names *names, uint32_t reason)
{
	tell_once(names, SW_NAME_REASON, reason);
}
