/* The frame sender: the other end of the wire while Baton hands over.
 *
 * It talks to QEMU's "-netdev dgram" over UNIX sockets, one Ethernet frame per datagram.  It
 * starts at the first heartbeat, is paced by its own clock and never blocks: a frame the wire
 * does not take keeps its number and is offered again a tick later.  What it counts must agree
 * with what the firmware counts. */
#define _GNU_SOURCE	/* ppoll */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "kernel/stream/frame.h"

#define NSEC		1000000000ULL
#define RETRY_NS	250000		/* tick after a refused frame */
#define BURST		64		/* frames between two looks at the clock and the socket */
#define LINGER_TICK_NS	20000000	/* between two frames after the stream */

/* Statuses shared by the runner and all tools. */
enum { ST_PASS = 0, ST_FAIL = 1, ST_USAGE = 2, ST_TIMEOUT = 4 };

struct options {
	const char *bind, *peer;
	uint8_t mac[ETH_ALEN];
	bool has_mac;
	uint64_t rate;		/* frames per second */
	uint64_t frames;
	uint16_t stream;
	uint64_t timeout_ns;	/* longest silence of the receiver */
	uint64_t linger_ns;	/* after the last acknowledgement, see linger() */
};

struct sender {
	const struct options *opt;
	int fd;
	struct sockaddr_un peer;

	uint64_t start_ns;	/* first heartbeat; 0 before it */
	uint64_t heard_ns;	/* newest heartbeat, or when we began to listen */
	uint64_t next;		/* sequence to send */
	bool next_refused;	/* it has been offered before */

	uint64_t refused;	/* offers the wire did not take */
	uint64_t refused_frames;	/* frames that needed more than one */
	uint64_t heartbeats, last_heartbeat;
	uint64_t last_send_ns, longest_gap_ns;
	uint64_t last_offer_ns, longest_silence_ns;	/* taken or not */
	const char *ended;	/* why; NULL while running */
	uint64_t ended_ns;
	int status;
};

/* Locally administered (IEEE 802, "U/L address bit"). */
static const uint8_t own_mac[ETH_ALEN] = { 0x02, 'B', 'A', 'T', 'O', 'N' };

static volatile sig_atomic_t terminated;

static void on_signal(int sig)
{
	(void)sig;
	terminated = 1;
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * NSEC + (uint64_t)ts.tv_nsec;
}

static void end(struct sender *s, int status, const char *why)
{
	s->status = status;
	s->ended = why;
	s->ended_ns = now_ns();
	if (s->start_ns)
		s->longest_silence_ns = MAX(s->longest_silence_ns, s->ended_ns - s->last_offer_ns);
}

/* Read everything the NIC has sent; only heartbeats of our stream count. */
static void drain_heartbeats(struct sender *s, uint64_t now)
{
	uint8_t buf[2048];
	struct frame_info f;
	ssize_t n;

	while ((n = recv(s->fd, buf, sizeof(buf), MSG_DONTWAIT)) >= 0) {
		if (frame_parse(span_of(buf, (size_t)n), &f) ||
		    !(f.flags & FRAME_F_HEARTBEAT) || f.stream != s->opt->stream)
			continue;
		s->heartbeats++;
		s->last_heartbeat = f.sequence;
		s->heard_ns = now;
		if (!s->start_ns)
			s->start_ns = s->last_send_ns = s->last_offer_ns = now;
	}
}

/* How many frames should have been sent by now; 128 bits because a day at full rate overflows 64. */
static uint64_t frames_due(const struct sender *s, uint64_t now)
{
	const unsigned __int128 due = (unsigned __int128)(now - s->start_ns) * s->opt->rate / NSEC + 1;

	return due < s->opt->frames ? (uint64_t)due : s->opt->frames;
}

