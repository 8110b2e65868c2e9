/* The variables of the files under test.  A kernel begins with those that its image came with;
 * on the host several kernels follow each other in one program, so they are put back.
 *
 * MODEL_FLAGS of the Makefile includes this file in front of every file of the kernel and its
 * libraries: their variables lie in sections of their own. */
#ifndef BATON_TEST_MODEL_IMAGE_H
#define BATON_TEST_MODEL_IMAGE_H

#pragma clang section bss = "image_bss" data = "image_data"

#endif
