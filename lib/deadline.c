#include "deadline.h"

int sfr__deadlines_init(struct sfr__deadlines *deadlines, size_t count_max)
{
	return sfr__region_init(&deadlines->region, count_max * sizeof(struct sfr__deadline));
}

void sfr__deadlines_fini(struct sfr__deadlines *deadlines)
{
	sfr__region_fini(&deadlines->region);
}

struct sfr__deadline *sfr__deadline_at(struct sfr__deadlines *deadlines, uint32_t number)
{
	return (struct sfr__deadline *)(void *)deadlines->region.base + (number - 1);
}

uint32_t sfr__deadline_take(struct sfr__deadlines *deadlines, sfr_op *op, uint64_t ns)
{
	uint32_t number = deadlines->free;

	if (number) {
		deadlines->free = sfr__deadline_at(deadlines, number)->next;
	} else {
		size_t size = ((size_t)deadlines->made + 1) * sizeof(struct sfr__deadline);

		if (sfr__region_grow(&deadlines->region, size) < 0)
			return 0;
		number = ++deadlines->made;
	}
	*sfr__deadline_at(deadlines, number) = (struct sfr__deadline){.op = op, .ns = ns};
	return number;
}

bool sfr__deadline_give(struct sfr__deadlines *deadlines, struct sfr__wheel *wheel, uint32_t number)
{
	struct sfr__deadline *deadline = sfr__deadline_at(deadlines, number);

	if (deadline->armed)
		sfr__wheel_remove(wheel, &deadline->timer);
	deadline->op = NULL;
	deadline->next = deadlines->free;
	deadlines->free = number;
	return deadline->passed;
}

void sfr__deadline_start(struct sfr__deadlines *deadlines, struct sfr__wheel *wheel,
			 uint32_t number, uint64_t now_ns, void (*fire)(struct sfr__timer *timer))
{
	struct sfr__deadline *deadline = sfr__deadline_at(deadlines, number);

	if (deadline->armed)
		return;
	deadline->timer.fire = fire;
	deadline->armed = true;
	sfr__wheel_add(wheel, &deadline->timer, sfr__time_after(now_ns, deadline->ns));
}
