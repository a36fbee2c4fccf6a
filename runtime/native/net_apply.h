/* Carries out network plans: for the launcher's NET_APPLY and for the network hook. */
#pragma once
#include "protocol.h"
#include "util.h"

struct net_outcome {
	uint32_t step, kind;	/* where it failed */
	uint8_t *results;	/* encoded net_result structs; free with net_outcome_free */
	size_t size, capacity;
	uint32_t count;
};

/* pod: the pod's network namespace, or -1 when no step needs it. 0, or -errno with failure and outcome->step. */
int net_apply(const struct msg_net_apply *plan, int pod, struct net_outcome *outcome, struct failure *failure);
void net_outcome_free(struct net_outcome *outcome);

static inline struct msg_net_applied net_outcome_message(const struct net_outcome *outcome)
{
	return (struct msg_net_applied){.results = {outcome->count, {outcome->results, outcome->results + outcome->size, false}}};
}
