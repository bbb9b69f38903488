/* SPDX-License-Identifier: MIT */
#include "kinds.h"

static const struct kind *const groups[] = {kinds_of_bytes, kinds_of_files, kinds_of_sockets,
					    kinds_of_won, kinds_of_other};

enum { GROUPS = sizeof(groups) / sizeof(groups[0]) };

const struct kind *kind_numbered(int number)
{
	int i;

	for (i = 0; i < GROUPS; i++) {
		const struct kind *kind = groups[i];

		for (; kind->name; kind++)
			if (number-- == 0)
				return kind;
	}
	return NULL;
}

int kind_count(void)
{
	static int count;

	while (kind_numbered(count))
		count++;
	return count;
}

int kind_number(const struct kind *kind)
{
	int number = 0;

	while (kind_numbered(number) != kind)
		number++;
	return number;
}

bool fails(const struct trial *trial)
{
	return chance(trial->failing);
}

void outcome(struct trial *trial, int n, int own, int whole)
{
	trial->model.nodes[n].own = own;
	trial->model.nodes[n].whole = whole;
}

unsigned char own_byte(const struct trial *trial, int n, uint32_t i)
{
	return (unsigned char)(1 + ((uint32_t)n * 37 + (uint32_t)trial->round * 11 +
				    (uint32_t)trial->lane * 101 + i) %
					   255);
}

uint64_t place_of(const struct trial *trial, int n)
{
	return ((uint64_t)trial->lane * NODES_MAX + (uint64_t)n) * BLOCK;
}

int source_choose(struct trial *trial, struct member *m, uint32_t size)
{
	m->offset = fails(trial) ? SOURCE_SIZE - size + choice(size + 100)
				 : choice(SOURCE_SIZE - size + 1);
	if (m->offset >= SOURCE_SIZE)
		return 0;
	return m->offset + size <= SOURCE_SIZE ? (int)size : (int)(SOURCE_SIZE - m->offset);
}

/*
 * Descriptors.
 */

int winner_choose(const struct trial *trial, int n, enum winning what)
{
	int candidates[NODES_MAX], count = 0, i;

	for (i = 0; i < n; i++) {
		const struct member *m = &trial->members[i];
		bool fits = m->wins == what ||
			    (m->wins == WINS_NEVER && m->place < 0 && chance(20));

		if (fits && m->closer < 0)
			candidates[count++] = i;
	}
	return count ? candidates[choice((uint32_t)count)] : -1;
}

bool winner_use(struct trial *trial, int n, int winner)
{
	if (winner < 0 || !model_edge_add(&trial->model, winner, n, NEED_DESCRIPTOR))
		return false;
	member_of(trial, n)->winner = winner;
	member_of(trial, winner)->users |= (uint64_t)1 << n;
	return true;
}

void descriptor_choose(struct trial *trial, int n, enum winning what, int number, int name)
{
	struct member *m = member_of(trial, n);

	if (chance(60) && winner_use(trial, n, winner_choose(trial, n, what)))
		return;
	m->fd = name && chance(30) ? name : number;
}

int descriptor(const struct trial *trial, int n)
{
	const struct member *m = &trial->members[n];

	return m->winner >= 0 ? sfr_batch_fd(trial->batch, m->winner) : m->fd;
}
