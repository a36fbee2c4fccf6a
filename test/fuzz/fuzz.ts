/**
 * npm run fuzz -- [--seconds N] [--seed N] [--target NAME] [--file INPUT]
 *
 * Runs every target, in TypeScript and in C, for N seconds each (default 20). What fails is written to crash-TARGET;
 * `--target TARGET --file crash-TARGET` runs that again.
 */
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Fuzzer } from './harness.ts';
import { TARGETS } from './targets/index.ts';

const NATIVE = new URL('../../runtime/native/', import.meta.url).pathname;

const { values } = parseArgs({
	options: {
		seconds: { type: 'string', default: '20' },
		seed: { type: 'string', default: String(Date.now() % 1_000_000) },
		target: { type: 'string' },
		file: { type: 'string' },
	},
});
const seconds = Number(values.seconds);
const seed = Number(values.seed);

/** The parsers in C, each with a harness of its own. */
function nativeTargets(): string[] {
	return readdirSync(join(NATIVE, 'fuzz')).flatMap((file) => /^fuzz_(.*)\.c$/.exec(file)?.[1] ?? []);
}

async function runTarget(fuzzer: Fuzzer, name: string): Promise<boolean> {
	const input = values.file === undefined ? {} : { input: readFileSync(values.file) };
	const { inputs, finding } = await fuzzer.run({ name, seed, seconds, ...input });
	if (finding === undefined) {
		console.log(`fuzz ${name}: ${inputs} inputs, seed ${seed}, nothing found`);
		return true;
	}
	const file = `crash-${name}`;
	if (values.file === undefined) writeFileSync(file, finding.input);
	console.log(`fuzz ${name}: input ${inputs}, seed ${seed}: ${finding.why}`);
	console.log(`  run again: npm run fuzz -- --target ${name} --file ${values.file ?? file}`);
	return false;
}

function runNative(name: string): boolean {
	const args =
		values.file === undefined
			? ['--seed', String(seed), '--seconds', String(seconds), '--count', '1000000000']
			: ['--file', values.file];
	return spawnSync(join(NATIVE, 'build/fuzz', name), args, { stdio: 'inherit' }).status === 0;
}

const isWanted = (name: string) => values.target === undefined || values.target === name;
const wanted = Object.keys(TARGETS).filter(isWanted);
const native = nativeTargets().filter(isWanted);
if (wanted.length + native.length === 0) {
	console.error(
		`there is no target ${values.target}; there are ${[...Object.keys(TARGETS), ...nativeTargets()].join(', ')}`,
	);
	process.exit(2);
}
let found = 0;
{
	await using fuzzer = new Fuzzer();
	for (const name of wanted) if (!(await runTarget(fuzzer, name))) found++;
}
if (native.length > 0 && spawnSync('make', ['-s', '-C', NATIVE, 'fuzz'], { stdio: 'inherit' }).status !== 0)
	process.exit(1);
for (const name of native) if (!runNative(name)) found++;
process.exit(found === 0 ? 0 : 1);
