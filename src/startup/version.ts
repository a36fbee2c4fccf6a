import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { INSTALLATION } from '../config/options.ts';

/** Version of package.json. */
export const VERSION: string = JSON.parse(readFileSync(join(INSTALLATION, 'package.json'), 'utf8')).version;
