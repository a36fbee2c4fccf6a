/* The pod's network over rtnetlink (rtnetlink(7)): a veth pair on a bridge, and the pod's end of it made ready. */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <stdio.h>
#include <sys/socket.h>
#include "bare.h"

#define POD_INDEX 64
#define HOST_INDEX 9000000 /* Gantry's own begin above */
#define LOOPBACK_INDEX 1
#define POLL_US 200
#define END_TIMEOUT_US 5000000

/* Messages that go out in one piece. What does not fit is a mistake of this file, and is refused when it is sent. */
struct batch {
	uint8_t data[2048];
	size_t size, message, count;
};

static void *put(struct batch *batch, const void *data, size_t size)
{
	static uint8_t beyond[sizeof batch->data];
	size_t padded = NLMSG_ALIGN(size);
	if (batch->size + padded > sizeof batch->data) {
		batch->size = sizeof batch->data + 1;
		return beyond;
	}
	void *at = batch->data + batch->size;
	memset(at, 0, padded);
	memcpy(at, data, size);
	batch->size += padded;
	return at;
}

static void begin(struct batch *batch, uint16_t type, uint16_t flags, const void *header, size_t size)
{
	batch->message = batch->size;
	batch->count++;
	struct nlmsghdr message = {.nlmsg_type = type, .nlmsg_flags = (uint16_t)(NLM_F_REQUEST | NLM_F_ACK | flags), .nlmsg_seq = (uint32_t)batch->count};
	put(batch, &message, sizeof message);
	put(batch, header, size);
}

static void attribute(struct batch *batch, uint16_t type, const void *data, size_t size)
{
	struct nlattr header = {.nla_len = (uint16_t)(sizeof header + size), .nla_type = type};
	put(batch, &header, sizeof header);
	put(batch, data, size);
}

static void attribute_text(struct batch *batch, uint16_t type, const char *text) { attribute(batch, type, text, strlen(text) + 1); }
static void attribute_u32(struct batch *batch, uint16_t type, uint32_t value) { attribute(batch, type, &value, sizeof value); }

static size_t nest(struct batch *batch, uint16_t type)
{
	size_t at = batch->size;
	attribute(batch, type, "", 0);
	return at;
}

static void end_nest(struct batch *batch, size_t at)
{
	uint16_t length = (uint16_t)(batch->size - at);
	if (at < sizeof batch->data) memcpy(batch->data + at, &length, sizeof length);
}

static void end(struct batch *batch)
{
	uint32_t length = (uint32_t)(batch->size - batch->message);
	if (batch->message < sizeof batch->data) memcpy(batch->data + batch->message, &length, sizeof length);
}

static struct ifinfomsg link_header(int index, bool up)
{
	return (struct ifinfomsg){.ifi_family = AF_UNSPEC, .ifi_index = index, .ifi_flags = up ? IFF_UP : 0, .ifi_change = up ? IFF_UP : 0};
}

static void begin_link(struct batch *batch, uint16_t type, uint16_t flags, int index, bool up)
{
	struct ifinfomsg header = link_header(index, up);
	begin(batch, type, flags, &header, sizeof header);
}

static int open_socket(void)
{
	struct sockaddr_nl address = {.nl_family = AF_NETLINK};
	int one = 1, fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) < 0) return complain("open a netlink socket", "");
	setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &one, sizeof one);
	return fd;
}

/* Answers the first error that the kernel acknowledges with. */
static int exchange(int socket, const struct batch *batch)
{
	uint8_t answer[8192];
	size_t acknowledged = 0;
	int result = 0;
	if (batch->size > sizeof batch->data) return -EMSGSIZE;
	if (send(socket, batch->data, batch->size, 0) < 0) return -errno;
	while (acknowledged < batch->count) {
		ssize_t size = recv(socket, answer, sizeof answer, 0);
		if (size < 0) return -errno;
		for (struct nlmsghdr *at = (struct nlmsghdr *)answer; NLMSG_OK(at, (size_t)size); at = NLMSG_NEXT(at, size)) {
			if (at->nlmsg_type != NLMSG_ERROR) continue;
			int error = ((struct nlmsgerr *)NLMSG_DATA(at))->error;
			if (error < 0 && result == 0) result = error;
			acknowledged++;
		}
	}
	return result;
}

