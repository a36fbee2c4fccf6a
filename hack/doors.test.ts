import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkDoors } from './doors.ts';

const check = (files: Record<string, string>): string[] => checkDoors(new Map(Object.entries(files)));

test('rooms are entered through their doors only', () => {
	assert.deepEqual(
		check({ 'src/a.ts': "import { x } from '#runtime';\nimport { y } from './b.ts';", 'src/b.ts': '' }),
		[],
	);
	assert.match(
		check({ 'src/a.ts': "import { x } from '../runtime/plan/x.ts';" })[0] ?? '',
		/leaves its room/,
	);
	assert.match(
		check({ 'runtime/a.ts': "import { x } from '#images';" })[0] ?? '',
		/runtime may not import #images/,
	);
	assert.match(
		check({ 'cri-api/a.ts': "import { x } from '#base/ids.ts';" })[0] ?? '',
		/cri-api may not import/,
	);
	assert.match(check({ 'src/base/a.ts': "import { x } from 'undici';" })[0] ?? '', /leaf/);
});

test('fenced packages stay behind their fence', () => {
	assert.deepEqual(check({ 'src/server/grpc-server.ts': "import * as grpc from '@grpc/grpc-js';" }), []);
	assert.match(
		check({ 'src/server/status.ts': "import * as grpc from '@grpc/grpc-js';" })[0] ?? '',
		/speaks gRPC/,
	);
	assert.match(
		check({ 'runtime/x.ts': "import { spawn } from 'node:child_process';" })[0] ?? '',
		/starts a process/,
	);
	assert.match(check({ 'src/x.ts': "import { get } from 'node:http';" })[0] ?? '', /fetch/);
	assert.deepEqual(check({ 'src/x.ts': "import type { Server } from 'node:http';" }), []);
	assert.match(
		check({ 'src/x.ts': "const k = await import('@kubernetes/client-node');" })[0] ?? '',
		/Kubernetes/,
	);
});

test('a cycle of values is found, a cycle of types is none', () => {
	const one = "import { b } from './b.ts';";
	const cyclic = check({ 'src/a.ts': one, 'src/b.ts': "export { a } from './a.ts';" });
	assert.deepEqual(cyclic, ['import cycle: src/a.ts → src/b.ts → src/a.ts']);
	assert.deepEqual(check({ 'src/a.ts': one, 'src/b.ts': "import type { a } from './a.ts';" }), []);
});
