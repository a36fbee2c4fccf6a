/** What libseccomp makes of profiles, and what is installed instead: the same to every call. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { CAPABILITIES, loadSeccompProfile, type OciSeccomp } from '#runtime';
import { seccompRequest } from '../../runtime/seccomp/compile.ts';
import { simplifyFilter } from '../../runtime/seccomp/simplify.ts';
import { OPTIONS } from '../../src/config/options.ts';
import { PAUSE_FILTER } from '../../src/sandbox/pause-filter.ts';
import { assertSameAnswers } from '../support/filter.ts';
import { type Random, seeded } from '../support/random.ts';
import { TestLauncher } from './launcher.ts';

const DEFAULT = readFileSync(new URL('../../conf/seccomp.json', import.meta.url), 'utf8');
const ACTIONS = ['KILL', 'KILL_PROCESS', 'TRAP', 'ERRNO', 'TRACE', 'LOG', 'ALLOW'].map(
	(name) => `SCMP_ACT_${name}`,
);
/** Of one byte order, as libseccomp wants them. */
const ARCHITECTURES = ['X86_64', 'X86', 'X32', 'AARCH64', 'ARM', 'RISCV64', 'PPC64LE'].map(
	(name) => `SCMP_ARCH_${name}`,
);
const COMPARISONS = ['NE', 'LT', 'LE', 'EQ', 'GE', 'GT', 'MASKED_EQ'].map((name) => `SCMP_CMP_${name}`);

let launcher: TestLauncher;
before(async () => {
	launcher = await TestLauncher.start();
});
after(async () => await launcher.end());

/** Both filters, which have been compared. */
async function compared(
	profile: OciSeccomp,
	random: Random,
): Promise<{ compiled: Buffer; simplified: Buffer }> {
	const { program } = await launcher.ask('SECCOMP', seccompRequest(profile), 'FILTER');
	const compiled = Buffer.from(program);
	const simplified = await simplifyFilter(compiled);
	assertSameAnswers(compiled, simplified, random);
	return { compiled, simplified };
}

function defaultProfile(capabilities: readonly string[]): OciSeccomp {
	return loadSeccompProfile(DEFAULT, { capabilities, arch: process.arch, kernel: '6.12.0' });
}

for (const [whose, capabilities] of Object.entries({
	'a container': OPTIONS['runtime.default_capabilities'].default,
	'a container without capabilities': [],
	'a container with all capabilities': CAPABILITIES,
}))
	test(`the default profile for ${whose}, in a third of the instructions`, async () => {
		const { compiled, simplified } = await compared(defaultProfile(capabilities), seeded(1));
		assert.ok(simplified.length < compiled.length / 3, `${simplified.length} of ${compiled.length} bytes`);
	});

test("pause's filter", async () => {
	const { compiled, simplified } = await compared(PAUSE_FILTER, seeded(2));
	assert.ok(simplified.length < compiled.length);
});

for (const action of ACTIONS)
	test(`the default profile with ${action} for all that it does not allow`, async () => {
		const { compiled, simplified } = await compared(
			{ ...defaultProfile([]), defaultAction: action, defaultErrnoRet: 77 },
			seeded(3),
		);
		assert.ok(simplified.length <= compiled.length);
	});

const NAMES = [...new Set(defaultProfile(CAPABILITIES).syscalls?.flatMap(({ names }) => names))];

function randomProfile(random: Random): OciSeccomp {
	const some = <T>(count: number, make: () => T) => Array.from({ length: random.below(count + 1) }, make);
	const constant = () =>
		random.of([0, 1, 8, 0xff, 0x7e020000, 0xffffffff, 2 ** 32, 2 ** 40 + 3, random.below(2 ** 32)]);
	const argument = () => ({
		index: random.below(6),
		value: constant(),
		valueTwo: constant(),
		op: random.of(COMPARISONS),
	});
	const errno = () => ({ errnoRet: 1 + random.below(200) });
	return {
		defaultAction: random.of(ACTIONS),
		defaultErrnoRet: 1 + random.below(40),
		architectures: some(4, () => random.of(ARCHITECTURES)),
		syscalls: some(8, () => ({
			names: [random.of(NAMES), ...some(random.of([1, 5, 60]), () => random.of(NAMES))],
			action: random.of(ACTIONS),
			...errno(),
			...(random.oneIn(2) ? { args: some(3, argument) } : {}),
		})),
	};
}

test('profiles made at random', async () => {
	const random = seeded(Number(process.env.GANTRY_TEST_SEED ?? 4));
	let shorter = 0;
	for (let round = 0; round < 60; round++) {
		const { compiled, simplified } = await compared(randomProfile(random), random);
		if (simplified.length < compiled.length) shorter++;
	}
	assert.ok(shorter > 40, `${shorter} became shorter`);
});
