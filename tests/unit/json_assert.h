/* SPDX-License-Identifier: GPL-2.0-only */
/* What a line of JSON holds, asserted by path. For tests of what writes JSON. */
#ifndef SYNWATCH_TESTS_JSON_ASSERT_H
#define SYNWATCH_TESTS_JSON_ASSERT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <yajl/yajl_tree.h>

/* A path into a line and the value there, as JSON would have it, strings
 * without quotes. */
struct expected {
	const char *path;
	const char *value;
};

static yajl_val parse(const char *text)
{
	char error[256] = "";
	yajl_val line = yajl_tree_parse(text, error, sizeof(error));

	if (!line)
		fail_msg("%s in %s", error, text);
	return line;
}

static yajl_val member(yajl_val value, const char *key)
{
	size_t i;

	if (YAJL_IS_ARRAY(value)) {
		i = strtoul(key, NULL, 10);
		return i < value->u.array.len ? value->u.array.values[i] : NULL;
	}
	for (i = 0; YAJL_IS_OBJECT(value) && i < value->u.object.len; i++)
		if (!strcmp(value->u.object.keys[i], key))
			return value->u.object.values[i];
	return NULL;
}

static yajl_val find(yajl_val line, const char *path)
{
	char *copy = strdup(path);
	char *rest = copy;
	char *key;

	while (line && (key = strsep(&rest, "/")))
		line = member(line, key);
	free(copy);
	return line;
}

static const char *value_text(yajl_val value)
{
	if (!value)
		return "(absent)";
	if (YAJL_IS_NULL(value))
		return "null";
	if (YAJL_IS_TRUE(value))
		return "true";
	if (YAJL_IS_FALSE(value))
		return "false";
	if (YAJL_IS_NUMBER(value))
		return YAJL_GET_NUMBER(value);
	if (YAJL_IS_STRING(value))
		return YAJL_GET_STRING(value);
	return YAJL_IS_OBJECT(value) ? "{}" : "[]";
}

static void assert_values(const char *text, const struct expected *expected, size_t count)
{
	yajl_val line = parse(text);
	size_t i;

	for (i = 0; i < count; i++) {
		const char *value = value_text(find(line, expected[i].path));

		if (strcmp(value, expected[i].value))
			fail_msg("%s is %s, not %s", expected[i].path, value, expected[i].value);
	}
	yajl_tree_free(line);
}

/* The keys of the object at path, in the order of the line. "": the line. */
static void assert_keys(const char *text, const char *path, const char *expected)
{
	yajl_val line = parse(text);
	yajl_val object = *path ? find(line, path) : line;
	char keys[1024] = "";
	size_t i;

	assert_true(YAJL_IS_OBJECT(object));
	for (i = 0; i < object->u.object.len; i++) {
		strcat(keys, i ? " " : "");
		strcat(keys, object->u.object.keys[i]);
	}
	assert_string_equal(keys, expected);
	yajl_tree_free(line);
}

#endif /* SYNWATCH_TESTS_JSON_ASSERT_H */
