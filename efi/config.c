/* Options and file: where a run is configured while firmware is in charge. */
#include "efi.h"

#include "kernel/console/printf.h"

#define CONFIG_FILE_MAX	4096

static CHAR16 config_path[] = { '\\', 'b', 'a', 't', 'o', 'n', '\\', 'b', 'a', 't', 'o', 'n', '.',
				'c', 'f', 'g', 0 };

/* @size: bytes read, 0 when there is no such file, CONFIG_FILE_MAX + 1 when it is longer.
 * Return: false when there is one that cannot be read: defaults are not what was asked for. */
static bool read_config_file(const struct efi_env *env, char *buf, UINTN *size)
{
	static EFI_GUID fs_guid = EFI_SIMPLE_FILE_SYSTEM_PROTOCOL_GUID;
	EFI_FILE_IO_INTERFACE *fs;
	EFI_FILE_HANDLE root, file;
	EFI_STATUS status;

	*size = 0;
	if (!env->LoadedImage->DeviceHandle ||
	    env->BootServices->HandleProtocol(env->LoadedImage->DeviceHandle, &fs_guid,
					      (VOID **)&fs) != EFI_SUCCESS)
		return true;	/* booted from the network: options only */
	if (fs->OpenVolume(fs, &root) != EFI_SUCCESS)
		return false;
	status = root->Open(root, &file, config_path, EFI_FILE_MODE_READ, 0);
	if (status == EFI_SUCCESS) {
		*size = CONFIG_FILE_MAX + 1;
		status = file->Read(file, size, buf);
		file->Close(file);
	} else if (status == EFI_NOT_FOUND) {
		status = EFI_SUCCESS;
	}
	root->Close(root);
	return status == EFI_SUCCESS;
}

bool efi_config_collect(const struct efi_env *env, struct baton_config *cfg,
			struct config_error *err)
{
	static char text[CONFIG_FILE_MAX + 1];
	UINTN size;
	bool ok = read_config_file(env, text, &size);

	config_defaults(cfg);
	if (!ok) {
		str_format(err->text, sizeof(err->text), "\\baton\\baton.cfg cannot be read");
	} else if (size > CONFIG_FILE_MAX) {
		str_format(err->text, sizeof(err->text), "baton.cfg is longer than %u bytes",
			   CONFIG_FILE_MAX);
		ok = false;
	} else if (size && config_parse(cfg, text, size, CONFIG_FILE, err)) {
		ok = false;
	}
	/* Also after an error: exit= may stand here, and says how to report it. */
	if (env->LoadedImage->LoadOptions) {
		struct config_error later;
		bool ignored = false;

		if (config_load_options(cfg, env->LoadedImage->LoadOptions,
					env->LoadedImage->LoadOptionsSize, &ignored, &later)) {
			if (ok)
				*err = later;
			ok = false;
		} else if (ignored) {
			efi_printf(env, "Load options are not ours (no key=value); ignored.\n");
		}
	}
	return ok;
}
