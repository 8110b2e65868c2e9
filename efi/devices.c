/* What firmware knows of devices and tables: boot device, NIC drivers, RSDP, graphics. */
#include "efi.h"

#include <efipciio.h>

#include "kernel/nic/nic.h"

static EFI_GUID pci_io_guid = EFI_PCI_IO_PROTOCOL_GUID;

static bool locate(EFI_PCI_IO_PROTOCOL *io, uint16_t *segment, uint16_t *rid)
{
	UINTN seg, bus, dev, fn;

	if (io->GetLocation(io, &seg, &bus, &dev, &fn) != EFI_SUCCESS)
		return false;
	*segment = (uint16_t)seg;
	*rid = (uint16_t)(bus << 8 | dev << 3 | fn);
	return true;
}

void efi_boot_device(const struct efi_env *env, struct boot_info *bi)
{
	static EFI_GUID path_guid = EFI_DEVICE_PATH_PROTOCOL_GUID;
	EFI_BOOT_SERVICES *bs = env->BootServices;
	EFI_DEVICE_PATH *path;
	EFI_HANDLE handle;
	EFI_PCI_IO_PROTOCOL *io;

	if (!env->LoadedImage->DeviceHandle ||
	    bs->HandleProtocol(env->LoadedImage->DeviceHandle, &path_guid, (VOID **)&path)
	    != EFI_SUCCESS ||
	    bs->LocateDevicePath(&pci_io_guid, &path, &handle) != EFI_SUCCESS ||
	    bs->HandleProtocol(handle, &pci_io_guid, (VOID **)&io) != EFI_SUCCESS)
		return;
	bi->has_boot_device = locate(io, &bi->boot_segment, &bi->boot_rid);
}

void efi_disconnect_nics(const struct efi_env *env, const struct baton_config *cfg,
			 const struct boot_info *bi)
{
	EFI_BOOT_SERVICES *bs = env->BootServices;
	EFI_HANDLE *handles;
	UINTN n = 0;

	if (bs->LocateHandleBuffer(ByProtocol, &pci_io_guid, NULL, &n, &handles) != EFI_SUCCESS)
		return;
	for (UINTN i = 0; i < n; i++) {
		EFI_PCI_IO_PROTOCOL *io;
		uint16_t segment, rid;
		UINT32 id;

		if (bs->HandleProtocol(handles[i], &pci_io_guid, (VOID **)&io) != EFI_SUCCESS ||
		    io->Pci.Read(io, EfiPciIoWidthUint32, 0, 1, &id) != EFI_SUCCESS ||
		    !nic_match((uint16_t)id, (uint16_t)(id >> 16)) || !locate(io, &segment, &rid))
			continue;
		/* On hardware a NIC is taken only if it is named. */
		if (cfg->has_nic ? segment != cfg->nic.segment || rid != cfg->nic.rid
				 : cfg->exit != EXIT_QEMU ||
				   (bi->has_boot_device && segment == bi->boot_segment &&
				    rid == bi->boot_rid))
			continue;
		bs->DisconnectController(handles[i], NULL, NULL);
	}
	bs->FreePool(handles);
}

static bool guid_equal(const EFI_GUID *a, const EFI_GUID *b)
{
	return __builtin_memcmp(a, b, sizeof(*a)) == 0;
}

static uint8_t shift_of(uint32_t mask)
{
	return mask ? (uint8_t)__builtin_ctz(mask) : 0;
}

static bool linear_framebuffer(const EFI_GRAPHICS_OUTPUT_PROTOCOL *gop, struct boot_framebuffer *fb)
{
	const EFI_GRAPHICS_OUTPUT_MODE_INFORMATION *info;

	if (!gop->Mode || !gop->Mode->Info || !gop->Mode->FrameBufferBase)
		return false;
	info = gop->Mode->Info;

	switch (info->PixelFormat) {
	case PixelRedGreenBlueReserved8BitPerColor:
		fb->red_shift = 0, fb->green_shift = 8, fb->blue_shift = 16;
		break;
	case PixelBlueGreenRedReserved8BitPerColor:
		fb->red_shift = 16, fb->green_shift = 8, fb->blue_shift = 0;
		break;
	case PixelBitMask:
		fb->red_shift = shift_of(info->PixelInformation.RedMask);
		fb->green_shift = shift_of(info->PixelInformation.GreenMask);
		fb->blue_shift = shift_of(info->PixelInformation.BlueMask);
		break;
	default:	/* PixelBltOnly */
		return false;
	}
	fb->base = gop->Mode->FrameBufferBase;
	fb->size = gop->Mode->FrameBufferSize;
	fb->width = info->HorizontalResolution;
	fb->height = info->VerticalResolution;
	fb->stride = info->PixelsPerScanLine * 4;
	return true;
}

/* The first that has memory behind it: the console splitter's virtual one has none. */
static void graphics(const struct efi_env *env, struct boot_framebuffer *fb)
{
	static EFI_GUID gop_guid = EFI_GRAPHICS_OUTPUT_PROTOCOL_GUID;
	EFI_BOOT_SERVICES *bs = env->BootServices;
	EFI_HANDLE *handles;
	UINTN n = 0;

	if (bs->LocateHandleBuffer(ByProtocol, &gop_guid, NULL, &n, &handles) != EFI_SUCCESS)
		return;
	for (UINTN i = 0; i < n; i++) {
		EFI_GRAPHICS_OUTPUT_PROTOCOL *gop;

		if (bs->HandleProtocol(handles[i], &gop_guid, (VOID **)&gop) == EFI_SUCCESS &&
		    linear_framebuffer(gop, fb))
			break;
	}
	bs->FreePool(handles);
}

void efi_tables(const struct efi_env *env, struct boot_info *bi)
{
	static const EFI_GUID acpi2 = ACPI_20_TABLE_GUID, acpi1 = ACPI_TABLE_GUID;
	const EFI_SYSTEM_TABLE *st = env->SystemTable;

	for (UINTN i = 0; i < st->NumberOfTableEntries; i++) {
		const EFI_CONFIGURATION_TABLE *t = &st->ConfigurationTable[i];

		if (guid_equal(&t->VendorGuid, &acpi2) ||
		    (!bi->rsdp && guid_equal(&t->VendorGuid, &acpi1)))
			bi->rsdp = (uintptr_t)t->VendorTable;
	}
	graphics(env, &bi->fb);
}
