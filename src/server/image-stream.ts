import { unsupportedStream } from './unsupported.ts';

/** StreamImages: not yet. */
export const streamImages = unsupportedStream('StreamImages', 'use ListImages');