static int tell(const struct batch *batch, int tolerated, const char *what, const char *object)
{
	int socket = open_socket();
	if (socket < 0) return socket;
	int result = exchange(socket, batch);
	close(socket);
	if (result == 0 || result == -tolerated) return 0;
	errno = -result;
	return complain(what, object);
}

static void bridge_name(const struct bare *bare, char name[IFNAMSIZ]) { snprintf(name, IFNAMSIZ, "%.13s0", bare->name); }
static void veth_name(const struct bare *bare, char name[IFNAMSIZ]) { snprintf(name, IFNAMSIZ, "%.13sv", bare->name); }

int bridge_make(const struct bare *bare)
{
	struct batch batch = {0};
	char name[IFNAMSIZ];
	bridge_name(bare, name);
	begin_link(&batch, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, 0, true);
	attribute_text(&batch, IFLA_IFNAME, name);
	size_t info = nest(&batch, IFLA_LINKINFO);
	attribute_text(&batch, IFLA_INFO_KIND, "bridge");
	end_nest(&batch, info);
	end(&batch);
	return tell(&batch, 0, "make the bridge", name);
}

static int link_remove(const char *name)
{
	struct batch batch = {0};
	begin_link(&batch, RTM_DELLINK, 0, 0, false);
	attribute_text(&batch, IFLA_IFNAME, name);
	end(&batch);
	return tell(&batch, ENODEV, "remove the link", name);
}

int veth_remove(const struct bare *bare)
{
	char name[IFNAMSIZ];
	veth_name(bare, name);
	return link_remove(name);
}

int veth_await_end(const struct bare *bare)
{
	char name[IFNAMSIZ];
	veth_name(bare, name);
	for (useconds_t waited = 0; if_nametoindex(name) != 0; waited += POLL_US) {
		errno = ETIMEDOUT;
		if (waited > END_TIMEOUT_US) return complain("see the end of", name);
		usleep(POLL_US);
	}
	return 0;
}

int links_remove(const struct bare *bare)
{
	char name[IFNAMSIZ];
	bridge_name(bare, name);
	int veth = veth_remove(bare), bridge = link_remove(name);
	return veth < 0 ? veth : bridge;
}

int network_make(const struct bare *bare)
{
	if (unshare(CLONE_NEWNET) < 0) return complain("make", "a network namespace");
	int network = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	if (setns(bare->own_network, CLONE_NEWNET) < 0) return complain("return to", "the own network namespace");
	return network < 0 ? complain("open", "the new network namespace") : network;
}

int veth_make(const struct bare *bare, int network)
{
	struct batch batch = {0};
	struct ifinfomsg peer = link_header(POD_INDEX, false);
	char name[IFNAMSIZ], bridge[IFNAMSIZ];
	uint8_t hairpin = 1;
	veth_name(bare, name);
	bridge_name(bare, bridge);
	begin_link(&batch, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, HOST_INDEX, true);
	attribute_text(&batch, IFLA_IFNAME, name);
	attribute_u32(&batch, IFLA_MASTER, if_nametoindex(bridge));
	size_t info = nest(&batch, IFLA_LINKINFO);
	attribute_text(&batch, IFLA_INFO_KIND, "veth");
	size_t data = nest(&batch, IFLA_INFO_DATA), peer_info = nest(&batch, VETH_INFO_PEER);
	put(&batch, &peer, sizeof peer);
	attribute_text(&batch, IFLA_IFNAME, "eth0");
	attribute_u32(&batch, IFLA_NET_NS_FD, (uint32_t)network);
	end_nest(&batch, peer_info);
	end_nest(&batch, data);
	end_nest(&batch, info);
	end(&batch);
	begin_link(&batch, RTM_NEWLINK, 0, HOST_INDEX, true);
	attribute_text(&batch, IFLA_IFALIAS, bare->name);
	info = nest(&batch, IFLA_LINKINFO);
	attribute_text(&batch, IFLA_INFO_SLAVE_KIND, "bridge");
	data = nest(&batch, IFLA_INFO_SLAVE_DATA);
	attribute(&batch, IFLA_BRPORT_MODE, &hairpin, sizeof hairpin);
	end_nest(&batch, data);
	end_nest(&batch, info);
	end(&batch);
	return tell(&batch, 0, "make the veth pair", name);
}

