import { unsupported } from './unsupported.ts';

/** CheckpointPod: not yet. */
export const checkpointPod = unsupported('CheckpointPod', 'processes cannot be saved');
