import { unsupportedStream } from './unsupported.ts';

/** StreamContainerStats: not yet. */
export const streamContainerStats = unsupportedStream('StreamContainerStats', 'use ListContainerStats');
