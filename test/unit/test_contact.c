/*
 * Contact points that are written as numbers. Names are looked up by whoever uses the driver, so it
 * must know which of them are none.
 */
#include "support.h"

#include <netinet/in.h>

#include "cql/cql.h"
#include "cql/node.h"

static void
assert_reads(const char *text, int family, const char *printed)
{
	cql_contact contact;
	char again[64];

	assert_true(cql_contact_from_number(text, 9042, &contact));
	assert_int_equal(contact.address.ss_family, family);
	assert_string_equal(contact.host, "");
	cql_contact_print(&contact, again, sizeof again);
	assert_string_equal(again, printed);
}

static void
numbers_are_addresses(void **state)
{
	(void) state;
	assert_reads("127.0.0.1", AF_INET, "127.0.0.1:9042");
	assert_reads("255.255.255.255", AF_INET, "255.255.255.255:9042");
	assert_reads("::1", AF_INET6, "[::1]:9042");
	assert_reads("FD00:0:0::0001", AF_INET6, "[fd00::1]:9042");
	assert_reads("::ffff:1.2.3.4", AF_INET6, "[::ffff:1.2.3.4]:9042");
}

static void
scope_belongs_to_the_address(void **state)
{
	cql_contact contact;

	(void) state;
	assert_true(cql_contact_from_number("fe80::1%lo", 9042, &contact));
	assert_int_equal(((const struct sockaddr_in6 *) &contact.address)->sin6_scope_id, 1);
}

static void
names_are_none(void **state)
{
	static const char *const names[] = {"localhost",  "127.1", "1.2.3.256", "1.2.3.4.5",
										"0x7f.0.0.1", "::g",   "",          "[::1]",
										"1.2.3.4 ",   "cafe"};

	(void) state;
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
	{
		cql_contact contact;

		if (cql_contact_from_number(names[i], 9042, &contact))
			fail_msg("\"%s\" was taken for an address", names[i]);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_are_addresses),
		cmocka_unit_test(scope_belongs_to_the_address),
		cmocka_unit_test(names_are_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
