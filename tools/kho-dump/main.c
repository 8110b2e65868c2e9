/* kho-dump: what a kernel hands over to the next, read from an image of physical memory. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "manifest.h"
#include "print.h"

static const char usage[] =
	"usage: kho-dump [options] IMAGE            raw image of physical memory\n"
	"       kho-dump [options] --manifest FILE  sparse image, see docs/kho-dump.md\n"
	"\n"
	"  --boot-params ADDR      boot_params of the kernel handed over to (default: the manifest's)\n"
	"  --fdt ADDR[+SIZE]       root FDT, in place of what boot_params announces (SIZE 0x1000)\n"
	"  --scratch ADDR+SIZE     scratch array, goes with --fdt\n"
	"  --check                 print every violated rule, not the tree\n"
	"  --json                  print everything, findings included, for machines\n"
	"  --sums                  with --json: SHA-256 of blobs and files as well\n"
	"\n"
	"Numbers as in C.  Status: 0 nothing wrong, 1 findings, 2 bad usage or image, 3 something missing\n";

struct options {
	const char *manifest, *image;
	struct where where;
	bool check, json, sums;
};

/* ADDR or ADDR+SIZE. */
static bool parse_range(const char *s, bool with_size, uint64_t *addr, uint64_t *bytes)
{
	char *end;

	if (*s < '0' || *s > '9')
		return false;
	*addr = strtoull(s, &end, 0);
	if (!*end)
		return !with_size;
	if (*end != '+' || !bytes || end[1] < '0' || end[1] > '9')
		return false;
	*bytes = strtoull(end + 1, &end, 0);
	return !*end;
}

static bool parse_option(int c, struct options *o)
{
	struct where *w = &o->where;

	switch (c) {
	case 'm':
		o->manifest = optarg;
		return true;
	case 'b':
		w->has_boot_params = true;
		return parse_range(optarg, false, &w->boot_params, NULL);
	case 'f':
		w->has_fdt = true;
		return parse_range(optarg, false, &w->fdt, &w->fdt_size);
	case 's':
		w->has_scratch = true;
		return parse_range(optarg, true, &w->scratch, &w->scratch_size);
	case 'c':
		return o->check = true;
	case 'j':
		return o->json = true;
	case 'd':
		return o->sums = true;
	default:
		return false;
	}
}

static bool parse(int argc, char **argv, struct options *o)
{
	static const struct option options[] = {
		{ "manifest", required_argument, NULL, 'm' },
		{ "boot-params", required_argument, NULL, 'b' },
		{ "fdt", required_argument, NULL, 'f' },
		{ "scratch", required_argument, NULL, 's' },
		{ "check", no_argument, NULL, 'c' },
		{ "json", no_argument, NULL, 'j' },
		{ "sums", no_argument, NULL, 'd' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};

	*o = (struct options){ .where.fdt_size = KHO_FDT_BYTES };
	for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
		if (c == 'h') {
			fputs(usage, stdout);
			exit(STATUS_OK);
		}
		if (!parse_option(c, o))
			return false;
	}
	if (optind < argc)
		o->image = argv[optind++];
	return optind == argc && !o->image == !!o->manifest &&
	       o->where.has_fdt == o->where.has_scratch;
}

static enum status load(struct options *o)
{
	struct manifest m;
	struct span bytes;
	enum status s;

	if (o->manifest) {
		s = manifest_read(o->manifest, &m);
		if (!s && m.has_boot_params && !o->where.has_boot_params) {
			o->where.has_boot_params = true;
			o->where.boot_params = m.boot_params;
		}
		return s;
	}
	s = image_map_file(o->image, &bytes);
	if (s)
		return s;
	bytes.len = ALIGN_DOWN(bytes.len, PAGE_SIZE);
	if (bytes.len)
		image_add(0, bytes);
	return image_seal();
}

int main(int argc, char **argv)
{
	static struct dump d;
	struct options o;
	enum status s;

	if (!parse(argc, argv, &o)) {
		fputs(usage, stderr);
		return STATUS_USAGE;
	}
	s = load(&o);
	if (s)
		return s;
	if (!o.where.has_boot_params && !o.where.has_fdt)
		return complain(STATUS_USAGE, "where is the handoff? --boot-params, or --fdt and --scratch");
	dump_read(&d, &o.where);
	if (o.json)
		print_json(&d, o.sums);
	else if (o.check)
		print_findings(&d);
	else
		print_text(&d);
	if (fflush(stdout) || ferror(stdout))
		return complain(STATUS_MISSING, "the output could not be written");
	return d.nr_findings ? STATUS_FINDINGS : STATUS_OK;
}
