# tpc: the build. `make help` lists the targets, packaging/setup installs what they need.
#
# Variables: BUILD (folder, build), VARIANT (release, debug, san, ubsan), CC, AR, PKG_CONFIG,
# CPPFLAGS, CFLAGS, LDFLAGS, WERROR (-Werror: a warning is an error, as in .ci/run and `make lint`;
# developers export it), PREFIX, DESTDIR. Those from CC to WERROR are kept in the build folder until
# they are given anew (CFLAGS= takes them away): `make install` installs what was built.
# For another machine: CC=TRIPLET-gcc AR=TRIPLET-ar and PKG_CONFIG=TRIPLET-pkg-config, or what
# tests/arches gives.
# Of `make install` also SYSTEMD_UNITS, the folder of the units: PREFIX/lib/systemd/system.

VERSION := 0.1.0

BUILD ?= build
VARIANT ?= release
PREFIX ?= /usr/local
DESTDIR ?=
SYSTEMD_UNITS ?= $(PREFIX)/lib/systemd/system
PYTHON ?= /usr/bin/python3
CLANG_FORMAT ?= clang-format
MODULES := yaml-0.1 libnftables libmnl libmaxminddb

ifeq ($(VARIANT),release)
OUT := $(BUILD)
# Two words that were just written and are read as one vector wait for each other: struct wide is
# faster without.
OPTIMISE := -O2 -g -fno-tree-slp-vectorize
else ifeq ($(VARIANT),debug)
OUT := $(BUILD)/debug
OPTIMISE := -O0 -g3
else ifeq ($(VARIANT),san)
OUT := $(BUILD)/san
OPTIMISE := -O1 -g -fno-omit-frame-pointer
SANITIZE := -fsanitize=address,undefined -fno-sanitize-recover=all
else ifeq ($(VARIANT),ubsan)
OUT := $(BUILD)/ubsan
OPTIMISE := -O1 -g -fno-omit-frame-pointer
SANITIZE := -fsanitize=undefined -fno-sanitize-recover=all
# It sees more than gcc's does: arguments that may not be NULL.
ifeq ($(origin CC),default)
CC := clang
endif
else
$(error VARIANT is release, debug, san or ubsan, not "$(VARIANT)")
endif

# What was given when this folder was built last.
GIVEN := CC AR PKG_CONFIG CPPFLAGS CFLAGS LDFLAGS WERROR
-include $(OUT)/given
$(foreach name,$(GIVEN),$(if $(filter default undefined file,$(origin $(name))),$(if \
	$(filter-out undefined,$(origin given_$(name))),$(eval $(name) = $$(given_$(name))))))
PKG_CONFIG ?= pkg-config
CFLAGS ?=
LDFLAGS ?=
WERROR ?=
# As they are here, whatever a target makes of them.
$(foreach name,$(GIVEN),$(eval now_$(name) := $$($(name))))

# nft and ip are where an ordinary user's PATH does not lead.
export PATH := $(PATH):/usr/local/sbin:/usr/sbin:/sbin

# V=1 shows the commands.
Q := $(if $(V),,@)

# Fields that are not written are zero, and clang need not say so.
WARN = -Wall -Wextra -Wno-missing-field-initializers -Wshadow -Wstrict-prototypes -Wmissing-prototypes $(WERROR)
# On a machine of 32 bits: files over 2 GiB, folders of big file systems, and times after 2038.
WIDE_FILES := -D_FILE_OFFSET_BITS=64 -D_TIME_BITS=64
# Asked of pkg-config once, and only when something is compiled.
module_cflags = $(eval module_cflags := $$(shell $(PKG_CONFIG) --cflags $(MODULES)))$(module_cflags)
module_libs = $(eval module_libs := $$(shell $(PKG_CONFIG) --libs $(MODULES)))$(module_libs)
unit_libs = $(eval unit_libs := $$(shell $(PKG_CONFIG) --libs cmocka))$(unit_libs)

# Hardening, as distributions have it. What they give themselves comes after it and wins; glibc's
# checks of buffers are given once, need an optimiser and stay out of the way of sanitizers.
given_flags = $(CPPFLAGS) $(CFLAGS)
fortify = $(if $(SANITIZE)$(filter -O0,$(lastword $(filter -O%,$(OPTIMISE) $(CFLAGS))))$(findstring \
	_FORTIFY_SOURCE,$(given_flags))$(findstring -fsanitize,$(given_flags)),,-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2)