static void address_and_route(struct batch *batch, int family, const char *own, const char *gateway, uint8_t prefix)
{
	uint8_t bytes[16];
	size_t size = family == AF_INET ? 4 : 16;
	struct ifaddrmsg address = {
		.ifa_family = (uint8_t)family, .ifa_prefixlen = prefix, .ifa_flags = family == AF_INET6 ? IFA_F_NODAD : 0, .ifa_index = POD_INDEX,
	};
	struct rtmsg route = {.rtm_family = (uint8_t)family, .rtm_table = RT_TABLE_MAIN, .rtm_protocol = RTPROT_STATIC, .rtm_type = RTN_UNICAST};
	inet_pton(family, own, bytes);
	begin(batch, RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, &address, sizeof address);
	attribute(batch, IFA_LOCAL, bytes, size);
	attribute(batch, IFA_ADDRESS, bytes, size);
	end(batch);
	inet_pton(family, gateway, bytes);
	begin(batch, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, &route, sizeof route);
	attribute(batch, RTA_GATEWAY, bytes, size);
	attribute_u32(batch, RTA_OIF, POD_INDEX);
	end(batch);
}

static int write_settings(const struct bare *bare)
{
	static const struct {
		const char *path, *value;
	} SETTINGS[] = {
		{"/proc/sys/net/ipv4/conf/all/accept_redirects", "0"},  {"/proc/sys/net/ipv4/conf/eth0/accept_redirects", "0"},
		{"/proc/sys/net/ipv6/conf/all/disable_ipv6", "0"},      {"/proc/sys/net/ipv6/conf/eth0/accept_ra", "0"},
		{"/proc/sys/net/ipv6/conf/eth0/accept_redirects", "0"}, {"/proc/sys/net/ipv6/conf/eth0/accept_dad", "0"},
	};
	for (size_t i = 0; i < (bare->ipv6 ? LENGTH(SETTINGS) : 2); i++)
		if (file_write(AT_FDCWD, SETTINGS[i].path, SETTINGS[i].value) < 0) return complain("write", SETTINGS[i].path);
	return 0;
}

/* In the pod's namespace. */
static int configure_here(const struct bare *bare)
{
	struct batch batch = {0};
	int result = write_settings(bare);
	if (result < 0) return result;
	begin_link(&batch, RTM_NEWLINK, 0, LOOPBACK_INDEX, true);
	end(&batch);
	begin_link(&batch, RTM_NEWLINK, 0, POD_INDEX, true);
	end(&batch);
	address_and_route(&batch, AF_INET, "10.203.0.2", "10.203.0.1", 16);
	if (bare->ipv6) address_and_route(&batch, AF_INET6, "fd00:cb::2", "fd00:cb::1", 64);
	return tell(&batch, 0, "configure", "the pod's end of the veth pair");
}

int network_configure(const struct bare *bare, int network)
{
	if (setns(network, CLONE_NEWNET) < 0) return complain("enter", "the pod's network namespace");
	int result = configure_here(bare);
	return setns(bare->own_network, CLONE_NEWNET) < 0 ? complain("return to", "the own network namespace") : result;
}
