/* The manifest of a sparse image, format "sparse-physmem-1": JSON, of which these keys count.
 *
 *	"boot_params": "0x7aff9000"			(may be left out)
 *	"segments": [ { "phys": "0x5ae000", "length": 4096, "file": "mem.bin", "offset": 0 }, ... ]
 *
 * Numbers are whole; addresses are strings; files lie beside the manifest. */
#ifndef KHO_DUMP_MANIFEST_H
#define KHO_DUMP_MANIFEST_H

#include "image.h"

struct manifest {
	bool has_boot_params;
	paddr_t boot_params;
};

/* Add what it lists to the image.  Says why not. */
enum status manifest_read(const char *path, struct manifest *out);

#endif
