import { unsupported } from './unsupported.ts';

/** CheckpointContainer: not yet. */
export const checkpointContainer = unsupported('CheckpointContainer', 'processes cannot be saved');
