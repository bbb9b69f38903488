/* SPDX-License-Identifier: MIT */
/*
 * Addresses: what people write, what is refused and why, and what is printed.
 */
#include "net/address.h"
#include "peers.h"
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/un.h>

#define BYTES_50 "12345678901234567890123456789012345678901234567890"
#define BYTES_106 BYTES_50 BYTES_50 "123456"

static const struct {
	const char *text;
	const char *printed;
} good[] = {
	{"tcp://127.0.0.1:7777", "tcp://127.0.0.1:7777"},
	{"tcp://0.0.0.0:0", "tcp://0.0.0.0:0"},
	{"tcp://255.255.255.255:65535", "tcp://255.255.255.255:65535"},
	{"tcp://127.0.0.1:00080", "tcp://127.0.0.1:80"},
	{"tcp://[::1]:7777", "tcp://[::1]:7777"},
	{"tcp://[::]:0", "tcp://[::]:0"},
	{"tcp://[0:0:0:0:0:0:0:1]:1", "tcp://[::1]:1"},
	{"tcp://[2001:DB8::5]:443", "tcp://[2001:db8::5]:443"},
	{"tcp://[::ffff:127.0.0.1]:443", "tcp://[::ffff:127.0.0.1]:443"},
	{"tcp://[fe80::1%lo]:80", "tcp://[fe80::1%lo]:80"},
	{"tcp://[FE80:0::1%1]:80", "tcp://[fe80::1%lo]:80"},
	{"tcp://[ff02::1%001]:80", "tcp://[ff02::1%lo]:80"},
	{"tcp://[ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255]:65535",
	 "tcp://[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535"},
	{"unix:///run/x.sock", "unix:///run/x.sock"},
	{"unix:////run//./x", "unix:////run//./x"},
	{"unix:///" BYTES_106, "unix:///" BYTES_106},
	{"unix:@x", "unix:@x"},
	{"unix:@/run/x @%00", "unix:@/run/x @%00"},
	{"unix:@a" BYTES_106, "unix:@a" BYTES_106},
};

#define NO_SCHEME                                                                   \
	"it begins with none of tcp:// unix: fd: (examples: tcp://127.0.0.1:7777, " \
	"unix:///run/x.sock, fd:3)"
#define DATAGRAMS                                                                         \
	"datagrams have no connections: sfr_datagrams() will serve them, and until then " \
	"sfr_recvfrom_multi() receives them"
#define NO_PATH                                                                                \
	"a socket file is written with its whole path (unix:///run/x.sock), a name without a " \
	"file with @ (unix:@x)"
#define NO_NAME "there is no name behind the @ (example: unix:@x)"
#define LONG_NAME "a path or name of a Unix socket has at most 107 bytes"
#define NO_FD "behind fd: belongs the number of a descriptor (example: fd:3)"
#define NO_PORT "there is no port (example: tcp://127.0.0.1:7777)"
#define NO_HOST "there is no host (0.0.0.0 and [::] mean every address of this machine)"
#define NO_NUMBER "the host is not a number such as 127.0.0.1 or [::1]; names are not looked up"
#define TOO_LONG "the host is too long for a number; names are not looked up"
#define BAD_PORT "the port is not a number"
#define HIGH_PORT "the port is above 65535"
#define BRACKETS "an IPv6 host is written in brackets: tcp://[::1]:7777"
#define BRACKETS_PORT "an IPv6 host is written in brackets, then a port: tcp://[::1]:7777"
#define NO_SCOPE "a link-local host is written with its interface: tcp://[fe80::1%eth0]:7777"
#define NEEDLESS_SCOPE "only a link-local host (fe80::1) is written with an interface"
#define EMPTY_SCOPE "there is no interface behind the % (example: tcp://[fe80::1%eth0]:7777)"
#define NO_INTERFACE "this machine has no such interface (see ip link)"

