/* SPDX-License-Identifier: GPL-2.0-only */
#include "source/host.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <sys/utsname.h>

#include <bpf/btf.h>

int host_read(const char *path, char *ret_text, size_t size)
{
	FILE *file = fopen(path, "re");
	int err = 0;

	if (!file)
		return -errno;
	if (fgets(ret_text, (int)size, file))
		ret_text[strcspn(ret_text, "\n")] = '\0';
	else
		err = -ENODATA;
	(void)fclose(file);
	return err;
}

void host_describe(char *ret_name, size_t name_size, char *ret_kernel, size_t kernel_size)
{
	struct utsname names = {};

	(void)uname(&names);
	(void)snprintf(ret_name, name_size, "%s", names.nodename);
	(void)snprintf(ret_kernel, kernel_size, "%s", names.release);
}

/* "none [integrity] confidentiality": the one in brackets is in force. */
int host_lockdown(char *ret_mode, size_t size)
{
	char line[128];
	const char *start, *end;
	int err = host_read("/sys/kernel/security/lockdown", line, sizeof(line));

	if (err)
		return err;
	start = strchr(line, '[');
	end = start ? strchr(start, ']') : NULL;
	if (!end)
		return -ENODATA;
	(void)snprintf(ret_mode, size, "%.*s", (int)(end - start - 1), start + 1);
	return 0;
}

int host_security_modules(char *ret_text, size_t size)
{
	return host_read("/sys/kernel/security/lsm", ret_text, size);
}

bool host_has_seccomp(void)
{
	FILE *file = fopen("/proc/self/status", "re");
	char line[256];
	bool found = false;

	if (!file)
		return false;
	while (!found && fgets(line, sizeof(line), file))
		found = !strncmp(line, "Seccomp:\t2", strlen("Seccomp:\t2"));
	(void)fclose(file);
	return found;
}

/*
 * The memory cgroup took the limit's place in 5.11, of which nothing can be seen. A
 * helper came in the same release: bpf_ktime_get_coarse_ns(), d05512618056.
 */
bool host_charges_memlock(void)
{
	struct btf *btf = btf__load_vmlinux_btf();
	const struct btf_type *type;
	bool found = false;
	int id;

	if (!btf)
		return false;
	id = btf__find_by_name_kind(btf, "bpf_func_id", BTF_KIND_ENUM);
	type = id < 0 ? NULL : btf__type_by_id(btf, id);
	for (int i = 0; type && i < btf_vlen(type) && !found; i++)
		found = !strcmp(btf__name_by_offset(btf, btf_enum(type)[i].name_off),
				"BPF_FUNC_ktime_get_coarse_ns");
	btf__free(btf);
	return type && !found;
}