harden_compile = -fstack-protector-strong -fPIE $(fortify)
harden_link = $(if $(filter -static -static-pie -no-pie,$(CFLAGS) $(LDFLAGS)),,-pie) -Wl,-z,relro -Wl,-z,now
# The same bytes from every folder.
map_folder = -ffile-prefix-map=$(CURDIR)=. $(if $(filter /%,$(OUT)),-ffile-prefix-map=$(OUT)=build)

compile_flags = -std=gnu11 -D_GNU_SOURCE $(WIDE_FILES) -DTPC_VERSION='"$(VERSION)"' -Icompiler \
	$(OPTIMISE) $(SANITIZE) $(harden_compile) $(WARN) $(module_cflags) $(CPPFLAGS) $(CFLAGS)
link_flags = $(SANITIZE) $(harden_link) $(CFLAGS) $(LDFLAGS)
compile = $(CC) $(compile_flags) $(map_folder)

SOURCES := $(sort $(wildcard compiler/*.c compiler/*/*.c compiler/*/*/*.c))
OBJECTS := $(SOURCES:%.c=$(OUT)/obj/%.o) $(OUT)/obj/schema.o $(OUT)/obj/script.o $(OUT)/obj/clock.o
UNIT_SOURCES := $(sort $(wildcard tests/unit/test_*.c))
UNIT := $(UNIT_SOURCES:tests/unit/%.c=$(OUT)/unit/%)
TORTURE := $(addprefix $(OUT)/torture/,flood killat fault.so)