/* Offer the next frame once.  True if the wire took it. */
static bool offer_frame(struct sender *s)
{
	uint8_t buf[FRAME_MAX];
	struct frame_info f = {
		.stream = s->opt->stream,
		.sequence = s->next,
		.sent_ns = now_ns(),
		.flags = (s->next_refused ? FRAME_F_REFUSED : 0) |
			 (s->next + 1 == s->opt->frames ? FRAME_F_LAST : 0),
	};
	size_t len;

	s->longest_silence_ns = MAX(s->longest_silence_ns, f.sent_ns - s->last_offer_ns);
	s->last_offer_ns = f.sent_ns;
	memcpy(f.dst, s->opt->mac, ETH_ALEN);
	memcpy(f.src, own_mac, ETH_ALEN);
	len = frame_build(buf, &f);
	if (sendto(s->fd, buf, len, MSG_DONTWAIT, (struct sockaddr *)&s->peer, sizeof(s->peer)) < 0) {
		if (errno == EAGAIN || errno == ENOBUFS || errno == EINTR) {
			s->refused++;
			s->refused_frames += !s->next_refused;
			s->next_refused = true;
		} else if (errno == ECONNREFUSED || errno == ENOENT) {
			end(s, ST_FAIL, "peer gone");
		} else {
			fprintf(stderr, "frames: sendto: %s\n", strerror(errno));
			end(s, ST_FAIL, "send error");
		}
		return false;
	}
	s->longest_gap_ns = MAX(s->longest_gap_ns, f.sent_ns - s->last_send_ns);
	s->last_send_ns = f.sent_ns;
	s->next++;
	s->next_refused = false;
	return true;
}

static void send_due(struct sender *s, uint64_t now)
{
	const uint64_t due = frames_due(s, now);

	for (unsigned n = 0; n < BURST && s->next < due; n++)
		if (!offer_frame(s))
			return;
}

/* Nanoseconds until there is something to do besides reading heartbeats. */
static uint64_t idle_ns(const struct sender *s, uint64_t now)
{
	uint64_t at;

	if (!s->start_ns || s->next == s->opt->frames)
		return NSEC / 10;
	if (s->next_refused)
		return RETRY_NS;
	at = s->start_ns + (uint64_t)((unsigned __int128)s->next * NSEC / s->opt->rate);
	return at > now ? MIN(at - now, NSEC / 10) : 0;
}

static void wait_for(const struct sender *s, uint64_t ns)
{
	struct pollfd pfd = { .fd = s->fd, .events = POLLIN };
	const struct timespec ts = { .tv_nsec = (long)ns };	/* at most a tenth of a second */

	ppoll(&pfd, 1, &ts, NULL);
}

static void progress(const struct sender *s)
{
	if (!s->start_ns)
		fprintf(stderr, "frames: waiting for the first heartbeat\n");
	else
		fprintf(stderr, "frames: sent %" PRIu64 " of %" PRIu64 ", refused %" PRIu64
			", %" PRIu64 " heartbeats, receiver expects %" PRIu64 "\n",
			s->next, s->opt->frames, s->refused, s->heartbeats, s->last_heartbeat);
}

static void run(struct sender *s)
{
	uint64_t next_report = now_ns() + NSEC;

	s->heard_ns = now_ns();
	while (!s->ended) {
		const uint64_t now = now_ns();

		drain_heartbeats(s, now);
		if (s->start_ns && s->next < s->opt->frames)
			send_due(s, now);
		if (s->ended)
			break;
		if (s->next == s->opt->frames && s->last_heartbeat >= s->opt->frames)
			end(s, ST_PASS, "acknowledged");
		else if (terminated)
			end(s, ST_FAIL, "terminated");
		else if (now - s->heard_ns > s->opt->timeout_ns)
			end(s, ST_TIMEOUT, s->start_ns ? "receiver silent" : "no heartbeat");
		else
			wait_for(s, idle_ns(s, now));
		if (now >= next_report) {
			progress(s);
			next_report += NSEC;
		}
	}
}

/* The stream is over and accounted for, but the receiver may still need something on the wire to
 * show that a buffer it has unmapped is out of reach.  These are heartbeats: not of the stream.
 * Ends when the receiver is gone; nothing of it changes the result. */
static void linger(struct sender *s)
{
	const uint64_t until = now_ns() + s->opt->linger_ns;
	uint8_t buf[FRAME_MAX];
	size_t len;

	while (!terminated && now_ns() < until) {
		len = frame_build_heartbeat(buf, s->opt->mac, own_mac, s->opt->stream, s->next, now_ns());
		if (sendto(s->fd, buf, len, MSG_DONTWAIT, (struct sockaddr *)&s->peer,
			   sizeof(s->peer)) < 0 && errno != EAGAIN && errno != ENOBUFS)
			return;
		wait_for(s, LINGER_TICK_NS);
		drain_heartbeats(s, now_ns());
	}
}

