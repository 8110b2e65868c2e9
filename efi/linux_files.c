/* The files of a Linux target, read while firmware still has a file system. */
#include "efi.h"

#include "kernel/console/printf.h"
#include "kernel/handover/bootparams.h"

struct linux_file {
	CHAR16 path[16];
	char name[16];		/* the same, for people */
	bool required;
};

static const struct linux_file files[BOOT_FILES] = {
	[BOOT_FILE_KERNEL] = { L"\\baton\\bzImage", "\\baton\\bzImage", true },
	[BOOT_FILE_INITRD] = { L"\\baton\\initrd", "\\baton\\initrd", false },
	[BOOT_FILE_CMDLINE] = { L"\\baton\\cmdline", "\\baton\\cmdline", false },
};

static EFI_STATUS file_size(EFI_FILE_HANDLE file, UINT64 *size)
{
	static EFI_GUID info_guid = EFI_FILE_INFO_ID;
	union {
		EFI_FILE_INFO info;
		uint8_t room[sizeof(EFI_FILE_INFO) + 2 * 256];	/* the longest name of FAT */
	} buf;
	UINTN bytes = sizeof(buf);
	const EFI_STATUS status = file->GetInfo(file, &info_guid, &bytes, &buf);

	if (status == EFI_SUCCESS)
		*size = buf.info.FileSize;
	return status;
}

/* All of it into pages of its own.  An empty file is none. */
static EFI_STATUS read_file(const struct efi_env *env, EFI_FILE_HANDLE file, struct boot_file *out)
{
	UINT64 size = 0, done = 0;
	EFI_PHYSICAL_ADDRESS pa = 0;
	EFI_STATUS status = file_size(file, &size);

	if (status != EFI_SUCCESS || !size)
		return status;
	status = env->BootServices->AllocatePages(AllocateAnyPages, EfiLoaderData,
						  (size + PAGE_SIZE - 1) / PAGE_SIZE, &pa);
	if (status != EFI_SUCCESS)
		return status;
	*out = (struct boot_file){ .pa = pa, .len = size };
	while (done < size) {
		UINTN part = size - done;

		status = file->Read(file, &part, (void *)(uintptr_t)(pa + done));
		if (status != EFI_SUCCESS)
			return status;
		if (!part)
			return EFI_END_OF_FILE;
		done += part;
	}
	return EFI_SUCCESS;
}

static bool open_and_read(const struct efi_env *env, EFI_FILE_HANDLE root,
			  const struct linux_file *f, struct boot_file *out, char *why, size_t size)
{
	EFI_FILE_HANDLE file;
	EFI_STATUS status = root->Open(root, &file, (CHAR16 *)f->path, EFI_FILE_MODE_READ, 0);

	if (status == EFI_NOT_FOUND && !f->required) {
		efi_printf(env, "Linux is started without %s: there is none.\n", f->name);
		return true;
	}
	if (status == EFI_NOT_FOUND) {
		str_format(why, size, "handoff_to=linux needs the file %s on the volume Baton was loaded from",
			   f->name);
		return false;
	}
	if (status == EFI_SUCCESS) {
		status = read_file(env, file, out);
		file->Close(file);
	}
	if (status == EFI_SUCCESS)
		return true;
	str_format(why, size, "%s cannot be read into memory (UEFI status %llx)", f->name,
		   (unsigned long long)status);
	return false;
}

bool efi_linux_files(const struct efi_env *env, struct boot_info *bi, char *why, size_t size)
{
	static EFI_GUID fs_guid = EFI_SIMPLE_FILE_SYSTEM_PROTOCOL_GUID;
	EFI_FILE_IO_INTERFACE *fs;
	EFI_FILE_HANDLE root;
	struct bzimage kernel;
	const char *fault;
	bool ok = true;

	if (!env->LoadedImage->DeviceHandle ||
	    env->BootServices->HandleProtocol(env->LoadedImage->DeviceHandle, &fs_guid,
					      (VOID **)&fs) != EFI_SUCCESS ||
	    fs->OpenVolume(fs, &root) != EFI_SUCCESS) {
		str_format(why, size, "handoff_to=linux needs the volume with \\baton\\bzImage; Baton was not loaded from a file system");
		return false;
	}
	for (unsigned i = 0; i < BOOT_FILES && ok; i++)
		ok = open_and_read(env, root, &files[i], &bi->file[i], why, size);
	root->Close(root);
	if (!ok)
		return false;
	if (bzimage_check(span_of((const void *)(uintptr_t)bi->file[BOOT_FILE_KERNEL].pa,
				  bi->file[BOOT_FILE_KERNEL].len), &kernel, &fault)) {
		str_format(why, size, "%s: %s", files[BOOT_FILE_KERNEL].name, fault);
		return false;
	}
	return true;
}

void efi_drop_linux_files(const struct efi_env *env, struct boot_info *bi)
{
	for (unsigned i = 0; i < BOOT_FILES; i++)
		if (bi->file[i].len)
			env->BootServices->FreePages(bi->file[i].pa,
						     (bi->file[i].len + PAGE_SIZE - 1) / PAGE_SIZE);
}
