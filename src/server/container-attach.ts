import { unsupported } from './unsupported.ts';

/** Attach: not yet. */
export const attachContainer = unsupported('Attach', 'read the log of the container instead');
