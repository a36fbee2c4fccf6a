import { unsupported } from './unsupported.ts';

/** ListMetricDescriptors: not yet. */
export const listMetricDescriptors = unsupported('ListMetricDescriptors', 'use the stats calls');
