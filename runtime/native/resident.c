/* The kernel maps sixteen pages of a program around each one that is touched, so a process soon has all of it in
 * its page tables, and its share of the memory counts against it. Idle, a shim needs a handful of pages. */
#include "resident.h"
#include <elf.h>
#include <link.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

static int trim_object(struct dl_phdr_info *object, size_t size, void *page)
{
	(void)size;
	uintptr_t mask = *(uintptr_t *)page - 1;
	for (int i = 0; i < object->dlpi_phnum; i++) {
		const ElfW(Phdr) *part = &object->dlpi_phdr[i];
		if (part->p_type != PT_LOAD || part->p_flags & PF_W) continue;
		uintptr_t begin = object->dlpi_addr + part->p_vaddr, end = begin + part->p_memsz;
		/* Private, read-only and backed by a sealed file: nothing can be lost. */
		madvise((void *)(begin & ~mask), ((end + mask) & ~mask) - (begin & ~mask), MADV_DONTNEED);
	}
	return 1; /* the program itself comes first */
}

void resident_trim(void)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
	dl_iterate_phdr(trim_object, &page);
}