static const struct {
	const char *text;
	const char *why;
} bad[] = {
	{NULL, "it is NULL"},
	{"", NO_SCHEME},
	{"tcp", NO_SCHEME},
	{"tcp:/", NO_SCHEME},
	{"127.0.0.1:80", NO_SCHEME},
	{"TCP://127.0.0.1:80", NO_SCHEME},
	{"unix", NO_SCHEME},
	{"3", NO_SCHEME},
	{"udp://127.0.0.1:80", DATAGRAMS},
	{"udp://", DATAGRAMS},
	{"tcp://localhost:80", NO_NUMBER},
	{"unix:", NO_PATH},
	{"unix:x.sock", NO_PATH},
	{"unix:/run/x.sock", NO_PATH},
	{"unix://x.sock", NO_PATH},
	{"unix://@x", NO_PATH},
	{"unix:@", NO_NAME},
	{"unix:///a" BYTES_106, LONG_NAME},
	{"unix:@ab" BYTES_106, LONG_NAME},
	{"fd:", NO_FD},
	{"fd:-1", NO_FD},
	{"fd:+3", NO_FD},
	{"fd: 3", NO_FD},
	{"fd:3 ", NO_FD},
	{"fd:3x", NO_FD},
	{"fd:2147483648", NO_FD},
	{"fd:99999999999999999999999", NO_FD},
	{" tcp://127.0.0.1:80", NO_SCHEME},
	{"tcp://", NO_PORT},
	{"tcp://127.0.0.1", NO_PORT},
	{"tcp://:80", NO_HOST},
	{"tcp://[]:80", NO_HOST},
	{"tcp://127.0.0.1:", BAD_PORT},
	{"tcp://127.0.0.1:http", BAD_PORT},
	{"tcp://127.0.0.1:80 ", BAD_PORT},
	{"tcp://127.0.0.1: 80", BAD_PORT},
	{"tcp://127.0.0.1:+80", BAD_PORT},
	{"tcp://127.0.0.1:-1", BAD_PORT},
	{"tcp://127.0.0.1:0x50", BAD_PORT},
	{"tcp://127.0.0.1:80/path", BAD_PORT},
	{"tcp://[::1]:", BAD_PORT},
	{"tcp://127.0.0.1:65536", HIGH_PORT},
	{"tcp://127.0.0.1:99999999999999999999999999", HIGH_PORT},
	{"tcp://example.org:80", NO_NUMBER},
	{"tcp://127.1:80", NO_NUMBER},
	{"tcp://256.0.0.1:80", NO_NUMBER},
	{"tcp://127.0.0.1.:80", NO_NUMBER},
	{"tcp://0x7f000001:80", NO_NUMBER},
	{"tcp:// 127.0.0.1:80", NO_NUMBER},
	{"tcp://[127.0.0.1]:80", NO_NUMBER},
	{"tcp://[::1::]:80", NO_NUMBER},
	{"tcp://[%lo]:80", NO_NUMBER},
	{"tcp://127.0.0.1%lo:80", NO_NUMBER},
	{"tcp://[fe80::1]:80", NO_SCOPE},
	{"tcp://[fe80::1%]:80", EMPTY_SCOPE},
	{"tcp://[::1%lo]:80", NEEDLESS_SCOPE},
	{"tcp://[2001:db8::5%]:80", NEEDLESS_SCOPE},
	{"tcp://[fe80::1%nowhere]:80", NO_INTERFACE},
	{"tcp://[fe80::1%nowhere]at all]:80", NO_INTERFACE},
	{"tcp://[fe80::1%lo%lo]:80", NO_INTERFACE},
	{"tcp://[fe80::1%lo ]:80", NO_INTERFACE},
	{"tcp://[fe80::1%0]:80", NO_INTERFACE},
	{"tcp://[fe80::1%1x]:80", NO_INTERFACE},
	{"tcp://[fe80::1%-1]:80", NO_INTERFACE},
	{"tcp://[fe80::1%4294967297]:80", NO_INTERFACE},
	{"tcp://[fe80::1%99999999999999999999]:80", NO_INTERFACE},
	{"tcp://a-host-whose-name-is-longer-than-any-number-could-be.example.org:80", TOO_LONG},
	{"tcp://::1:80", BRACKETS},
	{"tcp://127.0.0.1:80:90", BRACKETS},
	{"tcp://[::1]", BRACKETS_PORT},
	{"tcp://[::1", BRACKETS_PORT},
	{"tcp://[::1]80", BRACKETS_PORT},
	{"tcp://[", BRACKETS_PORT},
};

