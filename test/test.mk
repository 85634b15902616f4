# What developers run. T= picks steps of the suite: make test T="unit regress:import py:cancel".

# The C unit tests: each test/unit/test_*.c is a program, the other files there help all of them.
UNIT_TESTS = $(wildcard test/unit/test_*.c)
# These have a network of their own in the place of cql/net.
UNIT_WITHOUT_NET = $(addprefix $(BUILD)/unit/,test_absence test_pool test_route test_topology test_tries)
UNIT_HELPERS = $(filter-out $(UNIT_TESTS) test/unit/fake_net.c,$(wildcard test/unit/*.c))
# Files of the PostgreSQL side that are plain C, and tested as such.
UNIT_PURE = $(wildcard src/plan/access.c)
UNIT_PROGRAMS = $(UNIT_TESTS:test/unit/%.c=$(BUILD)/unit/%)
UNIT_COMMON = $(UNIT_HELPERS:test/unit/%.c=$(BUILD)/unit/%.o) $(UNIT_PURE:src/%.c=$(BUILD)/unit/src/%.o)
# cmocka 2 deprecates assert_in_range() for names that cmocka 1 does not have.
UNIT_COMPILE = $(SHOW_CC) $(CC) $(LIBCQL_CFLAGS) -Wno-deprecated-declarations -Itest/unit -c $< -o $@

$(BUILD)/unit/%.o: test/unit/%.c $(BUILD)/FLAGS
	@mkdir -p $(@D)
	$(UNIT_COMPILE)
$(BUILD)/unit/src/%.o: src/%.c $(BUILD)/FLAGS
	@mkdir -p $(@D)
	$(UNIT_COMPILE)
$(UNIT_WITHOUT_NET): $(BUILD)/unit/fake_net.o
$(UNIT_PROGRAMS): %: %.o $(UNIT_COMMON) $(LIBCQL)
	$(CC) $(SANITIZE_FLAGS) $(filter %.o,$^) $(LIBCQL) -o $@ -lcmocka $(LIBCQL_LIBS)

# Answers test/py/test_ring.py.
RING_PROBE = $(BUILD)/unit/ring_probe
$(RING_PROBE): test/py/ring_probe.c $(LIBCQL)
	$(SHOW_CC) $(CC) $(LIBCQL_CFLAGS) $< $(LIBCQL) -o $@ $(LIBCQL_LIBS)

unit-programs: $(UNIT_PROGRAMS) $(RING_PROBE)

.SECONDARY:
-include $(wildcard $(BUILD)/unit/*.d $(BUILD)/unit/src/*/*.d)

# The fuzzers: a program for the driver's wire, a module of a test server for the converters.
FUZZ_OBJS = $(BUILD)/fuzz/forge.o $(BUILD)/fuzz/wire.o
$(FUZZ_OBJS): $(BUILD)/fuzz/%.o: test/fuzz/%.c $(BUILD)/FLAGS
	@mkdir -p $(@D)
	$(SHOW_CC) $(CC) $(LIBCQL_CFLAGS) -Itest/fuzz -c $< -o $@
$(BUILD)/fuzz/wire: $(FUZZ_OBJS) $(LIBCQL)
	$(CC) $(SANITIZE_FLAGS) $^ -o $@ $(LIBCQL_LIBS)
$(BUILD)/fuzz/types.so: test/fuzz/types.c $(BUILD)/fuzz/forge.o $(filter $(BUILD)/pg/types/%,$(OBJS)) $(LIBCQL)
	$(CC) $(CFLAGS) $(CPPFLAGS) -Itest/fuzz -shared $^ -o $@ $(LIBCQL_LIBS)

$(BUILD)/fuzz/untranslated.so: test/fuzz/untranslated.c
	@mkdir -p $(@D)
	$(CC) -shared -fPIC $< -o $@

fuzz-programs: $(BUILD)/fuzz/wire $(BUILD)/fuzz/types.so $(BUILD)/fuzz/untranslated.so

-include $(wildcard $(BUILD)/fuzz/*.d)

# The suite: sets the machine up, starts and ends its own servers, tells 'N passed, N failed' last.
# SCYLLA_TEST_HOST and SCYLLA_TEST_PORT name a running server to use instead of its own.
test:
	@test/scripts/setup
	@test/run $(T)

unit:
	@test/scripts/setup
	@test/run build unit

# The unit tests under AddressSanitizer and UndefinedBehaviorSanitizer.
sanitize:
	@test/scripts/setup
	@BUILD=$(BUILD)/sanitize SANITIZE=address,undefined OPTIMIZE=-O1 test/run unit

# Forged bytes for every decoder under both. Runs a minute, or: make fuzz T="--seconds 36000 --seed 7".
fuzz:
	@test/scripts/setup
	@test/fuzz/run $(or $(T),--seconds 60)

# The regression suite with the backend under valgrind.
memcheck:
	@test/scripts/setup valgrind
	@test/scripts/memcheck $(T)

demo:
	@test/scripts/setup
	@test/demo/demo

bench:
	@test/scripts/setup
	@test/bench/run $(T)

lint:
	@test/scripts/setup clang-format clang-tidy
	@test/scripts/lint

check-layers: all
	@test/scripts/check_layers

format:
	clang-format -i $(C_FILES)

C_FILES = $(shell find src test -name '*.[ch]')

# clean keeps the scratch folder (downloaded servers); distclean ends servers and removes it.
distclean: clean
	@test/scripts/scratch remove

.PHONY: bench check-layers demo distclean format fuzz fuzz-programs lint memcheck sanitize test unit unit-programs
