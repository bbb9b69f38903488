/*
 * The preset auto_detect: what fits this machine, and why.
 */
#ifndef SFR_LIB_CONFIG_DETECT_H
#define SFR_LIB_CONFIG_DETECT_H

#include "config.h"

/* What is known of the machine; 0 stands for unknown. */
struct sfr__machine {
	unsigned cores;    /* that this process may use */
	uint64_t memory;   /* bytes in all */
	uint64_t lockable; /* bytes that may be locked; UINT64_MAX without limit */
};

struct sfr__config_choice {
	const char *key;
	char value[32];
	char reason[128];
};

enum { SFR__CONFIG_CHOICES = 2 };

void sfr__machine_look(struct sfr__machine *out);

/* Choose for a machine, given the size of one buffer. Writes all choices. */
void sfr__machine_choose(const struct sfr__machine *machine, uint64_t buffer_size,
			 struct sfr__config_choice out[SFR__CONFIG_CHOICES]);

#endif
