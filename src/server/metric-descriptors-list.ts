import { METRIC_DESCRIPTORS } from '../pod-metrics/pod-metrics.ts';
import type { UnaryHandler } from './types.ts';

/** ListMetricDescriptors: what ListPodSandboxMetrics can answer with. It never changes. */
export const listMetricDescriptors: UnaryHandler<'ListMetricDescriptors'> = () => ({
	descriptors: METRIC_DESCRIPTORS,
});
