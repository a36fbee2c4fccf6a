/** Writes conf/gantry.toml from the option table. `--check` writes nothing and fails when the file is not up to date. */
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { documentedConfig } from '../src/config/document.ts';

const path = fileURLToPath(new URL('../conf/gantry.toml', import.meta.url));
const wanted = documentedConfig();

if (!process.argv.includes('--check')) {
	writeFileSync(path, wanted);
} else if (readFileSync(path, 'utf8') !== wanted) {
	console.error('conf/gantry.toml is not up to date: run node hack/generate-config.ts');
	process.exitCode = 1;
}
