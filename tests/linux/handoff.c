/* The handoff as boot_params announce it, read through /dev/mem: this works whatever the kernel makes
 * of it.  Where debugfs shows the same, both must agree. */
#include "agent.h"

#include <dirent.h>
#include <libfdt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kho/abi.h"
#include "kho/fdt.h"
#include "kho/metadata.h"
#include "span.h"

#define SETUP_DATA	"/sys/kernel/boot_params/setup_data"
#define INCOMING	"/sys/kernel/debug/kho/in"
#define OUTGOING	"/sys/kernel/debug/kho/out"
#define MAX_SCRATCH	64

static struct span root;	/* empty: none */

static bool announced(struct kho_data *data)
{
	char path[96], type[32];

	for (unsigned n = 0; ; n++) {
		long len;

		snprintf(path, sizeof(path), SETUP_DATA "/%u/type", n);
		len = file_read(path, type, sizeof(type) - 1);
		if (len <= 0)
			return false;
		type[len] = 0;
		if (strtoul(type, NULL, 0) != KHO_SETUP_KEXEC_KHO)
			continue;
		snprintf(path, sizeof(path), SETUP_DATA "/%u/data", n);
		return demand(file_read(path, data, sizeof(*data)) == sizeof(*data),
			      "%s has not %zu bytes", path, sizeof(*data));
	}
}

static void *read_copy(uint64_t pa, uint64_t len)
{
	void *copy = aligned_alloc(PAGE_SIZE, ALIGN_UP(len, PAGE_SIZE));

	return demand(copy, "no memory") && physical_read(pa, copy, len) ? copy : NULL;
}

static void read_root(const struct kho_data *data)
{
	struct kho_refusal why;
	void *copy;

	if (!demand(data->fdt_size && data->fdt_size <= KHO_FDT_MAX_BYTES, "the root FDT has %llu bytes",
		    (unsigned long long)data->fdt_size))
		return;
	copy = read_copy(data->fdt_pa, data->fdt_size);
	if (copy && demand(!kho_fdt_check(span_of(copy, data->fdt_size), "root FDT", &root, &why),
			   "root FDT %s", why.fault))
		demand(kho_fdt_compatible(root, 0, KHO_COMPATIBLE), "the root FDT is not " KHO_COMPATIBLE);
}

static bool node_blob(int node, struct span *blob, uint64_t *pa)
{
	uint64_t at, len;
	void *copy;

	if (!demand(!kho_fdt_u64(root, node, KHO_PROP_DATA, &at) &&
		    !kho_fdt_u64(root, node, KHO_PROP_BLOB_SIZE, &len) && len && len <= MIB(16),
		    "sub-node %s has no blob", fdt_get_name(root.p, node, NULL)))
		return false;
	copy = read_copy(at, len);
	if (!copy)
		return false;
	*blob = span_of(copy, len);
	if (pa)
		*pa = at;
	return true;
}

bool handoff_blob(const char *name, struct span *blob, uint64_t *pa)
{
	const int node = root.len ? fdt_subnode_offset(root.p, 0, name) : -1;

	return node >= 0 && node_blob(node, blob, pa);
}

/* @bytes is what debugfs shows under @name.  That of LUO was freed early, and shows what came after. */
static void compare(const char *name, struct span bytes)
{
	char path[128];
	uint8_t *shown;
	long len;

	if (!strcmp(name, "sub_fdts/" KHO_NODE_LUO))
		return;
	snprintf(path, sizeof(path), INCOMING "/%s", name);
	shown = malloc(bytes.len + 1);
	len = shown ? file_read(path, shown, bytes.len + 1) : -1;
	demand(len == (long)bytes.len && !memcmp(shown, bytes.p, bytes.len),
	       "%s (%ld bytes) is not what is in memory (%zu bytes)", path, len, bytes.len);
	say("debugfs=%s bytes=%ld", name, len);
	free(shown);
}

