/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Runs a fuzz target: first each file of its corpus as it is, then mutations of them,
 * for so many seconds.
 *
 *   fuzz_x SECONDS [SEED] FILE...
 *
 * Any compiler with sanitizers will do. The target's entry is libFuzzer's: with clang
 * -fsanitize=fuzzer in place of this driver, coverage guides the mutations.
 *
 * An input is written down before it is tried, so that one that kills the process is
 * left behind: crash-PROGRAM in the current directory, to be given as FILE.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "driver.h"

#define INPUT_MAX (1 << 20)

/* No input takes so long, not on the slowest machine: it has gone in a circle. */
#define STUCK_S 60

struct corpus {
	struct input {
		uint8_t *data;
		size_t size;
	} inputs[256];
	size_t count;
};

struct run {
	uint64_t random;
	char crash[256];
	int kept; /* that file, open: opened anew for each it would cost more than most targets */
	uint64_t tried;
};

static uint64_t draw(struct run *run, uint64_t below)
{
	run->random ^= run->random << 13;
	run->random ^= run->random >> 7;
	run->random ^= run->random << 17;
	return run->random % below;
}

static bool load(struct corpus *corpus, const char *path)
{
	struct input *input = &corpus->inputs[corpus->count];
	FILE *file = fopen(path, "rb");

	if (!file || corpus->count == sizeof(corpus->inputs) / sizeof(*corpus->inputs)) {
		fprintf(stderr, "cannot load %s\n", path);
		return false;
	}
	input->data = malloc(INPUT_MAX);
	if (input->data)
		input->size = fread(input->data, 1, INPUT_MAX, file);
	fclose(file);
	corpus->count++;
	return input->data != NULL;
}

static void keep(const struct run *run, const uint8_t *data, size_t size)
{
	if (pwrite(run->kept, data, size, 0) != (ssize_t)size || ftruncate(run->kept, (off_t)size))
		perror(run->crash);
}

static void try(struct run *run, const uint8_t *data, size_t size)
{
	keep(run, data, size);
	(void)alarm(STUCK_S);
	(void)LLVMFuzzerTestOneInput(data, size);
	run->tried++;
}

/* What numbers are likely to go wrong with. */
static void put_number(struct run *run, uint8_t *data, size_t size)
{
	static const uint64_t numbers[] = {0,
					   1,
					   0x7f,
					   0xff,
					   0x7fff,
					   0xffff,
					   INT32_MAX,
					   UINT32_MAX,
					   INT64_MAX,
					   UINT64_MAX,
					   (uint64_t)INT64_MIN,
					   4096};
	uint64_t number = numbers[draw(run, sizeof(numbers) / sizeof(*numbers))];
	size_t width = (size_t)1 << draw(run, 4), at;

	if (size < width)
		return;
	at = draw(run, size - width + 1);
	if (draw(run, 2))
		number = __builtin_bswap64(number) >> (64 - 8 * width);
	memcpy(data + at, &number, width);
}

/* A piece of one place, or of another input, over another place. */
static void overlay(struct run *run, const struct corpus *corpus, uint8_t *data, size_t size)
{
	const struct input *other = &corpus->inputs[draw(run, corpus->count)];
	size_t length, from, to;

	if (!size || !other->size)
		return;
	length = 1 + draw(run, draw(run, 4) ? 64 : 4096);
	if (length > size)
		length = size;
	if (length > other->size)
		length = other->size;
	from = draw(run, other->size - length + 1);
	to = draw(run, size - length + 1);
	memmove(data + to, other->data + from, length);
}

/* Cut off, a piece taken out, or a piece repeated. Returns the new size. */
static size_t reshape(struct run *run, uint8_t *data, size_t size)
{
	size_t at = draw(run, size + 1);
	size_t length = 1 + draw(run, 16);

	switch (draw(run, 3)) {
	case 0:
		return at;
	case 1:
		if (length > size - at)
			length = size - at;
		memmove(data + at, data + at + length, size - at - length);
		return size - length;
	default:
		if (length > size - at)
			length = size - at;
		if (length > INPUT_MAX - size)
			length = INPUT_MAX - size;
		memmove(data + at + length, data + at, size - at);
		return size + length;
	}
}

static size_t mutate(struct run *run, const struct corpus *corpus, uint8_t *data, size_t size)
{
	size_t changes = 1 + draw(run, 1 << draw(run, 6));

	while (changes--) {
		switch (draw(run, 8)) {
		case 0:
			overlay(run, corpus, data, size);
			break;
		case 1:
		case 2:
			put_number(run, data, size);
			break;
		case 3:
			if (!draw(run, 8))
				size = reshape(run, data, size);
			break;
		default:
			if (size)
				data[draw(run, size)] ^= (uint8_t)(1 << draw(run, 8));
			break;
		}
	}
	return size;
}

static void fuzz(struct run *run, const struct corpus *corpus, double seconds)
{
	uint8_t *data = malloc(INPUT_MAX);
	time_t end = time(NULL) + (time_t)seconds;

	while (data && corpus->count && time(NULL) < end) {
		const struct input *input = &corpus->inputs[draw(run, corpus->count)];

		memcpy(data, input->data, input->size);
		try(run, data, mutate(run, corpus, data, input->size));
	}
	free(data);
}

int main(int argc, char **argv)
{
	static struct corpus corpus;
	struct run run = {.random = 88172645463325252ULL};
	const char *name = strrchr(argv[0], '/');
	int next = 2;

	if (argc < 3)
		return 2;
	if (argv[2][strspn(argv[2], "0123456789")] == '\0')
		run.random = strtoull(argv[next++], NULL, 10) | 1;
	(void)snprintf(run.crash, sizeof(run.crash), "crash-%s", name ? name + 1 : argv[0]);
	run.kept = open(run.crash, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	while (next < argc)
		if (!load(&corpus, argv[next++]))
			return 1;
	for (size_t i = 0; i < corpus.count; i++)
		try(&run, corpus.inputs[i].data, corpus.inputs[i].size);
	fuzz(&run, &corpus, strtod(argv[1], NULL));
	(void)unlink(run.crash);
	close(run.kept);
	for (size_t i = 0; i < corpus.count; i++)
		free(corpus.inputs[i].data);
	printf("%s: %" PRIu64 " inputs\n", name ? name + 1 : argv[0], run.tried);
	return 0;
}
