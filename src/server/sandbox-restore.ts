import { unsupported } from './unsupported.ts';

/** RestorePod: not yet. */
export const restorePod = unsupported('RestorePod', 'processes cannot be restored');
