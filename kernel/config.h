/* Configuration: keys, defaults, parsing and writing (docs/configuration.md).  Pure. */
#ifndef BATON_KERNEL_CONFIG_H
#define BATON_KERNEL_CONFIG_H

#include "base.h"

enum config_plan { PLAN_HANDOVER, PLAN_AUDIT, PLAN_SELFTEST };
enum config_mode { MODE_LEGACY, MODE_SCALABLE };
enum config_domains { DOMAINS_OWN, DOMAINS_SHARED };
enum config_traffic { TRAFFIC_EXTERNAL, TRAFFIC_LOOPBACK };
enum config_profile { PROFILE_LINUX_7_3, PROFILE_IOMMU_SERIES };
enum config_target { TARGET_BATON, TARGET_LINUX };
enum config_efi { EFI_INFO_NONE, EFI_INFO_FIRST, EFI_INFO_RELAY };
enum config_exit { EXIT_RESET, EXIT_QEMU };
enum config_console { SHOW_BOTH, SHOW_SERIAL, SHOW_FRAMEBUFFER };

/* A PCI function, written seg:bus:dev.fn in hexadecimal. */
struct config_pci {
	uint16_t segment;
	uint16_t rid;			/* bus << 8 | device << 3 | function */
};

#define CONFIG_CORRUPT_MAX	32	/* bytes, with the NUL */

struct baton_config {
	enum config_plan plan;
	enum config_mode mode;
	enum config_domains domains;	/* of the NICs under test */
	enum config_traffic traffic;
	enum config_profile profile;
	enum config_target handoff_to;
	enum config_efi efi;
	enum config_exit exit;
	enum config_console console;

	uint32_t rate;			/* frames per second */
	uint32_t frames;		/* good frames of the whole run */
	uint32_t generations;		/* kernels of the run; 1: no hand over */
	uint32_t scratch_mib;		/* 0: by plan, see config_scratch_bytes() */
	uint32_t hold_ms;		/* the blackout is lengthened by this */
	uint32_t countdown;		/* seconds before a run starts */
	uint32_t generation;		/* which one this is; not 0: a handoff is required */

	bool linux_kho;			/* the Linux to start knows KHO */
	bool faults;			/* tests that provoke faults are allowed */
	bool has_nic, has_hostile;
	struct config_pci nic;		/* only with has_nic; else chosen, see port_select() */
	struct config_pci hostile;	/* only with has_hostile */
	char corrupt[CONFIG_CORRUPT_MAX];	/* test builds: what to break; empty: nothing */
};

enum config_source {
	CONFIG_FILE,			/* baton.cfg: one key=value per line, # comments */
	CONFIG_OPTIONS,			/* UEFI load options: words */
	CONFIG_CMDLINE,			/* kernel command line: words; generation= is allowed */
};

struct config_error {
	unsigned line;			/* of a file, from 1; of words, which one */
	char text[160];			/* one sentence */
};

void config_defaults(struct baton_config *c);

/**
 * config_parse() - apply one source
 * @c:   what is there already; keys that @text gives are replaced
 * @err: filled when something is refused: the first error
 *
 * A key given twice in one source is refused.
 * Return: 0; -EINVAL an unknown key, a bad value or bytes that are not text.  Then nothing of
 * @c changes but exit and console, if @text gives them somewhere: they say how to report it.
 */
int config_parse(struct baton_config *c, const char *text, size_t len,
		 enum config_source source, struct config_error *err);

/**
 * config_load_options() - apply UEFI load options
 * @opts:  UCS-2, as LoadOptions; any alignment; may be NULL if @bytes is 0
 * @bytes: LoadOptionsSize
 * @ignored: set if there was something that is not for us: firmware's own data or nothing but
 *	     the image path; worth a log line
 *
 * Return: as config_parse(); 0 if ignored.
 */
int config_load_options(struct baton_config *c, const void *opts, size_t bytes,
			bool *ignored, struct config_error *err);

/* @buf with a sentence naming the first key whose value this build cannot honour, or which
 * contradicts another; NULL if there is none.  To be asked when all sources are applied. */
const char *config_unsupported(const struct baton_config *c, char *buf, size_t size);

/**
 * config_format() - the command line of generation @generation
 *
 * Every key, so that config_parse() of it over the defaults gives @c with that generation.
 * Generation 0 is the one without generation=.
 * Return: length without NUL; -ENOSPC if @size does not hold it and its NUL.
 */
int config_format(const struct baton_config *c, unsigned generation, char *buf, size_t size);

/* Scratch memory of the run in bytes: as given, or 64 MiB, or 512 MiB with Linux in the plan. */
uint64_t config_scratch_bytes(const struct baton_config *c);

#endif
