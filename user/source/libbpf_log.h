/* SPDX-License-Identifier: GPL-2.0-only */
/* libbpf talks in paragraphs, a verifier log among them. */
#ifndef SYNWATCH_SOURCE_LIBBPF_LOG_H
#define SYNWATCH_SOURCE_LIBBPF_LOG_H

/* From now on it is heard with -v only: what it finds wrong, not what it finds. */
void libbpf_log_quiet(void);

#endif /* SYNWATCH_SOURCE_LIBBPF_LOG_H */
