# SPDX-License-Identifier: GPL-2.0-only
#
# `make` builds build/synwatch, `make help` lists the rest. On the command line:
#
#   V=1        show the commands
#   O=dir      build there, the source tree stays as it is
#   SAN=1      AddressSanitizer and UBSan, in its own directory
#   WERROR=1   warnings are errors (the kernel side's always are)
#   CC= CLANG= BPFTOOL= CFLAGS= LDFLAGS= VERSION= PYTHON=   as usual

MAKEFLAGS += --no-builtin-rules
.DELETE_ON_ERROR:
.SECONDARY:

ifeq ($(SAN),1)
O ?= build/san
SAN_O := $(O)
else
O ?= build
SAN_O := $(O)/san
endif

CLANG ?= clang
CFLAGS ?= -O2 -g
PYTHON ?= /usr/bin/python3
BPFTOOL := $(or $(BPFTOOL),$(shell .ci/deps bpftool))
# Of this tree's own repository, not of one that it was unpacked into.
VERSION := $(or $(VERSION),$(and $(wildcard .git),$(shell git describe --always --dirty \
	2>/dev/null)),0.1.0)

prefix ?= /usr/local
sbindir ?= $(prefix)/sbin
mandir ?= $(prefix)/share/man

ifeq ($(V),1)
Q :=
say =
else
Q := @
say = @printf '  %-5s %s\n' $(1) $(2)
endif

# ---- flags ----

# A tracepoint's arguments are what they are, used or not.
bpf_flags := -target bpf -mcpu=v3 -g -O2 -Wall -Wextra -Wno-unused-parameter -fms-extensions \
	-Wno-microsoft-anon-tag -Werror \
	-Iinclude -Ivmlinux -Ibpf $(shell pkg-config --cflags libbpf 2>/dev/null)

compile_flags := -std=gnu11 -D_GNU_SOURCE $(CPPFLAGS) $(CFLAGS) \
	-Wall -Wextra -Wshadow -Wmissing-prototypes -Wstrict-prototypes -Wundef \
	-Wmissing-field-initializers $(if $(filter 1,$(WERROR)),-Werror) \
	-Iinclude -Iuser $(shell pkg-config --cflags libbpf yajl sqlite3 libcap-ng \
	libseccomp 2>/dev/null)
link_flags := $(CFLAGS) $(LDFLAGS)
ifeq ($(SAN),1)
sanitize := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
compile_flags += $(sanitize)
link_flags += $(sanitize)
endif

# musl leaves argp to a library of its own.
argp := $(if $(wildcard /usr/lib/libargp.*),-largp)
libs := $(shell pkg-config --libs libbpf yajl sqlite3 libcap-ng \
	libseccomp 2>/dev/null) $(argp) -pthread
unit_libs := $(shell pkg-config --libs yajl sqlite3 cmocka 2>/dev/null) $(argp) -pthread

# ---- objects ----

objects = $(patsubst %.c,$(O)/%.o,$(sort $(wildcard $(1))))

