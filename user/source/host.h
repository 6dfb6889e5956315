/* SPDX-License-Identifier: GPL-2.0-only */
/* What this host says of itself, where it is asked for in more than one place. */
#ifndef SYNWATCH_SOURCE_HOST_H
#define SYNWATCH_SOURCE_HOST_H

#include <stdbool.h>
#include <stddef.h>

/* The first line of a file, without its newline. Returns 0 or a negative errno. */
int host_read(const char *path, char *ret_text, size_t size);

/* Its name and its kernel's release; "" where it does not tell. */
void host_describe(char *ret_name, size_t name_size, char *ret_kernel, size_t kernel_size);

/* Of /sys/kernel/security/lockdown: "none", "integrity", "confidentiality". Returns 0, or
 * a negative errno if the kernel does not say: then it has no lockdown, or securityfs is
 * not mounted. */
int host_lockdown(char *ret_mode, size_t size);

/* "capability,landlock,selinux". Returns 0 or a negative errno, as above. */
int host_security_modules(char *ret_text, size_t size);

/* Is a seccomp filter in force for this process? */
bool host_has_seccomp(void);

/* Are BPF maps charged to RLIMIT_MEMLOCK (before 5.11), and not to a memory cgroup? */
bool host_charges_memlock(void);

#endif /* SYNWATCH_SOURCE_HOST_H */
