/* PE entry: collect what firmware knows into a boot_info, leave firmware, call the kernel. */
#include "efi.h"

#include "errno.h"
#include "kernel/console/printf.h"
#include "kernel/memory/memmap.h"
#include "kernel/report/verdict.h"

extern const uint8_t image_end[], text_start[], file_end[], pristine_start[];

_Noreturn void enter_kernel(const struct boot_info *bi);
EFI_STATUS efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *st, uint64_t entry_tsc);

/* Static, since both outlive the firmware's stack. */
static struct boot_info boot_info;
static struct baton_config config;

/* A refusal while firmware is still in charge touches nothing and goes back to it. */
static EFI_STATUS refuse(const struct efi_env *env, enum verdict_code code, const char *why)
{
	efi_drop_linux_files(env, &boot_info);
	efi_printf(env, "VERDICT: REFUSED (%02xh) %s\n", code, why);
	if (config.exit == EXIT_QEMU)
		verdict_debug_exit(code);
	return EFI_INVALID_PARAMETER;
}

/* Return: false if a key was pressed. */
static bool count_down(const struct efi_env *env, unsigned seconds)
{
	SIMPLE_INPUT_INTERFACE *in = env->SystemTable->ConIn;
	EFI_INPUT_KEY key;

	if (!seconds)
		return true;
	while (in && in->ReadKeyStroke(in, &key) == EFI_SUCCESS)
		;
	for (unsigned s = seconds; s > 0; s--) {
		efi_printf(env, "Starting in %u s; any key goes back to firmware.\n", s);
		for (unsigned i = 0; i < 10; i++) {
			env->BootServices->Stall(100000);
			if (in && in->ReadKeyStroke(in, &key) == EFI_SUCCESS)
				return false;
		}
	}
	return true;
}

/* What firmware's memory still holds for us when it has been left is nobody's to take. */
static int keep_loaded(struct boot_info *bi)
{
	const struct boot_file *const kept[] = {
		&bi->file[BOOT_FILE_KERNEL], &bi->file[BOOT_FILE_INITRD], &bi->file[BOOT_FILE_CMDLINE],
		&bi->efi_map,
	};
	int err = 0;

	for (size_t i = 0; i < ARRAY_SIZE(kept) && !err; i++) {
		const paddr_t base = ALIGN_DOWN(kept[i]->pa, PAGE_SIZE);

		if (kept[i]->len)
			err = memmap_carve(bi->map, ARRAY_SIZE(bi->map), &bi->nr_map, base,
					   ALIGN_UP(kept[i]->pa + kept[i]->len, PAGE_SIZE) - base,
					   MEM_LOADER);
	}
	return err;
}

/* ExitBootServices(), with the retry the UEFI specification asks for: the memory map may
 * change between the two calls once, while event handlers run. */
static EFI_STATUS leave_firmware(const struct efi_env *env, struct boot_info *bi)
{
	EFI_BOOT_SERVICES *bs = env->BootServices;
	UINTN size = 0, key, desc_size;
	UINT32 version;
	EFI_MEMORY_DESCRIPTOR *map = NULL;
	EFI_STATUS status;

	bs->GetMemoryMap(&size, NULL, &key, &desc_size, &version);
	size += 16 * desc_size;
	const UINTN room = size;
	status = bs->AllocatePool(EfiLoaderData, room, (VOID **)&map);
	if (status != EFI_SUCCESS)
		return status;
	for (int attempt = 0; attempt < 4; attempt++) {
		size = room;
		status = bs->GetMemoryMap(&size, map, &key, &desc_size, &version);
		if (status != EFI_SUCCESS)
			return status;
		status = bs->ExitBootServices(env->Image, key);
		if (status == EFI_SUCCESS)
			break;
	}
	if (status != EFI_SUCCESS)
		return status;
	bi->firmware_exit_tsc = __builtin_ia32_rdtsc();
	bi->efi_map = (struct boot_file){ .pa = (uintptr_t)map, .len = size };
	bi->efi_map_desc_size = (uint32_t)desc_size;
	if (memmap_from_efi(map, size, desc_size, bi->map, ARRAY_SIZE(bi->map), &bi->nr_map) ||
	    keep_loaded(bi))
		str_format(bi->error, sizeof(bi->error),
			   "the UEFI memory map has more than %u ranges, or sizes that cannot be",
			   BOOT_MAX_RANGES);
	return EFI_SUCCESS;
}

EFI_STATUS efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *st, uint64_t entry_tsc)
{
	struct efi_env env = {
		.Image = image, .SystemTable = st, .BootServices = st->BootServices,
	};
	struct boot_info *bi = &boot_info;
	static EFI_GUID loaded_image_guid = EFI_LOADED_IMAGE_PROTOCOL_GUID;
	struct config_error err;
	char sentence[200];
	const char *unsupported;

	efi_printf(&env, "Baton " BATON_VERSION ": live hand-over of DMA under VT-d, started by UEFI\n");
	if (st->BootServices->HandleProtocol(image, &loaded_image_guid, (VOID **)&env.LoadedImage)
	    != EFI_SUCCESS)
		return refuse(&env, VERDICT_CONFIG, "firmware does not say what it loaded");

	bi->from_uefi = true;
	bi->entry_tsc = entry_tsc;
	bi->image = (uintptr_t)text_start;
	bi->image_size = (uint64_t)(image_end - text_start);
	bi->pristine = pristine_start;
	bi->pristine_size = (uint64_t)(file_end - text_start);

	if (!efi_config_collect(&env, &config, &err))
		return refuse(&env, VERDICT_CONFIG, err.text);
	unsupported = config_unsupported(&config, sentence, sizeof(sentence));
	if (unsupported)
		return refuse(&env, VERDICT_CONFIG, unsupported);
	if (config.handoff_to == TARGET_LINUX &&
	    !efi_linux_files(&env, bi, sentence, sizeof(sentence)))
		return refuse(&env, VERDICT_CONFIG, sentence);
	if (config_format(&config, config.generation, bi->cmdline, sizeof(bi->cmdline)) < 0)
		return refuse(&env, VERDICT_CONFIG, "the configuration is too long to hand on");

	efi_boot_device(&env, bi);
	efi_tables(&env, bi);
	if (!count_down(&env, config.countdown)) {
		efi_printf(&env, "Key pressed: back to firmware.\n");
		efi_drop_linux_files(&env, bi);
		return EFI_ABORTED;
	}
	efi_disconnect_nics(&env, &config, bi);
	st->BootServices->SetWatchdogTimer(0, 0, 0, NULL);
	efi_printf(&env, "Leaving firmware.\n");
	/* After a failed attempt firmware's services may no longer be called: the kernel reports. */
	if (leave_firmware(&env, bi) != EFI_SUCCESS)
		str_format(bi->error, sizeof(bi->error), "firmware does not let go (ExitBootServices failed)");
	bi->efi_systab = (uintptr_t)st;
	enter_kernel(bi);
}