# No libbpf, no socket, no clock. The program, the unit tests, the fuzzers and the
# replay share it.
core := $(call objects,user/core/*.c user/cli/*.c user/sink/*.c user/store/*.c \
	user/source/kallsyms.c user/source/procfs.c user/source/record_text.c user/source/replay.c)
kernel_sides := $(O)/bpf/synwatch $(O)/tests/bench/empty
live := $(filter-out $(core),$(call objects,user/source/*.c))
main := $(call objects,user/*.c)
unit_objects := $(call objects,tests/unit/test_*.c)
unit_tests := $(unit_objects:.o=)
fuzz_objects := $(call objects,tests/fuzz/fuzz_*.c)
fuzzers := $(fuzz_objects:.o=)
bench_objects := $(call objects,$(filter-out %.bpf.c,$(wildcard tests/bench/*.c)))
benches := $(bench_objects:.o=)
page_objects := $(call objects,tests/docs/*.c)
kernels_page := $(O)/tests/docs/kernels_page
tool_objects := $(fuzz_objects) $(bench_objects) $(page_objects) $(O)/tests/fuzz/driver.o
# The only ones that are compiled again for a new version.
version_users := $(call objects,$(shell grep -ls SYNWATCH_VERSION user/*.c user/*/*.c \
	tests/unit/*.c))

.PHONY: all
all: $(O)/synwatch ## build the program (default)

$(O)/synwatch: $(main) $(live) $(O)/libcore.a $(O)/link.flags
	$(call say,LINK,$@)
	$(Q)$(CC) $(link_flags) $(filter %.o %.a,$^) $(libs) -o $@

# Made anew each time, so that an object whose source is gone goes too.
$(O)/libcore.a: $(core) $(O)/link.flags
	$(call say,AR,$@)
	$(Q)rm -f $@ && $(AR) rcs $@ $(filter %.o,$^)

$(fuzzers): $(O)/tests/fuzz/driver.o
$(O)/tests/bench/attach: $(O)/user/source/tracefs.o
$(benches): unit_libs := $(libs)
$(O)/tests/unit/test_kernel_types: $(O)/user/source/kernel_types.o
$(O)/tests/unit/test_kernel_types: unit_libs += $(shell pkg-config --libs libbpf 2>/dev/null)
$(unit_tests) $(fuzzers) $(benches) $(kernels_page): %: %.o $(O)/libcore.a $(O)/link.flags
	$(call say,LINK,$@)
	$(Q)$(CC) $(link_flags) $(filter %.o %.a,$^) $(unit_libs) -o $@

$(O)/%.o: %.c $(O)/compile.flags | $(O)/deps.found
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(compile_flags) -MMD -MP -c $< -o $@

$(version_users): compile_flags += -DSYNWATCH_VERSION='"$(VERSION)"'
$(version_users): $(O)/version

# Nobody else may see the skeleton.
$(live): compile_flags += -I$(O)/bpf
$(live): | $(O)/bpf/synwatch.skel.h
$(O)/tests/bench/attach.o: compile_flags += -I$(O)/tests/bench
$(O)/tests/bench/attach.o: | $(O)/tests/bench/empty.skel.h

$(O)/%.bpf.o: %.bpf.c $(O)/bpf.flags | $(O)/deps.found
	@mkdir -p $(@D)
	$(call say,BPF,$<)
	$(Q)$(CLANG) $(bpf_flags) -MMD -MP -c $< -o $@

# The static linker drops DWARF and keeps BTF, which is all that libbpf reads.
$(kernel_sides:=.o): %.o: %.bpf.o
	$(Q)$(BPFTOOL) gen object $@ $<

$(kernel_sides:=.skel.h): %.skel.h: %.o
	$(call say,SKEL,$@)
	$(Q)$(BPFTOOL) gen skeleton $< name $(notdir $*) >$@

-include $(patsubst %.o,%.d,$(core) $(live) $(main) $(unit_objects) $(tool_objects)) \
	$(kernel_sides:=.bpf.d)

# Files that hold words and are written only when these change: what depends
# on one is made again for another flag, compiler, object list or version.
$(O)/compile.flags: words := $(CC) $(compile_flags)
$(O)/link.flags: words := $(CC) $(link_flags) $(libs) $(unit_libs) $(core) $(live)
$(O)/bpf.flags: words := $(CLANG) $(bpf_flags) $(BPFTOOL)
$(O)/version: words := $(VERSION)
quoted = '$(subst ','\'',$(words))'
$(O)/compile.flags $(O)/link.flags $(O)/bpf.flags $(O)/version: always
	@mkdir -p $(@D)
	@printf '%s\n' $(quoted) | cmp -s - $@ || printf '%s\n' $(quoted) >$@
.PHONY: always

$(O)/deps.found: .ci/deps
	@mkdir -p $(@D)
	@$(need) check build
	@touch $@

# ---- set-up and use ----

need = CC='$(CC)' CLANG='$(CLANG)' PYTHON='$(PYTHON)' .ci/deps
# For what starts with an installation: the sub-make then sees what was installed.
jobs = $(if $(findstring -j,$(MAKEFLAGS)),,-j$(shell nproc))
submake = $(MAKE) --no-print-directory
# What root builds for a user stays the user's to rebuild.
hand_back = @[ -z "$$SUDO_UID" ] || chown -R "$$SUDO_UID:$$SUDO_GID" $(O)
synwatch = SYNWATCH='$(abspath $(O)/synwatch)'
pytest = PYTHONDONTWRITEBYTECODE=1 $(PYTHON) -m pytest -rfEs -p no:cacheprovider

.PHONY: deps deps-test live demo
deps: ## install what the build needs (root; apt, elsewhere names the packages)
	@$(need) install build

deps-test: ## install what the tests need, too
	@$(need) install build unit demo live kernels
	+@$(submake) $(O)/nginx

# A server for the tests to use. As a package it would also be one for this host.
$(O)/nginx:
	@mkdir -p $(@D)
	@.ci/deps unpack nginx $@ || echo 'synwatch: no nginx: its tests are skipped' >&2

live: deps ## install, build, watch this host (root); ARGS='--port 443' passes options
	+@$(submake) $(jobs) all
	$(hand_back)
	@exec $(O)/synwatch $(ARGS)

demo: ## stage a DROP, a REJECT, a reset and a healthy connection, and watch them (root)
	@$(need) install build demo
	+@$(submake) $(jobs) all
	$(hand_back)
	@$(synwatch) PYTHONDONTWRITEBYTECODE=1 $(PYTHON) tests/live/demo.py

# ---- benchmark ----

.PHONY: bench bench-smoke bench-size
bench_programs := $(addprefix $(O)/tests/bench/,attach handshakes)
bench_run = $(synwatch) PYTHONDONTWRITEBYTECODE=1 $(PYTHON) tests/bench/bench.py \
	--programs $(O)/tests/bench --out $(O)/bench

bench: ## measure what it costs, beside other tools (root); ARGS='--parts size' for less
	@$(need) install build demo
	@$(need) install bench || echo 'synwatch: what is missing is not measured' >&2
	+@$(submake) $(jobs) all $(bench_programs)
	@status=0; $(bench_run) $(ARGS) || status=$$?; \
		[ -z "$$SUDO_UID" ] || chown -R "$$SUDO_UID:$$SUDO_GID" $(O); exit $$status

bench-size: all $(bench_programs) ## list how large the BPF programs and maps are (root)
	@$(bench_run) --out $(O)/bench/size --parts size

bench-smoke: all $(bench_programs) ## test the benchmark itself: all there, nothing lost (root)
	@$(synwatch) BENCH_PROGRAMS='$(abspath $(O)/tests/bench)' $(pytest) -q tests/bench

# ---- tests ----

.PHONY: test check programs lint unit replay fuzz-smoke check-build check-live soak
.PHONY: check-kernels kernels
test: deps-test ## install, build, run every test (root for the live ones)
	+@$(submake) $(jobs) all $(bench_programs)
	+@$(submake) $(jobs) SAN=1 O=$(SAN_O) all programs
	$(hand_back)
	+@MAKE='$(submake)' tests/run lint unit replay fuzz-smoke check-build check-live bench-smoke \
		kernels

check: ## run the tests that need no root, in seconds
	@$(need) check build unit
	+@$(submake) $(jobs) SAN=1 O=$(SAN_O) all programs
	+@MAKE='$(submake)' tests/run lint unit replay fuzz-smoke

lint: $(kernels_page) ## check the formatting, the manual page and who includes what
	@KERNELS_PAGE='$(abspath $<)' $(pytest) -q tests/unit

.PHONY: man-kernels
man-kernels: $(kernels_page) ## write what kernels offer into the manual page, from the program's table
	$(Q)$< <docs/synwatch.8 >$(O)/synwatch.8 && mv $(O)/synwatch.8 docs/synwatch.8

ifeq ($(SAN),1)
programs: $(unit_tests) $(fuzzers) $(benches)

unit: programs ## run the unit tests, under the sanitizers
	@tests/unit/run $(unit_tests)

replay: all ## judge the recorded cases again, under the sanitizers
	@$(synwatch) tests/replay/run

fuzz-smoke: programs ## fuzz for some seconds, under the sanitizers; SECONDS=300 for longer
	@SECONDS=$(or $(SECONDS),3) tests/fuzz/run $(fuzzers)
else
programs unit replay fuzz-smoke:
	+@$(submake) SAN=1 O=$(SAN_O) $@
endif

check-build: ## test the build itself
	@$(pytest) -q tests/build

check-live: all ## run the live tests (root)
	@rm -f $(O)/live.xml
	@$(synwatch) $(pytest) -v -n 12 --junitxml=$(O)/live.xml tests/live

# Debian's packages, and what is made of them: kept by `make clean`.
kernels_run = $(synwatch) SYNWATCH_KERNELS='$(abspath $(O)/kernels)' PYTHONDONTWRITEBYTECODE=1 \
	$(PYTHON) tests/kernels/check.py
check-kernels: ## run the core of them on Debian's kernels, too (root, QEMU); FULL=1 for all
	@$(need) install build unit live kernels
	+@$(submake) $(jobs) all $(O)/nginx
	$(hand_back)
	@$(kernels_run) $(if $(FULL),--full)

# The kernel that has least: all three would take `make test` beyond a quarter of an
# hour. After check-live, whose results are this host's column.
kernels: all ## the part of `make test` that does this, after check-live
	@$(kernels_run) --host $(O)/live.xml $(or $(KERNELS),5.10)

soak: all ## leave it on under load (root): ten minutes; DURATION=3600 seconds, or any
	@$(synwatch) SYNWATCH_DEMAND_LIVE=1 SYNWATCH_SOAK=$(or $(DURATION),600) \
		$(pytest) -q -s tests/live/test_soak.py

# ---- installation ----

.PHONY: install uninstall clean help
install: all ## install to $(DESTDIR)$(prefix)
	install -D -m 755 $(O)/synwatch $(DESTDIR)$(sbindir)/synwatch
	install -D -m 644 docs/synwatch.8 $(DESTDIR)$(mandir)/man8/synwatch.8

uninstall: ## remove what install put there
	rm -f $(DESTDIR)$(sbindir)/synwatch $(DESTDIR)$(mandir)/man8/synwatch.8

# By name: O may be a directory that holds other things, the other kernels among them.
clean: ## remove what was built
	rm -rf $(addprefix $(O)/,synwatch libcore.a bpf user tests san bench nginx *.flags version \
	live.xml deps.found)
	@rmdir $(O) 2>/dev/null || true

help: ## print this list
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/\1#\2/p' $(MAKEFILE_LIST) | \
		while IFS='#' read -r target what; do printf '%-12s %s\n' "$$target" "$$what"; done
