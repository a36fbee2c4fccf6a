/** Writes the table of src/metrics/README.md from the metrics. `--check` writes nothing and fails when it is not up to date. */
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { documentedMetrics } from '../src/metrics/document.ts';

const path = fileURLToPath(new URL('../src/metrics/README.md', import.meta.url));
const now = readFileSync(path, 'utf8');
const wanted = `${now.split('| metric |', 1)[0]}${documentedMetrics()}\n`;

if (!process.argv.includes('--check')) {
	writeFileSync(path, wanted);
} else if (now !== wanted) {
	console.error('src/metrics/README.md is not up to date: run node hack/generate-metrics.ts');
	process.exitCode = 1;
}