START_TEST(a_good_address_is_parsed_and_printed_in_its_one_form)
{
	struct sfr__address address;
	char why[128] = "", printed[ADDRESS_SIZE];
	int r = sfr__address_parse(&address, good[_i].text, why, sizeof(why));
	int length;

	ck_assert_msg(r == 0, "%s: %s", good[_i].text, why);
	length = sfr__address_print(&address, printed, sizeof(printed));

	ck_assert_str_eq(printed, good[_i].printed);
	ck_assert_int_eq(length, (int)strlen(printed));
}
END_TEST

START_TEST(what_is_printed_is_parsed_as_the_same)
{
	struct sfr__address address, again;
	char why[128] = "";

	ck_assert_int_eq(sfr__address_parse(&address, good[_i].text, why, sizeof(why)), 0);
	ck_assert_int_eq(sfr__address_parse(&again, good[_i].printed, why, sizeof(why)), 0);

	ck_assert_uint_eq(address.size, again.size);
	ck_assert_mem_eq(&address.addr, &again.addr, address.size);
}
END_TEST

static int bad_err(int row)
{
	return strcmp(bad[row].why, NO_INTERFACE) == 0 ? -ENODEV : -EINVAL;
}

START_TEST(a_bad_address_is_refused_with_the_reason)
{
	struct sfr__address address;
	char why[128] = "";
	int r = sfr__address_parse(&address, bad[_i].text, why, sizeof(why));

	ck_assert_int_eq(r, bad_err(_i));
	ck_assert_str_eq(why, bad[_i].why);
}
END_TEST

START_TEST(a_bad_address_is_refused_by_serve_and_dial_in_words)
{
	static const sfr_handlers none;
	sfr_loop *loop = loop_in(0, NULL);
	char words[256];

	snprintf(words, sizeof(words), "address %s: %s", bad[_i].text ? bad[_i].text : "(null)",
		 bad[_i].why);
	ck_assert_int_eq(sfr_serve(loop, bad[_i].text, &none, NULL, NULL), bad_err(_i));
	ck_assert_str_eq(sfr_loop_refusal(loop), words);
	ck_assert_int_eq(sfr_dial(loop, bad[_i].text, &none, NULL, NULL), bad_err(_i));
	ck_assert_str_eq(sfr_loop_refusal(loop), words);
}
END_TEST

START_TEST(an_address_holds_family_host_and_port)
{
	struct sfr__address address;
	const struct sockaddr_in *in = (const struct sockaddr_in *)&address.addr;
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&address.addr;
	char why[128];

	ck_assert_int_eq(sfr__address_parse(&address, "tcp://127.0.0.1:80", why, sizeof(why)), 0);
	ck_assert_uint_eq(address.size, sizeof(*in));
	ck_assert_int_eq(in->sin_family, AF_INET);
	ck_assert_uint_eq(ntohs(in->sin_port), 80);
	ck_assert_uint_eq(ntohl(in->sin_addr.s_addr), INADDR_LOOPBACK);

	ck_assert_int_eq(sfr__address_parse(&address, "tcp://[::1]:81", why, sizeof(why)), 0);
	ck_assert_uint_eq(address.size, sizeof(*in6));
	ck_assert_int_eq(in6->sin6_family, AF_INET6);
	ck_assert_uint_eq(ntohs(in6->sin6_port), 81);
	ck_assert(IN6_IS_ADDR_LOOPBACK(&in6->sin6_addr));
	ck_assert_uint_eq(in6->sin6_scope_id, 0);
}
END_TEST

START_TEST(a_descriptor_has_a_number_and_no_address)
{
	struct sfr__address address;
	char why[128];

	ck_assert_int_eq(sfr__address_parse(&address, "fd:3", why, sizeof(why)), 0);
	ck_assert_int_eq(address.fd, 3);
	ck_assert_uint_eq(address.size, 0);
	ck_assert_int_eq(sfr__address_parse(&address, "tcp://[::1]:81", why, sizeof(why)), 0);
	ck_assert_int_eq(address.fd, -1);
}
END_TEST

