# libcql.a: the driver, alone. Its compiler never sees a PostgreSQL header.
LIBCQL = $(BUILD)/libcql.a
LIBCQL_LIBS = -luv -lssl -lcrypto -llz4
LIBCQL_SOURCES = $(wildcard src/cql/*.c $(addprefix src/cql/,$(addsuffix /*.c,wire ring conn net)))
LIBCQL_OBJS = $(LIBCQL_SOURCES:src/%.c=$(BUILD)/%.o)

OPTIMIZE ?= -O2
# SANITIZE=address,undefined makes the driver and its tests checked ones (make sanitize).
SANITIZE_FLAGS = $(if $(SANITIZE),-fsanitize=$(SANITIZE) -fno-sanitize-recover=all)
LIBCQL_CFLAGS = -std=gnu11 $(OPTIMIZE) -g -fPIC -fvisibility=hidden -fno-omit-frame-pointer \
	-fstack-protector-strong -D_GNU_SOURCE= -D_FORTIFY_SOURCE=2 $(WARNINGS) -Wmissing-prototypes \
	-Wno-unused-parameter $(SANITIZE_FLAGS) $(DEPENDENCIES) -Isrc $(COPT)

$(LIBCQL_OBJS): $(BUILD)/%.o: src/%.c $(BUILD)/FLAGS
	@mkdir -p $(@D)
	$(SHOW_CC) $(CC) $(LIBCQL_CFLAGS) -c $< -o $@

# Anew, so that no object of a removed source stays in it.
$(LIBCQL): $(LIBCQL_OBJS) $(BUILD)/ALL_SOURCES
	@rm -f $@
	$(AR) crs $@ $(LIBCQL_OBJS)

libcql.a: $(LIBCQL)

-include $(LIBCQL_OBJS:.o=.d)

.PHONY: libcql.a
