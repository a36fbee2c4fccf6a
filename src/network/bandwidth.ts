/** How fast a pod may receive and send, as its annotations say (the kubelet hands them on to the runtime). */
import { invalidArgument } from '#base/errors.ts';
import { parseQuantity } from '#base/quantity.ts';

export interface Bandwidth {
	/** To the pod, bits per second. */
	readonly ingress: number | undefined;
	/** From the pod, bits per second. */
	readonly egress: number | undefined;
}

/** Kubernetes accepts rates from 1k to 1P bits per second. */
const LEAST_RATE = 1e3;
const GREATEST_RATE = 1e15;

/** INVALID_ARGUMENT when an annotation is no rate. */
export function bandwidthOf(annotations: Readonly<Record<string, string>>): Bandwidth {
	return {
		ingress: rateOf(annotations, 'kubernetes.io/ingress-bandwidth'),
		egress: rateOf(annotations, 'kubernetes.io/egress-bandwidth'),
	};
}

function rateOf(annotations: Readonly<Record<string, string>>, name: string): number | undefined {
	const text = annotations[name];
	if (text === undefined) return undefined;
	const rate = parseQuantity(text);
	if (rate === undefined || rate < LEAST_RATE || rate > GREATEST_RATE)
		throw invalidArgument(
			`Annotation ${name} is ${JSON.stringify(text)}: it must be a rate in bits per second from 1k to 1P, such as 10M`,
		);
	return Math.ceil(rate);
}