/* What other programs bind, and what the kernel tells of a socket that has no name. */
START_TEST(names_that_cannot_be_dialled_are_printed_as_such)
{
	static const struct {
		socklen_t size;
		const char *name, *printed;
	} names[] = {
		{2, "", "unix:"},
		{2 + 6, "x.sock", "unix:x.sock"},
		{2 + 3, "@x", "unix:./@x"},
		{2 + 4, "\0a\0b", NULL},
	};
	struct sfr__address address = {.fd = -1};
	struct sockaddr_un *name = (struct sockaddr_un *)&address.addr;
	char printed[ADDRESS_SIZE];

	name->sun_family = AF_UNIX;
	for (int i = 0; i < COUNT_OF(names); i++) {
		address.size = names[i].size;
		memcpy(name->sun_path, names[i].name, names[i].size - 2);
		if (!names[i].printed) {
			ck_assert_int_eq(sfr__address_print(&address, printed, sizeof(printed)),
					 -EILSEQ);
			continue;
		}
		ck_assert_int_eq(sfr__address_print(&address, printed, sizeof(printed)),
				 (int)strlen(names[i].printed));
		ck_assert_str_eq(printed, names[i].printed);
	}
}
END_TEST

START_TEST(an_interface_that_has_gone_is_printed_as_its_number)
{
	const struct sockaddr_in6 gone = {.sin6_family = AF_INET6,
					  .sin6_port = htons(80),
					  .sin6_addr = {{{0xfe, 0x80, [15] = 1}}},
					  .sin6_scope_id = UINT32_MAX};
	struct sfr__address address = {.size = sizeof(gone)};
	char printed[ADDRESS_SIZE];

	memcpy(&address.addr, &gone, sizeof(gone));
	ck_assert_int_gt(sfr__address_print(&address, printed, sizeof(printed)), 0);
	ck_assert_str_eq(printed, "tcp://[fe80::1%4294967295]:80");
}
END_TEST

/* Looking a name up takes a descriptor. */
START_TEST(an_interface_that_cannot_be_looked_up_is_not_said_to_be_missing)
{
	struct rlimit limit, none;
	struct sfr__address address;
	char why[128] = "";
	int r;

	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	none = limit;
	none.rlim_cur = 0;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
	r = sfr__address_parse(&address, "tcp://[fe80::1%lo]:80", why, sizeof(why));
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);

	ck_assert_int_eq(r, -EMFILE);
	ck_assert_str_eq(why, "its interface cannot be looked up: no descriptor is left for that");
}
END_TEST

START_TEST(texts_are_cut_to_fit)
{
	struct sfr__address address;
	char out[8] = "", why[8] = "";

	ck_assert_int_eq(sfr__address_parse(&address, "tcp://[::1]:81", why, sizeof(why)), 0);
	ck_assert_int_eq(sfr__address_print(&address, out, sizeof(out)), 14);
	ck_assert_str_eq(out, "tcp://[");
	ck_assert_int_eq(sfr__address_print(&address, NULL, 0), 14);
	ck_assert_int_eq(sfr__address_parse(&address, "http", why, sizeof(why)), -EINVAL);
	ck_assert_str_eq(why, "it begi");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("address");
	TCase *tcase = world_case(suite, "text");

	tcase_add_loop_test(tcase, a_good_address_is_parsed_and_printed_in_its_one_form, 0,
			    COUNT_OF(good));
	tcase_add_loop_test(tcase, what_is_printed_is_parsed_as_the_same, 0, COUNT_OF(good));
	tcase_add_loop_test(tcase, a_bad_address_is_refused_with_the_reason, 0, COUNT_OF(bad));
	tcase_add_loop_test(tcase, a_bad_address_is_refused_by_serve_and_dial_in_words, 0,
			    COUNT_OF(bad));
	tcase_add_test(tcase, an_address_holds_family_host_and_port);
	tcase_add_test(tcase, a_descriptor_has_a_number_and_no_address);
	tcase_add_test(tcase, names_that_cannot_be_dialled_are_printed_as_such);
	tcase_add_test(tcase, an_interface_that_has_gone_is_printed_as_its_number);
	tcase_add_test(tcase, an_interface_that_cannot_be_looked_up_is_not_said_to_be_missing);
	tcase_add_test(tcase, texts_are_cut_to_fit);
	return world_run(suite);
}