static void print_result(const struct sender *s)
{
	const double seconds = s->start_ns ? (double)(s->ended_ns - s->start_ns) / NSEC : 0;

	printf("{\"frames\": %" PRIu64 ", \"sent\": %" PRIu64 ", \"refused\": %" PRIu64
	       ", \"refused_frames\": %" PRIu64 ", \"heartbeats\": %" PRIu64
	       ", \"last_heartbeat_seq\": %" PRIu64 ", \"longest_send_gap_us\": %" PRIu64
	       ", \"longest_silence_us\": %" PRIu64 ", \"seconds\": %.3f, \"ended\": \"%s\"}\n",
	       s->opt->frames, s->next, s->refused, s->refused_frames, s->heartbeats,
	       s->last_heartbeat, s->longest_gap_ns / 1000, s->longest_silence_ns / 1000, seconds, s->ended);
}

/* --- start ------------------------------------------------------------------------------ */

_Noreturn static void usage(const char *what)
{
	fprintf(stderr, "frames: %s\n"
		"usage: frames --bind PATH --peer PATH --mac MAC [--rate N] [--frames N]\n"
		"              [--stream N] [--timeout SECONDS] [--linger SECONDS]\n", what);
	exit(ST_USAGE);
}

static uint64_t number(const char *name, const char *text, uint64_t least, uint64_t most)
{
	char *rest, what[120];
	unsigned long long v;

	errno = 0;
	v = strtoull(text, &rest, 10);
	if (errno || rest == text || *rest || *text == '-' || v < least || v > most) {
		snprintf(what, sizeof(what), "--%s must be %" PRIu64 " to %" PRIu64, name, least, most);
		usage(what);
	}
	return v;
}

static void parse_mac(struct options *opt, const char *text)
{
	unsigned b[ETH_ALEN];
	int used = 0;

	if (sscanf(text, "%2x:%2x:%2x:%2x:%2x:%2x%n", &b[0], &b[1], &b[2], &b[3], &b[4], &b[5],
		   &used) != ETH_ALEN || text[used])
		usage("--mac is not of the form 52:54:00:12:34:56");
	for (size_t i = 0; i < ETH_ALEN; i++)
		opt->mac[i] = (uint8_t)b[i];
	opt->has_mac = true;
}

static void parse_options(struct options *opt, int argc, char **argv)
{
	static const struct option longs[] = {
		{ "bind", required_argument, NULL, 'b' },
		{ "peer", required_argument, NULL, 'p' },
		{ "mac", required_argument, NULL, 'm' },
		{ "rate", required_argument, NULL, 'r' },
		{ "frames", required_argument, NULL, 'f' },
		{ "stream", required_argument, NULL, 's' },
		{ "timeout", required_argument, NULL, 't' },
		{ "linger", required_argument, NULL, 'l' },
		{ 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		switch (c) {
		case 'b': opt->bind = optarg; break;
		case 'p': opt->peer = optarg; break;
		case 'm': parse_mac(opt, optarg); break;
		case 'r': opt->rate = number("rate", optarg, 1, 1000000); break;
		case 'f': opt->frames = number("frames", optarg, 1, UINT64_MAX / NSEC); break;
		case 's': opt->stream = (uint16_t)number("stream", optarg, 0, UINT16_MAX); break;
		case 't': opt->timeout_ns = number("timeout", optarg, 1, 86400) * NSEC; break;
		case 'l': opt->linger_ns = number("linger", optarg, 0, 86400) * NSEC; break;
		default: usage("unknown or incomplete option");
		}
	}
	if (optind != argc || !opt->bind || !opt->peer || !opt->has_mac)
		usage("--bind, --peer and --mac are needed, and nothing but options");
}

static struct sockaddr_un address(const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };

	if (strlen(path) >= sizeof(a.sun_path))
		usage("a socket path is longer than 107 characters");
	memcpy(a.sun_path, path, strlen(path));
	return a;
}

int main(int argc, char **argv)
{
	struct options opt = {
		.rate = 4000, .frames = 20000, .stream = 1, .timeout_ns = 60 * NSEC,
	};
	struct sender s = { .opt = &opt };
	struct sigaction sa = { .sa_handler = on_signal };
	struct sockaddr_un own;

	parse_options(&opt, argc, argv);
	own = address(opt.bind);
	s.peer = address(opt.peer);
	s.fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (s.fd < 0 || bind(s.fd, (struct sockaddr *)&own, sizeof(own)) < 0) {
		fprintf(stderr, "frames: %s: %s\n", opt.bind, strerror(errno));
		return ST_USAGE;
	}
	sigaction(SIGTERM, &sa, NULL);
	sigaction(SIGINT, &sa, NULL);
	run(&s);
	progress(&s);
	if (s.status == ST_PASS)
		linger(&s);
	print_result(&s);
	unlink(opt.bind);
	return s.status;
}
