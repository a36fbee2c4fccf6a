/** Fails when a file imports what its room may not, or when imports form a cycle. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { checkDoors } from './doors.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const sources = new Map<string, string>();
for (const room of ['cri-api', 'src', 'runtime', 'images']) {
	for (const file of readdirSync(join(root, room), { recursive: true, encoding: 'utf8' })) {
		if (file.endsWith('.ts')) sources.set(`${room}/${file}`, readFileSync(join(root, room, file), 'utf8'));
	}
}
const breaches = checkDoors(sources);
for (const breach of breaches) process.stderr.write(`${breach}\n`);
process.exitCode = breaches.length === 0 ? 0 : 1;
