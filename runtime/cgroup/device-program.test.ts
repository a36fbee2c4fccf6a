import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { OciDeviceRule } from '../oci/spec.ts';
import { INSTRUCTION_BYTES } from './bpf.ts';
import { deviceProgram } from './device-program.ts';
import { type DeviceRule, normalizeRules } from './devices.ts';

const ACCESS: Readonly<Record<string, number>> = { m: 1, r: 2, w: 4 };

/** Runs the few instructions that a device program has. */
function run(
	program: Buffer,
	[type, major, minor, access]: readonly [string, number, number, string],
): boolean {
	const bits = [...access].reduce((sum, one) => sum | (ACCESS[one] ?? 0), 0);
	const memory = [(bits << 16) | (type === 'b' ? 1 : 2), major, minor];
	const r = Array.from({ length: 11 }, () => 0);
	for (let pc = 0; pc * INSTRUCTION_BYTES < program.length; pc++) {
		const at = pc * INSTRUCTION_BYTES;
		const [code, registers] = [program.readUInt8(at), program.readUInt8(at + 1)];
		const [dst, src] = [registers & 15, registers >> 4];
		const [offset, immediate] = [program.readInt16LE(at + 2), program.readInt32LE(at + 4)];
		if (code === 0x61) r[dst] = memory[offset / 4] ?? 0;
		else if (code === 0xbc) r[dst] = r[src] ?? 0;
		else if (code === 0xb4) r[dst] = immediate;
		else if (code === 0x54) r[dst] = (r[dst] ?? 0) & immediate;
		else if (code === 0x74) r[dst] = (r[dst] ?? 0) >>> immediate;
		else if (code === 0x56) pc += (r[dst] ?? 0) === immediate ? 0 : offset;
		else if (code === 0x16) pc += (r[dst] ?? 0) === immediate ? offset : 0;
		else if (code === 0x95) return r[0] === 1;
		else assert.fail(`unknown instruction ${code}`);
	}
	assert.fail('the program runs off its end');
}

/** v1's meaning, said plainly: each wanted access is decided by the last rule that names it. */
function allowed(
	rules: readonly DeviceRule[],
	[type, major, minor, access]: readonly [string, number, number, string],
): boolean {
	const names = (rule: DeviceRule, one: string) =>
		(rule.type === 'a' || rule.type === type) &&
		(rule.major ?? major) === major &&
		(rule.minor ?? minor) === minor &&
		rule.access.includes(one);
	return [...access].every((one) => rules.findLast((rule) => names(rule, one))?.allow ?? true);
}

const LISTS: readonly (readonly OciDeviceRule[])[] = [
	[{ allow: false, access: 'rwm' }],
	[{ allow: true, access: 'rwm' }],
	[{ allow: false }, { allow: true, type: 'b', major: 8, minor: 0, access: 'r' }],
	[
		{ allow: false },
		{ allow: true, type: 'c', major: 10 },
		{ allow: false, type: 'c', major: 10, minor: 200, access: 'rwm' },
	],
	[{ allow: false, type: 'b', major: 8, access: 'w' }],
	[
		{ allow: true, type: 'c', major: 10, minor: 1 },
		{ allow: false },
		{ allow: true, type: 'c', major: -1, minor: 1, access: 'rw' },
	],
];

for (const [index, list] of LISTS.entries()) {
	test(`the program answers as the list does (${index})`, () => {
		const rules = normalizeRules(list);
		const program = deviceProgram(rules);
		for (const type of ['b', 'c'])
			for (const major of [1, 8, 10, 136])
				for (const minor of [0, 1, 3, 200])
					for (const access of ['r', 'w', 'm', 'rw']) {
						const request = [type, major, minor, access] as const;
						assert.equal(run(program, request), allowed(rules, request), request.join(' '));
					}
	});
}

test('denying everything still leaves what the runtime itself supplies', () => {
	const program = deviceProgram(normalizeRules([{ allow: false }]));
	assert.equal(run(program, ['c', 1, 3, 'rw']), true);
	assert.equal(run(program, ['c', 136, 7, 'rw']), true);
	assert.equal(run(program, ['b', 8, 0, 'm']), true);
	assert.equal(run(program, ['b', 8, 0, 'r']), false);
	assert.equal(run(program, ['c', 1, 1, 'r']), false);
});

test('no instruction is out of reach: the verifier refuses such programs', () => {
	const program = deviceProgram(normalizeRules([{ allow: false }]));
	const tail = program.subarray(-2 * INSTRUCTION_BYTES);
	assert.deepEqual(
		[tail.readUInt8(0), tail.readInt32LE(4), tail.readUInt8(INSTRUCTION_BYTES)],
		[0xb4, 0, 0x95],
	);
});

for (const rule of [
	{ allow: true, access: 'x' },
	{ allow: true, type: 'a', access: 'r' },
	{ allow: true, type: 'a', major: 1 },
] as const) {
	test(`refused: ${JSON.stringify(rule)}`, () => {
		assert.throws(() => normalizeRules([rule]), { condition: 'INVALID_ARGUMENT', message: /devices\[0\]/ });
	});
}