FILES ?= $(wildcard compiler/*.[ch] compiler/*/*.[ch] compiler/*/*/*.[ch] tests/*/*.[ch])
JOBS ?= $(shell nproc 2>/dev/null || echo 1)
# Tests wait for silence most of the time: three for each processor.
WORKERS ?= $(shell expr 3 \* $(JOBS))
# What a run of tests leaves of its own is below the build folder.
of_build = BUILD=$(BUILD)$(1) PYTHONDONTWRITEBYTECODE= PYTHONPYCACHEPREFIX=$(abspath $(BUILD))/pycache
# The tests of a build folder, in one process, and in several.
pytest = $(call of_build) $(PYTHON) -m pytest
pytests = $(pytest) -n $(WORKERS)

# Of `make model`: a seed gives the same policies and packets every time, but for windows of time, which
# are around NOW (seconds since 1970; else the hour it is).
SEED ?= 1
N ?= 1000

# Of `make versions`: what README promises, the oldest first.
RELEASES ?= bookworm stable testing unstable

# Another make for another variant or after the set-up; parallel unless the caller has decided.
SUBMAKE = $(MAKE) --no-print-directory $(if $(filter -j%,$(MAKEFLAGS)),,-j$(JOBS))
# What packaging/setup does not install.
needs = command -v $(1) >/dev/null || { echo '$(1) is missing: install it' >&2; exit 1; }
# As a makefile has it.
hash := \#
escaped = $(subst $(hash),\$(hash),$(subst $$,$$$$,$(1)))
# Between single quotes of the shell.
quoted = $(subst ','\'',$(1))
# A text into the file of the target, which is left alone when it holds just that.
keep = text='$(call quoted,$(strip $(1)))'; \
	[ "$$text" = "$$(cat $@ 2>/dev/null)" ] || printf '%s\n' "$$text" >$@
# Paths below the place of installation.
into = $(addprefix $(DESTDIR)$(PREFIX)/,$(1))
# A file of packaging/ that starts the program, from where it is installed: its mode, itself, its place.
install_starter = install -m $(1) packaging/$(2) $(3) && sed -i 's,/usr/local/,$(PREFIX)/,g' $(3)
# Services of other managers than systemd, and hooks, which whoever wants them copies.
STARTERS := openrc/tpc procd/tpc runit/tpc/run hooks/tpc

.DELETE_ON_ERROR:
.SECONDARY:
.SUFFIXES:
.PHONY: all unit demo check torture torture-tools model ubsan valgrind arches interop versions lint golden bench format install uninstall help clean FORCE

all: $(OUT)/tpc ## build the program

demo: ## show on this machine what a policy does to packets; installs what is missing
	@sh packaging/setup demo
	@$(SUBMAKE) all
	@TPC=$(abspath $(BUILD))/tpc $(PYTHON) tests/lab/demo

check: ## all tests; installs what is missing, ends in the count of passed, failed and skipped
	@sh packaging/setup check
	@$(SUBMAKE) all torture-tools
	@$(SUBMAKE) VARIANT=san all unit
	@$(pytests) $(SUITES)

torture: ## apply under floods, kill -9, failing messages and rivals, to the end (SEED=...)
	@sh packaging/setup check
	@$(SUBMAKE) all torture-tools
	@TORTURE=long SEED="$(SEED)" $(pytest) -rP --long tests/torture $(if $(CASES),-k "$(CASES)")

torture-tools: $(TORTURE)

model: ## random policies and packets, in the model and in the kernel: SEED=..., N=... policies
	@sh packaging/setup check
	@$(SUBMAKE) all
	@$(pytest) tests/model -m long --seed "$(SEED)" --policies $(N) $(if $(NOW),--now $(NOW))

ubsan: ## unit, golden, cli and lab suites (or SUITES) under clang's watch for undefined behaviour
	@$(call needs,clang)
	@sh packaging/setup check
	@$(SUBMAKE) VARIANT=ubsan all unit torture-tools
	@$(call of_build,/ubsan) $(PYTHON) -m pytest -n $(WORKERS) $(or $(SUITES),tests/unit tests/golden tests/cli tests/lab)

# Not the suites about --confirm: its watchdog closes the files that valgrind has open.
UNDER_VALGRIND = tests/unit tests/golden $(filter-out tests/cli/test_confirm.py tests/cli/test_drift.py,$(wildcard tests/cli/test_*.py))
valgrind: ## unit, golden and cli suites (or SUITES) under valgrind: takes an hour
	@$(call needs,valgrind)
	@sh packaging/setup check
	@$(SUBMAKE) all unit
	@sh tests/wrap_build $(BUILD) $(BUILD)/valgrind valgrind -q --error-exitcode=99 \
		--suppressions=$(CURDIR)/tests/valgrind.supp
	@$(call of_build,/valgrind) $(PYTHON) -m pytest -n $(JOBS) --patience 12 $(or $(SUITES),$(UNDER_VALGRIND))

arches: ## unit and golden suites on machines of 32 bits and of the other order of bytes (ARCHES=...); needs root
	@packaging/bare-root stable 'sh tests/arches $(ARCHES)'

interop: ## real proxies from the distribution's packages, in the lab; installs them, needs root
	@sh packaging/setup interop
	@$(SUBMAKE) all
	@$(pytests) tests/interop

versions: ## demo and check in bare roots of Debian, this release and newer ones (RELEASES=...); needs root
	@sh packaging/versions $(BUILD)/versions $(RELEASES)

lint: WERROR := -Werror
lint: all unit ## the rules of the house: includes, lengths, style
	@$(pytest) tests/house/test_rules.py

golden: all ## rewrite the expected files of the golden policies
	@$(pytest) -s tests/golden -k "test_expected$(if $(CASES), and ($(CASES)))" --update

bench: all $(OUT)/bench/timer $(OUT)/bench/flood $(OUT)/bench/floor ## time and memory of tpc, and of packets in its rules, against their bounds
	@$(PYTHON) tests/bench/run --tpc $(OUT)/tpc --timer $(OUT)/bench/timer \
		--flood $(OUT)/bench/flood --floor $(OUT)/bench/floor $(if $(LONG),--long) $(if $(ONLY),--only $(ONLY))

unit: $(UNIT) ## build the unit tests

format: ## lay out the C files (or FILES) in the project's style
	$(CLANG_FORMAT) -i $(FILES)

install: all ## copy the program, its data, documents and services below PREFIX (/usr/local)
	install -d $(call into,bin share/tpc share/doc/tpc/docs share/doc/tpc/schema share/doc/tpc/examples)
	install -m 755 $(OUT)/tpc $(call into,bin/tpc)
	install -m 644 schema/*.schema.json $(call into,share/tpc/)
	install -m 644 README.md CONTRIBUTING.md LICENSE $(call into,share/doc/tpc/)
	install -m 644 docs/* $(call into,share/doc/tpc/docs/)
	install -m 644 schema/*.md $(call into,share/doc/tpc/schema/)
	ln -sf ../../../tpc/policy.schema.json ../../../tpc/output.schema.json $(call into,share/doc/tpc/schema/)
	cp -R examples/. $(call into,share/doc/tpc/examples/)
	install -d $(DESTDIR)$(SYSTEMD_UNITS) $(addprefix $(call into,share/tpc/),$(dir $(STARTERS)))
	$(call install_starter,644,systemd/tpc@.service,$(DESTDIR)$(SYSTEMD_UNITS)/tpc@.service)
	$(foreach file,$(STARTERS),$(call install_starter,755,$(file),$(call into,share/tpc/$(file))) &&) :

uninstall: ## remove what install has copied
	rm -f $(call into,bin/tpc) $(DESTDIR)$(SYSTEMD_UNITS)/tpc@.service
	rm -rf $(call into,share/tpc share/doc/tpc)

$(OUT)/tpc: $(OBJECTS) $(OUT)/flags $(OUT)/objects
	@echo '  LD $@'
	$(Q)$(CC) $(link_flags) -o $@.new $(OBJECTS) $(module_libs)
	@mv $@.new $@

$(OUT)/obj/%.o: %.c $(OUT)/flags
	@mkdir -p $(@D)
	@echo '  CC $<'
	$(Q)$(compile) -MMD -MP -c -o $@ $<

# Files that the program carries: NAME_text and NAME_size, every byte an octal escape.
$(OUT)/schema.c: schema/policy.schema.json
$(OUT)/script.c: compiler/emit/script.sh
$(OUT)/clock.c: compiler/emit/clock.sh

$(OUT)/obj/schema.o $(OUT)/obj/script.o $(OUT)/obj/clock.o: $(OUT)/obj/%.o: $(OUT)/%.c $(OUT)/flags
	@mkdir -p $(@D)
	@echo '  CC $<'
	$(Q)$(compile) -MMD -MP -c -o $@ $<

$(OUT)/schema.c $(OUT)/script.c $(OUT)/clock.c: $(OUT)/%.c: Makefile
	@mkdir -p $(@D)
	@echo '  GEN $@'
	$(Q){ echo '#include <stddef.h>'; echo 'extern const char $*_text[];'; \
	  echo 'extern const size_t $*_size;'; \
	  echo 'const char $*_text[] = ""'; \
	  od -An -v -to1 $(filter-out Makefile,$^) | \
		sed -e 's/[[:space:]]*$$//' -e 's/[[:space:]][[:space:]]*/\\/g' -e 's/.*/"&"/'; \
	  echo ';'; echo 'const size_t $*_size = sizeof($*_text) - 1;'; } >$@

# Changes when a source comes or goes, and then the program is linked anew.
$(OUT)/objects: FORCE
	@mkdir -p $(@D)
	@$(call keep,$(OBJECTS))

# Changes only when the compiler or its flags do, and then everything is compiled anew.
$(OUT)/flags: FORCE
	@mkdir -p $(@D)
	@$(PKG_CONFIG) --exists --print-errors $(MODULES) || \
		{ echo 'libraries are missing; install them with: sh packaging/setup build' >&2; exit 1; }
	@$(call keep,$(CC) $(compile_flags) : $(link_flags) $(module_libs))
	@printf '%s\n' $(foreach name,$(GIVEN),'$(call quoted,given_$(name) := $(call escaped,$(now_$(name))))') >$(OUT)/given

# Everything but main, so that a test takes what it needs.
$(OUT)/all.a: $(filter-out %/compiler/main.o,$(OBJECTS)) $(OUT)/objects
	@rm -f $@
	$(Q)$(AR) rcs $@ $(filter %.o,$^)

$(OUT)/unit/%: $(OUT)/obj/tests/unit/%.o $(OUT)/all.a $(OUT)/flags
	@mkdir -p $(@D)
	@echo '  LD $@'
	$(Q)$(CC) $(link_flags) -o $@ $< $(OUT)/all.a $(module_libs) $(unit_libs)

$(OUT)/bench/%: $(OUT)/obj/tests/bench/%.o $(OUT)/flags
	@mkdir -p $(@D)
	@echo '  LD $@'
	$(Q)$(CC) $(link_flags) -o $@ $<

$(OUT)/torture/%: $(OUT)/obj/tests/torture/%.o $(OUT)/flags
	@mkdir -p $(@D)
	@echo '  LD $@'
	$(Q)$(CC) $(link_flags) -o $@ $<

# Preloaded into a program of whichever variant, so without sanitizers of its own.
$(OUT)/torture/%.so: tests/torture/%.c $(OUT)/flags
	@mkdir -p $(@D)
	@echo '  LD $@'
	$(Q)$(CC) -std=gnu11 -D_GNU_SOURCE -O2 $(WARN) -shared -fPIC -o $@ $<

help: ## this list
	@sed -n 's/^\([a-z][a-z-]*\):.*## \(.*\)/\1 \2/p' Makefile | \
		while read -r target does; do printf '  make %-10s %s\n' "$$target" "$$does"; done

clean: ## remove everything that was built
	rm -rf $(BUILD)

-include $(OBJECTS:.o=.d) $(UNIT_SOURCES:%.c=$(OUT)/obj/%.d)
