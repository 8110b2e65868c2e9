/* Error codes: functions return 0 or one of these, negated.  Same numbers as Linux, so that
 * host builds may include the system's list as well. */
#ifndef BATON_ERRNO_H
#define BATON_ERRNO_H

#define	ENOENT		2	/* not there */
#define	EIO		5	/* the device or the other side reported an error */
#define	EAGAIN		11	/* not now; nothing changed */
#define	ENOMEM		12	/* no pages left */
#define	EBUSY		16	/* in use */
#define	EEXIST		17	/* there already; nothing changed */
#define	ENODEV		19	/* no such device, or it does not answer */
#define	EINVAL		22	/* an argument or a field is not allowed */
#define	ENOSPC		28	/* the given buffer or table is full */
#define	ERANGE		34	/* beyond the range that can be expressed */
#define	ELOOP		40	/* a chain visits the same page twice */
#define	EBADMSG		74	/* bytes that cannot be what they claim to be */
#define	EOPNOTSUPP	95	/* valid, but not implemented or not supported here */
#define	ETIMEDOUT	110	/* the hardware did not answer in time */

#endif
