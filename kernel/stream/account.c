/* Accounting of every sequence number of one stream; the rules are in account.h. */
#include "account.h"

#include "errno.h"

void account_start(struct stream_account_ser *a, uint64_t first)
{
	*a = (struct stream_account_ser){
		.first = first,
		.next = first,
		.window = UINT64_MAX,	/* what came before the start is nothing to wait for */
	};
}

static void account_gap(struct stream_account_ser *a, const struct frame_info *f)
{
	const uint64_t gap = a->last_ns && f->sent_ns > a->last_ns ? f->sent_ns - a->last_ns : 0;

	a->last_ns = f->sent_ns;
	a->blackout_gap_ns = MAX(a->blackout_gap_ns, gap);
	if (gap > a->gap_ns) {
		a->gap_ns = gap;
		a->gap_sequence = f->sequence;
	}
}

static void account_in_order(struct stream_account_ser *a, const struct frame_info *f)
{
	const uint64_t skipped = f->sequence - a->next;

	a->lost += skipped;
	a->window = skipped + 1 < ACCOUNT_WINDOW ? a->window << (skipped + 1) : 0;
	a->window |= 1;
	a->next = f->sequence + 1;
	a->good++;
	account_gap(a, f);
}

static void account_late(struct stream_account_ser *a, const struct frame_info *f)
{
	const uint64_t age = a->next - 1 - f->sequence;

	if (age >= ACCOUNT_WINDOW || (a->window & BIT64(age))) {
		a->duplicate++;
		return;
	}
	a->window |= BIT64(age);
	a->lost--;
	a->misplaced++;
}

void account_frame(struct stream_account_ser *a, const struct frame_info *f)
{
	if (f->sequence >= a->next)
		account_in_order(a, f);
	else
		account_late(a, f);
	if (f->flags & FRAME_F_REFUSED)
		a->refused++;
	if (f->flags & FRAME_F_LAST)
		a->end = f->sequence + 1;
	if (a->in_blackout) {
		a->blackout_frames++;
		a->blackout_total++;
	}
}

int account_receive(struct stream_account_ser *a, uint16_t stream, struct span eth,
		    struct frame_info *out)
{
	struct frame_info f;
	int err = frame_parse(eth, &f);

	if (!err && (f.stream != stream || (f.flags & FRAME_F_HEARTBEAT)))
		err = -ENOENT;
	if (err == -EBADMSG)
		a->corrupt++;
	else if (err)
		a->other++;
	if (err)
		return err;
	account_frame(a, &f);
	*out = f;
	return 0;
}

void account_blackout_begin(struct stream_account_ser *a)
{
	a->in_blackout = 1;
	a->blackout_frames = 0;
	a->blackout_gap_ns = 0;
}

void account_blackout_end(struct stream_account_ser *a)
{
	a->in_blackout = 0;
}

bool account_clean(const struct stream_account_ser *a)
{
	return !a->lost && !a->duplicate && !a->corrupt && !a->misplaced;
}

bool account_ended(const struct stream_account_ser *a)
{
	return a->end && a->next >= a->end;
}

bool account_plausible(const struct stream_account_ser *a)
{
	const uint64_t span = a->next - a->first;

	/* Each first, so that the sum cannot wrap into the right value. */
	return a->next >= a->first && a->good <= span && a->misplaced <= span - a->good &&
	       a->lost == span - a->good - a->misplaced &&
	       a->blackout_frames <= a->blackout_total && a->in_blackout <= 1;
}
