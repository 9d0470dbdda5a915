# make demo, make check: see README.md.  Honoured: CC CFLAGS CPPFLAGS LDFLAGS PREFIX DESTDIR BUILD.
VERSION := $(shell sed -n 's/.*SNAP_VERSION "\(.*\)"/\1/p' libsnap/include/snap.h)
BUILD   ?= build
CFLAGS  ?= -O2 -g
STD      = -std=c11 -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64
WARN     = -Wall -Wextra -Wshadow -Wconversion -Wvla
objects  = $(patsubst %.c,$(BUILD)/%.o,$(sort $(wildcard $(1)/*.c)))

# A folder sees only what lies below it: the include path is the architecture.
$(BUILD)/format/%.o:  SEES := -Iformat
$(BUILD)/libsnap/%.o: SEES := -Ilibsnap/core -Ilibsnap/include -Iformat -fvisibility=hidden -fPIC
$(BUILD)/format/%.o:  SEES += -fvisibility=hidden -fPIC
$(BUILD)/tools/%.o:   SEES := -Itools/common -Itools/import -Ilibsnap/include
$(BUILD)/tests/%.o:   SEES := -Itests -Itools/common -Ilibsnap/core -Ilibsnap/include -Iformat

LIBRARY = $(call objects,format) $(call objects,libsnap/core) $(call objects,libsnap/query) $(call objects,libsnap/graph)
COMMON  = $(call objects,tools/common)
IMPORT  = $(call objects,tools/import)
TOOLS   = $(patsubst tools/%.c,$(BUILD)/bin/%,$(sort $(wildcard tools/snap-*.c)))
UNITS   = $(patsubst tests/%.c,$(BUILD)/tests/%,$(sort $(wildcard tests/unit/*.c)))
LIBS    = -lzstd -lpthread

all: $(BUILD)/libsnap.a $(TOOLS)

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(STD) $(WARN) $(SEES) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c $< -o $@

$(BUILD)/libsnap.a: $(LIBRARY)
	@rm -f $@
	$(AR) rcs $@ $^

$(BUILD)/bin/snap-import: $(IMPORT)
$(BUILD)/bin/%: $(BUILD)/tools/%.o $(COMMON) $(BUILD)/libsnap.a
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(LDFLAGS) $(filter %.o,$^) $(BUILD)/libsnap.a $(LIBS) -lyaml -o $@

$(BUILD)/tests/unit/%: $(BUILD)/tests/unit/%.o $(COMMON) $(BUILD)/libsnap.a
	$(CC) $(CFLAGS) $(LDFLAGS) $(filter %.o,$^) $(BUILD)/libsnap.a $(LIBS) -lyaml -o $@

units: $(UNITS)

.PHONY: all units
.SECONDARY:
-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
