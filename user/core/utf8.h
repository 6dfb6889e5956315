/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Text from somebody else, as UTF-8: what could drive a terminal, and how much
 * room it takes. No locale is asked.
 */
#ifndef SYNWATCH_CORE_UTF8_H
#define SYNWATCH_CORE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One code point from UTF-8; length > 0. Returns it, or -1 for an invalid first
 * byte (overlong forms, surrogates and cut sequences included). ret_used is set
 * in both cases: the bytes to go on by. */
int32_t utf8_decode(const char *text, size_t length, size_t *ret_used);

/*
 * Could this character drive or deceive a terminal? C0, DEL, C1 (U+009B is a
 * CSI to xterm), line separators, zero-width and bidirectional formatting, tags.
 */
bool utf8_is_unsafe(uint32_t code_point);

/* A copy in which every unsafe character and every invalid byte is one '?',
 * cut at a character's border if dst is too small. size > 0; dst may be text. */
size_t utf8_safe(char *dst, size_t size, const char *text, size_t length);

/* Columns that valid UTF-8 takes up; never too few (combining marks count). */
unsigned int utf8_width(const char *text, size_t length);

#endif /* SYNWATCH_CORE_UTF8_H */
