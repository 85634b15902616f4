# scylla_fdw: make, make install; make demo, make test. PG=17 picks another PostgreSQL than pg_config's.
PG_CONFIG ?= $(if $(PG),/usr/lib/postgresql/$(PG)/bin/pg_config,pg_config)
BUILD ?= build
export PG_CONFIG BUILD

# Everything with warnings; as errors for developers and CI only, since other compilers find other things.
WARNINGS = -Wall -Wextra -Wshadow -Wvla $(if $(STRICT)$(filter true,$(CI)),-Werror)
# Each object comes with a list of the headers that it was made from.
DEPENDENCIES = -MMD -MP
# V=1 shows whole command lines.
SHOW_CC = $(if $(V),,@echo "CC $<";)

EXTENSION = scylla_fdw
MODULE_big = scylla_fdw
DATA = $(wildcard sql/scylla_fdw--*.sql)
SOURCES = $(wildcard src/*.c $(addprefix src/,$(addsuffix /*.c,types bridge catalog plan exec command)))
OBJS = $(SOURCES:src/%.c=$(BUILD)/pg/%.o)
SHLIB_LINK = $(LIBCQL) $(LIBCQL_LIBS)
EXTRA_CLEAN = $(BUILD)

# PostgreSQL before 16 does not hide symbols by itself, and leaves PGDLLEXPORT empty.
PG_CFLAGS = -std=gnu11 $(WARNINGS) $(DEPENDENCIES) -Wno-declaration-after-statement \
	-Wno-unused-parameter -fvisibility=hidden $(SANITIZE_FLAGS)
PG_CPPFLAGS = -Isrc '-DPGDLLEXPORT=__attribute__((visibility("default")))'
ifneq ($(findstring clang,$(CC)),)
PG_CFLAGS += -Wno-unknown-warning-option -Wno-ignored-optimization-argument
endif

# Bitcode is for inlining SQL functions; a driver has none worth it.
override with_llvm := no

all:

include src/cql/cql.mk
include test/test.mk

# On a machine without PostgreSQL the targets of test.mk work all the same: they install it first.
PGXS := $(wildcard $(shell $(PG_CONFIG) --pgxs 2> /dev/null))
ifneq ($(PGXS),)
include $(PGXS)
else
all install:
	@echo "No server headers are found by '$(PG_CONFIG)': install postgresql-server-dev-15 or run test/scripts/setup." >&2; exit 1
clean:
	rm -rf $(BUILD) *.so
endif

# The server's headers are not ours to be strict about.
override CPPFLAGS := $(patsubst -I$(includedir_server),-isystem $(includedir_server),$(CPPFLAGS))

$(shlib): $(LIBCQL) $(BUILD)/ALL_SOURCES
$(OBJS): $(BUILD)/pg/%.o: src/%.c $(BUILD)/FLAGS
	@mkdir -p $(@D)
	$(SHOW_CC) $(CC) $(CFLAGS) $(CPPFLAGS) -c $< -o $@

# Other flags than last time, and all is compiled anew; another set of sources, and it is linked anew.
FLAGS = $(CC) $(CFLAGS) $(CPPFLAGS) $(LIBCQL_CFLAGS)
ALL_SOURCES = $(SOURCES) $(LIBCQL_SOURCES)
define REMEMBER
ifneq ($$(strip $$(file < $$(BUILD)/$(1))),$$(strip $$($(1))))
$$(BUILD)/$(1): FORCE
endif
$$(BUILD)/$(1):
	@mkdir -p $$(@D)
	@echo '$$(subst ','\'',$$(strip $$($(1))))' > $$@
endef
$(eval $(call REMEMBER,FLAGS))
$(eval $(call REMEMBER,ALL_SOURCES))

-include $(OBJS:.o=.d)

.PHONY: FORCE
