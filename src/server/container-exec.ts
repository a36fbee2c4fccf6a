import { unsupported } from './unsupported.ts';

/** Exec: not yet. */
export const execContainer = unsupported('Exec', 'use ExecSync for commands that need no terminal');
