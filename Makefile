# make demo, make check: see README.md.  Honoured: CC CXX CFLAGS CPPFLAGS LDFLAGS PREFIX DESTDIR BUILD.
VERSION := $(shell sed -n 's/.*SNAP_VERSION "\(.*\)"/\1/p' libsnap/include/snap.h)
SONAME  := libsnap.so.0
BUILD   ?= build
$(if $(strip $(BUILD)),,$(error BUILD is empty))
# One name for one folder, whoever asks: what depends on a header is known by the name of its object.
override BUILD := $(patsubst $(CURDIR)/%,%,$(abspath $(BUILD)))
PREFIX  ?= /usr/local
CFLAGS  ?= -O2 -g
JOBS    ?= $(shell nproc 2>/dev/null || echo 1)
STD      = -std=c11 -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64
WARN     = -Wall -Wextra -Wshadow -Wconversion -Wvla $(WERROR)
objects  = $(patsubst %.c,$(BUILD)/%.o,$(sort $(wildcard $(1)/*.c)))
# V=1 shows commands in full.
say      = $(if $(V),,@echo '  $(1)';)
programs = $(patsubst %.c,$(BUILD)/%,$(sort $(wildcard $(1)/*.c)))

# A folder sees only what lies below it: the include path is the architecture.
$(BUILD)/format/%.o:  SEES := -Iformat -fvisibility=hidden -fPIC
$(BUILD)/libsnap/%.o: SEES := -Ilibsnap/core -Ilibsnap/shared -Ilibsnap/include -Iformat -fvisibility=hidden -fPIC
$(BUILD)/libsnap/shared/%.o: SEES := -fvisibility=hidden -fPIC
$(BUILD)/libsnap/calls/%.o: SEES := -fvisibility=hidden -fPIC -ftls-model=initial-exec -fno-builtin
$(BUILD)/libsnap/track/%.o: SEES := -Ilibsnap/calls -Ilibsnap/sample -Ilibsnap/include -fvisibility=hidden -fPIC -ftls-model=initial-exec -fno-builtin
$(BUILD)/libsnap/python/%.o: SEES = -Ilibsnap/sample -Ilibsnap/shared -Ilibsnap/include $(PYTHON_SEES) -fvisibility=hidden -fPIC
$(BUILD)/tools/%.o:   SEES := -Itools/common -Itools/import -Ilibsnap/shared -Ilibsnap/include
$(BUILD)/tests/%.o:   SEES := -Itests -Itools/common -Itools/import -Ilibsnap -Ilibsnap/core -Ilibsnap/shared -Ilibsnap/include -Iformat
$(BUILD)/tests/demo/%.o: SEES := -Ilibsnap/include

LIBRARY = $(foreach folder,format libsnap/shared libsnap/core libsnap/query libsnap/graph,$(call objects,$(folder)))
COMMON  = $(BUILD)/libcommon.a
IMPORT  = $(BUILD)/libimport.a
TOOLS   = $(patsubst tools/%.c,$(BUILD)/bin/%,$(sort $(wildcard tools/snap-*.c)))
UNITS   = $(call programs,tests/unit)
LONG    = $(call programs,tests/long)
HELPERS = $(call programs,tests/helper) $(call programs,tests/demo)
DATA    = $(patsubst %.yaml,$(BUILD)/%.snap,$(sort $(wildcard tests/data/*.yaml)))
TESTS   = $(sort $(shell find tests -name '*.t' ! -path 'tests/long/*'))
LIBS    = -lzstd -lpthread
SHARED  = $(BUILD)/libsnap.so.$(VERSION)
TRACKER = $(BUILD)/lib/libsnap-track.so
CALLS   = $(BUILD)/lib/libsnap-calls.so
IN_TEST = TOP="$(CURDIR)" BUILD="$(abspath $(BUILD))" CC="$(CC)" CXX="$(CXX)" CFLAGS="$(CFLAGS)" MAKE="$(MAKE)"

all: $(BUILD)/libsnap.a $(SHARED) $(TRACKER) $(CALLS) $(TOOLS)

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC $<)$(CC) $(STD) $(WARN) $(SEES) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c $< -o $@

$(BUILD)/libsnap.a: $(LIBRARY)
	@rm -f $@
	$(call say,AR $@)$(AR) rcs $@ $^

# Archives, so that a program takes only what it uses: one that reads no YAML does not need libyaml.
$(COMMON): $(call objects,tools/common)
	@rm -f $@
	$(call say,AR $@)$(AR) rcs $@ $^
$(IMPORT): $(call objects,tools/import)
	@rm -f $@
	$(call say,AR $@)$(AR) rcs $@ $^

$(SHARED): $(LIBRARY) libsnap/exports.map
	$(call say,LD $@)$(CC) -shared -Wl,-soname,$(SONAME) -Wl,--version-script=libsnap/exports.map -Wl,-z,defs \
		$(CFLAGS) $(LDFLAGS) $(LIBRARY) $(LIBS) -o $@
	@ln -sf $(@F) $(BUILD)/$(SONAME)
	@ln -sf $(SONAME) $(BUILD)/libsnap.so

ifneq ($(findstring sanitize,$(CFLAGS)),)
# A sanitizer is an allocator itself: what is preloaded is built without.
$(TRACKER) $(CALLS): FORCE
	@mkdir -p $(@D)
	$(MAKE) --no-print-directory BUILD=$(BUILD)/plain CFLAGS="-O1 -g" $(BUILD)/plain/lib/$(@F)
	@cp $(BUILD)/plain/lib/$(@F) $@
else
# What is preloaded needs only libc: the library and libzstd are inside, and nobody sees them.
$(TRACKER): $(call objects,libsnap/track) $(BUILD)/libsnap.a libsnap/track/track.map
	@mkdir -p $(@D)
	$(call say,LD $@)$(CC) -shared -Wl,-soname,$(@F) -Wl,--version-script=libsnap/track/track.map -Wl,-z,defs -Wl,-z,initfirst \
		-Wl,--gc-sections -static-libgcc $(CFLAGS) $(LDFLAGS) $(filter %.o,$^) $(BUILD)/libsnap.a -Wl,-Bstatic -lzstd -Wl,-Bdynamic -o $@
$(CALLS): $(call objects,libsnap/calls)
	@mkdir -p $(@D)
	$(call say,LD $@)$(CC) -shared -Wl,-soname,$(@F) $(CFLAGS) $(LDFLAGS) $^ -o $@
endif

$(BUILD)/bin/snap-import: $(IMPORT)
$(BUILD)/bin/snap-info: $(call objects,tools/info)
$(BUILD)/bin/snap-dump: $(call objects,tools/dump)
$(BUILD)/bin/snap-make: $(call objects,tools/make)
$(BUILD)/bin/snap-refs: $(call objects,tools/refs)
$(BUILD)/bin/snap-symbolize: $(call objects,tools/symbolize)
$(BUILD)/bin/snap-symbolize: TOOL_LIBS := -ldw -lelf
$(BUILD)/bin/snap-record: $(call objects,tools/record) | $(TRACKER) $(CALLS)
$(BUILD)/bin/%: $(BUILD)/tools/%.o $(COMMON) $(BUILD)/libsnap.a
	@mkdir -p $(@D)
	$(call say,LD $@)$(CC) $(CFLAGS) $(LDFLAGS) $(filter %.o,$^) $(filter $(IMPORT),$^) $(COMMON) $(BUILD)/libsnap.a -Wl,--as-needed $(LIBS) -lyaml -lz -liberty $(TOOL_LIBS) -o $@

$(UNITS): $(IMPORT)
$(BUILD)/tests/%: $(BUILD)/tests/%.o $(COMMON) $(BUILD)/libsnap.a
	$(call say,LD $@)$(CC) $(CFLAGS) $(LDFLAGS) $(filter %.o,$^) $(filter $(IMPORT),$^) $(COMMON) $(BUILD)/libsnap.a -Wl,--as-needed $(LIBS) -lyaml -lz -liberty $(TOOL_LIBS) -o $@

$(BUILD)/tests/data/%.snap: tests/data/%.yaml $(BUILD)/bin/snap-make
	@mkdir -p $(@D)
	$(call say,MAKE $@)$(BUILD)/bin/snap-make -o $@ $<

# The extension for one CPython; those of several versions lie side by side.
PYTHON ?= python3
ask_python = $(shell $(PYTHON) -c 'import sysconfig as s; print($(1))')
# A rule of its own: a recipe is expanded as a whole before it begins.
python-deps:
	@$(if $(filter python3,$(PYTHON)),CC="$(CC)" .ci/deps python)
python: python-deps
	@$(MAKE) --no-print-directory python-package PYTHON_SUFFIX="$(call ask_python,s.get_config_var("EXT_SUFFIX"))" \
		PYTHON_SEES="-isystem $(call ask_python,s.get_path("include"))"
PYTHON_OBJECTS = $(patsubst libsnap/python/%.c,$(BUILD)/libsnap/python/%$(PYTHON_SUFFIX).o,$(sort $(wildcard libsnap/python/*.c)))
$(BUILD)/libsnap/python/%$(PYTHON_SUFFIX).o: libsnap/python/%.c
	@mkdir -p $(@D)
	$(call say,CC $< for $(PYTHON_SUFFIX))$(CC) $(STD) $(WARN) $(SEES) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c $< -o $@
$(BUILD)/python/snap/_snap$(PYTHON_SUFFIX): $(PYTHON_OBJECTS) $(BUILD)/libsnap.a
	@mkdir -p $(@D)
	$(call say,LD $@)$(CC) -shared $(CFLAGS) $(LDFLAGS) $^ -Wl,--exclude-libs,ALL $(LIBS) -o $@
$(BUILD)/python/snap/%: libsnap/python/snap/%
	@mkdir -p $(@D)
	@cp $< $@
python-package: $(BUILD)/python/snap/_snap$(PYTHON_SUFFIX) \
	$(patsubst libsnap/python/%,$(BUILD)/python/%,$(filter-out %.pyc %__pycache__,$(wildcard libsnap/python/snap/*)))

units: $(UNITS)
import-archives: $(BUILD)/libsnap.a $(COMMON) $(IMPORT)
test-programs: all $(UNITS) $(HELPERS) $(DATA)

deps:
	@CC="$(CC)" CXX="$(CXX)" .ci/deps check

demo:
	@CC="$(CC)" CXX="$(CXX)" .ci/deps build
	@$(MAKE) --no-print-directory -s -j$(JOBS) all $(BUILD)/tests/demo/leaky $(BUILD)/tests/demo/plain
	@$(IN_TEST) tests/demo/run

# Every test is a program that prints TAP: C units and shell scripts alike.
check: deps
	@$(MAKE) --no-print-directory -j$(JOBS) test-programs
	$(IN_TEST) prove -j$(JOBS) --exec '' $(PROVEFLAGS) $(UNITS) $(TESTS)

check-long: deps
	@$(MAKE) --no-print-directory -j$(JOBS) test-programs $(LONG)
	$(IN_TEST) prove -j$(JOBS) --exec '' $(PROVEFLAGS) $(LONG) $(sort $(wildcard tests/long/*.t))

# Leaks are looked for in the library's tests; a tool's memory is its process's.
SANITIZE = -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
SANITIZED = $(filter-out tests/real/% tests/install.t tests/demo.t,$(TESTS))
check-sanitize: deps
	@$(MAKE) --no-print-directory -j$(JOBS) BUILD=build/sanitize CFLAGS="$(SANITIZE)" test-programs
	@$(MAKE) --no-print-directory BUILD=build/sanitize CFLAGS="$(SANITIZE)" prove-sanitized
prove-sanitized:
	$(IN_TEST) prove -j$(JOBS) --exec '' $(PROVEFLAGS) $(UNITS)
	$(IN_TEST) ASAN_OPTIONS=detect_leaks=0 prove -j$(JOBS) --exec '' $(PROVEFLAGS) $(SANITIZED)

golden: test-programs
	$(IN_TEST) UPDATE=1 tests/tools/golden.t

lint:
	CC="$(CC)" BUILD="$(BUILD)" STD="$(STD)" .ci/lint

format:
	clang-format -i $$(git ls-files '*.c' '*.h')

# FUZZ_SECONDS for each target, with libFuzzer where clang is, else with the driver's own mutations.
fuzz: all $(DATA)
	$(IN_TEST) STD="$(STD)" LIBS="$(LIBS)" tests/fuzz/run

bench: deps
	@$(MAKE) --no-print-directory -j$(JOBS) test-programs $(call programs,tests/bench)
	$(IN_TEST) tests/bench/run

INTO    = $(DESTDIR)$(PREFIX)
NAMES   = $(notdir $(TOOLS))
COMPLETIONS = $(INTO)/share/bash-completion/completions
install: all
	install -d "$(INTO)/bin" "$(INTO)/lib/pkgconfig" "$(INTO)/include" "$(INTO)/share/man/man1" "$(INTO)/share/snap" "$(COMPLETIONS)"
	install $(TOOLS) "$(INTO)/bin"
	install -m 644 $(BUILD)/libsnap.a "$(INTO)/lib"
	install $(TRACKER) $(CALLS) "$(INTO)/lib"
	install $(SHARED) "$(INTO)/lib"
	ln -sf libsnap.so.$(VERSION) "$(INTO)/lib/$(SONAME)"
	ln -sf $(SONAME) "$(INTO)/lib/libsnap.so"
	sed 's|@PREFIX@|$(PREFIX)|; s|@VERSION@|$(VERSION)|' libsnap/snap.pc.in > "$(INTO)/lib/pkgconfig/libsnap.pc"
	install -m 644 $(wildcard libsnap/include/*.h) "$(INTO)/include"
	install -m 644 $(wildcard tools/*.1) "$(INTO)/share/man/man1"
	install -m 644 spec/snap.magic "$(INTO)/share/snap/magic"
	install -m 644 spec/FORMAT.md spec/registry.yaml "$(INTO)/share/snap"
	for name in $(NAMES); do install -m 644 tools/completion.bash "$(COMPLETIONS)/$$name" || exit 1; done

# For one CPython after the other, beside the tools: snap-record finds it there, and so does PYTHONPATH.
install-python: python
	install -d "$(INTO)/lib/snap/python/snap"
	install -m 644 $(wildcard libsnap/python/snap/*.py*) libsnap/python/snap/py.typed $(BUILD)/python/snap/_snap*.so "$(INTO)/lib/snap/python/snap"

uninstall:
	rm -f $(NAMES:%="$(INTO)/bin/%") $(NAMES:%="$(COMPLETIONS)/%")
	rm -f "$(INTO)/lib/libsnap.a" "$(INTO)/lib/libsnap.so" "$(INTO)/lib/libsnap.so".* "$(INTO)/lib/pkgconfig/libsnap.pc"
	rm -f "$(INTO)/lib/$(notdir $(TRACKER))" "$(INTO)/lib/$(notdir $(CALLS))"
	rm -f $(patsubst libsnap/include/%,"$(INTO)/include/%",$(wildcard libsnap/include/*.h))
	rm -f $(patsubst tools/%,"$(INTO)/share/man/man1/%",$(wildcard tools/*.1))
	rm -rf "$(INTO)/share/snap" "$(INTO)/lib/snap"

dist:
	@mkdir -p $(BUILD)
	git archive --prefix=snap-$(VERSION)/ HEAD | gzip -9n > $(BUILD)/snap-$(VERSION).tar.gz

clean:
	rm -rf $(BUILD)

.PHONY: all python python-deps python-package units import-archives test-programs deps demo check check-long check-sanitize prove-sanitized golden lint format fuzz bench \
	install install-python uninstall dist clean FORCE
.PRECIOUS: $(BUILD)/%.o
-include $(shell find $(BUILD) -type f -name '*.d' 2>/dev/null)
