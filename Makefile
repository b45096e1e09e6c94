# tpc: the build. `make help` lists the targets, packaging/setup installs what they need.
#
# Variables: BUILD (folder, build), VARIANT (release, debug, san), CC, CFLAGS, LDFLAGS, WERROR
# (empty: warnings are not errors), PREFIX, DESTDIR.

VERSION := 0.1.0

BUILD ?= build
VARIANT ?= release
PREFIX ?= /usr/local
DESTDIR ?=
CFLAGS ?=
LDFLAGS ?=
WERROR ?= -Werror
PYTHON ?= /usr/bin/python3
PKG_CONFIG ?= pkg-config
CLANG_FORMAT ?= clang-format
MODULES := yaml-0.1 libnftables libmnl

ifeq ($(VARIANT),release)
OUT := $(BUILD)
OPTIMISE := -O2 -g
else ifeq ($(VARIANT),debug)
OUT := $(BUILD)/debug
OPTIMISE := -O0 -g3
else ifeq ($(VARIANT),san)
OUT := $(BUILD)/san
OPTIMISE := -O1 -g -fno-omit-frame-pointer
SANITIZE := -fsanitize=address,undefined -fno-sanitize-recover=all
else
$(error VARIANT is release, debug or san, not "$(VARIANT)")
endif

# V=1 shows the commands.
Q := $(if $(V),,@)

WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes $(WERROR)
# Asked of pkg-config once, and only when something is compiled.
module_cflags = $(eval module_cflags := $$(shell $(PKG_CONFIG) --cflags $(MODULES)))$(module_cflags)
module_libs = $(eval module_libs := $$(shell $(PKG_CONFIG) --libs $(MODULES)))$(module_libs)
unit_libs = $(eval unit_libs := $$(shell $(PKG_CONFIG) --libs cmocka))$(unit_libs)
compile_flags = -std=gnu11 -D_GNU_SOURCE -DTPC_VERSION='"$(VERSION)"' -Icompiler $(OPTIMISE) \
	$(SANITIZE) $(WARN) $(module_cflags) $(CPPFLAGS) $(CFLAGS)
link_flags = $(SANITIZE) $(CFLAGS) $(LDFLAGS)

SOURCES := $(sort $(wildcard compiler/*.c compiler/*/*.c))
OBJECTS := $(SOURCES:%.c=$(OUT)/obj/%.o) $(OUT)/obj/schema.o
UNIT_SOURCES := $(sort $(wildcard tests/unit/test_*.c))
UNIT := $(UNIT_SOURCES:tests/unit/%.c=$(OUT)/unit/%)
SCHEMA := $(wildcard schema/policy.schema.json)

.DELETE_ON_ERROR:
.SECONDARY:
.SUFFIXES:
.PHONY: all unit help clean FORCE

all: $(OUT)/tpc ## build the program

$(OUT)/tpc: $(OBJECTS) $(OUT)/flags
	@echo '  LD $@'
	$(Q)$(CC) $(link_flags) -o $@ $(OBJECTS) $(module_libs)

$(OUT)/obj/%.o: %.c $(OUT)/flags
	@mkdir -p $(@D)
	@echo '  CC $<'
	$(Q)$(CC) $(compile_flags) -MMD -MP -c -o $@ $<

$(OUT)/obj/schema.o: $(OUT)/schema.c $(OUT)/flags
	@mkdir -p $(@D)
	@echo '  CC $<'
	$(Q)$(CC) $(compile_flags) -MMD -MP -c -o $@ $<

# The schema as a C string, every byte an octal escape.
$(OUT)/schema.c: $(SCHEMA) Makefile
	@mkdir -p $(@D)
	@echo '  GEN $@'
	$(Q){ echo '#include <stddef.h>'; echo 'extern const char schema_text[];'; \
	  echo 'extern const size_t schema_size;'; \
	  echo 'const char schema_text[] = ""'; \
	  cat $(SCHEMA) </dev/null | od -An -v -to1 | \
		sed -e 's/[[:space:]]*$$//' -e 's/[[:space:]][[:space:]]*/\\/g' -e 's/.*/"&"/'; \
	  echo ';'; echo 'const size_t schema_size = sizeof(schema_text) - 1;'; } >$@

# Changes only when the compiler or its flags do, and then everything is compiled anew.
$(OUT)/flags: FORCE
	@mkdir -p $(@D)
	@$(PKG_CONFIG) --exists --print-errors $(MODULES) || \
		{ echo 'libraries are missing; install them with: sh packaging/setup build' >&2; exit 1; }
	@printf '%s\n' '$(CC) $(subst ','\'',$(compile_flags)) : $(link_flags) $(module_libs)' >$@.new
	@if cmp -s $@.new $@; then rm -f $@.new; else mv -f $@.new $@; fi

unit: $(UNIT) ## build the unit tests

$(OUT)/unit/%: $(OUT)/obj/tests/unit/%.o $(OBJECTS) $(OUT)/flags
	@mkdir -p $(@D)
	@echo '  LD $@'
	$(Q)$(CC) $(link_flags) -o $@ $< $(filter-out $(OUT)/obj/compiler/main.o,$(OBJECTS)) \
		$(module_libs) $(unit_libs)

help: ## this list
	@sed -n 's/^\([a-z][a-z-]*\):.*## \(.*\)/  make \1:\2/p' Makefile | \
		awk -F: '{ printf "%-18s %s\n", $$1, $$2 }'

clean: ## remove everything that was built
	rm -rf $(BUILD)

-include $(OBJECTS:.o=.d) $(UNIT_SOURCES:%.c=$(OUT)/obj/%.d)
