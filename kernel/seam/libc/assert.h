/* The part of <assert.h> that firmware code uses: assertions at compile time. */
#ifndef BATON_LIBC_ASSERT_H
#define BATON_LIBC_ASSERT_H

#define static_assert	_Static_assert

#endif