static void look_at_nodes(bool with_debugfs)
{
	int node;

	fdt_for_each_subnode(node, root.p, 0) {
		const char *name = fdt_get_name(root.p, node, NULL);
		char path[96];
		struct span blob;
		uint64_t pa;

		if (!node_blob(node, &blob, &pa))
			continue;
		say("subnode=%s address=%llx size=%zu", name, (unsigned long long)pa, blob.len);
		snprintf(path, sizeof(path), "sub_fdts/%s", name);
		if (with_debugfs)
			compare(path, blob);
		free((void *)blob.p);
	}
}

static void look_at_metadata(void)
{
	struct kho_metadata m;
	struct kho_refusal why;
	struct span blob;

	if (demand(handoff_blob(KHO_NODE_METADATA, &blob, NULL), "the handoff has no kexec-metadata") &&
	    demand(!kho_metadata_read(blob, &m, &why), "kexec-metadata %s", why.fault))
		say("metadata release=%s count=%u", as_value(m.previous_release), m.kexec_count);
}

static void look_at_scratch(const struct kho_data *data)
{
	struct kho_scratch_entry area[MAX_SCRATCH];

	if (!demand(data->scratch_size && data->scratch_size <= sizeof(area), "the scratch array has %llu bytes",
		    (unsigned long long)data->scratch_size) ||
	    !physical_read(data->scratch_pa, area, data->scratch_size))
		return;
	for (size_t i = 0; i < data->scratch_size / sizeof(*area); i++)
		say("scratch=%zu address=%llx size=%llx", i, (unsigned long long)area[i].addr,
		    (unsigned long long)area[i].size);
}

void handoff_look(void)
{
	const bool kho_on = !word("agent_kho") || word_is("agent_kho", "on");
	struct kho_data data;

	if (!announced(&data)) {
		say("handoff=none");
		demand(word_is("agent_kho", "none"), "boot_params announce no handoff");
		return;
	}
	say("handoff=announced fdt=%llx fdt_size=%llu scratch=%llx scratch_size=%llu",
	    (unsigned long long)data.fdt_pa, (unsigned long long)data.fdt_size,
	    (unsigned long long)data.scratch_pa, (unsigned long long)data.scratch_size);
	if (!demand(!word_is("agent_kho", "none"), "boot_params announce a handoff"))
		return;
	read_root(&data);
	if (!root.len)
		return;
	if (kho_on)
		compare("fdt", root);
	look_at_nodes(kho_on);
	look_at_metadata();
	look_at_scratch(&data);
}

/* --- what this kernel is going to hand over, as it says itself --- */

/* One number per line. */
static size_t numbers_of(const char *path, uint64_t number[MAX_SCRATCH])
{
	char text[MAX_SCRATCH * 24], *rest = text, *line;
	const long len = file_read(path, text, sizeof(text) - 1);
	size_t n = 0;

	if (!demand(len > 0, "%s cannot be read", path))
		return 0;
	text[len] = 0;
	while (n < MAX_SCRATCH && (line = strsep(&rest, "\n")) && *line)
		number[n++] = strtoull(line, NULL, 16);
	return n;
}

static void say_nodes(void)
{
	static uint8_t blob[MIB(1)];
	DIR *dir = opendir(OUTGOING "/sub_fdts");
	struct dirent *entry;

	if (!demand(dir, OUTGOING "/sub_fdts cannot be read"))
		return;
	while ((entry = readdir(dir))) {
		char path[512];
		long len;

		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), OUTGOING "/sub_fdts/%s", entry->d_name);
		len = file_read(path, blob, sizeof(blob));
		demand(len > 0, "%s cannot be read", path);
		say("node=%s size=%ld", entry->d_name, len);
	}
	closedir(dir);
}

void handoff_announce(void)
{
	uint64_t at[MAX_SCRATCH], size[MAX_SCRATCH];
	const size_t n = numbers_of(OUTGOING "/scratch_phys", at);

	if (demand(n && numbers_of(OUTGOING "/scratch_len", size) == n, "debugfs has %zu scratch areas", n))
		for (size_t i = 0; i < n; i++)
			say("scratch=%zu address=%llx size=%llx", i, (unsigned long long)at[i],
			    (unsigned long long)size[i]);
	say_nodes();
}
