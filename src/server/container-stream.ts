import { unsupportedStream } from './unsupported.ts';

/** StreamContainers: not yet. */
export const streamContainers = unsupportedStream('StreamContainers', 'use ListContainers');
